"""The bundled dialogue: one derivation, entropy against Monte Carlo, the same text everywhere, and how it reads."""

import math
import re
import subprocess
import sys
import tomllib
from hashlib import sha256
from importlib.resources import files
from itertools import pairwise
from pathlib import Path

import pytest

from shapeviz.train import dialogue

ROOT = Path(__file__).parents[2]
WORDS = dialogue.vocabulary()
LABELS = {speaker.name for speaker in WORDS.speakers.values()}


@pytest.fixture(scope="module")
def text() -> str:
    return dialogue.generate(150_000, seed=7)


def test_the_grammar_is_unambiguous() -> None:
    assert dialogue.scenes().clash() is None


def test_generated_text_has_exactly_one_derivation(text: str) -> None:
    assert 1 == len(dialogue.scenes().readings(text))
    assert dialogue.information(text.replace("kettle", "kettel")) is None


def test_the_entropy_rate_is_that_of_monte_carlo(text: str) -> None:
    scenes = [scene + "\n\n" for scene in text.split("\n\n")[:-1]]
    bits = [dialogue.information(scene) for scene in scenes]
    assert len(scenes) > 150
    assert sum(bits) == pytest.approx(dialogue.information(text))
    rate, characters = dialogue.entropy_rate(), dialogue.scenes().expectation.characters
    # ratio of two means: its error is that of bits - rate · characters
    error = math.sqrt(sum((b - rate * len(s)) ** 2 for b, s in zip(bits, scenes, strict=True))) / len(text)
    assert error < 0.02 * rate
    assert rate == pytest.approx(sum(bits) / len(text), abs=3 * error)
    mean = len(text) / len(scenes)
    deviation = math.sqrt(sum((len(s) - mean) ** 2 for s in scenes)) / len(scenes)
    assert float(characters) == pytest.approx(mean, abs=3 * deviation)


def test_a_text_is_whole_scenes_and_no_more_than_asked_for(text: str) -> None:
    assert text.endswith("\n\n")
    assert 150_000 <= len(text) < 150_000 + len(text.rstrip("\n").rsplit("\n\n", 1)[1]) + 2


def test_the_same_seed_gives_the_same_text_in_another_process(text: str) -> None:
    program = "from shapeviz.train import dialogue; print(dialogue.generate(150_000, seed=7), end='')"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert text == done.stdout
    assert text != dialogue.generate(150_000, seed=8)


def test_nobody_speaks_twice_in_a_row_and_the_cast_is_that_of_the_heading(text: str) -> None:
    for scene in text.rstrip("\n").split("\n\n"):
        heading, *lines = scene.split("\n")
        cast = re.search(r"\. (.*)\.\]$", heading)[1]
        turns = [line.partition(": ")[0] for line in lines if not line.startswith("(")]
        assert set(turns) <= {label for label in LABELS if label in cast}
        assert turns
        assert all(one != other for one, other in pairwise(turns))


def test_a_question_is_answered_by_the_one_asked_and_with_the_thing_asked_for(text: str) -> None:
    things = "|".join(thing for place in WORDS.places.values() for thing in place.things)
    asked = re.findall(
        rf"\n[^:\n]+: ([^,\n]+), (?:where is|who broke|may I borrow) the ({things})\?\n([^:]+): (.*)", text
    )
    assert len(asked) > 100
    assert all(who == answers and thing in answer for who, thing, answers, answer in asked)


def test_a_thing_is_met_where_it_belongs(text: str) -> None:
    kitchen = [scene for scene in text.split("\n\n") if scene.startswith("[The kitchen")]
    assert sum("kettle" in scene for scene in kitchen) > 10
    assert not any("lobster pot" in scene for scene in kitchen)


def test_the_text_of_the_dialogue_is_installed_with_the_package() -> None:
    assert files("shapeviz.train").joinpath("dialogue.toml").is_file()
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    installed = [path for pattern in settings["package-data"]["shapeviz"] for path in (ROOT / "shapeviz").glob(pattern)]
    assert ROOT / "shapeviz" / "train" / "dialogue.toml" in installed


def test_the_bundled_text_is_the_same_as_ever() -> None:
    # that of the first release: recipes, checkpoints and published losses refer to it
    digest = sha256(dialogue.generate(10_000).encode()).hexdigest()
    assert "6f715be29758cbd23b528deb1d507e54d5595afe63924dc870048b775f106684" == digest


def test_it_reads_as_text() -> None:
    text = dialogue.generate(300_000, seed=1)
    words = set(re.findall(r"[A-Za-z][\w'-]*", text))
    assert 400 < len(words) < 1500
    assert text.isascii()
    assert not re.search(r"[{}^@|]|  |\b[Aa] [aeiou]", text)
    sentences = re.findall(r"(?<!Mrs)[.!?] (\w)", text)
    assert len(sentences) > 1000
    assert all(letter.isupper() for letter in sentences)
