"""Modules named as file.py:factory or package.module:factory: found, built without memory, and every slip explained."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from typer.testing import CliRunner

import shapeviz.tracing
from shapeviz.cli._app import app
from shapeviz.errors import InputError, MissingToolError, SizeError, TraceError
from shapeviz.frontends import read
from shapeviz.frontends.from_torch import is_source
from shapeviz.report import measure
from shapeviz.tracing.load import factories, load
from shapeviz.tracing.specs import parse

torch = pytest.importorskip("torch")
HEAD = "import torch\nfrom torch import nn\n"
Write = Callable[..., str]


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Writes model.py into an empty folder, which becomes the current one; the modules of the test are forgotten."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", sys.path[:])
    monkeypatch.delitem(sys.modules, "model", raising=False)  # of a test before this one, in whichever order they run
    before = set(sys.modules)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def write(code: str, name: str = "model.py") -> str:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(HEAD + code)
        for module in set(sys.modules) - before:
            if str(getattr(sys.modules[module], "__file__", "")).startswith(str(tmp_path)):
                del sys.modules[module]
        return str(path)

    return write


def refused(text: str) -> str:
    """The one message of a module that cannot be loaded; its cause is kept for --debug."""
    path = sys.path[:]
    with pytest.raises(InputError) as error:
        load(text)
    message = str(error.value)
    assert len(message) < 1500
    assert path == sys.path
    return message


def test_a_factory_is_called_on_meta_and_a_module_taken_as_it_is(file: Write) -> None:
    file("def build():\n    return nn.Linear(3, 4)\nclass Net(nn.Linear):\n    def __init__(self):\n        super()"
         ".__init__(3, 4)\nmodel = nn.Linear(3, 4)\nstack = lambda: nn.Sequential(nn.Linear(3, 4))")  # fmt: skip
    for text, name, device in (
        ("model.py:build", "Linear", "meta"),
        ("model.py:Net", "Net", "meta"),
        ("model.py:stack", "stack", "meta"),
        ("model.py:model", "model", "cpu"),
        ("./model.py:build", "Linear", "meta"),
        (f"{Path.cwd()}/model.py:build", "Linear", "meta"),
        ("model:build", "Linear", "meta"),
        ("torch.nn:Identity", "Identity", None),
    ):
        module, found = load(text)
        assert (name, {device} - {None}) == (found, {p.device.type for p in module.parameters()}), text


def test_four_hundred_billion_parameters_need_no_memory(file: Write) -> None:
    file("def build():\n    return nn.ModuleList(nn.Linear(10**5, 10**5) for _ in range(41))")
    module, _ = load("model.py:build")
    assert 41 * (10**10 + 10**5) == sum(p.numel() for p in module.parameters())


def test_attributes_with_dots_and_parts_of_a_package(file: Write) -> None:
    file("from .layers import width\nclass Outer:\n    @staticmethod\n    def build(): return nn.Linear(width, 1)",
         "pkg/net.py")  # fmt: skip
    file("width = 7", "pkg/layers.py")
    file("", "pkg/__init__.py")
    assert 7 == load("pkg.net:Outer.build")[0].in_features


def test_a_file_finds_the_files_beside_it_and_the_path_is_restored(file: Write, tmp_path: Path) -> None:
    file("width = 5", "there/sizes_of_mine.py")
    file("from sizes_of_mine import width\ndef build():\n    import sizes_of_mine\n    return nn.Linear(width, 1)",
         "there/model.py")  # fmt: skip
    before = sys.path[:]
    assert 5 == load("there/model.py:build")[0].in_features
    assert before == sys.path
    assert not list(tmp_path.rglob("model*.pyc"))


def test_two_files_of_one_name_are_two_modules(file: Write) -> None:
    code = (
        "from dataclasses import dataclass\n@dataclass\nclass C:\n    n: int = {}\nbuild = lambda: nn.Linear(C().n, 1)"
    )
    file(code.format(2), "a/model.py")
    file(code.format(3), "b/model.py")
    assert [2, 3] == [load(f"{folder}/model.py:build")[0].in_features for folder in "ab"]


def test_a_constructor_may_read_the_values_of_small_tensors(file: Write) -> None:
    file("class Net(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
         "        self.rates = [r.item() for r in torch.linspace(0, 1, 3)]\n        self.a = nn.Linear(2, 2)\n"
         "        self.scale = nn.Parameter(torch.tensor([1.0, 2.0]))\n        self.same = self.scale\n"
         "        self.inner = nn.Module()\n        self.inner.scale = self.scale\n"
         "        self.register_buffer('p', torch.arange(5))")  # fmt: skip
    module: Any = load("model.py:Net")[0]
    assert [0.0, 0.5, 1.0] == module.rates
    assert {"meta"} == {t.device.type for t in (*module.parameters(), *module.buffers())}
    assert module.scale is module.inner.scale
    assert isinstance(module.scale, torch.nn.Parameter)


def test_the_random_state_and_the_default_device_stay(file: Write) -> None:
    file("def build():\n    return nn.Linear(3, 4)\ndef broken():\n    raise ValueError")
    state = torch.get_rng_state()
    load("model.py:build")
    refused("model.py:broken")
    assert torch.equal(state, torch.get_rng_state())
    assert "cpu" == torch.zeros(1).device.type


def test_what_the_file_prints_goes_to_standard_error(file: Write, capsys: pytest.CaptureFixture[str]) -> None:
    file("print('imported')\ndef build():\n    print('built')\n    return nn.Linear(3, 4)")
    load("model.py:build")
    assert ("", "imported\nbuilt\n") == tuple(capsys.readouterr())


@pytest.mark.parametrize(
    ("code", "path", "said"),
    [
        ("def build(", "build", "model.py, line 3: '(' was never closed:  def build("),
        ("x = 1\nimport nothing_of_this_name", "build", "model.py, line 4: ModuleNotFoundError: No module named"),
        ("from .layers import width", "build", ".model:factory"),
        ("1 / 0", "build", "model.py cannot be imported: {file}, line 3: ZeroDivisionError: division by zero"),
        ("import sys\nsys.exit(3)", "build", "line 4: it ends the program (exit 3)"),
        ("def build():\n    exit()", "build", "cannot be built: {file}, line 4: it ends the program"),
        ("def build_model():\n    pass\nother = 3", "bild_model", "did you mean 'build_model'?  (known: build_model)"),
        ("", "build", "write a function there"),
        ("class Outer:\n    def build():\n        pass", "Outer.biuld",
         "model.py:Outer has no 'biuld'; did you mean 'build'"),
        ("def build(width, *, depth, bias=True): pass", "build",
         "needs the arguments width, depth: name a function without arguments, for instance  "
         "def build(): return build(width=…, depth=…)"),
        ("class Net(nn.Module):\n    def __init__(self, config):\n        pass", "Net", "needs the argument config:"),
        ("class Net:\n    def build(self):\n        pass", "Net.build", "needs the argument self"),
        ("def build():\n    raise ValueError('no luck')", "build", "model.py:build cannot be built: {file}, line 4: "
         "ValueError: no luck"),
        ("def build():\n    return nn.Linear('a', 3)", "build", "{file}, line 4: TypeError: "),
        ("def build():\n    return open('nothing.txt')", "build", "FileNotFoundError"),
        ("def build():\n    build()", "build", "RecursionError"),
        ("def build():\n    pass", "build", "returns None: end it with  return model"),
        ("def build():\n    return 3", "build", "returns an int: an nn.Module is needed"),
        ("def build():\n    return nn.Linear(1, 1), 3", "build", "returns a tuple"),
        ("def build():\n    return nn.Linear", "build", "returns the class Linear, not an instance"),
        ("build = 3", "build", "is an int: a function, a class or an nn.Module is needed"),
        ("def build():\n    raise AssertionError('Torch not compiled with CUDA enabled')", "build", "leave the device"),
        ("def build():\n    assert nn.Linear(1, 1).weight.sum() > 0", "build",
         "meta device, where tensors have no values"),
        ("\0", "build", "null bytes"),
    ],
    ids=lambda text: text[:30],
)  # fmt: skip
def test_a_slip_in_the_file_is_one_message_with_its_line(file: Write, code: str, path: str, said: str) -> None:
    name = file(code)
    assert said.replace("{file}", name) in refused(f"{name}:{path}").replace(
        f"{name}:build cannot", "model.py:build cannot"
    )


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a torch without CUDA")
def test_a_module_that_needs_cuda_is_told_to_leave_the_device(file: Write) -> None:
    file("def build():\n    return nn.Linear(1, 1, device='cuda')")
    assert "leave the device to the caller" in refused("model.py:build")


def test_a_broken_file_beside_it_is_the_one_that_is_named(file: Write) -> None:
    file("def f(:", "broken_part.py")
    name = file("import broken_part\ndef build(): pass")
    message = refused(f"{name}:build")
    assert "broken_part.py, line 3: " in message


def test_the_cause_is_kept_for_debug_and_ctrl_c_passes(file: Write) -> None:
    file("def build():\n    raise ValueError\ndef stopped():\n    raise KeyboardInterrupt")
    with pytest.raises(InputError) as error:
        load("model.py:build")
    assert isinstance(error.value.__cause__, ValueError)
    with pytest.raises(KeyboardInterrupt):
        load("model.py:stopped")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("mdoel.py:build", "cannot read mdoel.py: No such file; Python files there: did you mean 'model.py'?"),
        ("nowhere/model.py:build", "No such file"),
        ("./model:build", "did you mean model.py:build?"),
        ("model.py:build()", "did you mean model.py:build?"),
        ("model.py::build", "did you mean model.py:build?"),
        ("model.py:", "in model.py there are: build, Net"),
        ("model.py:2x", "in model.py there are: build, Net"),
        (":build", "file.py:factory"),
        ("modle:build", "no module 'modle' installed or in "),
        ("modle:build", "did you mean 'model'?"),
        ("torch.nnn:Linear", "no module 'nnn' in torch; did you mean 'nn'?"),
        ("model.part:build", "no module 'part' in model; model is no package"),
        ("torch.nn:Linaer", "torch.nn has no 'Linaer'; did you mean 'Linear'?"),
        ("torch.nn:Linear", "needs the arguments in_features, out_features"),
        ("a b:build", "no module's name"),
        ("x" * 300 + ".py:build", "No such file"),
    ],
)
def test_a_slip_in_the_name_comes_with_the_nearest(file: Write, text: str, said: str) -> None:
    file("def build():\n    pass\nclass Net: pass")
    assert said in refused(text)


def test_files_that_are_no_python_are_refused(file: Write, tmp_path: Path) -> None:
    (tmp_path / "binary.py").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "empty.py").write_text("")
    (tmp_path / "folder.py").mkdir()
    os.mkfifo(tmp_path / "pipe.py")
    for name, said in (("binary", "UTF-8"), ("empty", "empty"), ("folder", "directory"), ("pipe", "regular")):
        assert said in refused(f"{name}.py:build")


def test_factories_of_a_file_are_read_without_running_it(file: Write) -> None:
    assert ["build", "Net"] == factories(Path(file("def build(): pass\nclass Net: pass\ndef _x(): pass\n1 / 0")))
    assert [] == factories(Path(file("def (")))
    assert [] == factories(Path("nothing.py"))


def test_without_torch_the_message_says_how_to_get_it(file: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    name = file("def build(): pass")
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(MissingToolError, match=r"needs torch, which is not installed: pip install torch$"):
        load(f"{name}:build")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("model.py:build", True), ("dir/model.py:Outer.build", True), ("model:build", True), ("a.b.c:D", True),
        ("dir/model:build", True), ("model.py:", True), ("model.py:build()", True), ("C:\\dir\\model.py:build", True),
        ("model.toml", False), ("C:\\dir\\gpt2.toml", False), ("C:/dir/gpt2.toml", False), ("C:gpt2.toml", False),
        ("C:gpt2", False), ("dir/config.json", False), ("a:b.json", False), ("a.json:b", False), ("gpt2", False),
        ("", False), (":", False), ("model.py", False), ("http://x.org/model", False), ("here:a.toml", False),
    ],
)  # fmt: skip
def test_a_source_of_torch_is_told_from_a_path(text: str, expected: bool, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    assert expected is is_source(text)


def test_a_file_with_a_colon_in_its_name_is_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("sizes:large", "model.py:build"):
        Path(name).write_text("heads = 8")
        assert not is_source(name)


def test_importing_the_loader_imports_no_torch() -> None:
    code = "import sys, shapeviz.tracing.load, shapeviz.frontends.from_torch; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "False\n" == done.stdout


# the door, with a trace that only remembers what it was asked


@pytest.fixture
def asked(file: Write, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the last trace was called with; the model that it answers is the default one, without its sizes."""
    file("def build():\n    return nn.Linear(3, 4)")
    found: dict[str, Any] = {}

    def trace(module: Any, *positional: Any, **options: Any) -> Any:
        print("forward prints")
        found.update(options, module=module, positional=positional)
        if "error" in found:
            raise found["error"]
        return replace(read(vocab=7), origin=None, notes=("a note",))

    monkeypatch.setattr(shapeviz.tracing, "trace", trace, raising=False)
    return found


def invoke(*words: str) -> Any:
    return CliRunner().invoke(app, list(words))


def told(*words: str, code: int = 2) -> str:
    """The one message of a command that must fail."""
    result = invoke(*words)
    assert (code, 1) == (result.exit_code, result.stderr.count("Error: ")), result.stderr
    assert "Traceback" not in result.stderr
    return str(result.stderr)


def test_a_module_is_traced_as_the_flags_say(asked: dict[str, Any]) -> None:
    result = invoke("params", "model.py:build", "--input", "float32[B,3]", "--input", "mask:{a: bool[B,S]}", "--batch",
                    "8", "--size", "S=4096", "--training", "--input-grad", "--json")  # fmt: skip
    assert 0 == result.exit_code, result.stderr
    assert "transformer" == json.loads(result.stdout)["model"]["name"]
    assert "forward prints" in result.stderr
    assert "note: a note" in result.stderr
    assert isinstance(asked.pop("module"), torch.nn.Linear)
    assert asked == {
        "positional": (parse("float32[B,3]"),),
        "forward": {"mask": {"a": parse("bool[B,S]")}},
        "sizes": {"S": 4096, "B": 8},
        "vary": None,
        "patience": None,
        "training": True,
        "saved": False,
        "input_grad": True,
        "run": False,
        "source": "model.py:build",
        "name": "Linear",
    }


def test_inputs_require_gradients_where_memory_is_asked_for(asked: dict[str, Any]) -> None:
    read("model.py:build")
    assert (False, False) == (asked["saved"], asked["input_grad"])
    read("model.py:build", saved=True)
    assert (True, True) == (asked["saved"], asked["input_grad"])
    read("model.py:build", saved=True, input_grad=False)
    assert (True, False) == (asked["saved"], asked["input_grad"])


def test_a_module_is_read_by_the_library_too(asked: dict[str, Any]) -> None:
    read("model.py:build", inputs="float32[B,3]", sizes={"B": 3}, training=True)
    assert ((parse("float32[B,3]"),), {"B": 3}, True) == tuple(
        asked[name] for name in ("positional", "sizes", "training")
    )
    with pytest.raises(InputError, match="names has ended"):
        read("model.py:build", inputs="float32[B,3]", names={"d": 4})
    with pytest.raises(InputError, match="d_model is a size of models that are built from sizes"):
        read("model.py:build", d_model=3)
    for size in (0, True, 1.5, "x", 10**5000):
        with pytest.raises(SizeError, match=r"^size B="):
            read("model.py:build", sizes={"B": size})


def test_a_trace_that_breaks_off_shows_what_there_is_and_then_the_message(asked: dict[str, Any]) -> None:
    asked["error"] = TraceError("shapes differ", read())
    result = invoke("trace", "model.py:build", "--strict")
    assert 1 == result.exit_code
    assert "encoder" in result.stdout
    assert "Error: shapes differ\n" in result.stderr
    assert "" == invoke("params", "model.py:build").stdout
    asked["error"] = TraceError("shapes differ")
    assert ("", 1) == ((found := invoke("trace", "model.py:build")).stdout, found.exit_code)


def test_strict_says_what_is_not_counted_after_the_result(asked: dict[str, Any]) -> None:
    assert 0 == invoke("params", "model.py:build", "--strict").exit_code
    result = invoke("flops", "--strict")
    assert 1 == result.exit_code
    assert invoke("flops").stdout == result.stdout
    assert "  flops: 2·B·T·V·d_model: the vocabulary is not given" in result.stderr


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("--heads 8", "--heads 8 is for models that are built from sizes"),
        ("--no-bias", "--no-bias is for models"),
        ("--batch 8 --size B=9", "--batch 8: B is given by --size as well"),
        ("--seq x", "--seq x: a positive integer"),
        ("--size B=x", "--size B=x: a positive integer"),
        ("--size B=-1", "--size B=-1: a positive integer"),
        ("--size B=0", "--size B=0: a positive integer"),
        ("--size B=1.5", "a positive integer"),
        ("--size B=", "a positive integer"),
        ("--size B=٣", "a positive integer"),
        (f"--size B={'9' * 30}", "the largest size of a tensor"),
        (f"--size B={'9' * 5000}", "the largest size of a tensor"),
        ("--size B", "write it as NAME=N, for instance --size B=32"),
        ("--name d_model=3", "--vary dim,heads"),
        ("--vary d-model", "name arguments of the class"),
        ("--vary dim,dim", "dim is given twice"),
        ("--size class=3", "'class' cannot name a dimension"),
        ("--size B=1 --size B=2", "--size B=2: B is given twice, first as 1"),
        ("--size Q=1", "size Q=1: no input has a dimension Q; known: B"),
        ("--input mask:f32[B] --input mask:f32[B]", "mask is given twice"),
        ("--input flaot32[B]", "did you mean 'float32'?"),
    ],
)
def test_a_slip_in_the_flags_of_a_module_is_explained(asked: dict[str, Any], line: str, said: str) -> None:
    assert said in told("params", "model.py:build", "--input", "x:float32[B,3]", *line.split())
    assert not asked


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("--input float32[B]", "--input float32[B] is for a PyTorch module"),
        ("--vary dim", "--vary dim is for a PyTorch module"),
        ("--training", "--training is for a PyTorch module"),
        ("--input-grad", "--input-grad is for a PyTorch module"),
        ("--no-input-grad", "--no-input-grad is for a PyTorch module"),
        ("--size B=8", "use --batch 8"),
        ("--size d_model=8", "use --d-model 8"),
        ("--size N_enc=8", "use --enc 8"),
        ("--size hed=8", "did you mean '--heads'?"),
        ("model.py", "name what builds the module in it, model.py:build"),
    ],
)
def test_flags_of_modules_are_refused_for_other_models(asked: dict[str, Any], line: str, said: str) -> None:
    assert said in told("params", *line.split())


def test_memory_traces_what_is_saved_and_the_twin_of_a_model_of_sizes(
    asked: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shapeviz.cli.memory.measure", lambda model, names: measure(model, ["params"]))
    assert 0 == invoke("memory", "model.py:build", "--json").exit_code
    assert (True, True) == (asked["saved"], asked["input_grad"])
    twin = ModuleType("twin")
    vars(twin)["twin"] = lambda model, origin, **options: replace(model, name=f"the twin of {model.name}")
    monkeypatch.setitem(sys.modules, "shapeviz.verify.twin", twin)
    result = invoke("memory", "--heads", "8", "--json")
    assert "the twin of transformer" == json.loads(result.stdout)["model"]["name"]


def test_memory_of_a_module_needs_torch_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    assert "pip install torch" in told("memory", "torch.nn:Linear")
