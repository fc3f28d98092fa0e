"""A block of one's own, written as on paper: low-rank adaptation of a linear layer (Hu et al. 2021, section 4.1)."""

from shapeviz import measure, render
from shapeviz.ir import Model, Sizes
from shapeviz.lang import Variable, block, input_, param, record


@block(role="linear")
def lora(x: Variable, d_out: str, r: str) -> Variable:
    """y = x W_0 + x A B      (Hu et al. 2021, eq. 3)"""
    W_0, A, B = param("W_0", x.shape[-1], d_out), param("A", x.shape[-1], r), param("B", r, d_out)
    return x @ W_0 + x @ A @ B


def adapted() -> Variable:
    """y = LoRA(x)"""
    return lora(input_("x", "B", "S", "d_model"), "d_out", "r")


sizes = Sizes({"B": 1, "S": 128, "d_model": 4096, "d_out": 4096, "r": 8})
model = Model("lora", "A linear layer with a low-rank update", "examples/own_block.py", record(adapted), sizes)
print(render(measure(model), "table", verb="params"))
