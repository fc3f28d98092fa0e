"""The language: mathematics that records itself.

A model is a Python function over variables. Run under `record`, it leaves a tree of blocks and operations. Each module
lists in its `__all__` what it adds.
"""

# ruff: noqa: F403
from shapeviz.lang.axes import *
from shapeviz.lang.convolution import *
from shapeviz.lang.operations import *
from shapeviz.lang.recorder import *
from shapeviz.lang.recurrence import *
from shapeviz.lang.writing import *
