"""The activations of a GPT layer, from its code: s·b·h·(34 + 5·a·s/h) bytes (Korthikanti et al. 2022, equation 1)."""

import torch
from torch import Tensor, nn

from shapeviz import measure, render, trace
from shapeviz.expr import Expr


class Layer(nn.Module):
    """Attention spelt out and an MLP, each after a normalisation and before a dropout and a sum."""

    def __init__(self, h: int = 1024, a: int = 16) -> None:
        super().__init__()
        self.a, self.norm, self.norm_2, self.dropout = a, nn.LayerNorm(h), nn.LayerNorm(h), nn.Dropout(0.1)
        self.qkv, self.projection = nn.Linear(h, 3 * h), nn.Linear(h, h)
        self.mlp = nn.Sequential(nn.Linear(h, 4 * h), nn.GELU(), nn.Linear(4 * h, h))

    def attention(self, x: Tensor) -> Tensor:
        """dropout(softmax(Q Kᵀ / √d)) V of every head, put side by side again."""
        q, k, v = self.qkv(x).unflatten(-1, (3, self.a, -1)).permute(2, 0, 3, 1, 4).unbind()
        scores = q @ k.mT / q.shape[-1] ** 0.5
        return self.projection((self.dropout(scores.softmax(-1)) @ v).transpose(1, 2).flatten(2))

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.dropout(self.attention(self.norm(x)))
        return x + self.dropout(self.mlp(self.norm_2(x)))


with torch.device("meta"):
    layer = Layer(h=1024, a=16).half()
report = measure(trace(layer, "float16[B,S,1024]", sizes={"B": 1, "S": 2048}, saved=True), ["saved"])
s, b, h, a = Expr.of("S"), Expr.of("B"), 1024, 16
paper, statistics = s * b * h * (34 + 5 * a * s / h), 8 * s * b  # mean and 1/σ of two LayerNorms, 4 bytes each
assert report.total["saved"] == paper + statistics
print(f"traced: {report.total['saved']}\npaper:  {paper}\nbesides, the statistics of two LayerNorms: {statistics}\n")
print(render(report, "table", verb="memory"))
