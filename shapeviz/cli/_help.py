"""The help of the program and of its verbs: what fits on a screen, or all that there is to say, with --help-all."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from textwrap import wrap
from types import ModuleType
from typing import Any

from shapeviz import plugins
from shapeviz.errors import ShapevizError
from shapeviz.frontends import from_torch, names_model
from shapeviz.symbols import DIMENSIONS, GLOSSARY, LETTERS

LINES, WIDTH, LABEL = 23, 80, 11  # a screen of 24 lines, one of them for the next command
SIZES, PUBLISHED, PYTORCH, OUTPUT = "Sizes", "Published", "PyTorch", "Output"
WORDS = {
    SIZES: "Sizes, where 4k is 4000, 4Ki 4096, and 2**12 as well; and variants",
    PUBLISHED: "Published models: a bundled name or a config.json",
    PYTORCH: "PyTorch modules: file.py:factory or package.module:factory",
    OUTPUT: "Output",
}
WIDELY_KNOWN = {symbol.key for symbol in GLOSSARY}
MODEL = ("gpt2 or another name,", "a config.json,", "a TOML file,", "file.py:Class;", "none: 6 + 8 layers")
EXIT_CODES = (
    ("0", "All is well."),
    ("1", "A check failed: a budget, a comparison with PyTorch, a difference that diff found."),
    ("2", "What was typed or read cannot be, or something is missing that this job needs."),
    ("130", "Ctrl-C."),
)
START = (
    ("shapeviz params", "the default model, block by block"),
    ("shapeviz params gpt2", "a bundled model; shapeviz models lists them"),
    ("shapeviz trace --enc 2 --dec 0 --d-model 512 --heads 8", "sizes of your own"),
)


def start(verbs: Sequence[str]) -> str:
    """What the program says if it is called with nothing: three commands that can be run, and where more is said."""
    wide = max(len(command) for command, _ in START)
    return "\n".join(
        [
            "What shapes flow through a neural network, what it costs, and why. Try:",
            "",
            *(f"  {command:{wide}}  {what}" for command, what in START),
            "",
            *_labelled("Verbs", verbs),
            "shapeviz --help says what each does, shapeviz VERB --help what it takes",
        ]
    )


def program(verbs: Sequence[str], about: str) -> str:
    """The help of the program: what it is for, a line for each verb, and its own options."""
    wide = max(map(len, verbs))
    said = ((verb, " ".join((plugins.load("shapeviz.cli", verb).__doc__ or "").split())) for verb in verbs)
    return "\n".join(
        [
            "Usage: shapeviz VERB [MODEL] [OPTIONS]",
            *wrap(about, WIDTH),
            "",
            *(_cut(f"  {verb:{wide}}  {text}") for verb, text in said),
            "",
            "-V, --version; -h, --help; --install-completion, --show-completion of a shell",
        ]
    )


def brief(command: Any, verb: ModuleType, ctx: Any, typed: Sequence[str]) -> str:
    """The help of a verb on one screen: what it does, two examples, its own options with a line each, of the
    others those that the kind of model takes that was typed."""
    model = _model(command, ctx, typed)
    top = [*_first(command.help), "", *(f"  {line}" for line in getattr(verb, "EXAMPLES", ())), "", _usage(command)]
    if any(argument.name in ("model", "first") for argument in _arguments(command)):
        top += _labelled("MODEL", MODEL)
    panels = _taken(_panels(command), model)
    own = panels.pop("", [])
    rest = [line for name, options in panels.items() for line in _labelled(name, map(_short, _daily(options)))]
    foot = [f"{_named(command)} --help-all says all of it, the formats and the exit codes"]
    room = LINES - len(top) - len(rest) - len(foot)
    lines = next((lines for lines in _ways(own, verb) if len(lines) <= room), _labelled("Options", ["see below"]))
    return "\n".join([*top, *lines, *rest, *foot])


def _ways(own: Sequence[Any], verb: ModuleType) -> Iterator[list[str]]:
    """A verb's own options in fewer and fewer lines: one for each, their names by parts, closer, or all together."""
    yield list(_lines(own))
    for gap in ("  ", " "):
        yield [line for name, some in _parts(own, verb) for line in _labelled(name, map(_short, some), gap)]
    yield _labelled("Options", map(_short, own), " ")


def whole(command: Any, verb: ModuleType, formatter: Any) -> str:
    """The help of a verb in full: every option and its default, the formats, the columns, the exit codes."""
    formatter.write(_usage(command) + "\n")
    formatter.write_paragraph()
    formatter.write_text(" ".join((command.help or "").split()))
    with formatter.section("Examples"):
        for line in getattr(verb, "EXAMPLES", ()):
            formatter.write(f"  {line}\n")
    if records := [(argument.human_readable_name, argument.help or "") for argument in _arguments(command)]:
        with formatter.section("Arguments"):
            formatter.write_dl(records)
    panels = _panels(command, once=True)
    own = panels.pop("", [])
    named = [*_parts(own, verb), *((WORDS.get(name, name), options) for name, options in panels.items())]
    for title, options in named:
        with formatter.section(title):
            formatter.write_dl([(_flags(option), option.help or "") for option in options])
    for title, records in _registries(command, verb):
        with formatter.section(title):
            formatter.write_dl(records)
    return str(formatter.getvalue().rstrip("\n"))


def formats(verb: ModuleType) -> dict[str, Any]:
    """The formats that a verb can be written in: only those of tables where it has no figure."""
    from shapeviz.renderers import renderers

    draws = "theme" not in getattr(verb, "WITHOUT", ()) and "theme" in (getattr(verb, "ONLY", None) or ("theme",))
    return {name: made for name, made in renderers().items() if draws or not made.draws}


def _registries(command: Any, verb: ModuleType) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """What the folders have that an option names, and the exit codes."""
    taken = {option.name for option in command.params}
    if "columns" in taken:
        from shapeviz import analyses

        yield "Columns", [(name, analyses.load(name).title) for name in analyses.names()]
    if "format" in taken:
        made = formats(verb).items()
        yield "Formats, -f or the suffix of -o", [(_format(name, one), one.help) for name, one in made]
    yield "Exit codes", list(EXIT_CODES)


def _format(name: str, made: Any) -> str:
    """`markdown, md (.md)`"""
    suffixes = f" ({', '.join(made.suffixes)})" if made.suffixes else ""
    return ", ".join((name, *made.aliases)) + suffixes


def _named(command: Any) -> str:
    return f"shapeviz {command.name}"


def _usage(command: Any) -> str:
    arguments = " ".join(argument.metavar or argument.human_readable_name for argument in _arguments(command))
    return f"Usage: {_named(command)} {arguments} [OPTIONS]".replace("  ", " ")


def _first(text: str | None) -> list[str]:
    return wrap(" ".join((text or "").split()), WIDTH)


def _arguments(command: Any) -> list[Any]:
    return [one for one in command.params if one.param_type_name == "argument"]


def _panels(command: Any, once: bool = False) -> dict[str, list[Any]]:
    """The options by the panel in which they stand, those of the verb itself under ""; `once` each in its first."""
    panels: dict[str, list[Any]] = {"": []}
    for option in command.params:
        if option.param_type_name == "option" and not option.hidden:
            for name in (option.rich_help_panel or "").split("|")[: 1 if once else None]:
                panels.setdefault(name, []).append(option)
    order = ["", SIZES, PUBLISHED, PYTORCH]
    return {name: panels[name] for name in (*order, *(n for n in panels if n not in order)) if name in panels}


def _parts(own: Sequence[Any], verb: ModuleType) -> Iterator[tuple[str, list[Any]]]:
    """A verb's own options, under the words that it has for parts of them: its PARTS, by the first option of each."""
    words = getattr(verb, "PARTS", {})
    title, some = "Options", list[Any]()
    for option in own:
        if option.name in words and some:
            yield title, some
            some = []
        title = words.get(option.name, title)
        some.append(option)
    if some:
        yield title, some


def _taken(panels: dict[str, list[Any]], model: str | None) -> dict[str, list[Any]]:
    """The panels of options that have a meaning for a model, all of them as long as none is named."""
    if model is None:
        return panels
    if from_torch.is_source(model):
        sizes, without = set(DIMENSIONS), [PUBLISHED]
    elif model.endswith(".toml"):
        sizes, without = {option.name for option in panels.get(SIZES, ())}, [PUBLISHED, PYTORCH]
    else:
        sizes, without = set(LETTERS), [PYTORCH]
    kept = {name: options for name, options in panels.items() if name not in without}
    if SIZES in kept:
        kept[SIZES] = [option for option in kept[SIZES] if option.name in sizes]
    return kept


def _model(command: Any, ctx: Any, typed: Sequence[str]) -> str | None:
    """The model that was typed beside --help, if it is one."""
    try:
        values, _, _ = command.make_parser(ctx).parse_args(args=list(typed))
    except Exception:  # what else was typed cannot be parsed: the help is for that
        return None
    for name in ("model", "first", "block"):
        text = values.get(name)
        try:
            if isinstance(text, str) and names_model(text):
                return text
        except ShapevizError:
            continue
    return None


def _daily(options: Iterable[Any]) -> Iterator[Any]:
    """Without those that hardly anybody looks for."""
    return (option for option in options if option.name not in ("debug", "help_all"))


def _lines(options: Iterable[Any]) -> Iterator[str]:
    """`  --active         Beside all parameters those that one token meets.`, a line each."""
    flags = [_flags(option) for option in options]
    wide = min(max(map(len, flags), default=0), 30)
    for flag, option in zip(flags, options, strict=True):
        yield _cut(f"  {flag:{wide}}  {option.help or ''}")


def _cut(line: str) -> str:
    return line if len(line) < WIDTH else f"{line[: WIDTH - 3].rstrip(' .,;:')} …"


def _labelled(label: str, words: Iterable[str], gap: str = "  ") -> list[str]:
    """Words under a label, as many to a line as fit, none broken."""
    lines, indent = [f"{label:{LABEL}}"], " " * LABEL
    for word in words:
        if len(lines[-1]) + len(word) + 1 > WIDTH and lines[-1].strip() != label:
            lines.append(indent)
        lines[-1] += word + gap
    return [line.rstrip() for line in lines]


def _flags(option: Any) -> str:
    """`--max-params N`, `--head/--no-head`, `-f, --format FORMAT`"""
    first = ", ".join(sorted(option.opts, key=len))
    return "/".join([first, *option.secondary_opts]) + _value(option)


def _short(option: Any) -> str:
    """`-f FORMAT`, `--d-model`: a flag by its shortest name; that a number follows is clear where sizes stand."""
    flag = str(min(option.opts, key=len))
    if option.secondary_opts:
        flag = f"--[no-]{flag[2:]}"
    value = _value(option)
    return flag if value == " N" and option.name in WIDELY_KNOWN else flag + value


def _value(option: Any) -> str:
    return "" if option.is_flag else f" {option.metavar or option.type.name.upper()}"
