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


def total(*words: str, column: str = "params", verb: str = "params") -> int:
    """A total of `params MODEL --json`, or of another verb."""
    result = invoke(verb, *words, "--json")
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
    assert f"{number:,} parameters, 1 over the budget of {number - 1:,}" in broken.stderr
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
    assert "(Shazeer 2020, eq. 6)" in shown


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
    ways = ((), ("--via", "torch"))
    ours, theirs = (total(str(config), *words, *way, column="flops", verb="flops") for way in ways)
    assert ours == theirs


def test_via_torch_counts_types_that_are_not_known_here(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"model_type": "xglm", "architectures": ["XGLMForCausalLM"], "num_layers": 2}))
    from transformers import XGLMConfig, XGLMForCausalLM

    oracle = XGLMForCausalLM(XGLMConfig(num_layers=2, vocab_size=256008)).num_parameters()
    assert oracle == total(str(path)) == total(str(path), "--via", "torch")


def test_a_name_that_is_not_known_is_answered_with_the_nearest() -> None:
    assert "did you mean gpt2, " in refused("params", "gpt-2")


def test_depth_costs_nothing() -> None:
    rows = [len(shapeviz.measure(shapeviz.read({**LLAMA, "num_hidden_layers": n})).rows) for n in (1, 10**12)]
    assert rows[0] == rows[1]


def test_proof_of_a_configuration_holds_and_fails_when_it_should(config: Path) -> None:
    command = [sys.executable, "-m", "shapeviz", "verify", str(config)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (0, True) == (done.returncode, "6 of 6 checks hold" in done.stdout), done.stderr
    assert "equal as polynomials" in done.stdout


@pytest.mark.parametrize("name", ["GPT2", "openai-community/gpt2", "Openai-Community/GPT2"])
def test_a_bundled_model_goes_by_the_name_that_its_hub_has(name: str) -> None:
    assert 124_439_808 == total(name)


def test_a_part_may_be_pointed_at_in_a_folder(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "llava", "text_config": LLAMA}))
    assert by_hand() == total(f"{tmp_path}:text_config")


def test_a_size_of_the_second_model_alone_is_compared(config: Path) -> None:
    result = invoke("diff", str(config), str(config), "--to-size", "N=5", "--json")
    assert [("N, layers", 4, 5)] == [(d["where"], d["before"], d["after"]) for d in json.loads(result.stdout)["sizes"]]
    assert 1 == result.exit_code


def test_a_budget_for_active_parameters(tmp_path: Path) -> None:
    path = tmp_path / "moe.json"
    path.write_text('{"model_type": "mixtral", "num_hidden_layers": 2}')
    number = total(str(path), column="active")
    kept, broken = (invoke("params", str(path), "--max-active", str(number - less)) for less in (0, 1))
    assert (0, 1) == (kept.exit_code, broken.exit_code)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("vit-base-patch16-224", "--seq", "9"), "ViTForImageClassification has no S"),
        (("gpt2", "--tgt-seq", "9"), "GPT2LMHeadModel has no T"), (("gpt2", "--size", "C=3"), "has no C"),
        (("gpt2", "--ignore", "n_layer"), "gpt2 understands it"), (("gpt2", "--ignore", "nlayer"), "no such key"),
        (("deepseek-v3", "--size", "N_moe=3"), "follow from N"),
    ],
)  # fmt: skip
def test_what_would_have_no_effect_is_refused(words: tuple[str, ...], message: str) -> None:
    assert message in refused("params", *words)


def test_labels_are_a_size_of_a_classifier() -> None:
    ten, thousand = (total("vit-base-patch16-224", *words) for words in (("--size", "C=10"), ()))
    assert (1000 - 10) * (768 + 1) == thousand - ten


def test_a_count_of_labels_goes_before_their_names() -> None:
    data = {**LLAMA, "architectures": ["LlamaForSequenceClassification"], "id2label": {"0": "a", "1": "b"}}
    two, five = (shapeviz.read({**data, **more}) for more in ({}, {"num_labels": 5}))
    assert [2, 5] == [model.sizes.numbers["C"] for model in (two, five)]
    assert any("num_labels = 5 counts" in note for note in five.notes)


def test_a_size_that_means_another_goes_with_it() -> None:
    """Llama 2's key/value heads are its heads: with fewer heads, fewer of both."""
    sizes = {"h": 16}
    model = shapeviz.read("llama-2-7b", sizes=sizes)
    at = shapeviz.measure(shapeviz.read("llama-2-7b")).total["params"].at(**sizes)
    assert at == shapeviz.measure(model).total["params"].value


def test_the_models_own_file_is_never_written(config: Path) -> None:
    before = config.read_text()
    assert "the model's own file" in refused("params", str(config), "-o", str(config))
    assert before == config.read_text()
