"""A convolution over frames that on a CPU takes a half of the time: Winograd's scheme with Fourier's points.

A short piece of a clip and the kernel are each transformed by a constant matrix, multiplied frequency by frequency, and
transformed back. Nine frames cost two products a frame in place of nine, and the rest are small dense matrices.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from skelkit.device import exact_on_cpu

PIECE = 64
"""At most so many frames are made at once: long enough for few products, short enough for small transforms."""


def over_frames(layer: nn.Conv2d, x: Float[Tensor, "n v t c"]) -> Float[Tensor, "n v s o"]:
    """What a convolution with a (1, frames) kernel makes of clips that lie with their channels last.

    Equal within rounding to the layer's own forward, which runs where it is the quicker one: on a GPU and in 16 bit.
    layer: an odd kernel with half of it as padding.
    """
    frames, stride = layer.kernel_size[1], layer.stride[1]
    if frames == 1:
        return F.linear(x[:, :, ::stride], layer.weight[:, :, 0, 0], layer.bias)
    if not exact_on_cpu(x):
        return layer(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)  # a view whose memory is channels last
    return correlate(x, layer.weight[:, :, 0], layer.bias, stride)


def correlate(
    x: Float[Tensor, "n v t c"], weight: Float[Tensor, "o c k"], bias: Float[Tensor, " o"] | None, stride: int = 1
) -> Float[Tensor, "n v s o"]:
    """y[s] = sum_k W_k x[stride s + k - (k's middle)] + bias, frames beyond the ends being zero; k odd."""
    n, v, t, c = x.shape
    made = -(-t // stride)
    before = weight.shape[2] // 2
    lead = -before % stride
    if stride > 1:  # so many neighbouring frames are one frame of more channels
        x = F.pad(x, (0, 0, 0, made * stride - t)).view(n, v, made, stride * c)
        weight = F.pad(weight, (lead, -(lead + weight.shape[2]) % stride))
        weight = weight.unflatten(2, (-1, stride)).permute(0, 3, 1, 2).flatten(1, 2)
    before, k = (before + lead) // stride, weight.shape[2]
    pieces = -(-made // PIECE)
    piece = -(-made // pieces)
    clip, kernel, back = _transforms(piece, k, x.dtype)
    rows = pieces * piece + k - 1
    size = x.shape[3]
    ends = (x.new_zeros(n, v, many, size) for many in (before, rows - made - before))
    x = torch.cat([next(ends), x, next(ends)], 2)  # F.pad would write every number twice
    seen = x.view(n * v, rows, size)
    if pieces > 1:  # they overlap
        overlapping = (n * v, pieces, piece + k - 1, size), (rows * size, piece * size, size, 1)
        seen = x.as_strided(*overlapping).reshape(-1, piece + k - 1, size)
    spectra = clip @ seen  # (p r c)
    products = spectra.transpose(0, 1) @ torch.einsum("rk,ock->rco", kernel, weight)  # (r p o)
    y = (back @ products.transpose(0, 1)).view(n, v, pieces * piece, -1)[:, :, :made]
    return y if bias is None else y.add_(bias)


@lru_cache(maxsize=16)
def _transforms(made: int, k: int, dtype: torch.dtype) -> tuple[Tensor, Tensor, Tensor]:
    """The matrices (r made+k-1), (r k) and (made r) of y = back ((clip x) (kernel w)), the product row by row.

    Each frequency of a real signal is a complex number, and a complex product takes three real ones (Gauss):
    with p = w' (x' + x"), q = x' (w" - w') and s = x" (w' + w") it is (p - s) + i (p + q).
    """
    length = made + k - 1
    frequencies = np.arange(length // 2 + 1)
    angles = 2 * np.pi * frequencies[:, None] * np.arange(length) / length
    real, imaginary = np.cos(angles), np.sin(angles)
    lone = (frequencies == 0) | (2 * frequencies == length)  # their imaginary part is zero
    cos, sin = real[~lone], imaginary[~lone]
    w_cos, w_sin = cos[:, :k], sin[:, :k]  # of the kernel the conjugate: a correlation
    clip = np.concatenate([real[lone], cos - sin, cos, -sin])
    kernel = np.concatenate([real[lone, :k], w_cos, w_sin - w_cos, w_sin + w_cos])
    back = np.concatenate([real[lone], 2 * (cos - sin), -2 * sin, -2 * cos])[:, :made].T / length
    return tuple(torch.from_numpy(np.ascontiguousarray(each)).to(dtype) for each in (clip, kernel, back))  # type: ignore[return-value]
