"""Models through Python and the verbs beside `params`: the cache of every kind of model, diff's formats, keywords."""

import csv
import io
import json

import pytest
from test_bad_input import invoke, refused

import shapeviz
from shapeviz.comparison import at_one_length
from shapeviz.errors import InputError, SizeError


def test_the_default_model_caches_what_its_decoder_needs() -> None:
    report = shapeviz.measure(shapeviz.read(), ["kv_cache", "cache"])
    # 8 layers, keys and values, 2 bytes, 6 heads of 128; of each target itself, and of each source across
    a_token = 8 * 2 * 2 * 6 * 128
    assert a_token == report.total["kv_cache"].value
    assert a_token * 3 * (10 + 7) == report.total["cache"].at(B=3, S=10, T=7)


def test_an_encoder_caches_nothing() -> None:
    assert 0 == shapeviz.measure(shapeviz.read("bert-base-uncased"), ["kv_cache"]).total["kv_cache"].value


@pytest.mark.parametrize("column", ["active", "kv_cache", "cache", "buffers"])
def test_what_a_trace_does_not_tell_is_refused(column: str) -> None:
    model = shapeviz.read({"model_type": "mixtral", "num_hidden_layers": 1}, via="torch")
    with pytest.raises(InputError, match="a trace does not tell"):
        shapeviz.measure(model, [column])


@pytest.mark.parametrize("name", ["vaswani-base", "t5-v1_1-base", "vit-base-patch16-224"])
def test_every_check_of_a_published_model_holds(name: str) -> None:
    checks = shapeviz.verify(shapeviz.read(name))
    assert {(check.path, check.quantity): check.found for check in checks if not check.ok} == {}
    assert "equal as polynomials" == checks[-1].note


def test_the_transformer_of_2017_is_built_via_torch_from_its_defaults() -> None:
    model = shapeviz.read({"model_type": "vaswani"}, via="torch")
    assert 63_084_544 == shapeviz.measure(model).total["params"].value


def test_the_target_is_as_long_as_the_source_unless_it_is_given() -> None:
    flops = shapeviz.measure(shapeviz.read("bart-base")).total["flops"]
    assert flops.at(S=10, T=10) == flops.at(S=10) != flops.at(S=10, T=7)


def test_two_models_are_compared_at_the_shorter_lengths() -> None:
    models = at_one_length(shapeviz.read("bart-base"), shapeviz.read("t5-small"))
    assert [(512, 512)] * 2 == [(m.sizes.resolve()["S"], m.sizes.resolve()["T"]) for m in models]
    kept = at_one_length(shapeviz.read("bart-base", seq=900), shapeviz.read("t5-small", seq=900), {"S"})
    assert [900] * 2 == [m.sizes.resolve()["S"] for m in kept]


def test_a_difference_in_json_and_csv_has_one_form_whatever_differs() -> None:
    for other in ("gpt2", "gpt2-medium"):
        data = json.loads(invoke("diff", "gpt2", other, "--json").stdout)
        assert ["schema", "title", "sizes", "costs", "blocks"] == list(data)
        rows = list(csv.reader(io.StringIO(invoke("diff", "gpt2", other, "-f", "csv").stdout)))
        assert ["part", "what", "where", "before", "after", "change", "percent"] == rows[0]
        assert sum(len(data[part]) for part in ("sizes", "costs", "blocks")) == len(rows) - 1


def test_one_more_token_adds_nothing_to_a_window_that_is_full() -> None:
    total = shapeviz.measure(shapeviz.read("gpt-oss-20b"), ["kv_cache", "cache_growth", "cache"]).total
    layer = 2 * 8 * 64 * 2  # keys and values, heads, width, bytes
    assert 24 * layer == total["cache_growth"].at(S=127) == total["kv_cache"].value
    assert 12 * layer == total["cache_growth"].at(S=128) == total["cache_growth"].at(S=131072)  # those that see all
    assert total["cache_growth"].at(S=127) == total["cache"].at(S=128, B=1) - total["cache"].at(S=127, B=1)
    assert "KV-cache growth: decoder = 24,576" in invoke("cache", "gpt-oss-20b").stdout
    assert "KV-cache growth" not in invoke("cache", "gpt2").stdout


def test_the_bundled_models_are_listed_with_what_is_measured_of_them() -> None:
    data = json.loads(invoke("models", "mixtral", "--json").stdout)
    found = {entry["name"]: (entry["layers"], entry["params"], entry["active"]) for entry in data["models"]}
    assert (32, 46_702_792_704, 12_879_925_248) == found["mixtral-8x7b"]
    assert "did you mean 'mixtral-8x7b'" in refused("models", "mixtral-8x7bb")


def test_active_parameters_keep_the_other_columns() -> None:
    columns = [
        list(json.loads(invoke("params", "gpt2", *more, "--json").stdout)["total"]) for more in ((), ("--active",))
    ]
    assert columns[0] == columns[1]


def test_instances_say_by_what_a_cell_is_multiplied() -> None:
    data = json.loads(invoke("params", "mixtral-8x7b", "--json").stdout)
    for column, total in data["total"].items():
        rows = [row for row in data["rows"] if row["depth"] == 0]
        assert total["value"] == sum(row[column]["value"] * row["instances"][column]["value"] for row in rows)
    expert = next(row for row in data["rows"] if row["path"].endswith("expert"))
    assert (32 * 8, 32 * 2) == (expert["instances"]["params"]["value"], expert["instances"]["active"]["value"])


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"hed": True}, "did you mean 'head'"), ({"head": "x"}, "head = 'x'"), ({"via": "jax"}, "via torch"),
        ({"sizes": {"N": 0}}, "positive integer"), ({"layers": 3}, "takes no layers"),
    ],
)  # fmt: skip
def test_a_keyword_with_a_slip_is_refused(given: dict[str, object], message: str) -> None:
    with pytest.raises((InputError, SizeError), match=message):
        shapeviz.read("gpt2", **given)


def test_a_single_key_to_be_ignored_may_be_a_text() -> None:
    data = {"model_type": "gpt2", "favourite_colour": "blue"}
    assert "V" in shapeviz.read(data, ignore="favourite_colour").sizes.numbers


def test_a_rule_that_is_broken_says_the_sizes_in_force() -> None:
    with pytest.raises(SizeError, match="k = 9, E = 8: k ≤ E is needed"):
        shapeviz.measure(shapeviz.read("mixtral-8x7b")).total["flops"].at(k=9)


def test_an_unknown_column_is_answered_with_the_nearest() -> None:
    with pytest.raises(InputError, match="unknown column 'paramz'; did you mean 'params'"):
        shapeviz.measure(shapeviz.read("gpt2"), ["paramz"])


def test_a_view_that_a_format_does_not_have_is_refused() -> None:
    assert "there is none of this page: use one of csv" in refused("params", "gpt2", "--by-kind", "-f", "dot")
    with pytest.raises(InputError, match="no active parameters were measured"):
        shapeviz.render(shapeviz.measure(shapeviz.read("gpt2"), ["params"]), "table", verb="params", active=True)
