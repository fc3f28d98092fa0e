"""What went wrong in a trace, in the user's names: the operation, its operands, the module's path and the line."""

from __future__ import annotations

import re
from typing import Any

from shapeviz.errors import DataDependentError, InputError, ShapevizError, TraceError
from shapeviz.tracing.load import NO_CUDA
from shapeviz.tracing.places import line_of, source
from shapeviz.tracing.recorder import Recorder
from shapeviz.tracing.records import Call, Step

DTYPE = re.compile(
    "dtype|Input type|scalar type|expected .* but (got|found) .*(Float|Long|Int|Half|Bool)", re.IGNORECASE
)
RANK = re.compile(r"[1-5]D|dimensional|unpack|rank|number of dimensions|Dimension out of range", re.IGNORECASE)
DATA = ("GuardOnDataDependentSymNode", "DataDependentOutputException", "DynamicOutputShapeException")


def explained(error: BaseException, recorder: Recorder, sizes: dict[str, int]) -> ShapevizError:
    """The one message for an exception that the module's forward raised."""
    if isinstance(error, ShapevizError):
        return error
    step = _failed(recorder)
    kind = type(error).__name__
    words = recorder.symbols.renamed(_first_line(error))
    where = _where(recorder, step, error)
    used = _sizes(recorder, sizes)
    if NO_CUDA.search(str(error)):
        return InputError(f"the module needs CUDA, which is not here: {where}; leave the device to the caller")
    if isinstance(error, SystemExit):
        return InputError(f"the module's forward called sys.exit({error.code!r})\n{where}")
    if isinstance(error, RecursionError):
        return InputError(f"the module's forward calls itself without end: RecursionError, {words}\n{where}")
    if kind in DATA or ".numpy() is not supported" in str(error):
        return DataDependentError(
            f"a branch or size depends on the data, which a trace has not: {_guard(error, recorder)}\n{where}\n"
            f"  mend it by a form without a branch (torch.where, a mask), or trace the parts around it{used}"
        )
    if step is None:
        return InputError(f"the module's forward raised {kind}: {words}\n{where}{used}")
    operands = ", ".join(map(str, step.inputs)) or "no tensors"
    from_input = any(tensor in recorder.given for tensor in step.inputs)
    if DTYPE.search(words) and not re.search(r"shape|size", words):
        return InputError(f"{step.kind} of {_typed(step)}: {words}\n{where}\n  give the input another dtype{used}")
    if RANK.search(words) and from_input:
        return InputError(f"{step.kind} of {operands}: {words}\n{where}\n  give the input another number of axes{used}")
    return TraceError(f"{step.kind} of {operands}: {words}\n{where}{used}")


def _typed(step: Step) -> str:
    return ", ".join(f"{tensor} {tensor.dtype}" for tensor in step.inputs)


def _failed(recorder: Recorder) -> Step | None:
    """The operation that raised: the last one of the innermost call."""
    for frame in reversed(recorder.frames):
        last = frame.call.body[-1] if frame.call.body else None
        if isinstance(last, Step):
            return last if last.failed else None
        if isinstance(last, Call) and frame is recorder.frames[-1]:
            return None
    return None


def _where(recorder: Recorder, step: Step | None, error: BaseException) -> str:
    path = (recorder.places[-1] if recorder.places else "") or "the module itself"
    kind = type(recorder.frames[-1].call.module).__name__ if recorder.frames else ""
    site = step.site if step and step.site else line_of(error)
    text = source(site)
    return f"  in {path} ({kind})" + (f", {site}" if site else "") + (f":  {text}" if text else "")


def _sizes(recorder: Recorder, sizes: dict[str, int]) -> str:
    hints = recorder.symbols.hints
    shown = ", ".join(f"{name} = {sizes.get(name, hint)}" for name, hint in hints.items())
    assumed = [name for name in hints if name not in sizes]
    more = f" ({', '.join(assumed)} assumed: --size {assumed[0]}=N sets it)" if assumed else ""
    return f"\n  with {shown}{more}" if shown else ""


def _guard(error: BaseException, recorder: Recorder) -> str:
    found = re.search(r"guard on data-dependent expression (.*?) \(", str(error))
    names = recorder.symbols.unknown
    known = "; ".join(names.values())
    return (recorder.symbols.renamed(found[1]) if found else _first_line(error)) + (f" ({known})" if known else "")


def _first_line(error: Any) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__
