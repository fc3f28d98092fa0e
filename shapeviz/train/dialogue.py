"""The bundled corpus: dialogue of six people in a house by the sea, drawn from a grammar whose exact entropy is known.

A scene names its place, hour, sky and cast; then the cast speaks in turns, nobody twice in a row, with directions in
parentheses; a question is answered by the one who was asked, and with the thing that was asked for. Scenes are
independent draws and the grammar is unambiguous (`Grammar.clash`), so no model can predict the text with fewer bits per
character than `entropy_rate()`, on average.
"""

from __future__ import annotations

import re
from functools import cache

from shapeviz.train.grammar import Grammar, grammar
from shapeviz.train.lines import CASTS, COMMON_REMARKS, LISTS, PLACES, PLEAS, QUESTIONS, RUMOURS, SPEAKERS, TALES

Rules = dict[str, list[str]]

CHARACTERS, SEED = 1_000_000, 0


def generate(characters: int = CHARACTERS, seed: int = SEED) -> str:
    """Whole scenes of dialogue, as few as reach that many characters; the same text for the same seed, everywhere."""
    return scenes().generate(characters, seed)


def entropy_rate() -> float:
    """Bits per character: the entropy of a scene over its expected length, exact but for the rounding of logarithms."""
    return scenes().expectation.rate


def information(text: str) -> float | None:
    """-log2 of the probability of a text of whole scenes, None if the grammar cannot give it."""
    found = scenes().readings(text)
    return found[0] if found else None


@cache
def scenes() -> Grammar:
    """The grammar; its start rule gives one scene, from the heading to the empty line after it."""
    rules: Rules = {name: _listed(text) for name, text in LISTS.items()}
    rules["scene"] = [f"[{place.heading} at {{time}}, {{sky}}. {{cast@{key}}}" for key, place in PLACES.items()]
    rules["someone"] = [f"{one.weight} {one.label}" for one in SPEAKERS.values()]
    for speaker, one in SPEAKERS.items():
        rules[f"other@{speaker}"] = [f"{other.weight} {other.label}" for other in SPEAKERS.values() if other != one]
        rules[f"answer@{speaker}"] = _listed(one.answers)
    for place in PLACES:
        rules |= _things(place)
        for speaker in SPEAKERS:
            rules |= _speech(place, speaker)
        rules[f"cast@{place}"] = [_cast(place, members, weight) for members, weight in CASTS.items()]
        for members in CASTS:
            rules |= _turns(place, members)
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


def _things(place: str) -> Rules:
    """What belongs to a place: its things, spots and events, and what is answered to a question for one of them."""
    _, things, spots, events = PLACES[place]
    rules = {
        f"thing@{place}": things.split(", "),
        f"the@{place}": [f"3 the {{thing@{place}}}", f"2 the {{adjective}} {{thing@{place}}}"],
        f"spot@{place}": spots.split(", "), f"event@{place}": events.split(", "),
        f"plea@{place}": [_here(line, place) for line in _listed(PLEAS)],
    }  # fmt: skip
    for thing in things.split(", "):
        for question, answers in QUESTIONS.items():
            rules[f"{question}@{place}@{thing}"] = [_here(line.replace("THING", thing), place) for line in answers]
    return rules


def _speech(place: str, speaker: str) -> Rules:
    """What somebody says, does, answers and hears of others at a place."""
    one = SPEAKERS[speaker]
    here = f"{place}@{speaker}"
    plain, capital = f"{{remark@{here}}}", f"{{^remark@{here}}}"
    return {
        f"remark@{here}": [_here(line, place, speaker) for line in _listed(one.remarks + COMMON_REMARKS)],
        f"rumour@{here}": [
            _here(line.replace("NAME", other.label), place, key)
            for key, other in SPEAKERS.items() if key != speaker
            for line in _listed(RUMOURS)
        ],
        f"tale@{here}": [_here(line, place, speaker) for line in _listed(TALES)],
        f"tail@{here}": [f"3 {{end@{here}}}", f"2  {{spot@{place}}}{{end@{here}}}", f"2  {{when}}{{end@{here}}}"],
        f"end@{here}": ["4 .", f"1  {{link}} {{tale@{here}}}"],
        f"gesture@{here}": [_here(line, place, speaker) for line in _listed(one.gestures)],
        f"line@{here}": [
            f"12 {capital}\n", f"5 {capital} {capital}\n",
            *(f"{opener} {capital if opener[-1] in '.!?' else plain}\n" for opener in _listed(one.openers)),
        ],
        f"asked@{here}": [
            f"{question.replace('THING', thing)}\n{one.label}: {{answer@{speaker}}} {{^{question}@{place}@{thing}}}"
            for thing in PLACES[place].things.split(", ") for question in QUESTIONS
        ],
    }  # fmt: skip


def _cast(place: str, members: str, weight: int) -> str:
    """The end of a heading, with those who are there, and the scene after it."""
    *names, last = [SPEAKERS[key].label for key in members.split()]
    return f"{weight} {', '.join(names)} and {last}.]\n{{first@{place}@{members}}}"


def _turns(place: str, members: str) -> Rules:
    """How a scene goes on: after its heading, after a turn of each speaker, after a direction."""
    cast, scene = members.split(), f"{place}@{members}"
    turns = {key: f"{SPEAKERS[key].weight} {SPEAKERS[key].label}: {{turn@{scene}@{key}}}" for key in cast}
    rules = {f"first@{scene}": [*turns.values()]}
    for last in cast:
        others = [key for key in cast if key != last]
        rules[f"on@{scene}@{last}"] = [turns[key] for key in others]
        rules[f"next@{scene}@{last}"] = [
            "2 \n",
            f"({{event@{place}}})\n{{on@{scene}@{last}}}",
            *(f"({SPEAKERS[key].label} {{gesture@{place}@{key}}}.)\n{{on@{scene}@{last}}}" for key in cast),
            *rules[f"on@{scene}@{last}"],
        ]
        rules[f"turn@{scene}@{last}"] = [
            f"8 {{line@{place}@{last}}}{{next@{scene}@{last}}}",
            *(f"{SPEAKERS[key].label}, {{asked@{place}@{key}}}\n{{next@{scene}@{key}}}" for key in others),
        ]
    return rules


def _add_capitals(rules: Rules) -> None:
    """Adds the rules `^name` that are referred to: those of `name`, beginning with a capital."""
    todo = {name for lines in rules.values() for line in lines for name in re.findall(r"\{(\^[^{}]+)\}", line)}
    while todo:
        name = todo.pop()
        rules[name] = [_capital(line) for line in rules[name[1:]]]
        todo |= {found[1] for line in rules[name] if (found := re.match(r"(?:\d+ )?\{(\^[^{}]+)\}", line))} - set(rules)


def _capital(line: str) -> str:
    rest = line.lstrip("0123456789 ")
    changed = "{^" + rest[1:] if rest.startswith("{") else rest[0].upper() + rest[1:]
    return line.removesuffix(rest) + changed
