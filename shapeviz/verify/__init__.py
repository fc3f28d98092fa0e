"""The proof that every formula equals PyTorch: an independent module, measured by hooks, counters and two peers."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from importlib import import_module
from types import ModuleType

from shapeviz.errors import InputError, made_of, requiring
from shapeviz.ir import Door, Model
from shapeviz.report import Check

__all__ = ["first_disagreement", "verify"]

PACKAGES = ("torch", "torchinfo", "fvcore")


def verify(model: Model, *, for_all: bool = False) -> tuple[Check, ...]:
    """Every block's parameters, shapes and FLOPs against PyTorch, then the totals, then a real forward and backward.

    The checks come in the order of the walk; those of the whole have the path "model". A model that was traced is
    compared with torch's own counter over the same module, one of a configuration with the model that transformers
    builds of it, one of a class with letters with fresh instances at random sizes.

    for_all: compare the totals as polynomials in every size at once instead, with those that are interpolated from
    small instances of PyTorch's class (shapeviz.interpolation); not of a module, the sizes of which are numbers.

    Raises InputError for a model that is neither built from sizes nor traced, MissingToolError if torch,
    torchinfo or fvcore is not installed.
    """
    if not isinstance(model, Model):
        raise InputError(f"verify takes a Model: shapeviz.verify({made_of(model)})")
    origin = model.origin
    if origin is None or (origin.door is Door.MODULE and origin.trace is None):
        raise InputError(f"{model.name} cannot be proved against PyTorch: it is neither built from sizes nor traced")
    if for_all:
        if origin.door is Door.MODULE and origin.trace.setting.request.blueprint:
            for_all = False  # what is proved of a class is proved for all sizes
        elif origin.door is Door.MODULE:
            raise InputError(
                f"{model.name} has one size: for all sizes a configuration's model is proved, and one built from sizes"
            )
    if for_all:
        with requiring("verify", "torch", *(["transformers"] if origin.door is Door.CONFIGURATION else [])):
            import_module("torch")
        from shapeviz.verify import all_sizes

        return all_sizes.prove(model, origin)
    match origin.door:
        case Door.MODULE:
            if origin.trace.setting.request.blueprint:
                from shapeviz.verify import class_proof

                return class_proof.prove(model, origin.trace)
            from shapeviz.verify import trace_proof

            return trace_proof.prove(model, origin.trace)
        case Door.CONFIGURATION:
            with requiring("verify", "torch", "transformers"):
                import_module("torch")
            from shapeviz.verify import configuration_proof

            return configuration_proof.prove(model, origin)
        case Door.SIZES:
            with requiring("verify", *PACKAGES):
                for package in PACKAGES:
                    import_module(package)
            from shapeviz.verify import sizes_proof

            return sizes_proof.prove(model, origin.config)


def first_disagreement(checks: Iterable[Check]) -> Check | None:
    """Where to look: the first check that fails in a block none of whose parts fails; None if all agree.

    An error in one block shows in every block that contains it.
    """
    failing = [check for check in checks if not check.ok]
    paths = {check.path for check in failing}
    return next((check for check in failing if not any(_contains(check.path, path) for path in paths)), None)


def _contains(path: str, other: str) -> bool:
    return other != path and (path == "model" or other.startswith(path + "."))


class _CallablePackage(ModuleType):
    """This package, callable as the verb that has its name.

    Importing `shapeviz.verify` makes Python bind the package to `shapeviz.verify`, over any function of that name; so
    for `shapeviz.verify(model)` to work in every order of imports, the package itself must be callable. Python provides
    for that: a module may be given a class of its own (The Python Language Reference, section 3.3.2.1).
    """

    def __call__(self, model: Model, *, for_all: bool = False) -> tuple[Check, ...]:
        return verify(model, for_all=for_all)


sys.modules[__name__].__class__ = _CallablePackage
