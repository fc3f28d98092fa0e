"""The proof for all sizes: every family equals transformers as polynomials, and planted mistakes are named."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")
from typer.testing import CliRunner  # noqa: E402

import shapeviz  # noqa: E402
from shapeviz.cli._app import app  # noqa: E402
from shapeviz.errors import InputError  # noqa: E402
from shapeviz.expr import Expr, floor  # noqa: E402
from shapeviz.frontends import _families  # noqa: E402
from shapeviz.interpolation import Found  # noqa: E402
from shapeviz.ir import Block, Model, Node, Op  # noqa: E402
from shapeviz.report import Check  # noqa: E402
from shapeviz.verify import all_sizes  # noqa: E402
from shapeviz.verify.all_sizes.classes import ClassCounts, own_share  # noqa: E402
from shapeviz.verify.all_sizes.letters import ADMISSIONS, of_configuration  # noqa: E402
from shapeviz.verify.all_sizes.parts import Part, unmatched  # noqa: E402

QUANTITIES = ["params", "active", "buffers", "flops", "cache"]
KEYS: dict[str, dict[str, Any]] = {  # what makes of a family's defaults one with more letters or more kinds of layers
    "deepseek_v2": {"num_experts_per_tok": 2, "first_k_dense_replace": 1},
    "falcon": {"new_decoder_architecture": True, "num_kv_heads": 8, "num_attention_heads": 64, "hidden_size": 4096},
    "llama": {"num_key_value_heads": 8, "attention_bias": True, "mlp_bias": True, "tie_word_embeddings": True},
    "opt": {"word_embed_proj_dim": 512},
    "qwen2": {"use_sliding_window": True, "max_window_layers": 20, "num_key_value_heads": 4},
    "qwen3_moe": {"mlp_only_layers": [0, 1], "head_dim": 128},
    "t5": {"feed_forward_proj": "gated-gelu", "tie_word_embeddings": False, "num_decoder_layers": 5},
    "albert": {"num_hidden_groups": 2},
}
NOT_COMPARABLE = {"shapeviz_lm": ["cache"], "vaswani": ["cache"], "falcon": ["cache"]}


def model_of(family: str) -> Model:
    return shapeviz.read({"model_type": family, **KEYS.get(family, {})})


def totals(checks: tuple[Check, ...]) -> dict[str, Check]:
    return {check.quantity: check for check in checks if check.path == "model"}


@pytest.mark.parametrize("family", _families.names())
def test_every_family_equals_its_class_for_all_sizes(family: str) -> None:
    model = model_of(family)
    checks = all_sizes.prove(model, model.origin, fresh=1)
    whole = totals(checks)
    rounds = ["rounding"] * (family in ("mamba", "vit"))  # ⌈d_model/16⌉, ⌊H/p⌋
    assert [*QUANTITIES, "at other sizes", *rounds] == list(whole)
    assert [] == [check for check in checks if not check.ok]
    assert NOT_COMPARABLE.get(family, []) == [name for name, check in whole.items() if check.explained]
    assert all(check.note.startswith("not comparable: ") for check in checks if check.explained)
    assert "B" in whole["flops"].found.names
    assert 3 <= len(whole["params"].found.names)


@pytest.mark.parametrize(
    "sizes",
    [
        {},
        {
            "enc": 0,
            "vocab": 50,
            "positions": "rotary",
            "d_model": 48,
            "heads": 6,
            "kv_heads": 2,
            "gated": True,
            "tie": True,
        },
        {"dec": 0, "vocab": 50, "positions": "learned", "d_model": 512, "heads": 8, "norm_position": "pre"},
    ],
    ids=["the default model", "decoder", "encoder"],
)
def test_a_model_of_sizes_equals_the_reference_row_by_row(sizes: dict[str, Any]) -> None:
    model = shapeviz.read(**sizes)
    checks = all_sizes.prove(model, model.origin, fresh=1)
    assert [] == [check for check in checks if not check.ok or check.explained]
    assert ["params", "flops", "cache"] == list(totals(checks))
    rows = {row.path for row in shapeviz.measure(model).rows for cell in row.cells.values() if cell.each.terms}
    assert rows <= {check.path for check in checks}


def test_an_inner_width_that_is_given_follows_what_it_is_made_of() -> None:
    model = shapeviz.read("mamba-130m")
    letters = of_configuration(model, model.origin, ADMISSIONS[0])
    assert Expr.of("e") * "d_model" == letters.keys["intermediate_size"]


def test_a_formula_that_holds_at_some_sizes_alone_is_seen_at_others() -> None:
    # the plan of one layer and of more would be told apart by a formula without N
    right = model_of("gpt2")
    wrong = altered(right, "decoder.layer", lambda block: replace(block, repeat=Expr.of(12), copies=Expr.of(12)))
    check = totals(all_sizes.prove(wrong, right.origin, fresh=1))["at other sizes"]
    assert not check.ok


# planted mistakes


@pytest.fixture(scope="module", autouse=True)
def interpolated() -> Iterator[None]:
    """The class's side, which these mistakes leave alone, found once for each configuration."""
    found, kept = all_sizes._found, {}

    def once(model: Model, origin: Any, fresh: int) -> Any:
        key = f"{origin.family} {origin.config} {origin.class_name}"
        if key not in kept:
            kept[key] = found(model, origin, fresh)
        return kept[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(all_sizes, "_found", once)
        yield


def altered(model: Model, path: str, change: Callable[[Any], Node | None]) -> Model:
    """The model with the node of a path replaced by what `change` makes of it; None takes it out."""

    def within(block: Block, names: list[str]) -> Block:
        body = [
            node if node.name != names[0] else within(node, names[1:]) if len(names) > 1 else change(node)  # type: ignore[arg-type]
            for node in block.body
        ]
        return replace(block, body=tuple(node for node in body if node is not None))

    return replace(model, root=within(model.root, path.split(".")))


def without_bias(block: Block) -> Block:
    return replace(block, params=tuple(weight for weight in block.params if weight.name.partition("_")[0] != "b"))


def for_all_heads(block: Block) -> Block:
    """Key/value heads taken for heads."""
    params = tuple(
        replace(w, dims=tuple(replace(axis, size=axis.size.subs({"g": "h"})) for axis in w.dims)) for w in block.params
    )
    return replace(block, params=params)


def twice(op: Op) -> Op:
    return replace(op, flops=op.flops * 2)


def kept_twice(block: Block) -> Block:
    return replace(block, cached=tuple(kept._replace(width=kept.width * 2) for kept in block.cached))


def run_once(block: Block) -> Block:
    return replace(block, copies=Expr.of(1))


LAYER = "decoder.layer."
GROUPED = "llama"
MISTAKES = {
    "a bias dropped": (
        "gpt2", LAYER + "self_attention.key", without_bias, "params",
        "N·d_model has the coefficient 12, the class has 13: here decoder.layer.self_attention.query 1, "
        "decoder.layer.self_attention.value 1; there transformer.h.attn.c_attn 3",
    ),
    "a norm dropped": (
        "gpt2", LAYER + "feed_forward_norm", lambda block: None, "params",
        "N·d_model has the coefficient 11, the class has 13: here in no block; there transformer.h.ln_2 2",
    ),
    "a final norm for every layer": (
        "gpt2", "decoder.final_norm", lambda block: replace(block, copies=Expr.of("N")), "params",
        "N·d_model has the coefficient 15, the class has 13: here decoder.final_norm 2; there transformer.ln_f 0",
    ),
    "heads for key/value heads": (
        GROUPED, LAYER + "self_attention.key", for_all_heads, "params",
        "N·d_model² has the coefficient 3, the class has 2: here decoder.layer.self_attention.key 1; "
        "there model.layers.self_attn.k_proj 0",
    ),
    "a FLOP coefficient": (
        GROUPED, LAYER + "self_attention.attention.scores", twice, "flops",
        "B·N·S²·d_model has the coefficient 6, the class has 4: here decoder.layer.self_attention.attention 6; "
        "there model.layers.self_attn 4",
    ),
    "keys and values kept twice": (
        GROUPED, LAYER + "self_attention", kept_twice, "cache",
        "B·N·S·g·d_k has the coefficient 4, the class has 2: here decoder.layer.self_attention 4; "
        "there keys 1, values 1",
    ),
    "one layer's weights for all": (
        "gpt2", "decoder.layer", run_once, "params",
        "N·d_model² has the coefficient 0, the class has 12: here decoder.layer 0; there transformer.h 12",
    ),
    "one expert for all": (
        "mixtral", LAYER + "feed_forward.expert", run_once, "params",
        "E·N·d_model·d_e has the coefficient 0, the class has 3: ",
    ),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_planted_mistake_is_found_and_the_term_and_the_module_are_named(mistake: str) -> None:
    family, path, change, quantity, note = MISTAKES[mistake]
    model = altered(model_of(family), path, change)
    check = totals(all_sizes.prove(model, model.origin, fresh=1))[quantity]
    assert not check.ok
    assert check.note.startswith(note), check.note


def test_a_switch_that_only_our_side_has_is_a_mistake_too() -> None:
    right = model_of("llama")
    wrong = shapeviz.read({"model_type": "llama", **KEYS["llama"], "mlp_bias": False})
    check = totals(all_sizes.prove(wrong, right.origin, fresh=1))["params"]
    assert not check.ok
    assert check.note.startswith(
        "N·d_model has the coefficient 4, the class has 5: here decoder.layer.feed_forward 0; there model.layers.mlp 1"
    )


def test_a_planted_mistake_of_the_reference_is_found_at_its_row() -> None:
    model = shapeviz.read(enc=0, d_model=64, heads=4)
    wrong = altered(model, "decoder.layer.feed_forward.linear_1", without_bias)
    failing = [check for check in all_sizes.prove(wrong, model.origin, fresh=1) if not check.ok]
    assert "decoder.layer.feed_forward.linear_1" in {check.path for check in failing}
    assert {"params"} == {check.quantity for check in failing}
    assert {"model"} | {check.path for check in failing} == {
        "model", "decoder", "decoder.layer", "decoder.layer.feed_forward", "decoder.layer.feed_forward.linear_1",
    }  # fmt: skip


def test_a_floor_for_a_ceiling_is_found_between_the_multiples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shapeviz.models.mamba.ceil", floor)
    model = model_of("mamba")
    whole = totals(all_sizes.prove(model, model.origin, fresh=1))
    assert ["rounding"] == [name for name, check in whole.items() if not check.ok]


# what cannot be compared


class Rounded:
    """A class whose FLOPs are no polynomial."""

    by, base, cached = "a class of tests", "", False

    def __call__(self, point: Any) -> dict[tuple[str, str], int]:
        return {("params", "table"): point["V"] * point["h"] * point["d_k"], ("flops", "h.attn"): -(-point["S"] // 7)}


def test_a_quantity_that_is_no_polynomial_is_said_not_to_be_comparable(monkeypatch: pytest.MonkeyPatch) -> None:
    model = model_of("gpt2")
    monkeypatch.setattr(all_sizes, "_found", FOUND)
    letters = of_configuration(model, model.origin, ADMISSIONS[0])
    monkeypatch.setattr(all_sizes, "_black_box", lambda *_, forward: (letters, Rounded()))
    whole = totals(all_sizes.prove(model, model.origin, fresh=1))
    assert (None, True) == (whole["flops"].found, whole["flops"].ok)
    assert whole["flops"].note.startswith("not comparable: flops of h.attn: no polynomial in S of degree ")
    assert "not comparable: it returns no keys and values" == whole["cache"].note
    assert Expr.of("V") * "d_model" == whole["params"].found
    assert not whole["params"].ok


FOUND = all_sizes._found


def test_of_a_class_that_looks_at_data_the_weights_alone_are_compared() -> None:
    model = shapeviz.read({"model_type": "bart", "architectures": ["BartForSequenceClassification"]})
    whole = totals(all_sizes.prove(model, model.origin, fresh=1))
    assert ["flops", "cache"] == [name for name, check in whole.items() if check.explained]
    assert "not comparable: B = " == whole["flops"].note[:20]
    assert "BartForSequenceClassification cannot be run: NotImplementedError: aten::unique" in whole["flops"].note
    assert all(check.ok for check in whole.values())


def test_a_class_that_refuses_all_sizes_is_refused_with_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(all_sizes, "_found", FOUND)
    model = model_of("gpt2")
    origin = replace(model.origin, data={**model.origin.data, "activation_function": "none_such"})
    with pytest.raises(InputError, match=r"B = \d+, .*: transformers cannot build it: .*none_such"):
        all_sizes.prove(model, origin)


def test_a_module_has_one_size_and_is_refused() -> None:
    with pytest.raises(InputError, match=r"^Linear has one size: for all sizes a configuration's model is proved"):
        shapeviz.verify(shapeviz.trace(torch.nn.Linear(4, 2), "float32[B,4]"), for_all=True)


# letters and parts


def test_the_letters_are_free_and_what_depends_is_tied() -> None:
    model = shapeviz.read("llama-3-8b")
    letters = of_configuration(model, model.origin, ADMISSIONS[1])
    assert {"B", "S", "N", "V", "d_ff", "d_k", "g", "r"} == letters.domains.keys()
    assert {"max_position_embeddings"} == letters.idle.keys()
    assert ["d_model = g·r·d_k", "h = g·r"] == list(letters.ties)
    assert {2} == {width % 4 for width in letters.domains["d_k"][::2]}
    d_model = Expr.of("g") * "r" * "d_k"
    assert Expr.of("d_model") * "h" == letters.shown(d_model * "g" * "r")


def test_kinds_of_layers_are_counted_one_by_one() -> None:
    model = shapeviz.read("gemma-2-2b")
    letters = of_configuration(model, model.origin, ADMISSIONS[2])
    assert {"N_sliding", "N_full"} == set(letters.kinds)
    assert "N = N_full + N_sliding" in letters.ties or "N = N_sliding + N_full" in letters.ties
    data = ClassCounts(model.origin, letters).data({**{n: v[0] for n, v in letters.domains.items()}, "N_full": 3})
    assert (4, 3) == (data["num_hidden_layers"], data["layer_types"].count("full_attention"))


def test_a_module_has_by_itself_what_its_parts_have_not() -> None:
    assert {"a": 1, "a.b": 2, "a.list.0": 4} == own_share({"": 7, "a": 7, "a.b": 2, "a.list": 0, "a.list.0": 4})


def test_what_is_equal_on_both_sides_is_left_out_level_by_level() -> None:
    d, f = Expr.of("d"), Expr.of("f")

    def layer(path: str, *parts: Part) -> Part:
        return Part(path, sum((part.formula for part in parts), Expr()), parts)

    ours = layer("decoder", Part("norm", d), layer("layer", Part("attention", d * d), Part("feed", f)))
    theirs = layer("model", Part("ln", d), layer("h", Part("attn", d * d), Part("mlp", 2 * f)))
    left, right = unmatched((ours,), (theirs,))
    assert (["feed"], ["mlp"]) == ([part.path for part in left], [part.path for part in right])


# the command line


def test_the_verb_proves_for_all_sizes_and_exits_with_zero() -> None:
    result = CliRunner().invoke(app, ["verify", "gpt2", "--for-all", "--json"])
    checks = json.loads(result.stdout)["checks"]
    whole = {check["quantity"]: check for check in checks if check["path"] == "model"}
    assert 0 == result.exit_code
    assert "12·N·d_model² + 13·N·d_model + P·d_model + V·d_model + 2·d_model" == whole["params"]["found"]
    assert all(check["ok"] for check in checks)
    assert "; free: B, N, V, d_k, h, S, P; tied: d_model = h·d_k, d_ff = 4·h·d_k; as given: " in whole["params"]["note"]
    assert "activation_function = gelu_new, tie_word_embeddings = true" in whole["params"]["note"]


def test_the_verb_exits_with_one_where_a_formula_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    found = all_sizes._found

    def more(model: Model, origin: Any, fresh: int) -> Any:
        letters, box, seen, refused = found(model, origin, fresh)
        formulas = {key: formula * (2 if key[1].endswith("ln_f.bias") else 1) for key, formula in seen.formulas.items()}
        return letters, box, Found(formulas, seen.evaluations, seen.chance, seen.degrees), refused

    monkeypatch.setattr(all_sizes, "_found", more)
    result = CliRunner().invoke(app, ["verify", "gpt2", "--for-all"])
    assert 1 == result.exit_code
    assert "decoder.final_norm: params 2·d_model, found 3·d_model" in result.stderr


def test_for_all_and_claims_are_two_questions() -> None:
    result = CliRunner().invoke(app, ["verify", "gpt2", "--for-all", "--claims", "x.toml"])
    assert 2 == result.exit_code
    assert "--for-all and --claims: keep one" in result.stderr
