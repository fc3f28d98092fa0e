"""`python -m shapeviz.train …` is `shapeviz train …`, as torchrun starts it."""

import runpy
import sys

if __name__ == "__main__":
    sys.argv[1:1] = ["train"]
    runpy.run_module("shapeviz", run_name="__main__", alter_sys=True)
