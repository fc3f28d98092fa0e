"""What a trace changes of the running process, and gives back: everything that makes it unsafe beside another one.

* torch.nn.functional: attention and dropout, while a function of torch written in Python calls them (modes.py)
* torch.nn.modules.transformer: the search for causal masks
* transformers.masking_utils: the search for packed sequences (huggingface.py)
* the module itself, its configuration, the random number generators and the default dtype (lend_module.py)
* torch.inference_mode, which is torch.no_grad meanwhile: in it torch hands on operations whole that are made of others
* torch.nn: the checks of packed sequences (packed_sequences.py)
* torch.distributions does not check its arguments: a check that data pass decides no size
* the search for garbage, the recursion limit, and two loggers of torch's

So only one trace runs at a time: another thread waits in `alone` until it is done. What other threads do meanwhile with
torch itself sees these changes; they should not compute while a module is traced.
"""

from __future__ import annotations

import gc
import logging
import sys
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from contextlib import ExitStack, contextmanager
from threading import RLock
from typing import Any

import torch
from torch.distributions import Distribution

from shapeviz.tracing.limits import DEEPEST_STACK

# Torch logs what it could not do with symbolic sizes; we explain these errors ourselves.
LOGGERS = ("torch._subclasses.fake_tensor", "torch.__trace")
_running = RLock()  # the same thread may trace within a trace, as a module does that traces another one


@contextmanager
def alone() -> Iterator[None]:
    """No other trace runs meanwhile; Python is quiet, does not look for garbage, and has room for our frames."""
    with _running, ExitStack() as stack:
        for name in LOGGERS:
            log = logging.getLogger(name)
            stack.callback(log.setLevel, log.level)
            log.setLevel(logging.CRITICAL + 1)
        if gc.isenabled():  # the many small objects live until the end: looking for garbage takes long and finds none
            stack.callback(gc.enable)
            gc.disable()
        stack.callback(sys.setrecursionlimit, sys.getrecursionlimit())
        sys.setrecursionlimit(max(sys.getrecursionlimit(), DEEPEST_STACK))
        stack.callback(setattr, Distribution, "_validate_args", Distribution._validate_args)
        Distribution.set_default_validate_args(False)
        stack.enter_context(torch.inference_mode(False))
        for method in ("__enter__", "__exit__"):
            stack.callback(setattr, torch.inference_mode, method, getattr(torch.inference_mode, method))
        torch.inference_mode.__enter__ = _enter_without_gradients  # type: ignore[method-assign]
        torch.inference_mode.__exit__ = _exit_without_gradients  # type: ignore[method-assign]
        yield


def _enter_without_gradients(context: Any) -> None:
    context._inference_mode_context = torch.set_grad_enabled(not context.mode)


def _exit_without_gradients(context: Any, *error: object) -> None:
    context._inference_mode_context.__exit__(*error)


@contextmanager
def replaced(namespace: MutableMapping[str, object], functions: Mapping[str, Callable[..., object]]) -> Iterator[None]:
    """Functions of a Python module replaced by ours meanwhile, where it has them."""
    before = {name: namespace[name] for name in functions if name in namespace}
    namespace.update({name: functions[name] for name in before})
    try:
        yield
    finally:
        namespace.update(before)
