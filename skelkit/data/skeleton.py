"""What a skeleton is: its joints, bones, mirror pairs and parts, and the bone and motion streams drawn from it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from skelkit.files import SkelkitError


@dataclass(frozen=True)
class Skeleton:
    """A named set of joints and the bones between them."""

    name: str
    joints: tuple[str, ...]
    bones: tuple[tuple[int, int], ...]
    """(child, parent) pairs of joint indices, 0-based; a tree that reaches every joint from `centre`."""
    centre: int
    """The joint that centring subtracts: the middle of the spine (Kinect) or the torso (SBU)."""
    mirror: tuple[tuple[int, int], ...] = ()
    """(left, right) pairs of joint indices."""
    parts: dict[str, tuple[int, ...]] = field(default_factory=dict, hash=False)
    """Body parts by name: trunk, left arm, right arm, left leg, right leg."""

    def __post_init__(self) -> None:
        v = len(self.joints)
        named = [j for pair in (*self.bones, *self.mirror) for j in pair]
        named += [j for part in self.parts.values() for j in part] + [self.centre]
        if any(not 0 <= j < v for j in named):
            raise SkelkitError(
                f"skeleton {self.name}: a joint index lies outside 0..{v - 1}; mend its bones, pairs or parts"
            )
        parent = dict(self.bones)
        if len(parent) != len(self.bones):
            raise SkelkitError(f"skeleton {self.name}: a joint has two parents; name each child once in the bones")
        roots = [joint for joint in range(v) if joint not in parent]
        reached = set(roots)
        for _ in range(v):
            reached |= {child for child, p in self.bones if p in reached}
        if len(roots) != 1 or len(reached) != v:
            raise SkelkitError(
                f"skeleton {self.name}: its bones are no tree ({len(roots)} joints have no parent, {v - len(reached)} "
                "hang in a loop); give every joint but one, the root, one parent"
            )
        paired = [j for pair in self.mirror for j in pair]
        if len(set(paired)) != len(paired):
            raise SkelkitError(
                f"skeleton {self.name}: a joint has two mirror images; name each joint once in the pairs"
            )

    @property
    def parents(self) -> tuple[int, ...]:
        """Each joint's parent; the root's is the root itself."""
        parent = dict(self.bones)
        return tuple(parent.get(joint, joint) for joint in range(len(self)))

    def __len__(self) -> int:
        return len(self.joints)

    def mirrored(self) -> list[int]:
        """The joint order with left and right exchanged."""
        order = list(range(len(self)))
        for left, right in self.mirror:
            order[left], order[right] = right, left
        return order

    def as_dict(self) -> dict[str, Any]:
        """Plain lists and strings, for a manifest."""
        return asdict(self)

    @classmethod
    def from_dict(cls, record: dict[str, Any]) -> Skeleton:
        """The inverse of `as_dict`."""
        try:
            return cls(
                name=record["name"],
                joints=tuple(record["joints"]),
                bones=tuple((c, p) for c, p in record["bones"]),
                centre=record["centre"],
                mirror=tuple((left, right) for left, right in record.get("mirror", ())),
                parts={name: tuple(joints) for name, joints in record.get("parts", {}).items()},
            )
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise SkelkitError(f"skeleton: {error!r}; give name, joints, bones and centre") from error


def bone_stream(
    x: Float[Tensor, "b c t v m"], skeleton: Skeleton, parents: Int[Tensor, " v"] | None = None
) -> Float[Tensor, "b c t v m"]:
    """Each joint minus its parent; zero at the root. Raises SkelkitError where the joints are not the skeleton's.

    parents: the skeleton's, where they are on the device already; to send them there makes a GPU wait.
    """
    if x.shape[3] != len(skeleton):
        raise SkelkitError(f"skeleton {skeleton.name}: has {len(skeleton)} joints, the clips {x.shape[3]}; give theirs")
    return x - x[:, :, :, list(skeleton.parents) if parents is None else parents]


def motion_stream(x: Float[Tensor, "b c t v m"]) -> Float[Tensor, "b c t v m"]:
    """Each frame's step to the next; zero at the last frame."""
    motion = torch.zeros_like(x)
    motion[:, :, :-1] = x[:, :, 1:] - x[:, :, :-1]
    return motion


def _limbs(names: tuple[str, ...]) -> dict[str, tuple[int, ...]]:
    """Body parts from joint names that begin with or end in left or right."""
    arm = ("shoulder", "elbow", "wrist", "hand", "thumb")
    leg = ("hip", "knee", "ankle", "foot")
    parts: dict[str, tuple[int, ...]] = {}
    for side in ("left", "right"):
        parts[f"{side} arm"] = tuple(i for i, n in enumerate(names) if side in n and any(a in n for a in arm))
        parts[f"{side} leg"] = tuple(i for i, n in enumerate(names) if side in n and any(a in n for a in leg))
    limbs = {i for part in parts.values() for i in part}
    return {"trunk": tuple(i for i in range(len(names)) if i not in limbs), **parts}


def _pairs(names: tuple[str, ...]) -> tuple[tuple[int, int], ...]:
    """(left, right) pairs of joints whose names differ only in the side."""
    return tuple((i, names.index(n.replace("left", "right"))) for i, n in enumerate(names) if "left" in n)


def _skeleton(name: str, joints: str, bones: str, centre: int) -> Skeleton:
    names = tuple(joints.split())
    pairs = tuple((int(c), int(p)) for c, p in (bone.split("-") for bone in bones.split()))
    return Skeleton(name, names, pairs, centre, _pairs(names), _limbs(names))


KINECT_V2 = _skeleton(  # NTU RGB+D and PKU-MMD; edges as in NTU's own order, here 0-based
    "kinect-v2",
    "spine_base spine_middle neck head left_shoulder left_elbow left_wrist left_hand right_shoulder right_elbow "
    "right_wrist right_hand left_hip left_knee left_ankle left_foot right_hip right_knee right_ankle right_foot "
    "spine_shoulder left_hand_tip left_thumb right_hand_tip right_thumb",
    "0-1 1-20 2-20 3-2 4-20 5-4 6-5 7-6 8-20 9-8 10-9 11-10 12-0 13-12 14-13 15-14 16-0 17-16 18-17 19-18 "
    "21-22 22-7 23-24 24-11",
    centre=1,
)
KINECT_V1 = _skeleton(  # NW-UCLA, UTD-MHAD, MSR-Action3D, MSRC-12
    "kinect-v1",
    "hip_center spine shoulder_center head shoulder_left elbow_left wrist_left hand_left shoulder_right elbow_right "
    "wrist_right hand_right hip_left knee_left ankle_left foot_left hip_right knee_right ankle_right foot_right",
    "0-1 1-2 3-2 4-2 5-4 6-5 7-6 8-2 9-8 10-9 11-10 12-0 13-12 14-13 15-14 16-0 17-16 18-17 19-18",
    centre=1,
)
SBU = _skeleton(  # SBU Kinect Interaction, OpenNI's fifteen joints
    "sbu",
    "head neck torso left_shoulder left_elbow left_hand right_shoulder right_elbow right_hand left_hip left_knee "
    "left_foot right_hip right_knee right_foot",
    "0-1 1-2 3-1 4-3 5-4 6-1 7-6 8-7 9-2 10-9 11-10 12-2 13-12 14-13",
    centre=2,
)
ACCLAIM = Skeleton(  # CMU and HDM05, in the order of the ASF files; a joint is the end of the bone of its name
    "acclaim",
    (
        "root",
        *("lhipjoint", "lfemur", "ltibia", "lfoot", "ltoes"),
        *("rhipjoint", "rfemur", "rtibia", "rfoot", "rtoes"),
        *("lowerback", "upperback", "thorax", "lowerneck", "upperneck", "head"),
        *("lclavicle", "lhumerus", "lradius", "lwrist", "lhand", "lfingers", "lthumb"),
        *("rclavicle", "rhumerus", "rradius", "rwrist", "rhand", "rfingers", "rthumb"),
    ),
    (
        *((1, 0), (2, 1), (3, 2), (4, 3), (5, 4), (6, 0), (7, 6), (8, 7), (9, 8), (10, 9)),
        *((11, 0), (12, 11), (13, 12), (14, 13), (15, 14), (16, 15)),
        *((17, 13), (18, 17), (19, 18), (20, 19), (21, 20), (22, 21), (23, 20)),
        *((24, 13), (25, 24), (26, 25), (27, 26), (28, 27), (29, 28), (30, 27)),
    ),
    centre=11,  # the end of the lower back: the middle of the body
    mirror=(*((i, i + 5) for i in range(1, 6)), *((i, i + 7) for i in range(17, 24))),
    parts={
        "trunk": (0, 11, 12, 13, 14, 15, 16),
        "left arm": tuple(range(17, 24)),
        "left leg": tuple(range(1, 6)),
        "right arm": tuple(range(24, 31)),
        "right leg": tuple(range(6, 11)),
    },
)
COCO = _skeleton(  # 2-D poses of pyskl and MMAction2
    "coco",
    "nose left_eye right_eye left_ear right_ear left_shoulder right_shoulder left_elbow right_elbow left_wrist "
    "right_wrist left_hip right_hip left_knee right_knee left_ankle right_ankle",
    "1-0 2-0 3-1 4-2 5-0 6-0 7-5 8-6 9-7 10-8 11-5 12-6 13-11 14-12 15-13 16-14",
    centre=0,
)
OPENPOSE = _skeleton(  # Kinetics-Skeleton of ST-GCN: x, y and a score
    "openpose",
    "nose neck right_shoulder right_elbow right_wrist left_shoulder left_elbow left_wrist right_hip right_knee "
    "right_ankle left_hip left_knee left_ankle right_eye left_eye right_ear left_ear",
    "0-1 2-1 3-2 4-3 5-1 6-5 7-6 8-2 9-8 10-9 11-5 12-11 13-12 14-0 15-0 16-14 17-15",
    centre=1,
)
SKELETONS = {skeleton.name: skeleton for skeleton in (KINECT_V2, KINECT_V1, SBU, ACCLAIM, COCO, OPENPOSE)}


def skeleton_of(joints: tuple[str, ...]) -> Skeleton | None:
    """The known skeleton with these joint names, in this order; None where no known one has them.

    `left_hand` and `hand_left` are one name, so that UTD-MHAD and MSR-Action3D find their Kinect skeleton.
    """

    def plain(name: str) -> tuple[str, ...]:
        return tuple(sorted(name.lower().split("_")))

    wanted = [plain(name) for name in joints]
    for known in SKELETONS.values():
        names = [plain(name) for name in known.joints]
        if names == wanted:
            return known
        if sorted(names) == sorted(wanted):
            at = [wanted.index(name) for name in names]  # known joint -> place in this order
            return Skeleton(
                name=f"{known.name}, reordered",
                joints=joints,
                bones=tuple((at[c], at[p]) for c, p in known.bones),
                centre=at[known.centre],
                mirror=tuple((at[left], at[right]) for left, right in known.mirror),
                parts={part: tuple(sorted(at[j] for j in members)) for part, members in known.parts.items()},
            )
    return None
