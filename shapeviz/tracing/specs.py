"""The language of inputs: `float32[B,S,512]`, tuples, lists and dicts of it, and plain values."""

from __future__ import annotations

import re
from ast import literal_eval
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from keyword import iskeyword
from typing import Any, NoReturn

from shapeviz.errors import InputError, SizeError, nearest
from shapeviz.expr import Expr
from shapeviz.expr.parse import FormulaError, parse_beginning
from shapeviz.tracing.limits import LARGEST_SIZE

DTYPES = (
    "float32", "float16", "bfloat16", "float64", "int64", "int32", "int16", "int8", "uint8", "uint16", "uint32",
    "uint64", "bool", "complex64", "complex128", "float8_e4m3fn", "float8_e5m2",
)  # fmt: skip
SHORT = {
    "f16": "float16", "half": "float16", "bf16": "bfloat16", "f32": "float32", "float": "float32", "f64": "float64",
    "double": "float64", "i8": "int8", "i16": "int16", "short": "int16", "i32": "int32", "int": "int32",
    "i64": "int64", "long": "int64", "u8": "uint8", "u16": "uint16", "u32": "uint32", "u64": "uint64",
    "c64": "complex64", "c128": "complex128",
}  # fmt: skip
PLAIN = {"true": True, "True": True, "false": False, "False": False, "none": None, "None": None}
LONGEST = 5000  # characters of a spec
DEEPEST = 50
EXAMPLE = "for example float32[B,S,512], or (float32[B,S], int64[B])"
TOKEN = re.compile(
    r"""\s*(?:(?P<string>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")
    |(?P<number>(?:[0-9][0-9_]*\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)
    |(?P<name>(?:torch\.)?[^\W\d]\w*)
    |(?P<mark>[][(){},:-])
    |(?P<end>$)
    |(?P<unknown>.))""",
    re.VERBOSE | re.DOTALL,
)


@dataclass(frozen=True)
class TensorSpec:
    """A tensor to be: its dtype, and its dimensions as expressions.

    >>> print(parse("f16[B, 2*S, 512]"))
    float16[B,2·S,512]
    """

    dtype: str
    dims: tuple[Expr, ...]

    def __str__(self) -> str:
        return f"{self.dtype}[{','.join(map(str, self.dims))}]"


def parse(text: str) -> Any:
    """A TensorSpec, a tuple, list or dict of such, or a plain value. Raises InputError or SizeError.

    >>> parse("{mask: bool[B,S], scale: 0.5}")["mask"].dims
    (Expr('B'), Expr('S'))
    """
    return _Parser(text, 0).spec()


def named(text: str) -> tuple[str | None, Any]:
    """An input of the command line: `x:float32[B,S]` is for the argument x, without a name it is positional.

    >>> named("x:float32[B]")[0], named("{x: float32[B]}")[0]
    ('x', None)
    """
    head = re.match(r"[^\[({'\"]*?(?=[:=])", text)
    if head is None:
        return None, parse(text)
    name = head[0].strip()
    if text[head.end()] == "=":
        raise InputError(f"input {_shown(text)}: the name of an argument ends with a colon: {name}:{EXAMPLE[12:28]}")
    if not name.isidentifier() or iskeyword(name):
        raise InputError(f"input {_shown(text)}: {name!r} is no argument's name; for example x:float32[B,S,512]")
    return name, _Parser(text, head.end() + 1).spec()


def names(spec: Any) -> Iterator[str]:
    """The dimensions of a spec, each once, in the order in which they appear.

    >>> list(names(parse("(float32[S,B], int64[B,T])")))
    ['S', 'B', 'T']
    """
    yield from dict.fromkeys(_names(spec))


def _names(spec: Any) -> Iterator[str]:
    match spec:
        case TensorSpec(dims=dims):
            for dim in dims:
                yield from sorted(dim.names, key=lambda name: (str(dim).find(name), name))
        case Mapping():
            yield from _names(tuple(spec.values()))
        case tuple() | list():
            for part in spec:
                yield from _names(part)


def _shown(text: str) -> str:
    return repr(text if len(text) <= 200 else text[:200] + "…")


class _Parser:
    """A spec is read from left to right, one token ahead."""

    def __init__(self, text: str, start: int) -> None:
        self.text, self.depth = text, 0
        if len(text) > LONGEST:
            raise InputError(f"input {_shown(text)}: a spec has at most {LONGEST} characters; {EXAMPLE}")
        self.look(start)

    def look(self, position: int) -> None:
        """Makes what stands at a position the token that is read next."""
        found = TOKEN.match(self.text, position)
        assert found, "the last alternatives match anything"
        self.here, self.kind = found, str(found.lastgroup)

    def advance(self) -> None:
        self.look(self.here.end())

    @property
    def token(self) -> str:
        return self.here[self.kind]

    @property
    def position(self) -> int:
        return self.here.start(self.kind)

    def refuse(self, what: str, position: int | None = None) -> NoReturn:
        where = self.position if position is None else position
        if self.kind == "unknown" and where == self.position:
            what = f"{self.token} is never closed" if self.token in "'\"" else f"{self.token!r} has no meaning"
        raise InputError(f"{self.at(where)}: {what}; {EXAMPLE}")

    def at(self, position: int) -> str:
        end = position >= len(self.text.rstrip())
        return f"input {_shown(self.text)}, {'at its end' if end else f'character {position + 1}'}"

    def sees(self, *marks: str) -> bool:
        return self.kind == "mark" and self.token in marks

    def take(self, *marks: str) -> bool:
        found = self.sees(*marks)
        if found:
            self.depth += (self.token in "([{") - (self.token in ")]}")
            self.advance()
        if self.depth > DEEPEST:
            self.refuse(f"nested more than {DEEPEST} deep")
        return found

    def need(self, mark: str, after: str) -> None:
        if not self.take(mark):
            self.refuse(f"{mark!r} is missing after {after}" + (f", before {self.token!r}" if self.token else ""))

    def spec(self) -> Any:
        value = self.value()
        if self.kind != "end":
            self.refuse(f"nothing can follow the end of the spec, not {self.token!r}")
        return value

    def value(self) -> Any:
        start = self.position
        if self.take("("):
            parts, commas = self.parts(")")
            return parts[0] if len(parts) == 1 and not commas else tuple(parts)
        if self.take("["):
            return self.parts("]")[0]
        if self.take("{"):
            pairs, _ = self.parts("}")
            if len(found := dict(pairs)) < len(pairs):
                self.refuse("a key is given twice", start)
            return found
        if self.kind == "name":
            return self.tensor()
        return self.plain()

    def parts(self, end: str) -> tuple[list[Any], int]:
        """What stands between brackets, and how many commas; pairs where they are braces."""
        parts: list[Any] = []
        commas = 0
        while not self.take(end):
            if self.sees(","):
                self.refuse("a value is missing before ','")
            parts.append(self.pair() if end == "}" else self.value())
            if self.take(","):
                commas += 1
            elif not self.sees(end):
                self.need(end if self.kind in ("end", "mark") else ",", "a value")
        return parts, commas

    def pair(self) -> tuple[str, Any]:
        if self.kind not in ("name", "string"):
            self.refuse(f"the name of an entry is missing before {self.token!r}, as in {{mask: bool[B,S]}}")
        key = str(self.plain()) if self.kind == "string" else self.token
        if self.kind == "name":
            self.advance()
        self.need(":", f"the name {key!r}")
        return key, self.value()

    def plain(self) -> Any:
        start = self.position
        sign = -1 if self.take("-") else 1
        if sign == 1 and self.kind == "string":
            text = self.token
            self.advance()
            try:
                return literal_eval(text)
            except (SyntaxError, ValueError):
                self.refuse("this string cannot be read", start)
        if self.kind != "number":
            self.refuse("a tensor or a value is missing" + (f" before {self.token!r}" if self.token else ""), start)
        text = self.token
        self.advance()
        try:
            return sign * (float(text) if re.search(r"[.eE]", text) else int(text))
        except ValueError:
            self.refuse(f"{text[:60]!r} is no number", start)

    def tensor(self) -> Any:
        """A dtype with its dimensions in brackets, or one of the words true, false and none."""
        start, word = self.position, self.token.removeprefix("torch.")
        dtype = SHORT.get(word, word)
        self.advance()
        if not self.take("["):
            if word in PLAIN:
                return PLAIN[word]
            if dtype in DTYPES:
                self.refuse(f"{word} is a dtype, its dimensions follow in square brackets: {word}[B,S]")
            self.refuse(f"{word!r} is no value: a tensor is dtype[dimensions], a string has quotes", start)
        if dtype not in DTYPES:
            self.refuse(f"{word!r} is no dtype; {nearest(word, DTYPES)}", start)
        dims: list[Expr] = []
        while not self.take("]"):
            dims.append(self.dim())
            if self.take(","):
                if self.sees("]"):
                    self.empty()
            elif not self.sees("]"):
                self.need("]" if self.kind == "end" else ",", "a dimension")
        return TensorSpec(dtype, tuple(dims))

    def empty(self) -> NoReturn:
        self.refuse("a dimension is empty" + (f" before {self.token!r}" if self.token else ""))

    def dim(self) -> Expr:
        if self.kind == "end" or self.sees(",", "]"):
            self.empty()
        start = self.position
        try:
            size, end = parse_beginning(self.text, start)
        except FormulaError as error:
            self.refuse(error.what, error.position)
        self.look(end)
        if not size.integral:
            self.refuse(f"a dimension is an integer, not {size}: divide with //", start)
        if any(atom.function != "floor" for atom in size.atoms):
            self.refuse(f"a dimension is made of integers and names with + - * // **, not {size}", start)
        if all(coefficient <= 0 for coefficient in size.terms.values()):
            raise SizeError(f"{self.at(start)}: a dimension is a positive integer, not {size}; {EXAMPLE}")
        if size.is_constant and size.at() > LARGEST_SIZE:
            raise SizeError(f"{self.at(start)}: a dimension is at most {LARGEST_SIZE}")
        return size
