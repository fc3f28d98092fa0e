"""What a layer is made of: parts that are frozen, hold their sizes and variants, and are called with variables."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Protocol

from shapeviz.lang import Variable


class Step(Protocol):
    """A function of one variable that leaves a block: rotary positions, an embedding's norm."""

    def __call__(self, x: Variable, /, *, name: str = "", title: str = "") -> Variable: ...


class Norm(ABC):
    """A normalisation over the last axis: [… d] → the same."""

    @abstractmethod
    def __call__(self, x: Variable, *, name: str = "", title: str = "") -> Variable: ...


class Attend(ABC):
    """Attention of x [B S d_model] to a memory [B T d_model], which is x itself in self-attention → [B S d_model]."""

    @abstractmethod
    def __call__(self, x: Variable, memory: Variable, *, name: str = "", title: str = "") -> Variable: ...


class Feed(ABC):
    """What is done to every position alone: [B S d_model] → the same."""

    @abstractmethod
    def __call__(self, x: Variable, *, name: str = "", title: str = "") -> Variable: ...


class Layer(ABC):
    """One layer of a stack: x [B S d_model], and the encoder's output if it reads one → the same shape as x."""

    @abstractmethod
    def __call__(self, x: Variable, *memory: Variable, name: str = "", title: str = "") -> Variable: ...
