"""--columns and --dtype: any columns side by side under every verb that shows costs, and the bytes of elements."""

from __future__ import annotations

import json
import re
from fractions import Fraction

import pytest
from typer.testing import CliRunner

import shapeviz
from shapeviz.cli._app import app

FOUR = "params,flops,bytes_moved,intensity"
TINY = ["--enc", "1", "--dec", "0", "--d-model", "8", "--heads", "2", "--ff", "16", "--seq", "4", "--vocab", "11"]


def run(*arguments: str, code: int = 0) -> str:
    done = CliRunner().invoke(app, list(arguments))
    assert done.exit_code == code, done.output
    return done.stdout or done.output


@pytest.mark.parametrize("verb", ["params", "flops", "cache", "trace", "memory"])
def test_columns_stand_side_by_side_in_the_order_asked_for(verb: str) -> None:
    text = run(verb, *TINY, "--columns", FOUR)
    (heading,) = re.findall(r"^(?:block|step) .*$", text, re.M)
    assert ["parameters", "FLOPs", "bytes moved", "intensity"] == re.findall(
        "parameters|FLOPs|bytes moved|intensity", heading
    )
    model = shapeviz.read(enc=1, dec=0, d_model=8, heads=2, ff="16", seq=4, vocab=11)
    total = shapeviz.measure(model, FOUR.split(",")).total
    assert f"{total['bytes_moved'].value:,}" in text
    assert f"{float(total['intensity'].value):,.3f}" in text


def test_json_has_the_columns_that_are_asked_for_and_the_exact_ratio() -> None:
    data = json.loads(run("flops", *TINY, "--columns", "intensity,flops,bytes_moved", "--json"))
    assert ["intensity", "flops", "bytes_moved"] == list(data["total"])
    ratio = Fraction(data["total"]["flops"]["value"], data["total"]["bytes_moved"]["value"])
    assert (str(ratio), float(ratio)) == (data["total"]["intensity"]["value"], data["total"]["intensity"]["decimal"])


def test_an_unknown_column_is_refused_with_the_nearest_name_and_an_unknowable_one_with_the_reason() -> None:
    assert "unknown column 'flop'; did you mean 'flops'?" in run("params", *TINY, "--columns", "flop", code=2)
    assert "was not noted: `shapeviz memory`" in run("params", *TINY, "--columns", "params,saved", code=2)
    assert "it names no column" in run("params", *TINY, "--columns", ",", code=2)


def test_kinds_of_module_and_derivations_take_any_columns() -> None:
    text = run("flops", *TINY, "--columns", "flops,intensity", "--by-kind")
    assert re.search(r"^kind +FLOPs +intensity$", text, re.M)
    text = run("explain", "encoder.layer.self_attention.query", *TINY, "--columns", "bytes_moved,intensity")
    assert re.search(r"^matmul +", text, re.M)
    assert "encoder.layer.self_attention.query: " in text


def test_diff_compares_the_columns_that_are_asked_for() -> None:
    text = run("diff", "gpt2", "gpt2-medium", "--columns", "bytes_moved", code=1)
    assert "bytes_moved  total" in text
    assert "params" not in text


def test_dtype_is_that_of_weights_activations_and_cache() -> None:
    # keys and values: 2·2·4 elements a token, 1 layer; 2 bytes each in bfloat16, 4 in float32
    decoder = ["--enc", "0", "--dec", "1", *TINY[4:]]
    for dtype, width in (("bfloat16", 2), ("float32", 4)):
        data = json.loads(run("cache", *decoder, "--dtype", dtype, "--json"))
        assert 16 * width == data["total"]["kv_cache"]["value"]
        assert f"b_kv = {width} ({dtype})" in data["conventions"]["kv_cache"]
        held = json.loads(run("memory", *TINY, "--dtype", dtype, "--json"))
        plain = json.loads(run("params", *TINY, "--json"))
        assert width * plain["total"]["params"]["value"] == held["total"]["weights"]["value"]
        assert held["conventions"]["weights"].endswith(f"all in {dtype}")


def test_an_unknown_dtype_is_refused_with_the_nearest() -> None:
    assert "did you mean 'bfloat16'?" in run("cache", *TINY, "--dtype", "bfloat61", code=2)


def test_a_claim_on_layers_that_share_weights_is_about_the_one_set_that_there_is(tmp_path) -> None:
    from shapeviz.claims import check_claims

    file = tmp_path / "claims.toml"
    file.write_text('[[claim]]\npath = "encoder.layer"\nall = true\nactive = 1\n')
    (finding,) = check_claims(shapeviz.measure(shapeviz.read("albert-base-v2")), file)
    # 12 runs, one set of weights: 4·(768² + 768) + 2·768·3072 + 3072 + 768 + 4·768 = 7,087,872
    assert (7_087_872, 1) == (finding.expected, finding.times)
    assert "all 12" not in finding.message


def test_ratios_of_two_models_are_exact_in_json_and_have_a_decimal_beside_them() -> None:
    other = ["--columns", "intensity", "--to-size", "N=2", "--json"]
    differences = json.loads(run("diff", "gpt2", "gpt2", *other, code=1))
    (total,) = [d for d in differences["costs"] if d["where"] == "total"]
    for key in ("before", "after", "change"):
        assert float(Fraction(total[key])) == total["decimal"][key]
    assert Fraction(total["before"]) + Fraction(total["change"]) == Fraction(total["after"])
    two = shapeviz.measure(shapeviz.read("gpt2", sizes={"N": 2}), ["intensity"]).total["intensity"].value
    assert two == Fraction(total["after"])


def test_a_name_in_capitals_is_near_the_one_without() -> None:
    assert "did you mean 'float32'?" in run("cache", *TINY, "--dtype", "FLOAT32", code=2)
    assert "did you mean 'params'?" in run("params", *TINY, "--columns", "PARAMS", code=2)


def test_what_memory_shows_is_headed_bytes_where_it_is_bytes_and_told_once() -> None:
    text = run("memory", *TINY, "--columns", "params,intensity")
    assert 1 == text.count("params: unique trainable elements")
    assert re.search(r"^Totals\nwhat +formula +value", text, re.M)
    assert re.search(r"^Memory\nwhat +formula +bytes", run("memory", *TINY, "--columns", "weights"), re.M)


def test_a_column_of_a_module_says_which_verb_knows_it() -> None:
    assert "`shapeviz memory`" in run("params", *TINY, "--columns", "saved", code=2)
