"""What a trace calls things: outputs in whatever holds them, paths, and dimensions by the user's names alone."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
from test_tracing_structure import Layer, Of, Stack, X, report  # noqa: E402
from torch import Tensor, nn  # noqa: E402

import shapeviz  # noqa: E402
from shapeviz.errors import InputError  # noqa: E402
from shapeviz.expr import Expr  # noqa: E402

B, S, T = map(Expr.symbol, "BST")


@dataclass
class Pair:
    """Two outputs with names."""

    first: Tensor
    second: Tensor


@pytest.mark.parametrize(
    "make",
    [
        lambda x: (x, x.sum(1)), lambda x: [x, x.sum(1)], lambda x: {"first": x, "second": x.sum(1)},
        lambda x: (x, None, {"more": [x.sum(1)]}),
        lambda x: Pair(x, x.sum(1)),
    ],
    ids=["tuple", "list", "dict", "nested", "dataclass"],
)  # fmt: skip
def test_outputs_are_found_in_whatever_holds_them(make: Callable[..., Any]) -> None:
    module = Of(lambda self, x: make(self.linear(x)), linear=nn.Linear(8, 8))
    root = shapeviz.trace(module, **X).root
    assert [(B, S, 8), (B, 8)] == [tensor.shape for tensor in (root.output, *root.others)]


def test_a_module_that_gives_no_tensor_is_refused() -> None:
    with pytest.raises(InputError, match="returns no tensor"):
        report(Of(lambda self, x: 3))


def test_sequentials_within_sequentials_keep_their_paths() -> None:
    inner = nn.Sequential(nn.Linear(8, 16), nn.Sequential(nn.ReLU(), nn.Linear(16, 8)))
    found = report(nn.Sequential(inner, nn.Linear(8, 4)), {"input": X["x"]})
    linears = {row.path: row.cells["params"].value for row in found.rows if row.block == "Linear"}
    assert [144, 136, 36] == list(linears.values())
    assert ["0.0", "0.1.1", "1"] == list(linears)


def test_a_module_in_a_dict_is_called_by_its_key() -> None:
    parts = nn.ModuleDict({"text": nn.Linear(8, 8), "image": nn.Linear(8, 8), "idle": nn.Linear(8, 3)})
    found = report(Of(lambda self, x: self.parts["image"](self.parts["text"](x)), parts=parts))
    assert ["parts_text", "parts_image", "parts_idle"] == [row.path for row in found.rows if row.block == "Linear"]
    assert 72 + 72 + 27 == found.total["params"]


@pytest.mark.parametrize("build", [
    lambda: Stack(Layer(), Layer()), lambda: nn.Sequential(nn.Conv1d(8, 8, 3, 2), nn.Flatten()),
    lambda: Of(lambda self, x: x[:, x.shape[1] // 3 :].reshape(-1, 4).repeat(2, 1)),
])  # fmt: skip
def test_only_the_user_s_names_occur(build: Callable[[], nn.Module]) -> None:
    module = build()
    name = "input" if isinstance(module, nn.Sequential) else "x"
    spec = "float32[B,8,S]" if isinstance(module, nn.Sequential) else X["x"]
    found = report(module, {name: spec}, saved=True)
    text = shapeviz.render(found, "json") + shapeviz.render(found, "table", verb="trace")
    assert not re.search(r"\b[su]\d+\b", text)
    assert {"B", "S"} == {name for row in found.rows for size in row.dims for name in size.names}


@pytest.mark.parametrize("sizes", [{}, {"S": 4096, "T": 4096}, {"S": 8, "T": 8}, {"B": 4096, "S": 4096, "T": 4096}])
def test_two_dimensions_of_one_size_stay_apart(sizes: dict[str, int]) -> None:
    class Cross(nn.Module):
        def forward(self, x: Tensor, y: Tensor) -> Tensor:
            return x @ y.mT

    found = report(Cross(), {"x": X["x"], "y": "float32[B,T,8]"}, sizes=sizes)
    assert 16 * B * S * T == found.total["flops"]
    assert (B, S, T) == found.rows[-1].dims
    assert sizes.items() <= found.sizes.numbers.items()


def test_a_name_that_torch_itself_might_use_is_kept_apart() -> None:
    assert 128 * Expr.symbol("s0") * "s1" == report(nn.Linear(8, 8), {"input": "float32[s0,s1,8]"}).total["flops"]


class Branching(nn.Module):
    """Twice as deep unless the batch is one, or the length above forty, or even."""

    def __init__(self, branch: Callable[[torch.Size], bool]) -> None:
        super().__init__()
        self.branch, self.a = branch, nn.Linear(8, 8)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.a(x) if self.branch(x.shape) else self.a(self.a(x))
        return out


@pytest.mark.parametrize(
    "branch", [lambda s: s[0] == 1, lambda s: s[1] > 40, lambda s: s[1] % 2 == 0, lambda s: s[0] * s[1] < 64]
)
def test_at_sizes_that_take_another_branch_the_total_is_that_branch_s(branch: Callable[[torch.Size], bool]) -> None:
    for traced_at in ({}, {"B": 1, "S": 64}, {"B": 2, "S": 7}):
        total = shapeviz.measure(shapeviz.trace(Branching(branch), "float32[B,S,8]", sizes=traced_at)).total["flops"]
        for b, s in ((1, 64), (2, 7), (1, 7), (3, 41)):
            # 2·8·8 for every position, twice where the branch is not taken
            once = 128 * b * s
            assert (once if branch(torch.Size((b, s, 8))) else 2 * once) == total.at(B=b, S=s), (traced_at, b, s)


class Choosing(Layer):
    """Twice as deep where a list says so at the layer's own place; or it leaves its input behind."""

    def __init__(self, layer_idx: int, leaves: bool = False) -> None:
        super().__init__()
        self.layer_idx, self.leaves, self.kinds, self.left = layer_idx, leaves, "aaabaa", None

    def forward(self, x: Tensor) -> Tensor:
        if self.leaves:
            self.left = x
        out: Tensor = super().forward(x)
        return out if self.leaves or self.kinds[self.layer_idx] == "a" else super().forward(out)


class Gathering(nn.Module):
    """Layers one after the other, and one more for whatever they left behind."""

    def __init__(self, layers: list[Choosing]) -> None:
        super().__init__()
        self.layers, self.last = nn.ModuleList(layers), Layer()

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = layer(x)
        left = [layer.left for layer in self.layers if layer.left is not None]
        return x + sum(self.last(one) for one in left)


@pytest.mark.parametrize("leaves", [False, True], ids=["its index as a subscript", "an attribute left behind"])
def test_layers_that_look_alike_and_do_not_act_alike_are_all_run(leaves: bool) -> None:
    module = Gathering([Choosing(i, leaves) for i in range(6)])
    folded, whole = (shapeviz.measure(shapeviz.trace(module, **X, fold=fold)).total["flops"] for fold in (True, False))
    assert whole == folded


def test_what_a_trace_did_not_look_for_is_refused_and_never_zero() -> None:
    for model in (shapeviz.trace(nn.Linear(8, 8), "float32[B,8]"), shapeviz.read()):
        with pytest.raises(InputError, match="saved=True"):
            shapeviz.measure(model, ["saved"])


def test_a_report_of_a_module_with_fused_attention_has_its_figure(tmp_path: Path) -> None:
    (tmp_path / "m.py").write_text(
        "from torch import nn\n"
        "class M(nn.Module):\n"
        "    def forward(self, x):\n"
        "        return nn.functional.scaled_dot_product_attention(x, x, x)\n"
    )
    words = ["report", f"{tmp_path}/m.py:M", "--input", "float32[B,S,8]", "-o", str(tmp_path / "r"), "--no-checks"]
    words += ["--patience", "2.5", "--no-input-grad"]
    done = subprocess.run([sys.executable, "-m", "shapeviz", *words], capture_output=True, text=True, check=False)
    assert 0 == done.returncode, done.stderr
    assert (tmp_path / "r" / "figures" / "model.svg").exists()
    # and the command that it was made by, as it can be typed again
    assert " --patience 2.5 --no-input-grad --no-checks " in (tmp_path / "r" / "report.md").read_text()


class Fused(nn.Module):
    """A linear layer around fused attention."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Linear(8, 8)

    def forward(self, x: Tensor) -> Tensor:
        y = self.a(x)
        return self.a(nn.functional.scaled_dot_product_attention(y, y, y))


def test_the_figure_of_a_module_shows_its_fused_attention() -> None:
    report = shapeviz.measure(shapeviz.trace(nn.Sequential(Fused()), "float32[B,S,8]"))
    assert '"0.attention" [id=' in shapeviz.render(report, "dot", figure="0")


def test_layers_that_know_their_place_and_do_not_use_it_are_one_row() -> None:
    transformers = pytest.importorskip("transformers")
    with torch.device("meta"):  # whose attention takes a cache's layers[self.layer_idx] where there is a cache
        config = transformers.GPT2Config(n_layer=5, n_embd=16, n_head=2, vocab_size=30)
        module = transformers.GPT2LMHeadModel(config)
    rows = {row.path: row.repeat.value for row in shapeviz.measure(shapeviz.trace(module)).rows}
    assert 5 == rows["transformer.h"]


def test_the_legend_says_which_dimension_of_which_input_a_letter_is() -> None:
    class Masked(nn.Module):
        def forward(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
            return x * mask[:, None]

    model = shapeviz.trace(Masked(), x="float32[B,C,S]", mask="float32[B,S]")
    assert {"B": "dimension 0 of x, mask", "C": "dimension 1 of x", "S": "dimension 2 of x"} == model.legend
