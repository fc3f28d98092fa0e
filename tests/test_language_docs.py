"""The examples of docs/language.md run, and print what stands below them."""

import re
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

TEXT = (Path(__file__).parent.parent / "docs" / "language.md").read_text()
EXAMPLES = re.findall(r"```python\n(.*?)```(?:\n\n```\n(.*?)```)?", TEXT, re.DOTALL)


def test_the_examples_print_what_stands_below_them() -> None:
    printed = []
    for code, _ in EXAMPLES:
        space: dict[str, Any] = {}
        with redirect_stdout(StringIO()) as out:
            exec(code, space)
        printed.append(out.getvalue())
    assert [expected for _, expected in EXAMPLES] == printed
    assert any(printed)
