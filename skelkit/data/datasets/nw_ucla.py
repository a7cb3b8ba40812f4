"""NW-UCLA (Northwestern-UCLA Multiview Action3D), skeletons: ten actions, three cameras (Wang et al. 2014).

A clip is `aAA_sSS_eEE_vVV.json` (action, subject, repetition, camera):
`{"file_name": "a01_s01_e00_v01", "skeletons": [frames][20 joints][x, y, z], "label": 1 to 10}`.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from skelkit.data.clips import Clips
from skelkit.data.datasets import folder as files
from skelkit.data.formats import tables
from skelkit.data.formats.text import AGAIN
from skelkit.data.importing import RawClip, Reading, Source
from skelkit.data.skeleton import KINECT_V1
from skelkit.files import SkelkitError

CLASSES = {
    1: "pick up with one hand",
    2: "pick up with two hands",
    3: "drop trash",
    4: "walk around",
    5: "sit down",
    6: "stand up",
    8: "donning",
    9: "doffing",
    11: "throw",
    12: "carry",
}
"""Class names by the action id of the file names, which has gaps; labels 0 to 9 count them in this order."""
CLIPS = 1484
"""The size of the whole data set, as CTR-GCN's lists have it."""

_NAME = re.compile(r"a(0[1-689]|1[12])_s(0[1-9]|10)_e(\d\d)_v(0[1-3])\.json")
_LIKE = re.compile(r"a\d+_s\d+_|.*\.json$", re.IGNORECASE)
_REACH = 10.0  # metres; the real files reach 5.1


def reading(folder: Path) -> Reading:
    """The clips of a folder that holds `aAA_sSS_eEE_vVV.json` files, all 1,484 or some of them.

    Frames (t, 3, 20, 1) in metres. `action` numbers the performance (AASSEE): files of one subject, action and
    repetition share it whatever their camera, but whether these were filmed at the same time is doubtful. For the
    actions 2 and 3 the public files of camera 3 repeat those of camera 2. Raises SkelkitError for a folder without any.
    """
    limits = f"an action of {', '.join(map(str, CLASSES))}, a subject 1 to 10 and a camera 1 to 3"
    return Reading(
        name="nw_ucla",
        skeleton=KINECT_V1,
        classes=tuple(CLASSES.values()),
        sources=files.sources(folder, "aAA_sSS_eEE_vVV.json", _NAME, _LIKE, _columns, limits),
        read=_clip,
        source="NW-UCLA, from JSON files",
        expected=CLIPS,
    )


def with_performances(clips: Clips) -> Clips:
    """Clips of an interchange file, which has no such arrays, with the repetition and performance their names tell.

    Where `action` is there already, or a name is none of this data set's, they stay as they are.
    """
    names = [_NAME.fullmatch(f"{name}.json") for name in clips.table["name"]]
    if (clips.column("action") >= 0).any() or not all(names):
        return clips
    told = [_columns(name) for name in names if name]
    return replace(clips, table=clips.table.assign(**{c: [line[c] for line in told] for c in ("replicate", "action")}))


def _columns(name: re.Match[str]) -> dict[str, int | str]:
    action, subject, repetition, camera = map(int, name.groups())
    return {
        "label": list(CLASSES).index(action),
        "subject": subject,
        "camera": camera,
        "replicate": repetition,
        "action": 10000 * action + 100 * subject + repetition,
        "name": name[0].removesuffix(".json"),
    }


def _clip(source: Source) -> list[RawClip]:
    return [RawClip(_frames(source.path, int(source.columns["label"])))]


def _frames(path: Path, label: int) -> Float[np.ndarray, "t 3 20 1"]:
    tables.check_file(path)
    try:
        text = path.read_text(encoding="utf-8")
        record: Any = json.loads(text)
    except OSError as error:
        raise SkelkitError(f"{path}: cannot be read ({error.strerror}); {AGAIN}") from error
    except json.JSONDecodeError as error:
        said = f"{error.msg}, column {error.colno}" if text.strip() else "the file is empty"
        raise SkelkitError(f"{path}, line {error.lineno}: is not JSON ({said}); {AGAIN}") from error
    except (ValueError, RecursionError) as error:  # no UTF-8, a number of thousands of digits, or brackets without end
        raise SkelkitError(f"{path}, line 1: is not JSON ({str(error)[:80]}); {AGAIN}") from error
    skeletons = record.get("skeletons") if isinstance(record, dict) else None
    if not isinstance(skeletons, list) or not skeletons:
        raise SkelkitError(f"{path}: has no list of frames named skeletons; {AGAIN}")
    if record.get("file_name") != path.stem:
        raise SkelkitError(f"{path}: calls itself {record.get('file_name')!r} inside; restore its name, or {AGAIN}")
    if type(record.get("label")) is not int or record["label"] != label + 1:
        raise SkelkitError(
            f"{path}: has label {record.get('label')!r} inside, and its name says {label + 1}; "
            f"restore its name, or {AGAIN}"
        )
    for t, frame in enumerate(skeletons, 1):
        if not isinstance(frame, list) or len(frame) != 20:
            raise SkelkitError(f"{path}, frame {t} of {len(skeletons)}: has not 20 joints; {AGAIN}")
        for name, joint in zip(KINECT_V1.joints, frame, strict=True):
            # The type is asked for by name: JSON's true, null and "0.5" would all become numbers.
            numbers = isinstance(joint, list) and len(joint) == 3 and all(type(x) in (int, float) for x in joint)
            if not numbers or not all(-_REACH <= x <= _REACH for x in joint):
                raise SkelkitError(
                    f"{path}, frame {t} of {len(skeletons)}: {name} is {str(joint)[:60]}, not x, y, z in metres "
                    f"(within {_REACH:g}); {AGAIN}"
                )
        if not any(x for joint in frame for x in joint):
            raise SkelkitError(f"{path}, frame {t} of {len(skeletons)}: all zeros, so nobody is there; {AGAIN}")
    return np.array(skeletons, np.float32).transpose(0, 2, 1)[..., None]  # (t, v, 3) -> (t, 3, v, 1)
