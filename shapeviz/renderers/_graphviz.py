"""Drawing by the `dot` program, through the graphviz package."""

from __future__ import annotations

from shapeviz.errors import MissingToolError, ShapevizError
from shapeviz.page import Page
from shapeviz.renderers import View
from shapeviz.renderers.to_dot import render as to_dot


def draw(page: Page, view: View, format: str) -> bytes:
    """The figure of a page as svg, png or pdf. Raises MissingToolError if Graphviz is not installed."""
    import graphviz

    try:
        drawn: bytes = graphviz.Source(to_dot(page, view)).pipe(format=format, quiet=True)
    except graphviz.ExecutableNotFound:
        raise MissingToolError(
            "the `dot` program of Graphviz is not installed, which draws the figures: "
            "apt-get install graphviz, brew install graphviz, or see https://graphviz.org/download"
        ) from None
    except graphviz.CalledProcessError as error:
        said = error.stderr or b""
        words = " ".join((said.decode(errors="replace") if isinstance(said, bytes) else said).split())
        raise ShapevizError(f"`dot` could not draw the figure: {words[:500] or error}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ShapevizError(f"`dot` could not draw the figure: it ended before it had read it ({error})") from None
    if not drawn:
        raise ShapevizError(f"`dot` could not draw the figure: it gave no {format}")
    return drawn
