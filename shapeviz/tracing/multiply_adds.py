"""What torch's own operations cost: 2 for every multiply-add of a matrix product or convolution, forward and backward.

A formula takes the operation's arguments and result, and gives products of sizes to be added up.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from torch import Tensor

from shapeviz.tracing.torch_private import Size

Products: TypeAlias = "list[list[Size]]"  # the cost of an operation: sizes to be multiplied, and the products added up
Formula: TypeAlias = Callable[..., Products]  # of the operation's result and arguments


def mm(out: Tensor, a: Tensor, b: Tensor, *_: object, **__: object) -> Products:
    """[… m k] @ [… k n], also batched."""
    return [[*out.shape, a.shape[-1]]]


def addmm(out: Tensor, bias: Tensor, a: Tensor, b: Tensor, *_: object, **__: object) -> Products:
    """bias + a @ b; the sum is no multiply-add."""
    return [[*out.shape, a.shape[-1]]]


def addbmm(out: Tensor, bias: Tensor, a: Tensor, b: Tensor, *_: object, **__: object) -> Products:
    """bias + Σ_i a_i @ b_i."""
    return [[*out.shape, a.shape[0], a.shape[-1]]]


def mv(out: Tensor, a: Tensor, x: Tensor, *_: object, **__: object) -> Products:
    """[m k] @ [k], and the product of two vectors."""
    return [[*a.shape]]


def addmv(out: Tensor, bias: Tensor, a: Tensor, x: Tensor, *_: object, **__: object) -> Products:
    """bias + a @ x."""
    return [[*a.shape]]


def convolution(
    out: Tensor,
    x: Tensor,
    w: Tensor,
    bias: object,
    stride: object,
    padding: object,
    dilation: object,
    transposed: bool,
    *_: object,
) -> Products:
    """Every weight meets every output position, or every input position if transposed. w: [c_out, c_in/groups, …]."""
    met = x if transposed else out
    if x.dim() != w.dim():  # no batch: x is [c_in, …]
        return [[*w.shape, *met.shape[1:]]]
    return [[x.shape[0], *w.shape, *met.shape[2:]]]


def convolution_backward(
    out: object, grad: Tensor, x: Tensor, w: Tensor, bias_sizes: object, stride: object, padding: object,
    dilation: object, transposed: bool, output_padding: object, groups: int, mask: Sequence[bool], *_: object,
) -> Products:  # fmt: skip
    """The gradients of input and weight cost as much as the convolution, each."""
    return convolution(grad, x, w, None, stride, padding, dilation, transposed) * (mask[0] + mask[1])


def grouped_mm(out: Tensor, a: Tensor, b: Tensor, *_: object, **__: object) -> Products:
    """Rows of a [r k] times the matrix of their expert, b [E k n]; or, for b [r n], one product an expert."""
    if a.dim() == b.dim() == 2:
        return [[a.shape[0], a.shape[1], b.shape[-1]]]
    return [[*a.shape, b.shape[-1]]]


def grouped_mm_backward(out: object, x: Tensor, w: Tensor, *_: object, **__: object) -> Products:
    """The gradients of rows [r k] and of the experts' matrices [E k n]."""
    return [[*x.shape, w.shape[-1]]] * 2


def linear(out: Tensor, x: Tensor, w: Tensor, *_: object, **__: object) -> Products:
    """x Wᵀ, where a backend keeps it whole. x [… k], w [n k]."""
    return [[*x.shape, w.shape[0]]]


FORMULAS: dict[str, Formula] = {
    "aten::mm": mm, "aten::bmm": mm, "aten::addmm": addmm, "aten::baddbmm": addmm, "aten::addbmm": addbmm,
    "aten::mv": mv, "aten::dot": mv, "aten::vdot": mv, "aten::addmv": addmv, "aten::_scaled_mm": mm,
    "aten::_int_mm": mm, "aten::linear": linear, "aten::mkldnn_linear": linear,
    "aten::convolution": convolution, "aten::_convolution": convolution,
    "aten::convolution_overrideable": convolution, "aten::convolution_backward": convolution_backward,
    "aten::_grouped_mm": grouped_mm,
    "transformers::grouped_mm_fallback": grouped_mm,
    "transformers::grouped_mm_fallback_backward": grouped_mm_backward,
}  # fmt: skip

# Operations of whose tensors torch's kernels want one dtype, while its rules for shapes do not ask.
ONE_DTYPE = {"aten::mm", "aten::bmm", "aten::addmm", "aten::baddbmm", "aten::mv", "aten::convolution"}
# Operations that contain products of matrices whose number the sizes alone do not tell (an iterative decomposition),
# and fused kernels, which a trace comes to only in ways that we do not know. They get a letter, not a zero.
_UNKNOWN = """
_trilinear _linalg_svd linalg_svd svd linalg_eigh _linalg_eigh linalg_eig _linalg_eigvals linalg_qr geqrf ormqr
linalg_householder_product linalg_inv_ex linalg_cholesky_ex cholesky_inverse linalg_lu linalg_lu_factor_ex
linalg_lu_solve _linalg_solve_ex linalg_solve_triangular triangular_solve cholesky cholesky_solve linalg_ldl_solve
linalg_lstsq linalg_matrix_exp _linalg_det _linalg_slogdet _cdist_forward _cdist_backward _euclidean_dist
_sparse_mm _sparse_addmm _addmm_activation mkldnn_rnn_layer _cudnn_rnn miopen_rnn
_transformer_encoder_layer_fwd _native_multi_head_attention _thnn_fused_lstm_cell _thnn_fused_gru_cell
_scaled_dot_product_flash_attention _scaled_dot_product_flash_attention_for_cpu
_scaled_dot_product_efficient_attention _scaled_dot_product_cudnn_attention _flash_attention_forward
_efficient_attention_forward _weight_int4pack_mm _weight_int8pack_mm _scaled_grouped_mm
"""
UNKNOWN = {f"aten::{name}" for name in _UNKNOWN.split()}
# Libraries of operations that come with torch: what is in none of the lists above has no multiply-adds.
OURS = ("aten", "prims", "prim", "profiler", "inductor", "debugprims", "_c10d_functional", "c10d")


def products(name: str, out: object, args: Sequence[object], kwargs: Mapping[str, object]) -> Products:
    """The multiply-adds of one of torch's operations, as lists of sizes to be multiplied."""
    return FORMULAS[name](out, *args, **kwargs) if name in FORMULAS else []


def is_unknown(name: str) -> bool:
    """True for an operation whose cost we do not know: a linear-algebra routine, or somebody's own operation."""
    return name in UNKNOWN or (name not in FORMULAS and name.partition("::")[0] not in OURS)


def check_dtypes(name: str, args: Sequence[object]) -> None:
    """Raises RuntimeError for tensors of several dtypes where the operation's kernels want one."""
    if name not in ONE_DTYPE:
        return
    dtypes = dict.fromkeys(str(arg.dtype).removeprefix("torch.") for arg in args if isinstance(arg, Tensor))
    if len(dtypes) > 1:
        raise RuntimeError(f"tensors of one dtype are needed, not {' and '.join(dtypes)}")
