"""NTU RGB+D 60 and 120, skeletons of Kinect v2: 120 actions, three cameras (Shahroudy et al. 2016, Liu et al. 2019).

A clip is `SsssCcccPpppRrrrAaaa.skeleton` (setup, camera, performer, replication, action): the number of frames; for
each frame the number of bodies; for each body a line of 10 fields, the number of joints (25), and 25 lines of 12
fields, of which the first three are x, y, z in metres.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from jaxtyping import Float

from skelkit.data.datasets.ntu_missing import MISSING
from skelkit.data.formats.text import Fields
from skelkit.data.importing import RawClip, Reading, Source
from skelkit.data.skeleton import KINECT_V2
from skelkit.files import SkelkitError

_ACTIONS = """
drink water, eat meal/snack, brushing teeth, brushing hair, drop, pickup, throw, sitting down,
standing up (from sitting position), clapping, reading, writing, tear up paper, wear jacket, take off jacket,
wear a shoe, take off a shoe, wear on glasses, take off glasses, put on a hat/cap, take off a hat/cap, cheer up,
hand waving, kicking something, reach into pocket, hopping (one foot jumping), jump up, make a phone call/answer phone,
playing with phone/tablet, typing on a keyboard, pointing to something with finger, taking a selfie,
check time (from watch), rub two hands together, nod head/bow, shake head, wipe face, salute, put the palms together,
cross hands in front (say stop), sneeze/cough, staggering, falling, touch head (headache),
touch chest (stomachache/heart pain), touch back (backache), touch neck (neckache), nausea or vomiting condition,
use a fan (with hand or paper)/feeling warm, punching/slapping other person, kicking other person,
pushing other person, pat on back of other person, point finger at the other person, hugging other person,
giving something to other person, touch other person's pocket, handshaking, walking towards each other,
walking apart from each other, put on headphone, take off headphone, shoot at the basket, bounce ball,
tennis bat swing, juggling table tennis balls, hush (quiet), flick hair, thumb up, thumb down, make ok sign,
make victory sign, staple book, counting money, cutting nails, cutting paper (using scissors), snapping fingers,
open bottle, sniff (smell), squat down, toss a coin, fold paper, ball up paper, play magic cube, apply cream on face,
apply cream on hand back, put on bag, take off bag, put something into a bag, take something out of a bag, open a box,
move heavy objects, shake fist, throw up cap/hat, hands up (both hands), cross arms, arm circles, arm swings,
running on the spot, butt kicks (kick backward), cross toe touch, side kick, yawn, stretch oneself, blow nose,
hit other person with something, wield knife towards other person, knock over other person (hit with body),
grab other person's stuff, shoot at other person with a gun, step on foot, high-five, cheers and drink,
carry something with other person, take a photo of other person, follow other person, whisper in other person's ear,
exchange things with other person, support somebody with hand, finger-guessing game (playing rock-paper-scissors)
"""
CLASSES = tuple(" ".join(name.split()) for name in _ACTIONS.split(","))
"""A1 to A120, as the authors name them; NTU RGB+D 60 has the first 60. A50 to A60 and A106 to A120 are done by two."""
CLIPS60, CLIPS120 = 56_578, 113_945
"""The sizes without the clips that lack a skeleton: 56,880 - 302 and 114,480 - 535."""
BODIES = 4
"""The most bodies of a frame that are kept, in the order of the file."""

_NAME = re.compile(r"S(\d{3})C00([123])P(\d{3})R00([12])A(\d{3})")
_LIKE = re.compile(r"[^.].*\.skeleton|S\d{3}C\d{3}P\d{3}R\d{3}A\d{3}$", re.IGNORECASE)  # ._ files are macOS's
_BODY = bytes([10, 1] + 25 * [12])  # the fields of a body's lines
_JOINTS = np.array([10] + [11 + 12 * joint + axis for joint in range(25) for axis in range(3)])
"""Counted from a body's first field: the number of joints, and each joint's x, y and z."""
_HALVES = ((range(1, 18), range(1, 41), range(1, 61)), (range(18, 33), range(1, 107), range(61, 121)))
"""(setups, performers, actions) of NTU RGB+D 60, and of what NTU RGB+D 120 adds."""


def ntu60(folder: Path, *, missing: str = "") -> Reading:
    """The clips of NTU RGB+D 60 in or below a folder, all 56,578 or some of them.

    Frames (t, 3, 25, m) in metres, m up to 4: the first four bodies listed in each frame, in that order; a place says
    nothing of who it is. Frames without a body are kept as zeros. `action` numbers the performance (SSPPPRAAA), which
    three cameras share. The files that NTU RGB+D 120 adds are passed over, and so are the official 302 without a
    usable skeleton. missing: a text file with other names to pass over instead, one a line. Raises SkelkitError for a
    folder without any clip.
    """
    return _reading("ntu60", "NTU RGB+D 60", folder, missing, _HALVES[:1], CLIPS60)


def ntu120(folder: Path, *, missing: str = "") -> Reading:
    """The clips of NTU RGB+D 120 in or below a folder, those of NTU RGB+D 60 among them; 535 are passed over.

    As `ntu60` in everything else.
    """
    return _reading("ntu120", "NTU RGB+D 120", folder, missing, _HALVES, CLIPS120)


def _reading(
    name: str, title: str, folder: Path, missing: str, halves: tuple[tuple[range, range, range], ...], clips: int
) -> Reading:
    return Reading(
        name=name,
        skeleton=KINECT_V2,
        classes=CLASSES[: halves[-1][2][-1]],
        sources=_sources(folder, _names(Path(missing)) if missing else MISSING, halves),
        read=_clip,
        source=f"{title}, from .skeleton files",
        expected=clips,
    )


def _names(path: Path) -> frozenset[str]:
    """The clips that a list names, one a line; the official lists begin with lines of words."""
    try:
        lines = path.read_text(encoding="ascii").splitlines()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is no ASCII text"
        raise SkelkitError(f"{path}: cannot be read as a list of clips ({reason}); give another") from error
    names: set[str] = set()
    for number, line in enumerate(lines, 1):
        name = line.strip().removesuffix(".skeleton")
        if _NAME.fullmatch(name):
            names.add(name)
        elif name and names:
            raise SkelkitError(f"{path}, line {number}: {name[:40]!r} is no clip's name; mend or remove the line")
    if not names:
        raise SkelkitError(f"{path}: names no clip; give a list of names such as S001C002P005R002A008, one a line")
    return frozenset(names)


def _sources(
    folder: Path, missing: frozenset[str], halves: tuple[tuple[range, range, range], ...]
) -> list[Source | SkelkitError]:
    """Every clip in or below the folder, in the order of their names; one that would be passed over is a fault."""
    if not folder.is_dir():
        raise SkelkitError(f"{folder}: no such folder; give the one that holds the .skeleton files")
    found = [path for path in folder.rglob("*") if _LIKE.match(path.name) and path.is_file()]
    sources: list[Source | SkelkitError] = []
    seen: dict[str, Path] = {}
    for path in sorted(found, key=lambda path: (path.name, path)):
        place = _NAME.fullmatch(path.stem)
        setup, camera, subject, replicate, action = map(int, place.groups()) if place else (0,) * 5
        half = [s for s, p, a in _HALVES if setup in s and subject in p and action in a]
        if path.suffix != ".skeleton" or not half:
            fault = (
                "is not named SsssCcccPpppRrrrAaaa.skeleton with setup 1 to 17 and action 1 to 60, or setup 18 to 32 "
                "and action 61 to 120; mend the name, or move the file away"
            )
            sources.append(SkelkitError(f"{path}: {fault}"))
        elif path.stem in seen:
            sources.append(SkelkitError(f"{path}: is there twice, also as {seen[path.stem]}; take one of them away"))
        elif path.stem not in missing and half[0] in [setups for setups, _, _ in halves]:
            columns = {
                "label": action - 1,
                "subject": subject,
                "camera": camera,
                "setup": setup,
                "replicate": replicate,
                "action": int(f"{setup}{subject:03}{replicate}{action:03}"),
            }
            sources.append(Source(path, {**columns, "name": path.stem}))
            seen[path.stem] = path
    if not sources:
        raise SkelkitError(f"{folder}: holds no .skeleton file of this data set; unpack its archive there")
    return sources


def _clip(source: Source) -> list[RawClip]:
    return [RawClip(frames(source.path))]


def frames(path: Path) -> Float[np.ndarray, "t 3 25 m"]:
    """What a `.skeleton` file holds, in metres. Raises SkelkitError that names the line.

    Of each joint x, y, z alone are read as numbers; of everything else the fields are counted.
    """
    fields = Fields(path)
    count = fields.whole(0, "the number of frames", least=1)
    kinds = np.minimum(fields.counts, 255).astype(np.uint8).tobytes()
    line, starts, bodies = 1, list[int](), list[int]()  # of each frame: its first body's line, and how many there are
    for _ in range(count):
        bodies.append(fields.whole(line, "the number of bodies of a frame"))
        starts.append(line := line + 1)
        if (end := line + bodies[-1] * len(_BODY)) > len(fields):
            raise fields.fault(line - 1, f"says {bodies[-1]} bodies of 27 lines, and {len(fields) - line} lines follow")
        if kinds[line:end] != bodies[-1] * _BODY:
            raise _misplaced(fields, kinds, line, end)
        line = end
    if line < len(fields):
        raise fields.fault(line, f"follows the last of {count} frames")
    when = np.repeat(np.arange(count), bodies)  # the frame of each body
    if not len(when):
        raise SkelkitError(f"{path}: nobody is in any of its {count} frames; leave it out")
    places = np.arange(len(when)) - np.repeat(np.cumsum(bodies) - bodies, bodies)  # its place in the frame
    heads = np.array(starts)[when] + places * len(_BODY)
    values = fields.numbers((fields.first[heads][:, None] + _JOINTS).ravel()).reshape(-1, 76)
    if (values[:, 0] != 25).any():
        raise fields.fault(int(heads[(values[:, 0] != 25).argmax()]) + 1, "is not 25, the number of joints")
    kept = places < BODIES
    clip = np.zeros((count, 3, 25, places[kept].max() + 1), np.float32)
    clip[when[kept], :, :, places[kept]] = values[kept, 1:].reshape(-1, 25, 3).transpose(0, 2, 1)
    return clip


def _misplaced(fields: Fields, kinds: bytes, line: int, end: int) -> SkelkitError:
    """The fault of the first line of some bodies that has another number of fields."""
    at = next(at for at in range(line, end) if kinds[at] != _BODY[(at - line) % len(_BODY)])
    return fields.fault(at, f"has {fields.counts[at]} fields, not {_BODY[(at - line) % len(_BODY)]}")
