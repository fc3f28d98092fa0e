"""Palettes of the figures: light, dark, and one that colour-blind readers can tell apart (Okabe & Ito 2008)."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Theme:
    """Colours by meaning; a kind of block has a fill and a line."""

    background: str
    text: str
    muted: str
    data: str
    residual: str
    memory: str
    panel: str
    border: str
    kinds: dict[str, tuple[str, str]]

    def colours(self, kind: str) -> tuple[str, str]:
        """The fill and the line of a kind of block; grey for one without colours of its own."""
        return self.kinds.get(kind, self.kinds[""])

    def line(self, role: str) -> str:
        """The colour of a wire by its role."""
        return {"residual": self.residual, "memory": self.memory}.get(role, self.data)


LIGHT = Theme(
    background="#FFFFFF",
    text="#1F2328",
    muted="#57606A",
    data="#57606A",
    residual="#A0A7AF",
    memory="#B45309",
    panel="#F6F7F9",
    border="#D0D7DE",
    kinds={
        "attention": ("#FCE2BB", "#C98A2B"),
        "cross": ("#FAD0A0", "#B45309"),
        "norm": ("#F2F4C1", "#A9AE4A"),
        "feed_forward": ("#C2E8F7", "#4A9CBF"),
        "state_space": ("#E8D3F5", "#9A5FC4"),
        "embedding": ("#FCE0E1", "#CC8286"),
        "linear": ("#DCDFF0", "#7F88BD"),
        "head": ("#DCDFF0", "#7F88BD"),
        "softmax": ("#CBE7CF", "#5FA46A"),
        "failed": ("#FFD7D5", "#CF222E"),
        "": ("#ECEEF1", "#8B949E"),
    },
)
DARK = Theme(
    background="#0D1117",
    text="#E6EDF3",
    muted="#B4BDC8",
    data="#8B949E",
    residual="#6B7480",
    memory="#F0A04B",
    panel="#161B22",
    border="#30363D",
    kinds={
        "attention": ("#5A3F14", "#D9A14A"),
        "cross": ("#6B3A0A", "#F0A04B"),
        "norm": ("#44471C", "#B9BE5A"),
        "feed_forward": ("#153F52", "#5BB3D8"),
        "state_space": ("#43265A", "#B88AE0"),
        "embedding": ("#532B2E", "#DB9296"),
        "linear": ("#2B3054", "#98A1D9"),
        "head": ("#2B3054", "#98A1D9"),
        "softmax": ("#1D4526", "#74BC80"),
        "failed": ("#5A1E22", "#F85149"),
        "": ("#22272E", "#6B7480"),
    },
)
COLORBLIND = replace(
    LIGHT,
    memory="#D55E00",
    kinds={
        "attention": ("#FBE3AE", "#E69F00"),
        "cross": ("#F7C9AC", "#D55E00"),
        "norm": ("#FAF6C4", "#B8AC1F"),
        "feed_forward": ("#CFEAF8", "#2B8CC4"),
        "state_space": ("#DCD0E8", "#4B2A7B"),
        "embedding": ("#F0D5E4", "#CC79A7"),
        "linear": ("#C7DBEB", "#0072B2"),
        "head": ("#C7DBEB", "#0072B2"),
        "softmax": ("#BFE5D8", "#009E73"),
        "failed": ("#FFD7D5", "#CF222E"),
        "": ("#ECEEF1", "#8B949E"),
    },
)
THEMES = {"light": LIGHT, "dark": DARK, "colorblind": COLORBLIND}
