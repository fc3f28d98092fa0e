"""config.json files: found by name, path, folder and part; what is asked of them; what is refused, in one message."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from test_bad_input import invoke, refused
from test_lightness import loaded

import shapeviz

LLAMA: dict[str, Any] = {"model_type": "llama", "architectures": ["LlamaForCausalLM"], "num_hidden_layers": 4}


@pytest.fixture
def config(tmp_path: Path) -> Path:
    folder = tmp_path / "tiny-llama"
    folder.mkdir()
    path = folder / "config.json"
    path.write_text(json.dumps(LLAMA))
    return path


def total(*words: str, column: str = "params") -> int:
    """A total of `params MODEL --json`."""
    result = invoke("params", *words, "--json")
    assert 0 == result.exit_code, result.stderr
    return int(json.loads(result.stdout)["total"][column]["value"])


def by_hand(layers: int = 4, width: int = 4096, head: bool = True) -> int:
    # a layer: q, k, v, o of width², gate, up, down of width·11008, two norms; a table, its head, a norm
    return layers * (4 * width**2 + 3 * width * 11008 + 2 * width) + (1 + head) * 32000 * width + width


def test_a_file_its_folder_and_its_data_are_one_model(config: Path) -> None:
    assert [by_hand()] * 3 == [
        total(str(config)),
        total(str(config.parent)),
        shapeviz.measure(shapeviz.read(LLAMA)).total["params"].value,
    ]


def test_a_model_is_named_after_its_file_or_the_folder_of_a_config_json(config: Path) -> None:
    other = config.with_name("other.json")
    other.write_text(config.read_text())
    names = [shapeviz.read(path).name for path in (config, config.parent, other)]
    assert ["tiny-llama", "tiny-llama", "other"] == names


def test_a_part_of_a_configuration_can_be_pointed_at(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"model_type": "llava", "text_config": LLAMA, "vision_config": {"model_type": "clip"}}))
    assert by_hand() == total(f"{path}:text_config")
    assert f"{path}:text_config" in refused("params", str(path))
    assert "did you mean 'text_config'" in refused("params", f"{path}:txt_config")


@pytest.mark.parametrize("name", ["N", "num_hidden_layers"])
def test_sizes_are_set_anew_by_letter_or_key(config: Path, name: str) -> None:
    assert by_hand(layers=16) == total(str(config), "--size", f"{name}=16")
    assert by_hand(layers=16) == shapeviz.measure(shapeviz.read(config, sizes={name: 16})).total["params"].value


def test_the_formula_stays_as_it_is_when_sizes_are_set_anew(config: Path) -> None:
    before, after = (
        shapeviz.measure(shapeviz.read(config, sizes=sizes)).total
        for sizes in ({}, {"N": 16, "d_model": 2048, "h": 16, "d_ff": 999, "V": 7, "S": 5})
    )
    assert all(before[column] == after[column] for column in before)
    assert after["params"].value == before["params"].at(N=16, d_model=2048, h=16, d_ff=999, V=7)


def test_flags_for_sizes_do_the_same(config: Path) -> None:
    flags = ("--batch", "2", "--seq", "7", "--d-model", "1024", "--heads", "8", "--vocab", "9")
    sizes = [word for size in ("B=2", "S=7", "d_model=1024", "h=8", "V=9") for word in ("--size", size)]
    assert total(str(config), *flags, column="flops") == total(str(config), *sizes, column="flops")


def test_a_letter_that_meant_another_one_gets_its_own_key(config: Path) -> None:
    """Without key/value heads of its own g is h; asked for, keys and values shrink."""
    fewer = 4 * 2 * (4096**2 - 4096 * 8 * 128)
    assert by_hand() - fewer == total(str(config), "--size", "g=8")


@pytest.mark.parametrize(("flag", "name"), [("--head", "LlamaForCausalLM"), ("--no-head", "LlamaModel")])
def test_a_head_is_counted_or_not_as_asked_and_the_title_says_so(config: Path, flag: str, name: str) -> None:
    assert by_hand(head=flag == "--head") == total(str(config), flag)
    assert invoke("params", str(config), flag).stdout.startswith(f"tiny-llama: {name} ")


def test_the_key_architectures_decides_what_is_counted() -> None:
    sizes = {"model_type": "llama", "num_hidden_layers": 1}
    names = ["LlamaForCausalLM", "LlamaModel", "LlamaForSequenceClassification"]
    found = [shapeviz.measure(shapeviz.read({**sizes, "architectures": [n]})).total["params"].value for n in names]
    headless = by_hand(layers=1, head=False)
    assert [by_hand(layers=1), headless, headless + 2 * 4096] == found


def test_without_architectures_a_note_says_what_is_counted(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text('{"model_type": "llama"}')
    assert "names no class: LlamaForCausalLM is counted" in invoke("params", str(path)).stderr


def test_a_budget_is_kept_or_the_exit_code_says_not(config: Path) -> None:
    number = by_hand()
    kept, broken = (invoke("params", str(config), "--max-params", str(number - less)) for less in (0, 1))
    assert (0, 1) == (kept.exit_code, broken.exit_code)
    assert f"{number:,} parameters: 1 more than {number - 1:,}" in broken.stderr
    assert kept.stdout == broken.stdout
    assert 1 == invoke("params", str(config), "--max-params", "1B").exit_code
    assert "--max-params='much'" in refused("params", str(config), "--max-params", "much")


def test_kinds_of_module_add_up(config: Path) -> None:
    data = json.loads(invoke("params", str(config), "--json").stdout)
    for column in ("params", "flops", "kv_cache"):
        kinds = {kind: cells[column]["value"] for kind, cells in data["kinds"].items() if column in cells}
        assert data["total"][column]["value"] == sum(kinds.values())
    assert {"embedding", "attention", "feed_forward", "norm", "head"} == set(data["kinds"])
    assert 4 * 3 * 4096 * 11008 == data["kinds"]["feed_forward"]["params"]["value"]
    shown = invoke("params", str(config), "--by-kind").stdout
    assert f"feed-forward  {4 * 3 * 4096 * 11008:,}" in shown


def test_active_parameters_leave_out_the_experts_that_are_not_chosen() -> None:
    sizes = {"model_type": "mixtral", "num_hidden_layers": 2, "num_local_experts": 8, "num_experts_per_tok": 3}
    report = shapeviz.measure(shapeviz.read(sizes))
    rest = 2 * (8 - 3) * 3 * 4096 * 14336
    assert report.total["active"].value == report.total["params"].value - rest


def test_the_cache_counts_windows_and_batches(tmp_path: Path) -> None:
    path = tmp_path / "window.json"
    path.write_text(json.dumps({"model_type": "mixtral", "sliding_window": 100, "num_hidden_layers": 2}))
    a_token = 2 * 2 * 2 * 8 * 128  # layers, keys and values, bytes, heads, width
    for length, kept in ((64, 64), (100, 100), (4000, 100)):
        data = json.loads(invoke("cache", str(path), "--batch", "3", "--seq", str(length), "--json").stdout)
        assert (a_token, a_token * 3 * kept) == tuple(data["total"][c]["value"] for c in ("kv_cache", "cache"))
    assert a_token // 2 == total(str(path), "--size", "b_kv=1", column="kv_cache")


def test_diff_says_what_changed_where_and_what_it_costs(config: Path, tmp_path: Path) -> None:
    other = tmp_path / "gqa.json"
    other.write_text(json.dumps({**LLAMA, "num_key_value_heads": 8}))
    same, differs = invoke("diff", str(config), str(config)), invoke("diff", str(config), str(other), "--json")
    assert (0, 1) == (same.exit_code, differs.exit_code)
    data = json.loads(differs.stdout)
    assert [("g, key/value heads", 32, 8)] == [(d["where"], d["before"], d["after"]) for d in data["sizes"]]
    less = -4 * 2 * (4096**2 - 4096 * 8 * 128)
    changes = {d["where"]: d["change"] for d in data["costs"] if d["what"] == "params"}
    assert {"total": less, "attention": less} == changes
    keys = next(d for d in data["blocks"] if d["what"] == "params" and d["where"].endswith("self_attention.key"))
    assert less // 2 == keys["change"]


def test_diff_compares_at_one_length(config: Path, tmp_path: Path) -> None:
    longer = tmp_path / "longer.json"
    longer.write_text(json.dumps({**LLAMA, "max_position_embeddings": 4096}))
    assert 0 == invoke("diff", str(config), str(longer)).exit_code


@pytest.mark.parametrize("words", [(), ("gpt2",)])
def test_diff_needs_two_models(words: tuple[str, ...]) -> None:
    assert "diff takes two models" in refused("diff", *words)


def test_every_view_of_a_configuration_can_be_written(config: Path, tmp_path: Path) -> None:
    for verb in ("trace", "params", "flops", "cache", "explain"):
        for kind in ("table", "md", "json", "csv"):
            assert 0 == invoke(verb, str(config), "-f", kind).exit_code, (verb, kind)
    assert "LlamaForCausalLM" in invoke("trace", str(config), "-f", "dot").stdout


def test_a_block_of_a_configuration_is_explained(config: Path) -> None:
    shown = invoke("explain", str(config), "decoder.layer.feed_forward").stdout
    assert "3 × 4096 × 11008" in shown
    assert "(Shazeer 2020, eq. 6, with biases and for any number of layers)" in shown


def test_a_configuration_is_read_without_anything_heavy(config: Path) -> None:
    assert "" == loaded("params", str(config))
    assert "" == loaded("trace", str(config), "--json")


def test_code_that_a_configuration_names_is_never_run(tmp_path: Path) -> None:
    mark = tmp_path / "was-run"
    (tmp_path / "evil.py").write_text(f"open({str(mark)!r}, 'w')\nclass Evil: pass\n")
    path = tmp_path / "config.json"
    path.write_text(json.dumps({**LLAMA, "auto_map": {"AutoConfig": "evil.Evil", "AutoModel": "evil.Evil"}}))
    assert by_hand() == total(str(path))
    for words in ((), ("--via", "torch")):
        assert 0 == invoke("params", str(path), *words).exit_code
    path.write_text(json.dumps({"model_type": "evil", "auto_map": {"AutoConfig": "evil.Evil"}}))
    for words in ((), ("--via", "torch")):
        refused("params", str(path), *words)
    assert not mark.exists()


def test_via_torch_the_same_numbers_come_from_transformers(config: Path) -> None:
    assert by_hand() == total(str(config), "--via", "torch")
    words = ("--batch", "2", "--seq", "48")
    assert total(str(config), *words, column="flops") == total(str(config), *words, "--via", "torch", column="flops")


def test_via_torch_counts_types_that_are_not_known_here(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"model_type": "xglm", "architectures": ["XGLMForCausalLM"], "num_layers": 2}))
    assert "--via torch" in refused("params", str(path))
    from transformers import XGLMConfig, XGLMForCausalLM

    oracle = XGLMForCausalLM(XGLMConfig(num_layers=2, vocab_size=256008)).num_parameters()
    assert oracle == total(str(path), "--via", "torch")


SLIPS = {
    "": "is empty",
    " ": "empty",
    '{"model_type": "llama"': "line 1",
    "null": "not null",
    "[]": "not a list",
    '"llama"': "not a text",
    "{}": "no model_type",
    '{"model_type": null}': "no model_type",
    '{"model_type": ["llama"]}': "a text is needed",
    '{"model_type": "lama"}': "did you mean 'llama'",
    '{"model_type": "../llama"}': "unknown model_type",
    '{"model_type": "_plan"}': "unknown model_type",
    '{"model_type": "transformer"}': "unknown model_type",
    '{"tokenizer_class": "LlamaTokenizer"}': "a tokenizer's configuration",
    '{"weight_map": {}}': "an index of weights",
    '{"peft_type": "LORA"}': "an adapter's configuration",
    '{"model_type": "llama", "hidden_size": "4096"}': "a positive integer",
    '{"model_type": "llama", "hidden_size": null}': "leave the key out for its default",
    '{"model_type": "llama", "hidden_size": -1}': "hidden_size = -1",
    '{"model_type": "llama", "hidden_size": 0}': "hidden_size = 0",
    '{"model_type": "llama", "hidden_size": 4096.5}': "hidden_size = 4096.5",
    '{"model_type": "llama", "hidden_size": 1e999}': "hidden_size = Infinity",
    '{"model_type": "llama", "hidden_size": NaN}': "hidden_size = NaN",
    '{"model_type": "llama", "hidden_size": true}': "hidden_size = true",
    '{"model_type": "llama", "hidden_size": [4096]}': "hidden_size = [4096]",
    '{"model_type": "llama", "hidden_size": 1' + "0" * 51 + "}": "larger than 10⁵⁰",
    '{"model_type": "llama", "hidden_size": 1' + "0" * 5000 + "}": "too long",
    '{"model_type": "llama", "hidden_size": 4097}': "nearest: num_attention_heads 17, or hidden_size 4096 or 4128",
    '{"model_type": "llama", "num_key_value_heads": 5}': "num_attention_heads = 32 is no multiple of num_key_value",
    '{"model_type": "mixtral", "num_experts_per_tok": 9}': "num_experts_per_tok = 9 is more than num_local_experts = 8",
    '{"model_type": "llama", "hidden_size": 64, "hidden_size": 32}': "hidden_size is given twice",
    '{"model_type": "gpt2", "n_embd": 64, "hidden_size": 32}': "n_embd = 64 is another name of it",
    '{"model_type": "llama", "attention_bias": 1}': "true or false",
    '{"model_type": "llama", "num_hiden_layers": 3}': "did you mean 'num_hidden_layers'",
    '{"model_type": "llama", "mtp_layers": 3}': "--ignore mtp_layers",
    '{"model_type": "llama", "architectures": ["LlamaForCausaLM"]}': "did you mean 'LlamaForCausalLM'",
    '{"model_type": "llama", "architectures": "LlamaForCausalLM"}': "a list of class names",
    '{"model_type": "llama", "id2label": 3}': "id2label = 3",
    '{"model_type": "llama", "num_labels": 0}': "num_labels = 0",
    '{"model_type": "gpt2", "pruned_heads": {"0": [1]}}': "changes shapes",
    '{"model_type": "gpt2", "add_cross_attention": true}': "changes shapes",
    '{"model_type": "gemma2", "num_hidden_layers": 2, "layer_types": ["full_attention"]}': "layer_types has 1 entries",
    '{"model_type": "gemma2", "num_hidden_layers": 1, "layer_types": ["full"]}': "layer_types has 'full'",
    "[" * 100_000: "nested too deeply",
}


@pytest.mark.parametrize(("text", "message"), SLIPS.items(), ids=[text[:60] for text in SLIPS])
def test_a_configuration_with_a_slip_is_refused_in_one_message(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "slip.json"
    path.write_text(text)
    told = refused("params", str(path))
    assert message in told
    assert "slip.json" in told


def test_a_key_that_cannot_matter_is_ignored_on_request(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text(json.dumps({**LLAMA, "favourite_colour": "blue"}))
    assert "favourite_colour = blue" in refused("params", str(path))
    assert by_hand() == total(str(path), "--ignore", "favourite_colour")


def test_a_file_of_100_megabytes_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "model.json"
    with path.open("wb") as file:
        file.truncate(100_000_000)
    assert "100,000,000 bytes" in refused("params", str(path))


@pytest.mark.parametrize("content", [b"\xff\xfe{\0}\0", bytes(range(256))])
def test_a_file_that_is_no_text_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_bytes(content)
    assert "not text in UTF-8" in refused("params", str(path))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--size", "N_enc=3"), "has no size N_enc"), (("--enc", "3"), "--enc 3: llama has no size N_enc"),
        (("--size", "d_k=0"), "a positive integer"), (("--size", "hidden_act=3"), "hidden_act is no size"),
        (("--size", "g=5"), "num_key_value_heads = 5"), (("--batch", "0"), "a positive integer"),
        (("--seq", "7", "--size", "S=7"), "S is given by --size as well"), (("--no-bias",), "says it itself"),
        (("--norm", "rms"), "says it itself"), (("--training",), "--via torch"),
        (("--input", "x:int64[B]"), "--via torch"),
        (("--via", "jax"), "the only other way is via torch"), (("--via", "torch", "--no-head"), "no effect"),
    ],
)  # fmt: skip
def test_what_cannot_be_asked_of_a_configuration_is_refused(words: tuple[str, ...], message: str, config: Path) -> None:
    assert message in refused("params", str(config), *words)


@pytest.mark.parametrize("words", [("--head",), ("--no-head",), ("--via", "torch"), ("--ignore", "x")])
def test_options_of_configurations_are_for_them_alone(words: tuple[str, ...]) -> None:
    assert f"{words[0]} is for a published model" in refused("params", *words)


def test_a_sequence_longer_than_the_table_of_positions_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text('{"model_type": "gpt2"}')
    assert "1024 positions" in refused("params", str(path), "--seq", "1025")
    report = shapeviz.measure(shapeviz.read(path))
    with pytest.raises(shapeviz.errors.SizeError, match="S ≤ 1024 is needed"):
        report.total["flops"].at(S=1025)


def test_a_name_that_is_not_known_is_answered_with_the_nearest() -> None:
    assert "did you mean 'gpt2'" in refused("params", "gpt-2")


def test_depth_costs_nothing() -> None:
    rows = [len(shapeviz.measure(shapeviz.read({**LLAMA, "num_hidden_layers": n})).rows) for n in (1, 10**12)]
    assert rows[0] == rows[1]


def test_proof_of_a_configuration_holds_and_fails_when_it_should(config: Path) -> None:
    command = [sys.executable, "-m", "shapeviz", "verify", str(config)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (0, True) == (done.returncode, "6 of 6 checks hold" in done.stdout), done.stderr
    assert "equal as polynomials" in done.stdout
