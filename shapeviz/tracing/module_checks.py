"""What a module must be to be traced: begun as a module, no script, with sizes of its own."""

from __future__ import annotations

import torch
from torch import nn

from shapeviz.errors import InputError
from shapeviz.tracing.torch_private import UninitializedTensorMixin


def check_begun(module: nn.Module, path: str = "") -> None:
    """Raises InputError for a module, or one within it, whose own __init__ leaves out that of nn.Module."""
    if isinstance(module, torch.jit.ScriptModule):
        return
    if "_modules" not in module.__dict__:
        where = f" ({path})" if path else ""
        raise InputError(
            f"{type(module).__name__}{where}: its __init__ does not call super().__init__(), "
            "which makes it a module: let that be its first line"
        )
    for name, child in module.__dict__["_modules"].items():
        if child is not None:
            check_begun(child, f"{path}.{name}" if path else name)


def check_module(module: nn.Module, called: bool) -> None:
    """Raises InputError for one that cannot be traced, whatever its inputs are. called: it will have been called."""
    check_begun(module)
    for path, submodule in module.named_modules():
        where = f" ({path})" if path else ""
        if isinstance(submodule, torch.jit.ScriptModule):
            raise InputError(f"a scripted module{where} runs outside of Python: give the module it was made from")
        if not called and any(
            isinstance(weight, UninitializedTensorMixin) for weight in dict.values(submodule._parameters)
        ):
            raise InputError(
                f"{type(submodule).__name__}{where} has no sizes before its first call: call the module once, "
                "or describe its inputs, --input 'x:float32[B,3,224,224]'"
            )
