"""The seven transformations of AS-CAL (Rao et al. 2021, Sec. III-A)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Generator, Tensor

from skelkit.augment.chain import coin, linear_map, some, uniform


@dataclass(frozen=True)
class Rotation:
    """Turn every clip about a random main axis, and a little about the two others (Rao et al. 2021, Eq. 1-4)."""

    main: float = 30.0
    """The main axis' angle is drawn from U[0, main] degrees."""
    others: float = 1.0
    """The two other angles are drawn from U[0, others] degrees."""

    def sample(self, shape: torch.Size, rng: Generator) -> Float[Tensor, "b 3"]:
        angles = uniform((shape[0], 3), 0.0, math.radians(self.others), rng)
        axis = torch.randint(3, (shape[0], 1), device=rng.device, generator=rng)
        return angles.scatter(1, axis, uniform((shape[0], 1), 0.0, math.radians(self.main), rng))

    def apply(self, x: Float[Tensor, "b 3 t v m"], angles: Float[Tensor, "b 3"]) -> Float[Tensor, "b 3 t v m"]:
        return linear_map(x, rotation_matrix(angles))


def rotation_matrix(angles: Float[Tensor, "b 3"]) -> Float[Tensor, "b 3 3"]:
    """R = R_Z(gamma) R_Y(beta) R_X(alpha) of (alpha, beta, gamma) in radians (Rao et al. 2021, Eq. 1-4)."""
    (ca, cb, cg), (sa, sb, sg) = angles.cos().T, angles.sin().T
    one, zero = torch.ones_like(ca), torch.zeros_like(ca)

    def rows(*entries: Tensor) -> Tensor:
        return torch.stack(entries, -1).view(-1, 3, 3)

    about_x = rows(one, zero, zero, zero, ca, sa, zero, -sa, ca)
    about_y = rows(cb, zero, -sb, zero, one, zero, sb, zero, cb)
    about_z = rows(cg, sg, zero, -sg, cg, zero, zero, zero, one)
    return about_z @ about_y @ about_x


@dataclass(frozen=True)
class Shear:
    """Slant every clip along one random direction (Rao et al. 2021, Eq. 5; Thoker et al. 2021, Eq. 1)."""

    limit: float = 1.0
    """Shear factors are drawn from U[-limit, limit]."""

    def sample(self, shape: torch.Size, rng: Generator) -> Float[Tensor, "b 3 3"]:
        matrix = uniform((shape[0], 3, 3), -self.limit, self.limit, rng)
        matrix.diagonal(dim1=1, dim2=2).fill_(1.0)
        return matrix

    def apply(self, x: Float[Tensor, "b 3 t v m"], matrix: Float[Tensor, "b 3 3"]) -> Float[Tensor, "b 3 t v m"]:
        return linear_map(x, matrix)


@dataclass(frozen=True)
class Reverse:
    """Play a clip backwards (Rao et al. 2021, Sec. III-A (3)); zero padding moves to the front with it."""

    p: float = 0.5
    """The chance that a clip is reversed."""

    def sample(self, shape: torch.Size, rng: Generator) -> Bool[Tensor, " b"]:
        return coin(shape[0], self.p, rng)

    def apply(self, x: Float[Tensor, "b 3 t v m"], flag: Bool[Tensor, " b"]) -> Float[Tensor, "b 3 t v m"]:
        b, c, t, v, m = x.shape
        time = torch.arange(t, device=x.device)
        time = torch.where(flag[:, None], t - 1 - time, time)  # (b t)
        # One gather of whole (v m) rows: three times as fast as torch.where over a flipped copy.
        rows = torch.arange(b * c, device=x.device).view(b, c, 1) * t + time[:, None]  # (b c t)
        return x.reshape(b * c * t, v * m).index_select(0, rows.flatten()).view(b, c, t, v, m)


@dataclass(frozen=True)
class GaussianNoise:
    """Add independent noise to every coordinate, padding included (Rao et al. 2021, Sec. III-A (4))."""

    sd: float = 0.05
    """Standard deviation in the clips' units. "N(0, 0.05)" could mean a variance; the released code has this."""

    def sample(self, shape: torch.Size, rng: Generator) -> Float[Tensor, "b 3 t v m"]:
        return torch.randn(shape, device=rng.device, generator=rng) * self.sd

    def apply(self, x: Float[Tensor, "b 3 t v m"], noise: Float[Tensor, "b 3 t v m"]) -> Float[Tensor, "b 3 t v m"]:
        return x + noise


@dataclass(frozen=True)
class GaussianBlur:
    """Smooth a clip along time with a Gaussian kernel (Rao et al. 2021, Eq. 6); frames outside the clip count as 0."""

    low: float = 0.1
    """Frames: the kernel's sigma is drawn from U[low, high]."""
    high: float = 2.0
    """The largest sigma, in frames."""
    taps: int = 15
    """The kernel's length in frames."""
    p: float = 0.5
    """The chance that a clip is blurred."""
    normalise: bool = False
    """Divide the kernel by its sum. Eq. 6 does not: its gain grows from 1.0 at sigma 0.1 to 5.0 at sigma 2."""

    def sample(self, shape: torch.Size, rng: Generator) -> Float[Tensor, "b taps"]:
        offset = torch.arange(self.taps, device=rng.device) - self.taps // 2
        sigma = uniform((shape[0], 1), self.low, self.high, rng)
        kernel = torch.exp(-(offset**2) / (2 * sigma**2))
        if self.normalise:
            kernel = kernel / kernel.sum(1, keepdim=True)
        return torch.where(coin(shape[0], self.p, rng)[:, None], kernel, (offset == 0).float())

    def apply(self, x: Float[Tensor, "b 3 t v m"], kernel: Float[Tensor, "b taps"]) -> Float[Tensor, "b 3 t v m"]:
        time = torch.arange(x.shape[2], device=x.device)
        tap = time - time[:, None] + self.taps // 2  # (t t): the tap that carries frame j into frame i
        band = torch.where((tap >= 0) & (tap < self.taps), kernel[:, tap.clamp(0, self.taps - 1)], 0.0)  # (b t t)
        return (band[:, None] @ x.flatten(3)).view_as(x)  # (b 1 t t) @ (b 3 t vm)


@dataclass(frozen=True)
class JointMask:
    """Zero some joints in some frames, the same joints in each and in both persons (Rao et al. 2021, Sec. III-A (6)).

    Differs from the paper: it masks 5 to 15 of 25 joints in 50 to 100 of 150 frames; these are the same as fractions,
    for any skeleton and length.
    """

    joints: tuple[float, float] = (1 / 5, 3 / 5)
    """Least and greatest share of joints."""
    frames: tuple[float, float] = (1 / 3, 2 / 3)
    """Least and greatest share of frames."""

    def sample(self, shape: torch.Size, rng: Generator) -> Bool[Tensor, "b 1 t v 1"]:
        b, _, t, v, _ = shape

        def chosen(candidates: int, share: tuple[float, float]) -> Tensor:
            low, high = (round(s * candidates) for s in share)
            return some(candidates, torch.randint(low, high + 1, (b,), device=rng.device, generator=rng), rng)

        return ~(chosen(t, self.frames)[:, None, :, None, None] & chosen(v, self.joints)[:, None, None, :, None])

    def apply(self, x: Float[Tensor, "b 3 t v m"], keep: Bool[Tensor, "b 1 t v 1"]) -> Float[Tensor, "b 3 t v m"]:
        return x * keep


@dataclass(frozen=True)
class ChannelMask:
    """Zero one random axis of every clip: a projection to a plane (Rao et al. 2021, Sec. III-A (7))."""

    def sample(self, shape: torch.Size, rng: Generator) -> Bool[Tensor, "b 3 1 1 1"]:
        axis = torch.randint(3, (shape[0], 1), device=rng.device, generator=rng)
        return (torch.arange(3, device=rng.device) != axis)[:, :, None, None, None]

    def apply(self, x: Float[Tensor, "b 3 t v m"], keep: Bool[Tensor, "b 3 1 1 1"]) -> Float[Tensor, "b 3 t v m"]:
        return x * keep
