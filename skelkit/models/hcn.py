"""HCN, the co-occurrence network: joints become channels of an image (Li et al. 2018)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from skelkit.data.views import DataSpec
from skelkit.files import SkelkitError


@dataclass(frozen=True)
class HCN:
    """The image encoder X_IMG of Thoker et al. 2021 (Sec. 4.2), up to the features under the first linear layer."""

    width: int = 64
    """Channels of the point-level convolution, an even number; the later ones have from a half to four times as
    many."""
    image: int = 64
    """Edge of the image, a multiple of 16: clips are resized to so many frames, each joint is described by so many
    numbers. The representation has 4 width (image / 16)^2 dimensions."""
    dropout: float = 0.5
    """The chance that a channel is dropped after each of the last three convolutions."""

    def build(self, data: DataSpec) -> HCNEncoder:
        """The module for this skeleton, any number of persons; initialised from torch's global generator.

        Raises SkelkitError where the image's edge is no multiple of 16.
        """
        if self.image % 16 or self.image < 16:
            raise SkelkitError(f"HCN: image = {self.image} cannot be halved four times; give a multiple of 16")
        return HCNEncoder(self, len(data.skeleton))


class HCNEncoder(nn.Module):
    """(b 3 t v m) -> (b d), the maximum over persons (Li et al. 2018, Sec. 3.3 and Fig. 3).

    Differs from the paper: 64 frames and 64 numbers a joint for its 32, as Thoker et al. 2021 use it, and no fc7.
    """

    def __init__(self, config: HCN, joints: int):
        super().__init__()
        self.config = config
        width, drop = config.width, config.dropout
        self.out_dim = 4 * width * (config.image // 16) ** 2
        self.pose, self.motion = (Stream(joints, width, config.image, drop) for _ in range(2))
        self.joined = nn.Sequential(  # conv5, conv6
            *(nn.Conv2d(2 * width, 2 * width, 3, padding=1), nn.ReLU(), nn.Dropout2d(drop), nn.MaxPool2d(2)),
            *(nn.Conv2d(2 * width, 4 * width, 3, padding=1), nn.ReLU(), nn.Dropout2d(drop), nn.MaxPool2d(2)),
        )
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                # As public HCN code starts. From torch's own start a clip's features vary by 4 % of their mean, and
                # neither a linear classifier at rate 0.1 nor the contrast finds anything in them.
                nn.init.xavier_uniform_(layer.weight)
                nn.init.zeros_(layer.bias)  # type: ignore[arg-type]

    def forward(self, x: Float[Tensor, "b 3 t v m"]) -> Float[Tensor, "b d"]:
        b, *_, m = x.shape
        clips = x.permute(0, 4, 1, 2, 3).flatten(0, 1)  # (bm 3 t v)
        pose = _resized(clips, self.config.image)
        motion = _resized(pose[:, :, 1:] - pose[:, :, :-1], self.config.image)
        streams = torch.cat([self.pose(pose), self.motion(motion)], 1)  # (bm 2w image/4 image/4)
        return self.joined(streams).flatten(1).view(b, m, -1).amax(1)


class Stream(nn.Module):
    """Point-level features of each joint, then co-occurrences of all joints, which have become the channels."""

    def __init__(self, joints: int, width: int, image: int, dropout: float):
        super().__init__()
        self.points = nn.Sequential(  # conv1, conv2
            *(nn.Conv2d(3, width, 1), nn.ReLU()),
            nn.Conv2d(width, image, (3, 1), padding=(1, 0)),
        )
        self.joints = nn.Sequential(  # conv3, conv4; the paper has a ReLU after conv1, conv5 and conv6 alone
            *(nn.Conv2d(joints, width // 2, 3, padding=1), nn.MaxPool2d(2)),
            *(nn.Conv2d(width // 2, width, 3, padding=1), nn.Dropout2d(dropout), nn.MaxPool2d(2)),
        )

    def forward(self, x: Float[Tensor, "n 3 t v"]) -> Float[Tensor, "n w s s"]:
        return self.joints(self.points(x).permute(0, 3, 2, 1))  # (n v t image), joints as channels


def _resized(x: Float[Tensor, "n 3 t v"], frames: int) -> Float[Tensor, "n 3 s v"]:
    """So many frames, by linear interpolation in time, corners not aligned."""
    return x if x.shape[2] == frames else F.interpolate(x, (frames, x.shape[3]), mode="bilinear")
