"""The commands of docs/training.md are commands of the program."""

import re
import shlex
from pathlib import Path

import pytest
import typer

from shapeviz.cli._app import app

TEXT = (Path(__file__).parents[2] / "docs/training.md").read_text()
BLOCKS = re.findall(r"^```\n(.*?)^```", TEXT, re.S | re.M)
COMMANDS = [line.split("  #")[0].strip() for block in BLOCKS for line in block.splitlines() if line.strip()]


def options(verb: str) -> set[str]:
    """All options of a verb, as they are written."""
    group = typer.main.get_command(app)
    command = group.get_command(typer.Context(group), verb)
    return {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}


def test_there_are_commands() -> None:
    assert len(COMMANDS) >= 8


@pytest.mark.parametrize("line", COMMANDS)
def test_every_option_of_a_command_is_known(line: str) -> None:
    words = shlex.split(line)
    if words[0] == "torchrun":
        place = words.index("-m")
        assert "shapeviz.train" == words[place + 1]
        words = ["shapeviz", "train", *words[place + 2 :]]
    assert "shapeviz" == words[0]
    assert {word for word in words[2:] if word.startswith("-")} <= options(words[1])


def test_every_option_in_the_text_is_known_to_training() -> None:
    prose = re.sub(r"^```.*?^```", "", TEXT, flags=re.S | re.M)
    assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", prose)) <= options("train") | {"--help", "--logdir", "--batch"}
