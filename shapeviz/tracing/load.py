"""Modules named on the command line: `model.py:build` or `package.module:Model`, made on torch's meta device."""

from __future__ import annotations

import ast
import inspect
import os
import re
import sys
import sysconfig
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from importlib import import_module, invalidate_caches
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, TypeVar

from shapeviz.errors import InputError, nearest, requiring
from shapeviz.files import read_text
from shapeviz.tracing.messages import NO_CUDA, NO_VALUES, words

if TYPE_CHECKING:
    from torch import nn

T = TypeVar("T")
FORM = "a PyTorch module is named file.py:factory or package.module:factory"
DOTTED = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*")


def load(text: str) -> tuple[nn.Module, str]:
    """The module that `file.py:factory` or `package.module:factory` names, and a short name for it.

    A function or class is called without arguments under `torch.device("meta")`, a module is taken as it is. What the
    user's code prints goes to standard error. Raises InputError for all that can be wrong with it, MissingToolError
    without torch.
    """
    return _loaded(text, _built)


def load_class(text: str) -> tuple[Callable[..., object], str]:
    """The class or function itself, whose arguments are to be letters, and its name. Raises as `load` does."""
    return _loaded(text, _unbuilt)


def _loaded(text: str, made: Callable[[object, str, str], T]) -> T:
    """What is made of that which a text names, while its folder is on the path."""
    home, _, path = text.rpartition(":")
    if not home or home.endswith(":") or not DOTTED.fullmatch(path):
        raise InputError(f"{text!r}: {FORM}{_instead(text)}")
    file = Path(home) if home.endswith(".py") or "/" in home or "\\" in home else None
    if file:
        _check(file, path)
    with requiring(text, "torch"):
        import torch  # noqa: F401
    with redirect_stdout(sys.stderr), _importable(file.parent if file else Path()):
        module = _from_file(file) if file else _from_package(home)
        return made(_named(module, path, home), text, path)


def factories(file: Path) -> list[str]:
    """The functions and classes at the top of a Python file, which is read and not run; none if it cannot be."""
    try:
        body = ast.parse(file.read_bytes()).body
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
        return []
    return [n.name for n in body if isinstance(n, ast.FunctionDef | ast.ClassDef) and not n.name.startswith("_")]


def _check(file: Path, path: str) -> None:
    """Refuses a file that is not there or not Python, with the nearest that is."""
    if file.suffix != ".py" and (python := file.with_name(file.name + ".py")).is_file():
        raise InputError(f"{file}:{path}: {FORM}; did you mean {python}:{path}?")
    if not os.path.exists(file):
        with suppress(OSError, ValueError):
            if others := sorted(other.name for other in file.parent.glob("*.py")):
                raise InputError(f"cannot read {file}: No such file; Python files there: {nearest(file.name, others)}")
        raise InputError(f"cannot read {file}: No such file, and no Python file is there")


def _instead(text: str) -> str:
    """The nearest text of the right form, or what a file has to offer."""
    guess = text.removesuffix("()").replace("::", ":").strip()
    if guess != text and not guess.endswith(":"):
        return f"; did you mean {guess}?"
    home = text.partition(":")[0]
    names = factories(Path(home)) if home.endswith(".py") else []
    return f"; in {home} there are: {', '.join(names[:30])}" if names else ""


@contextmanager
def _importable(folder: Path) -> Iterator[None]:
    """The folder before all others on the path, as for a script in it; afterwards the path is as it was."""
    invalidate_caches()
    before = sys.path[:]
    sys.path.insert(0, str(folder.resolve()))
    try:
        yield
    finally:
        sys.path[:] = before


def _from_file(file: Path) -> ModuleType:
    source = read_text(file, "a Python file").removeprefix("\ufeff")
    short, long = (re.sub(r"\W", "_", name) for name in (file.stem, str(file.resolve().with_suffix(""))))
    name = long if short in sys.modules else short
    spec = spec_from_file_location(name, file)
    assert spec
    module = module_from_spec(spec)
    sys.modules[name] = module
    try:
        with _explained(f"{file} cannot be imported", file=file):
            exec(compile(source, str(file), "exec"), module.__dict__)
    except BaseException:
        sys.modules.pop(name, None)
        raise
    return module


def _from_package(home: str) -> ModuleType:
    if not DOTTED.fullmatch(home):
        raise InputError(f"{home!r} is no module's name; {FORM}")
    try:
        with _explained(f"{home} cannot be imported"):
            return import_module(home)
    except InputError as error:
        absent = getattr(error.__cause__, "name", None)
        if isinstance(error.__cause__, ModuleNotFoundError) and absent and f"{home}.".startswith(f"{absent}."):
            raise InputError(_no_module(home, absent)) from error.__cause__
        raise


def _no_module(home: str, absent: str) -> str:
    parent, _, last = absent.rpartition(".")
    folders = list(getattr(sys.modules.get(parent), "__path__", ())) if parent else [str(Path().resolve())]
    there = [entry for folder in folders if Path(folder).is_dir() for entry in sorted(Path(folder).iterdir())]
    modules = [entry.stem for entry in there if entry.suffix == ".py" or (entry / "__init__.py").is_file()]
    hint = nearest(last, [name for name in modules if not name.startswith("_")])
    if not hint.startswith("did") and not (parent and modules):
        hint = f"{parent} is no package" if parent else "install it, or run shapeviz in the folder that has it"
    where = f"in {parent}" if parent else f"installed or in {Path().resolve()}"
    return f"cannot import {home}: no module {last!r} {where}; {hint}"


def _named(module: ModuleType, path: str, home: str) -> object:
    """What a path names in a module: attributes one after the other, with the nearest where one is missing."""
    holder: object = module
    for depth, name in enumerate(path.split(".")):
        try:
            with _explained(f"{home}:{path} cannot be imported", AttributeError):
                holder = getattr(holder, name)
        except AttributeError as error:
            where = ":".join([home, ".".join(path.split(".")[:depth])]).rstrip(":")
            whole = dir(holder) if hasattr(holder, "__path__") else []  # a package shows what its parts define
            own = [key for key, value in getattr(holder, "__dict__", {}).items() if _builds(key, value, module)]
            names = [key for key in whole if not key.startswith("_")] or own
            hint = nearest(name, names) if names else "write a function there that returns the module"
            raise InputError(f"{where} has no {name!r}; {hint}") from error
    return holder


def _builds(name: str, value: object, home: ModuleType) -> bool:
    """True for a module, or a function or class that the file itself defines."""
    from torch import nn

    own = getattr(value, "__module__", None) == home.__name__
    return not name.startswith("_") and (isinstance(value, nn.Module) or (callable(value) and own))


def _unbuilt(factory: object, text: str, path: str) -> tuple[Callable[..., object], str]:
    from torch import nn

    if isinstance(factory, nn.Module):
        raise InputError(f"{text} is a finished module: --vary makes letters of the arguments of a class or a function")
    if not callable(factory):
        raise InputError(f"{text} is {kind(factory)}: --vary makes letters of the arguments of a class or a function")
    return factory, path.rpartition(".")[2]


def _built(factory: object, text: str, path: str) -> tuple[nn.Module, str]:
    from torch import nn

    from shapeviz.tracing import meta_device
    from shapeviz.tracing.module_checks import check_begun

    if isinstance(factory, nn.Module):
        return factory, path.rpartition(".")[2]
    if not callable(factory):
        raise InputError(f"{text} is {kind(factory)}: a function, a class or an nn.Module is needed")
    if needed := _required(factory):
        arguments = ", ".join(f"{name}=…" for name in needed)
        raise InputError(
            f"{text} needs the argument{'s' * (len(needed) > 1)} {', '.join(needed)}: name a function without "
            f"arguments, for instance  def build(): return {path}({arguments}), or make letters of them, "
            f"--vary {','.join(needed)}"
        )
    with _explained(f"{text} cannot be built"):
        module = meta_device.called(factory)
    if module is None:
        raise InputError(f"{text} returns None: end it with  return model")
    if not isinstance(module, nn.Module):
        raise InputError(f"{text} returns {kind(module)}: an nn.Module is needed")
    check_begun(module)
    meta_device.move(module)
    plain = type(module).__module__.startswith("torch.nn.modules.container")
    return module, path.rpartition(".")[2] if plain else type(module).__name__


def kind(value: object) -> str:
    """What somebody gave in place of a module, in words: `a Tensor`, `the class M, not an instance of it`."""
    if isinstance(value, type):
        return f"the class {value.__name__}, not an instance of it"
    name = type(value).__name__
    return f"{'an' if name[0] in 'aeiouAEIOU' else 'a'} {name}"


def _required(factory: Callable[..., object]) -> list[str]:
    """The arguments without which it cannot be called."""
    try:
        parameters = inspect.signature(factory).parameters.values()
    except (TypeError, ValueError):
        return []
    several = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [p.name for p in parameters if p.default is p.empty and p.kind not in several]


@contextmanager
def _explained(what: str, *others: type[BaseException], file: Path | None = None) -> Iterator[None]:
    """The user's code within: whatever it raises becomes an InputError with its line, Ctrl-C and `others` excepted."""
    passed: tuple[type[BaseException], ...] = (KeyboardInterrupt, InputError, *others)
    try:
        yield
    except passed:
        raise
    except SystemExit as error:
        raise InputError(
            f"{what}: {_place(error)} it ends the program (exit {error.code}); "
            "keep what a script does below  if __name__ == '__main__':"
        ) from error
    except SyntaxError as error:
        words = (error.text or "").strip()
        raise InputError(
            f"{what}: {error.filename}, line {error.lineno}: {error.msg}" + (f":  {words}" if words else "")
        ) from error
    except BaseException as error:
        raise InputError(f"{what}: {_place(error)} {_words(error)}{_mend(error, file)}") from error


def _words(error: BaseException) -> str:
    text = words(error)
    first = text if len(text) <= 500 else text[:500] + "…"
    return f"{type(error).__name__}: {first}" if first else type(error).__name__


def _mend(error: BaseException, file: Path | None) -> str:
    """What to do about it, where that is known."""
    text = words(error)
    if NO_CUDA.search(text):
        return "; leave the device to the caller, without .cuda() and device='cuda': a trace computes nothing"
    if NO_VALUES.search(text):
        return (
            "; modules are built on the meta device, where tensors have no values: build it without reading any, "
            "or name a finished module:  model = build()  and file.py:model"
        )
    if file and isinstance(error, ImportError) and "relative import" in text:
        folder, parts = file.resolve().parent.parent, [file.resolve().parent.name, file.stem]
        while (folder / "__init__.py").is_file():
            folder, parts = folder.parent, [folder.name, *parts]
        return f"; name it as a part of its package: in {folder}, {'.'.join(parts)}:factory"
    if isinstance(error, ModuleNotFoundError):
        return "; install it, or run shapeviz with the Python that has it"
    return ""


def _place(error: BaseException) -> str:
    """`model.py, line 3:`, the last line of the user's own that was reached."""
    ours = (str(Path(__file__).parent), "<")
    frames = [f for f in traceback.extract_tb(error.__traceback__) if not f.filename.startswith(ours)]
    library = tuple(sysconfig.get_paths()[name] for name in ("stdlib", "platstdlib", "purelib", "platlib"))
    own = [frame for frame in frames if not frame.filename.startswith(library)]
    return f"{(own or frames)[-1].filename}, line {(own or frames)[-1].lineno}:" if frames else "there"
