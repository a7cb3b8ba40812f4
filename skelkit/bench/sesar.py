"""Decoders of Predict & Cluster and SESAR: one call, or one product less a frame, against a step a frame."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from statistics import median

import torch
from jaxtyping import Float
from torch import Tensor

from skelkit.bench.timing import Line, spread, turns
from skelkit.device import device, keep_freed_memory
from skelkit.models.decoder import FrameDecoder, WeakDecoder

Decode = Callable[[Float[Tensor, "b d"], Float[Tensor, "b 3 t v m"]], Float[Tensor, "b 3 t v m"]]


def frame_by_frame(
    decoder: FrameDecoder, representation: Float[Tensor, "b d"], x: Float[Tensor, "b 3 t v m"]
) -> Float[Tensor, "b 3 t v m"]:
    """What a decoder gives, as the released PyTorch codes run it: torch's whole GRU, called for one frame at a time."""
    fixed = decoder.config.weakening == "fixed state"
    frames = x.transpose(1, 2).flatten(2)  # (b t f)
    state, read, found = representation[None], frames[:, :1], []
    for _ in range(frames.shape[1]):
        output, after = decoder.gru(read if fixed else torch.zeros_like(read), state)
        read = decoder.out(output) + (read if fixed else 0)
        state = state if fixed else after
        found.append(read)
    return torch.cat(found, 1).unflatten(2, (3, *x.shape[3:])).transpose(1, 2)


def decoders(batch: int = 64, frames: int = 50, width: int = 2048, joints: int = 20, rounds: int = 3) -> list[Line]:
    """Each weakening forward and backward, NW-UCLA's clips; both ways must give the same frames and gradients."""
    keep_freed_memory()
    lines = []
    for kind in ("fixed state", "fixed weights", "none"):
        torch.manual_seed(0)
        decoder = WeakDecoder(kind).build(3 * joints, width).to(device())
        h = torch.randn(batch, width, device=device()).tanh().requires_grad_()
        x = torch.randn(batch, 3, frames, joints, 1, device=device())
        ways: list[Decode] = [partial(frame_by_frame, decoder), decoder]
        with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):  # or a GPU's rounding is what is compared
            literal, ours = (passed(decode, decoder, h, x) for decode in ways)
        apart = max(_apart(a, b) for a, b in zip(literal, ours, strict=True))
        times = turns([partial(passed, decode, decoder, h, x) for decode in ways], rounds)
        ratios = [slow / quick for slow, quick in zip(*times, strict=True)]
        what = f"decoder, {kind}, {width} units, batch {batch}, {frames} frames, forward and backward"
        must = kind == "fixed state"  # the others spare calls alone, which a GPU feels and a CPU hardly does
        met = median(ratios) > 1 if must else None
        lines.append(
            Line(f"{what}: frame by frame / ours", "more than 1 x" if must else "", f"{spread(ratios)} x", met)
        )
        equal = "largest difference of frames and gradients, of their largest number"
        lines.append(Line(f"decoder, {kind}: {equal}", "under 0.001", f"{apart:.1e}", apart < 1e-3))
    return lines


def passed(
    decode: Decode, decoder: FrameDecoder, h: Float[Tensor, "b d"], x: Float[Tensor, "b 3 t v m"]
) -> list[Float[Tensor, ...]]:
    """The frames, and the gradients of their distance from x: of H, and of every weight that learns."""
    h.grad = None
    decoder.zero_grad()
    found = decode(h, x)
    (found - x).abs().mean().backward()
    gradients = [p.grad for p in (h, *decoder.parameters()) if p.grad is not None]
    return [found.detach(), *gradients]


def _apart(one: Tensor, other: Tensor) -> float:
    return float((one - other).abs().max() / one.abs().max())
