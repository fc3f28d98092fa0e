"""How properties are tested: the same examples in every run, so that a red run can be repeated, and no time limit."""

import os

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # several workers share the cores: threads that wait must not spin

from hypothesis import settings

for name in ("FORCE_COLOR", "TTY_COMPATIBLE", "COLUMNS", "LINES"):  # what a test prints follows from no terminal
    os.environ.pop(name, None)

settings.register_profile("repeatable", deadline=None, max_examples=60, derandomize=True, database=None)
settings.load_profile("repeatable")
