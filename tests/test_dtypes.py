"""In which dtype bytes are counted: a configuration's own, --dtype's, else float32; and that it is said."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

import shapeviz
from shapeviz.cli._app import app

LLAMA = {
    "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 8, "intermediate_size": 16,
    "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": 10,
    "max_position_embeddings": 32,
}  # fmt: skip
# embedding and head 2·10·8, a layer 2·8·8 query and output, 2·8·4 key and value, 3·8·16, 2·8; the last norm 8
PARAMETERS = 2 * 10 * 8 + 2 * (2 * 8 * 8 + 2 * 8 * 4 + 3 * 8 * 16 + 2 * 8) + 8
COLUMNS = ["params", "weights", "gradients", "bytes_moved", "kv_cache"]


def written(folder: Path, **keys: object) -> str:
    path = folder / "config.json"
    path.write_text(json.dumps({**LLAMA, **keys}))
    return str(path)


def run(*arguments: str) -> str:
    done = CliRunner().invoke(app, [*arguments])
    assert 0 == done.exit_code, done.output
    return done.output


@pytest.mark.parametrize(("keys", "dtype", "width"), [
    ({}, "float32, since none is named", 4), ({"torch_dtype": "bfloat16"}, "bfloat16", 2),
    ({"dtype": "float16"}, "float16", 2), ({"torch_dtype": "torch.float8_e4m3fn"}, "float8_e4m3fn", 1),
])  # fmt: skip
def test_the_dtype_of_a_configuration_is_that_of_its_bytes(tmp_path, keys, dtype, width) -> None:
    report = shapeviz.measure(shapeviz.read(written(tmp_path, **keys)), COLUMNS)
    assert dtype == report.dtype
    assert width * PARAMETERS == report.total["weights"].value == report.total["gradients"].value
    assert PARAMETERS == report.total["params"].value
    # keys and values of 2 layers, 2 heads of 2: 16 elements a token, in 2 bytes where nothing is named
    assert 16 * (width if keys else 2) == report.total["kv_cache"].value
    assert f"dtype = {dtype}" in shapeviz.render(report, verb="weights")


def test_the_bytes_are_those_of_the_class_that_transformers_builds(tmp_path) -> None:
    transformers = pytest.importorskip("transformers")
    path = written(tmp_path, torch_dtype="bfloat16", pad_token_id=0)
    module = transformers.AutoModelForCausalLM.from_config(transformers.AutoConfig.from_pretrained(tmp_path))
    built = sum(weight.numel() * weight.element_size() for weight in module.parameters())
    assert built == shapeviz.measure(shapeviz.read(path), ["weights"]).total["weights"].value
    from shapeviz.tracing.configuration import build

    assert built == sum(
        weight.numel() * weight.element_size() for weight in build(json.loads(Path(path).read_text())).parameters()
    )


@pytest.mark.parametrize("column", ["weights", "bytes_moved", "intensity"])
def test_the_dtype_stands_beside_the_sizes_wherever_bytes_are_shown(tmp_path, column) -> None:
    path = written(tmp_path)
    above = " ".join(run("params", path, "--columns", column).partition("\n\n")[0].split())
    assert "dtype = float32, since none is named" in above
    above = " ".join(run("params", path, "--columns", column, "--dtype", "float16").partition("\n\n")[0].split())
    assert "dtype = float16" in above
    assert "dtype =" not in run("params", path)


def test_memory_of_formulas_is_in_the_dtype_that_is_asked_for(tmp_path) -> None:
    path = written(tmp_path, torch_dtype="float16")
    for options, width in (([], 2), (["--dtype", "float32"], 4)):
        data = json.loads(run("memory", path, "--kernels", "eager", "--json", *options))
        assert width * PARAMETERS == data["total"]["weights"]["value"]
        assert data["dtype"] == ("float16" if width == 2 else "float32")


@pytest.mark.parametrize(("how", "said"), [
    ({"quant_method": "fp8"}, "quantized weights (fp8)"), ({"quant_method": "mxfp4"}, "quantized weights (mxfp4)"),
    ({"quant_algo": "NVFP4"}, "quantized weights (NVFP4)"), ({"bits": 4}, "quantized weights are"),
])  # fmt: skip
def test_of_quantized_weights_it_is_said_that_the_bytes_of_the_file_are_not_counted(tmp_path, how, said) -> None:
    model = shapeviz.read(written(tmp_path, torch_dtype="bfloat16", quantization_config=how))
    (note,) = (note for note in model.notes if "quantized" in note)
    assert note.startswith(said)
    assert note.endswith("in bfloat16: the bytes of the file are not counted")
    assert 2 * PARAMETERS == shapeviz.measure(model, ["weights"]).total["weights"].value


def test_a_traced_module_has_the_dtypes_of_its_parameters() -> None:
    torch = pytest.importorskip("torch")
    module = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.Identity(), torch.nn.Linear(3, 2).half())
    model = shapeviz.trace(module[0], "float32[B,2]")
    report = shapeviz.measure(model, ["weights"])
    assert ("float32", 4 * 9) == (report.dtype, report.total["weights"].value)
    assert not report.total["weights"].names  # a number: its dtype is what it is
    half = shapeviz.measure(shapeviz.trace(module[2], "float16[B,3]"), ["weights"])
    assert ("float16", 2 * 8) == (half.dtype, half.total["weights"].value)


def test_a_configuration_via_torch_is_a_batch_of_one_unless_another_is_asked_for(tmp_path, monkeypatch) -> None:
    pytest.importorskip("transformers")
    from shapeviz.frontends import from_torch

    seen = []
    monkeypatch.setattr(
        from_torch, "_traced", lambda module, name, source, options, *inputs: seen.append(options.sizes)
    )
    for settings in ({}, {"sizes": {"B": 3}}, {"batch": 5}, {"inputs": ("input_ids:int64[B,S]",)}, {"run": False}):
        from_torch.configuration(LLAMA, "tiny", "here", None, settings)
    assert [{"B": 1}, {"B": 3}, {"B": 5}, {}, {}] == seen
