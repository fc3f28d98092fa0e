"""Tracing: a PyTorch module run once on tensors without data, its named dimensions kept, into the tree of a Model.

    specs, input_values      "float32[B,S,512]" and what it describes
    trace_request            the question, checked: inputs bound to forward, sizes, names
        |
    trace_module, passes     tries one way of running after the other ------------------.
        |                                                                               |
    fake_run                 one run. It puts together:                                 |
        symbolic_sizes       B and S as torch's symbols, and back as our expressions    | explain_failure
        watched_guards       which branches sizes decided --> branch_conditions         |
        lend_module          the module with stand-ins for its weights                  |
        modes, stand_ins,    functions and operations of torch, watched or replaced     |
        asks_first           or asked for the sizes that decide them                    |
        calls, folding       modules called; of identical layers only two run           |
        |                    (signature: what can be identical; position: layer_idx)    |
    recording --> log        calls, steps, costs (multiply_adds), saved tensors  <------'
        |
    block_tree               the log as blocks (weight_owners, saved_once, labels)
        |
    traced_model             the Model: tree, sizes, conditions, notes

Read it in this order: log, trace_module, fake_run, recording, calls with folding, block_tree; the rest as it is needed.
Beside it stand load (the module that `model.py:build` names), configuration (the one of a config.json), structure (a
module that is not run), module_checks, messages, code_site, limits, and torch_private: all that we use of torch without
a promise to stay.

While a trace runs it changes what belongs to the whole process, and gives it back: functions in torch.nn.functional,
torch.nn.modules.transformer and transformers.masking_utils, the search for garbage, the recursion limit, random states
and the module itself (process_state lists them). So one trace runs at a time: a second thread waits for the first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from shapeviz.errors import InputError, ShapevizError, requiring
from shapeviz.ir import Model

if TYPE_CHECKING:
    from torch import nn

__all__ = ["NO_NAMES", "trace"]

NO_NAMES = (
    "names has ended: a number of a module has no name, since the same number may mean another size; "
    "give the class and its arguments as letters, vary=['dim', 'heads']"
)


def trace(
    module: nn.Module | Callable[..., object],
    *inputs: object,
    vary: Mapping[str, object] | Iterable[str] | None = None,
    sizes: Mapping[str, int | str] | None = None,
    training: bool = False,
    saved: bool = False,
    input_grad: bool = False,
    fold: bool = True,
    run: bool = True,
    patience: float | None = None,
    name: str = "",
    source: str = "",
    forward: Mapping[str, object] | None = None,
    names: object = None,
    **by_name: object,
) -> Model:
    """The symbolic model of any `torch.nn.Module`: its shapes, parameters and costs in the dimensions that you name.

    Inputs are forward's arguments, by position or by name: `ids="int64[B,S]"`, tuples, lists and dicts of such texts,
    or any other value as it is; `forward={…}` takes those whose names are options here. Nothing is computed, and the
    module is left as it was. Another thread that traces meanwhile waits.

    sizes: numbers for the dimensions, `{"B": 32}`; without them usual ones are assumed.
    vary: of a class or factory in place of a module, the arguments that are letters: `["dim", "heads"]`, or with an
    expression for each, `{"channels": "2*c"}`, where only some sizes are possible. It is built and run with symbols.
    training: the backward pass is traced as well, and its FLOPs are counted.
    saved: the bytes that are saved for the backward pass are counted.
    input_grad: the inputs require gradients too, as within a larger model.
    fold: of identical layers two are run and all are counted.
    patience: CPU seconds, 25 unless given, after which all dimensions but batches become numbers.
    run: if false, a module whose forward needs inputs and gets none is not run; its parameters alone are counted.

    Raises InputError for inputs that do not fit or a forward that fails, SizeError for impossible sizes, TraceError
    (with the tree so far in `.model`) for shapes that disagree or a dimension that the module takes for a number.

    >>> import shapeviz, torch
    >>> report = shapeviz.measure(shapeviz.trace(torch.nn.Linear(512, 64), "float32[B,S,512]"))
    >>> print(report.total["flops"])
    65536·B·S
    """
    with requiring("tracing", "torch"):
        from torch import nn
    from shapeviz.keys import from_text
    from shapeviz.tracing.blueprint import Blueprint, blueprint
    from shapeviz.tracing.limits import PATIENCE
    from shapeviz.tracing.load import kind
    from shapeviz.tracing.messages import in_python
    from shapeviz.tracing.trace_module import trace_module
    from shapeviz.tracing.trace_request import TraceRequest, prepared

    numbers = {size: from_text(number) for size, number in (sizes or {}).items()}
    if names is not None:
        raise InputError(NO_NAMES)
    plan = module if isinstance(module, Blueprint) else None
    if vary is not None:
        if isinstance(module, nn.Module) or not callable(module):
            raise InputError(f"vary takes a class or a factory, whose arguments it makes letters, not {kind(module)}")
        arguments = vary if isinstance(vary, Mapping) else {argument: argument for argument in vary}
        plan = blueprint(module, arguments)
    if plan:
        module, plan = plan.probed(numbers)
    if not isinstance(module, nn.Module):
        hint = "" if callable(module) or not isinstance(module, str) else f": shapeviz.read({module!r})"
        hint = hint or (
            f"; vary=[…] builds one: shapeviz.trace({module.__name__}, …)" if isinstance(module, type) else ""
        )
        raise InputError(f"a torch.nn.Module is traced, not {kind(module)}{hint}")
    request = TraceRequest(
        module,
        args=inputs,
        kwargs={**by_name, **(forward or {})},
        sizes=numbers,
        training=training,
        saves=saved or training,
        input_grad=input_grad,
        fold=fold,
        runs=run,
        patience=PATIENCE if patience is None else patience,
        blueprint=plan,
    )
    try:
        made = trace_module(prepared(request), name or type(module).__name__, source or type(module).__name__)
    except ShapevizError as error:
        if not source:  # nobody who typed a command
            error.args = (in_python(error.args[0]), *error.args[1:])
        raise
    return made if source else replace(made, notes=tuple(map(in_python, made.notes)))
