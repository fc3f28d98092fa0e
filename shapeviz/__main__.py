"""`python -m shapeviz` is the `shapeviz` program."""

from shapeviz.cli import main

if __name__ == "__main__":
    main()
