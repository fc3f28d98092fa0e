"""What somebody else wrote is data: configurations name no code, checkpoints run none, links lead nowhere."""

from __future__ import annotations

import io
import pickle
import zipfile
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from shapeviz.errors import InputError  # noqa: E402
from shapeviz.train import checkpoint  # noqa: E402

SMALL = {
    "model_type": "llama", "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 1, "num_attention_heads": 2,
    "num_key_value_heads": 1, "vocab_size": 29,
}  # fmt: skip


@pytest.mark.parametrize("key", ["_attn_implementation", "attn_implementation", "experts_implementation"])
def test_a_kernel_that_a_configuration_names_is_never_looked_for(key: str) -> None:
    pytest.importorskip("transformers")
    from shapeviz.tracing.configuration import build

    for name in ("somebody/kernel", "kernels-community/flash-attn"):
        module: Any = build({**SMALL, key: name, "use_kernels": True, "auto_map": {"AutoModel": "code.Model"}})
        assert name not in str(vars(module.config))


@pytest.mark.parametrize("nested", [False, True])
def test_a_backbone_in_a_repository_is_refused(nested: bool) -> None:
    pytest.importorskip("transformers")
    from shapeviz.tracing.configuration import build

    keys = {"use_timm_backbone": False, "use_pretrained_backbone": True, "backbone": "somebody/weights"}
    data = {"model_type": "detr", **({"inner": [keys]} if nested else keys)}
    with pytest.raises(InputError, match="'somebody/weights' is a repository, and nothing is fetched"):
        build(data)


def test_nothing_is_fetched_while_a_configuration_is_built(monkeypatch: pytest.MonkeyPatch) -> None:
    transformers = pytest.importorskip("transformers")
    from huggingface_hub import constants

    from shapeviz.tracing.configuration import build

    seen = []
    init = transformers.LlamaModel.__init__

    def watched(self: Any, config: Any) -> None:
        seen.append(constants.HF_HUB_OFFLINE)
        init(self, config)

    before = constants.HF_HUB_OFFLINE
    monkeypatch.setattr(transformers.LlamaModel, "__init__", watched)
    build(SMALL)
    assert ([True], before) == (seen, constants.HF_HUB_OFFLINE)


class Bomb:
    """What a pickle runs when it is read."""

    def __reduce__(self) -> Any:
        return Path.touch, (Path("executed"),)


def polyglot() -> bytes:
    """A pickle with a zip behind it: zipfile finds the zip, torch's old reader the pickle."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("a", "b")
    return pickle.dumps(Bomb()) + archive.getvalue()


def test_a_pickle_before_a_zip_is_no_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("last.pt").write_bytes(polyglot())
    assert zipfile.is_zipfile("last.pt")
    with pytest.raises(InputError, match="it is no zip archive"):
        checkpoint.load(Path("last.pt"))
    assert not Path("executed").exists()


@pytest.mark.parametrize("version", ["2.4.0", "2.9.1+cpu", "1.13.1"])
def test_a_torch_that_may_execute_a_checkpoint_reads_none(
    version: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.save({"version": 1}, tmp_path / "last.pt")
    monkeypatch.setattr(torch, "__version__", version)
    with pytest.raises(InputError, match=r"pip install 'torch>=2\.10'"):
        checkpoint.load(tmp_path / "last.pt")


def test_a_run_is_not_written_through_links_that_somebody_planted(tmp_path: Path) -> None:
    victim, run = tmp_path / "victim", tmp_path / "run"
    victim.write_text("kept")
    run.mkdir()
    (run / ".last.pt.tmp").symlink_to(victim)
    checkpoint.save(run / "last.pt", {})
    assert not (run / "last.pt").is_symlink()
    (run / ".lock").symlink_to(victim)
    with pytest.raises(InputError, match="cannot write in"), checkpoint.locked(run):
        pass
    assert "kept" == victim.read_text()
