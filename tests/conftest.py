"""One profile for all random tests: no deadline, since the machines of a continuous integration vary in speed."""

from hypothesis import settings

settings.register_profile("shapeviz", deadline=None, max_examples=100)
settings.load_profile("shapeviz")
