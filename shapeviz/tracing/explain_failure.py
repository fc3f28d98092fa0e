"""What went wrong in a trace, in the user's names: the operation, its operands, the module's path and the line."""

from __future__ import annotations

import re
from collections.abc import Mapping

from shapeviz.errors import DataDependentError, InputError, ShapevizError, TraceError
from shapeviz.tracing.code_site import code_at, site_of
from shapeviz.tracing.log import Call, Step
from shapeviz.tracing.messages import NO_CUDA, words
from shapeviz.tracing.recording import Recording

# Torch's exceptions say what was wrong only in their text.
DTYPE = re.compile(
    "dtype|Input type|scalar type|expected .* but (got|found) .*(Float|Long|Int|Half|Bool)", re.IGNORECASE
)
RANK = re.compile(r"[1-5]D|dimensional|unpack|rank|number of dimensions|Dimension out of range", re.IGNORECASE)
HIGHER_ORDER = re.compile(r"HigherOrderOperator (\w+)")
# Torch raises these where a size or a branch would need a number that only data have.
DATA = ("GuardOnDataDependentSymNode", "DataDependentOutputException", "DynamicOutputShapeException")


def explained(error: BaseException, recording: Recording, sizes: Mapping[str, int]) -> ShapevizError:
    """The one message for an exception that the module's forward raised, of the kind that says whose mistake it is.

    InputError: the code or its inputs; DataDependentError: no trace can know; TraceError: shapes that disagree.
    """
    if isinstance(error, ShapevizError):
        return error
    step = _failed_step(recording)
    kind = type(error).__name__
    message = recording.symbols.renamed(_first_line(error))
    where, at_sizes = _where(recording, step, error), _at_sizes(recording, sizes)
    if NO_CUDA.search(words(error)):
        return InputError(f"the module needs CUDA, which is not here: {where}; leave the device to the caller")
    if isinstance(error, SystemExit):
        return InputError(f"the module's forward called sys.exit({error.code!r})\n{where}")
    if isinstance(error, RecursionError):
        return InputError(f"the module's forward calls itself without end: RecursionError, {message}\n{where}")
    if kind in DATA or ".numpy() is not supported" in words(error):
        return DataDependentError(
            f"a branch or size depends on the data, which a trace has not: {_guard(error, recording)}\n{where}\n"
            f"  mend it by a form without a branch (torch.where, a mask), or trace the parts around it{at_sizes}"
        )
    if operator := HIGHER_ORDER.search(message):
        return InputError(f"{operator[1]} runs functions, which a trace does not follow: write them out\n{where}")
    if step is None:
        return InputError(f"the module's forward raised {kind}: {message}\n{where}{at_sizes}")
    return _of_step(step, message, f"\n{where}", at_sizes, recording)


def _of_step(step: Step, message: str, where: str, at_sizes: str, recording: Recording) -> InputError | TraceError:
    """An operation that failed: for the dtype or the rank of an input, else because shapes disagree."""
    operands = ", ".join(map(str, step.inputs)) or "no tensors"
    if DTYPE.search(message) and not re.search(r"shape|size", message):
        typed = ", ".join(f"{tensor} {tensor.dtype}" for tensor in step.inputs)
        return InputError(f"{step.kind} of {typed}: {message}{where}\n  give the input another dtype{at_sizes}")
    if RANK.search(message) and any(tensor in recording.input_tensors for tensor in step.inputs):
        mend = "give the input another number of axes"
        return InputError(f"{step.kind} of {operands}: {message}{where}\n  {mend}{at_sizes}")
    return TraceError(f"{step.kind} of {operands}: {message}{where}{at_sizes}")


def _failed_step(recording: Recording) -> Step | None:
    """The operation that raised: the last one of the innermost call."""
    for frame in reversed(recording.frames):
        last = frame.call.body[-1] if frame.call.body else None
        if isinstance(last, Step):
            return last if last.failed else None
        if isinstance(last, Call) and frame is recording.frames[-1]:
            return None
    return None


def _where(recording: Recording, step: Step | None, error: BaseException) -> str:
    """`  in layers.0 (Linear), model.py:31:  x = self.linear(x)`."""
    path = (recording.module_paths[-1] if recording.module_paths else "") or "the module itself"
    kind = type(recording.frames[-1].call.module).__name__ if recording.frames else ""
    site = step.site if step and step.site else site_of(error)
    code = code_at(site)
    return f"  in {path} ({kind})" + f", {site}" * bool(site) + f":  {code}" * bool(code)


def _at_sizes(recording: Recording, sizes: Mapping[str, int]) -> str:
    """The sizes at which it failed, and how to set those that were assumed."""
    hints = recording.symbols.hints
    if not hints:
        return ""
    shown = ", ".join(f"{name} = {sizes.get(name, hint)}" for name, hint in hints.items())
    assumed = [name for name in hints if name not in sizes]
    if assumed:
        shown += f" ({', '.join(assumed)} assumed: --size {assumed[0]}=N sets it)"
    return f"\n  with {shown}"


def _guard(error: BaseException, recording: Recording) -> str:
    """The condition that torch could not decide, in the user's names, and what its letters stand for."""
    guard = re.search(r"guard on data-dependent expression (.*?) \(", words(error))
    condition = recording.symbols.renamed(guard[1]) if guard else _first_line(error)
    letters = "; ".join(recording.symbols.unknown.values())
    return condition + f" ({letters})" * bool(letters)


def _first_line(error: BaseException) -> str:
    return words(error).partition("\n")[0] or type(error).__name__
