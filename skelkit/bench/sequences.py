"""A LongT GAN training step on clips of their own lengths, beside one that runs every clip to the longest one's end."""

from __future__ import annotations

from functools import partial
from statistics import median
from types import MethodType

import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor, nn

from skelkit.bench.timing import Line, spread, turns
from skelkit.data.skeleton import ACCLAIM
from skelkit.data.views import Batch, DataSpec
from skelkit.device import device, keep_freed_memory
from skelkit.losses import Losses
from skelkit.methods.longt_gan import LongTGAN, LongTGANConfig
from skelkit.models.sequences import Bidirectional, Decoder, FrameDecoder, Summary

LENGTHS = (7, 12, 17, 21, 24, 26, 30, 33, 40, 57, 113)
"""The deciles, from the shortest to the longest, of the lengths of HDM05's clips: eleven whole classes, 15 frames a
second."""


def drawn_lengths(clips: int) -> Int[Tensor, " n"]:
    """Lengths of such clips; the longest is among them."""
    places = torch.linspace(0, len(LENGTHS) - 1, clips)
    known = torch.tensor(LENGTHS, dtype=torch.float)
    low = places.floor().long().clamp(max=len(LENGTHS) - 2)
    return torch.lerp(known[low], known[low + 1], places - low).round().long()


def padded_summary(self: Summary, frames: Float[Tensor, "b t f"], lengths: Int[Tensor, " b"]) -> Float[Tensor, "b o"]:
    """What `Summary` gives, from every frame of the batch: each direction begins where its clip does."""
    time = torch.arange(frames.shape[1], device=frames.device)
    turned = (lengths[:, None] - 1 - time) % frames.shape[1]  # a clip's own frames from its last on, then the padding
    at_end = (lengths - 1)[:, None, None]
    states, last = frames, []
    for layer in range(self.layers.num_layers):
        forth = over_all_frames(self.layers, f"l{layer}", states)
        back = over_all_frames(self.layers, f"l{layer}_reverse", reordered(states, turned))
        states = torch.cat([forth, reordered(back, turned)], 2)
        last = [side.gather(1, at_end.expand(-1, 1, side.shape[2]))[:, 0] for side in (forth, back)]
    summary: Tensor = self.out(torch.cat(last, 1))
    return summary


def over_all_frames(layers: nn.RNNBase, suffix: str, states: Float[Tensor, "b t d"]) -> Float[Tensor, "b t h"]:
    """One layer's one direction, as a GRU of its own."""
    weights: list[Tensor] = [
        layers.get_parameter(f"{name}_{suffix}") for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    ]
    start = states.new_zeros(1, len(states), layers.hidden_size)
    found: Tensor = torch.gru(states, start, weights, True, 1, 0.0, True, False, True)[0]
    return found


def reordered(states: Float[Tensor, "b t d"], order: Int[Tensor, "b t"]) -> Float[Tensor, "b t d"]:
    return states.gather(1, order[:, :, None].expand_as(states))


def padded_decoder(
    self: FrameDecoder,
    representation: Float[Tensor, "b d"],
    frames: Float[Tensor, "b t f"],
    lengths: Int[Tensor, " b"] | None = None,
) -> Float[Tensor, "b t f"]:
    """What `FrameDecoder` gives, run to the last frame of the longest clip."""
    return FrameDecoder.forward(self, representation, frames)


def step_by_step(
    decoder: FrameDecoder, representation: Float[Tensor, "b d"], frames: Float[Tensor, "b t f"]
) -> Float[Tensor, "b t f"]:
    """The same outputs, one call a frame."""
    state: Tensor | None = None
    found = []
    for step in (representation, *frames.unbind(1)):
        states, state = decoder.layers(step[:, None], state)
        found.append(decoder.out(states))
    return torch.cat(found[1:], 1)


def method_of(width: int) -> LongTGAN:
    """The method on whole clips, without dropout: so that two ways to run it can be compared."""
    torch.manual_seed(0)
    spec = DataSpec(1, 1, ACCLAIM, 1)
    critic = Bidirectional(max(2, width // 4), dropout=0.0)
    config = LongTGANConfig(pieces=None, decoder=Decoder(width, dropout=0.0), discriminator=critic)
    encoder = Bidirectional(width, dropout=0.0).build(spec)
    return LongTGAN(config, encoder, spec, Generator()).to(device())


def padded(method: LongTGAN) -> LongTGAN:
    """The method, run over the padding."""
    for summary in (method.encoder.get_submodule("summary"), method.discriminator):
        summary.forward = MethodType(padded_summary, summary)
    method.decoder.forward = MethodType(padded_decoder, method.decoder)  # type: ignore[method-assign]
    return method


def train_step(method: LongTGAN, batch: Batch) -> Losses:
    """Forward and backward of one step, routed as in training."""
    losses = method.loss(batch, Generator(device()).manual_seed(0))
    method.zero_grad()
    for name, loss in losses.items():
        loss.backward(inputs=list(method.get_submodule(name).parameters()), retain_graph=True)
    return losses


def longt_gan(clips: int = 64, rounds: int = 3, width: int = 800) -> list[Line]:
    """A training step by clips' own lengths against one to the longest, as wide as the paper's: narrow layers on a CPU
    gain less, since each step of time has its own cost whatever its clips. And the decoder in one call."""
    keep_freed_memory()
    lengths = drawn_lengths(clips).to(device())
    there = (torch.arange(int(lengths.max()), device=device()) < lengths[:, None])[:, None, :, None, None]
    x = torch.randn(clips, 3, there.shape[2], len(ACCLAIM), 1, device=device()) * there
    index = torch.arange(clips, device=device())
    batch = Batch(x, index, torch.zeros_like(index), None, lengths)
    ours, theirs = method_of(width), padded(method_of(width))
    with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):  # or a GPU's rounding is what is compared
        mine, plain = (torch.stack(list(train_step(method, batch).values())) for method in (ours, theirs))
    apart = ((mine - plain) / plain).abs().max().item()
    shape = f"batch {clips}, {lengths.min()} to {lengths.max()} frames, width {width}"
    times = turns([partial(train_step, ours, batch), partial(train_step, theirs, batch)], rounds)
    ratios = [slow / quick for quick, slow in zip(*times, strict=True)]
    frames, start = x.transpose(1, 2).flatten(2), torch.randn(clips, ours.width, device=device())
    single = turns([lambda: ours.decoder(start, frames), lambda: step_by_step(ours.decoder, start, frames)], rounds)
    calls = [slow / quick for quick, slow in zip(*single, strict=True)]
    step = f"training step, to the longest / own lengths, {shape}"
    return [
        Line(
            "losses by clips' own lengths / to the longest: difference", "at most 1e-4", f"{apart:.0e}", apart <= 1e-4
        ),
        Line(step, "1.3 x", f"{spread(ratios, '.2f')} x", median(ratios) >= 1.3),
        Line(f"decoder, frame by frame / in one call, {shape}", "", f"{spread(calls, '.2f')} x"),
    ]
