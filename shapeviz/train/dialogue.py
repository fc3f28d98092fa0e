"""The bundled corpus: dialogue of six people in a house by the sea, drawn from a grammar whose exact entropy is known.

A scene names its place, hour, sky and cast; then the cast speaks in turns, nobody twice in a row, with directions in
parentheses; a question is answered by the one who was asked, and with the thing that was asked for. Scenes are
independent draws and the grammar is unambiguous (`Grammar.clash`), so no model can predict the text with fewer bits per
character than `entropy_rate()`, on average.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from shapeviz.train.grammar import Grammar, grammar

Rules = dict[str, list[str]]

CHARACTERS, SEED = 1_000_000, 0


@dataclass(frozen=True)
class Place:
    """A place of scenes: its heading, what is found in it, where things lie there, what happens there by itself."""

    heading: str
    things: list[str]
    spots: list[str]
    events: list[str]


@dataclass(frozen=True)
class Speaker:
    """Somebody of the house: the name, how often to speak, first words, answers, gestures and remarks."""

    name: str
    weight: int
    openers: str
    answers: str
    gestures: str
    remarks: str


@dataclass(frozen=True)
class Vocabulary:
    """What dialogue.toml holds; texts are alternatives, lines or between bars, as `grammar.alternative` reads them."""

    common_remarks: str
    pleas: str
    rumours: str
    tales: str
    questions: dict[str, list[str]]
    places: dict[str, Place]
    casts: dict[str, int]
    speakers: dict[str, Speaker]
    lists: dict[str, str]


@cache
def vocabulary() -> Vocabulary:
    """The vocabulary of the bundled dialogue."""
    content: dict[str, Any] = tomllib.loads(files(__package__).joinpath("dialogue.toml").read_text("utf-8"))
    content["places"] = {key: Place(**entry) for key, entry in content["places"].items()}
    content["speakers"] = {key: Speaker(**entry) for key, entry in content["speakers"].items()}
    return Vocabulary(**content)


def generate(characters: int = CHARACTERS, seed: int = SEED) -> str:
    """Whole scenes of dialogue, as few as reach that many characters; the same text for the same seed, everywhere."""
    return scenes().generate(characters, seed)


def entropy_rate() -> float:
    """Bits per character: the entropy of a scene over its expected length, exact but for the rounding of logarithms."""
    return scenes().expectation.rate


def information(text: str) -> float | None:
    """-log2 of the probability of a text of whole scenes, None if the grammar cannot give it."""
    readings = scenes().readings(text)
    return readings[0] if readings else None


@cache
def scenes() -> Grammar:
    """The grammar; its start rule gives one scene, from the heading to the empty line after it."""
    words = vocabulary()
    rules: Rules = {name: _listed(text) for name, text in words.lists.items()}
    rules["scene"] = [f"[{place.heading} at {{time}}, {{sky}}. {{cast@{key}}}" for key, place in words.places.items()]
    rules["someone"] = [f"{speaker.weight} {speaker.name}" for speaker in words.speakers.values()]
    for key, speaker in words.speakers.items():
        others = (other for other in words.speakers.values() if other != speaker)
        rules[f"other@{key}"] = [f"{other.weight} {other.name}" for other in others]
        rules[f"answer@{key}"] = _listed(speaker.answers)
    for place in words.places:
        rules |= _things(words, place)
        for key in words.speakers:
            rules |= _speech(words, place, key)
        rules[f"cast@{place}"] = [_cast(words, place, members, weight) for members, weight in words.casts.items()]
        for members in words.casts:
            rules |= _turns(words, place, members)
    _add_capitals(rules)
    return grammar(rules, "scene")


def _listed(text: str) -> list[str]:
    return [line.strip() for line in re.split(r"[|\n]", text) if line.strip()]


def _here(line: str, place: str, speaker: str = "") -> str:
    """A line whose references to what belongs to a place or a speaker are those of this place and speaker."""
    line = re.sub(r"\{(thing|the|spot|plea)\}", rf"{{\1@{place}}}", line)
    return re.sub(
        r"\{(other|rumour|tale|tail)\}",
        lambda m: f"{{{m[1]}@{speaker if m[1] == 'other' else f'{place}@{speaker}'}}}",
        line,
    )


def _things(words: Vocabulary, key: str) -> Rules:
    """What belongs to a place: its things, spots and events, and what is answered to a question for one of them."""
    place = words.places[key]
    rules = {
        f"thing@{key}": place.things,
        f"the@{key}": [f"3 the {{thing@{key}}}", f"2 the {{adjective}} {{thing@{key}}}"],
        f"spot@{key}": place.spots,
        f"event@{key}": place.events,
        f"plea@{key}": [_here(line, key) for line in _listed(words.pleas)],
    }
    for thing in place.things:
        for question, answers in words.questions.items():
            rules[f"{question}@{key}@{thing}"] = [_here(line.replace("THING", thing), key) for line in answers]
    return rules


def _speech(words: Vocabulary, place: str, key: str) -> Rules:
    """What somebody says, does, answers and hears of others at a place."""
    speaker = words.speakers[key]
    here = f"{place}@{key}"
    plain, capital = f"{{remark@{here}}}", f"{{^remark@{here}}}"
    return {
        f"remark@{here}": [_here(line, place, key) for line in _listed(speaker.remarks + words.common_remarks)],
        f"rumour@{here}": [
            _here(line.replace("NAME", other.name), place, other_key)
            for other_key, other in words.speakers.items() if other_key != key
            for line in _listed(words.rumours)
        ],
        f"tale@{here}": [_here(line, place, key) for line in _listed(words.tales)],
        f"tail@{here}": [f"3 {{end@{here}}}", f"2  {{spot@{place}}}{{end@{here}}}", f"2  {{when}}{{end@{here}}}"],
        f"end@{here}": ["4 .", f"1  {{link}} {{tale@{here}}}"],
        f"gesture@{here}": [_here(line, place, key) for line in _listed(speaker.gestures)],
        f"line@{here}": [
            f"12 {capital}\n", f"5 {capital} {capital}\n",
            *(f"{opener} {capital if opener[-1] in '.!?' else plain}\n" for opener in _listed(speaker.openers)),
        ],
        f"asked@{here}": [
            f"{question.replace('THING', thing)}\n{speaker.name}: {{answer@{key}}} {{^{question}@{place}@{thing}}}"
            for thing in words.places[place].things for question in words.questions
        ],
    }  # fmt: skip


def _cast(words: Vocabulary, place: str, members: str, weight: int) -> str:
    """The end of a heading, with those who are there, and the scene after it."""
    *names, last = [words.speakers[key].name for key in members.split()]
    return f"{weight} {', '.join(names)} and {last}.]\n{{first@{place}@{members}}}"


def _turns(words: Vocabulary, place: str, members: str) -> Rules:
    """How a scene goes on: after its heading, after a turn of each speaker, after a direction."""
    cast, scene = {key: words.speakers[key] for key in members.split()}, f"{place}@{members}"
    turns = {key: f"{speaker.weight} {speaker.name}: {{turn@{scene}@{key}}}" for key, speaker in cast.items()}
    rules = {f"first@{scene}": [*turns.values()]}
    for last in cast:
        others = [key for key in cast if key != last]
        rules[f"on@{scene}@{last}"] = [turns[key] for key in others]
        rules[f"next@{scene}@{last}"] = [
            "2 \n",
            f"({{event@{place}}})\n{{on@{scene}@{last}}}",
            *(f"({cast[key].name} {{gesture@{place}@{key}}}.)\n{{on@{scene}@{last}}}" for key in cast),
            *rules[f"on@{scene}@{last}"],
        ]
        rules[f"turn@{scene}@{last}"] = [
            f"8 {{line@{place}@{last}}}{{next@{scene}@{last}}}",
            *(f"{cast[key].name}, {{asked@{place}@{key}}}\n{{next@{scene}@{key}}}" for key in others),
        ]
    return rules


def _add_capitals(rules: Rules) -> None:
    """Adds the rules `^name` that are referred to: those of `name`, beginning with a capital."""
    todo = {name for lines in rules.values() for line in lines for name in re.findall(r"\{(\^[^{}]+)\}", line)}
    while todo:
        name = todo.pop()
        rules[name] = [_capital(line) for line in rules[name[1:]]]
        todo |= {match[1] for line in rules[name] if (match := re.match(r"(?:\d+ )?\{(\^[^{}]+)\}", line))} - set(rules)


def _capital(line: str) -> str:
    rest = line.lstrip("0123456789 ")
    changed = "{^" + rest[1:] if rest.startswith("{") else rest[0].upper() + rest[1:]
    return line.removesuffix(rest) + changed
