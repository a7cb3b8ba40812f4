"""What `verify` finds: counts beside published ones, damage, and clips that leak; and the page of counts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny import clips_of

from skelkit.data.clips import Clips
from skelkit.data.counts import COUNTS, Count, counted, splits
from skelkit.data.datasets import READERS
from skelkit.data.protocols import split
from skelkit.data.skeleton import SBU
from skelkit.data.verify import FINE, NOTE, WRONG, Finding, leaked_clips, verify, wrong
from skelkit.files import SkelkitError, data_folders, project_root
from skelkit.report import data_counts, pages


def clips_from(lengths: list[int], *, persons: int = 1, seed: int = 0, name: str = "toy", **columns: Any) -> Clips:
    """Clips of random people of two metres, subjects 1, 2, 1, 2, ..."""
    rng = np.random.default_rng(seed)
    frames = rng.uniform(-1, 1, (sum(lengths), 3, 15, persons)).astype(np.float32)
    n = len(lengths)
    given = {"label": np.arange(n) % 2, "subject": 1 + np.arange(n) % 2, "name": [f"clip{i}" for i in range(n)]}
    return Clips.from_arrays(
        frames,
        np.cumsum([0, *lengths]),
        skeleton=SBU,
        classes=["a", "b"],
        name=name,
        columns={**given, **columns},
    )


def found(clips: Clips) -> dict[str, Finding]:
    findings = verify(clips, progress=False)
    assert len({finding.check for finding in findings}) == len(findings)
    return {finding.check: finding for finding in findings}


# ── damage and values ───────────────────────────────────────────────────────────────────────────────────────────────


def test_clips_that_are_well_have_nothing_to_note() -> None:
    findings = verify(clips_from([5, 6, 7, 8]), progress=False)
    assert [f for f in findings if f.verdict != FINE] == []
    assert not wrong(findings)


def test_a_file_that_is_not_the_one_saved_is_refused(tmp_path: Path) -> None:
    clips = clips_from([5, 6]).save(tmp_path / "toy")
    content = bytearray((tmp_path / "toy/frames.npy").read_bytes())
    content[-1] ^= 1
    (tmp_path / "toy/frames.npy").write_bytes(content)
    with pytest.raises(SkelkitError, match="its SHA-256 is not the manifest's"):
        verify(clips, progress=False)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_nan_and_infinity_are_refused_with_their_place(value: float) -> None:
    clips = clips_from([5, 6, 7])
    clips.frames[5 + 3, 1, 4, 0] = value
    with pytest.raises(SkelkitError, match="toy: clip clip1, frame 3 holds NaN or infinity; import it again"):
        verify(clips, progress=False)


def test_lengths_and_clips_of_one_frame_are_told() -> None:
    findings = found(clips_from([5, 1, 8, 1]))
    assert findings["length"].found == "1 to 8 frames, median 3"
    assert findings["clips of one frame"] == Finding("clips of one frame", "2: clip1, clip3", "", NOTE)
    assert "clips of one frame" not in found(clips_from([5, 6]))


def test_frames_and_clips_of_zeros_are_counted() -> None:
    clips = clips_from([5, 6, 7, 8])
    clips.frames[3:7] = 0  # two of the first clip, two of the second
    clips.frames[11:18] = 0  # the third
    findings = found(clips)
    assert findings["frames of zeros"] == Finding("frames of zeros", "11 in 3 clips: clip0, clip1, clip2", "", NOTE)
    assert findings["clips of zeros"] == Finding("clips of zeros", "1: clip2", "", WRONG)


def test_persons_who_are_there_are_counted_by_clip() -> None:
    clips = clips_from([5, 6, 7], persons=2)
    clips.frames[5:11, ..., 1] = 0
    clips.frames[12:, ..., 0] = 0  # in its other frames the third clip has one person, in its first two
    assert found(clips)["persons"].found == "1 in 1 clips, 2 in 2 clips"


@pytest.mark.parametrize(("factor", "verdict"), [(1, FINE), (1000, NOTE), (0.01, NOTE)])
def test_metres_that_cannot_be_are_noted(factor: float, verdict: str) -> None:
    clips = clips_from([5, 6])
    clips.frames[:] *= np.float32(factor)
    assert found(clips)["units"].verdict == verdict


def test_half_precision_is_verified_too() -> None:
    clips = clips_of(12, dtype=np.float16)
    assert found(clips)["clips"].found == "12"


# ── duplicates and leaks ────────────────────────────────────────────────────────────────────────────────────────────


def repeating(of: int, at: int, **columns: Any) -> Clips:
    """Eight clips of five frames; one repeats another."""
    clips = clips_from([5] * 8, **columns)
    clips.frames[5 * at : 5 * at + 5] = clips[of]
    return clips


def test_a_test_clip_that_also_trains_is_a_leak() -> None:
    clips = repeating(of=0, at=3)  # subjects 1 and 2
    findings = found(clips)
    assert findings["clips that repeat another"].found == "1: clip3 = clip0"
    assert findings["xsub: test clips that also train"] == Finding(
        "xsub: test clips that also train", "1 of 4 test clips: clip3", "", WRONG
    )
    assert leaked_clips(clips, "xsub") == ["clip3"]


def test_a_repeated_clip_on_one_side_is_no_leak() -> None:
    findings = found(repeating(of=0, at=2))
    assert findings["clips that repeat another"].verdict == NOTE
    assert findings["xsub: test clips that also train"] == Finding(
        "xsub: test clips that also train", "0 of 4 test clips"
    )


def test_a_clip_that_differs_in_one_bit_repeats_nothing() -> None:
    clips = repeating(of=0, at=3)
    clips.frames[17, 1, 4, 0] = np.nextafter(clips.frames[17, 1, 4, 0], np.float32(9))
    findings = found(clips)
    assert findings["clips that repeat another"].found == "0"
    assert findings["xsub: single frames that also train"].found == "4 in 1 more test clips: clip3"


def test_clips_of_zeros_repeat_nothing() -> None:
    clips = clips_from([5] * 8)
    clips.frames[:10] = 0
    findings = found(clips)
    assert findings["clips that repeat another"].found == "0"
    assert "xsub: single frames that also train" not in findings


def test_leaks_agree_with_the_leak_free_split() -> None:
    clips = repeating(of=0, at=3, camera=np.arange(8) % 3 + 1)
    for name, fold in splits(clips):
        fewer = len(split(clips, name, fold).train) - len(split(clips, f"{name}-leakfree", fold).train)
        assert fewer == len(leaked_clips(clips, name, fold))


# ── splits and counts ───────────────────────────────────────────────────────────────────────────────────────────────


def test_every_split_that_the_metadata_permit_is_counted() -> None:
    columns = {"camera": np.arange(8) % 3 + 1, "setup": np.arange(8) % 2 + 1, "fold": np.arange(8) % 4}
    clips = clips_from([5] * 8, **columns)
    names = ["xsub", "xview-v1", "xview-v2", "xview-v3", "xset"]
    assert splits(clips) == [(name, None) for name in names] + [("folds", fold) for fold in range(4)]
    numbers = counted(clips)
    assert (numbers["xview-v3 train"], numbers["xview-v3 test"]) == (6, 2)
    assert (numbers["fold 1 train"], numbers["fold 1 test"]) == (6, 2)
    assert (numbers["clips"], numbers["frames"], numbers["classes"], numbers["subjects"]) == (8, 40, 2, 2)


def test_a_split_with_an_empty_side_is_left_out() -> None:
    assert splits(clips_from([5] * 4, subject=[1, 3, 5, 7])) == []
    assert splits(clips_from([5] * 4, subject=[-1] * 4)) == []


def test_ntu_has_the_one_cross_view_split_of_its_own() -> None:
    clips = clips_from([5] * 6, name="ntu60", subject=np.arange(6) % 2 + 2, camera=np.arange(6) % 3 + 1)
    assert splits(clips) == [("xsub", None), ("xview", None)]


def test_pku_mmd_keeps_its_cross_subject_split_in_the_folds() -> None:
    clips = clips_from([5] * 6, name="pku_mmd1", subject=[-1] * 6, camera=np.arange(6) % 3 + 1, fold=[0, 0, 0, 0, 1, 1])
    assert splits(clips) == [("xsub", None), ("xview", None)]
    assert (counted(clips)["xsub train"], counted(clips)["xsub test"]) == (4, 2)
    assert splits(clips_from([5] * 6, name="pku_mmd1", fold=[-1] * 6)) == []


@pytest.fixture
def published(monkeypatch: pytest.MonkeyPatch) -> None:
    """Published: eight clips of 40 frames, four to train on."""
    said = {"clips": 8, "frames": 40, "xsub train": 4, "xsub test": 4}
    monkeypatch.setitem(COUNTS, "toy", tuple(Count(what, number, "a paper") for what, number in said.items()))


@pytest.mark.usefixtures("published")
def test_a_whole_data_set_equals_its_published_counts() -> None:
    findings = found(clips_from([5] * 8))
    assert findings["frames"] == Finding("frames", "40", "40 (a paper)")
    assert not wrong([*findings.values()])


@pytest.mark.usefixtures("published")
def test_a_whole_data_set_with_too_few_frames_is_wrong() -> None:
    findings = found(clips_from([5] * 7 + [4]))  # a file that was cut short at the end of a line
    assert findings["frames"] == Finding("frames", "39", "40 (a paper)", WRONG)
    assert findings["clips"].verdict == FINE


@pytest.mark.usefixtures("published")
def test_a_part_of_a_data_set_is_noted_and_not_wrong() -> None:
    findings = found(clips_from([5] * 4))
    assert findings["clips"] == Finding("clips", "4", "8 (a paper)", NOTE)
    assert not wrong([*findings.values()])


@pytest.mark.usefixtures("published")
def test_more_than_was_published_is_wrong_even_in_a_part() -> None:
    findings = found(clips_from([5] * 7, subject=[1, 1, 1, 1, 1, 2, 2]))
    assert findings["xsub train"] == Finding("xsub train", "5", "4 (a paper)", WRONG)
    assert findings["xsub test"].verdict == NOTE


@pytest.mark.usefixtures("published")
def test_a_published_split_that_the_clips_do_not_permit_is_told() -> None:
    findings = found(clips_from([5] * 8, subject=[-1] * 8))
    assert findings["xsub train"] == Finding("xsub train", "not known from these clips", "4", NOTE)


def test_what_an_official_choice_leaves_is_as_published(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(COUNTS, "toy", (Count("clips", 8, "a paper"), Count("classes", 3, "a paper", also=(2,))))
    assert found(clips_from([5] * 8))["classes"] == Finding("classes", "2", "3 (a paper)")
    monkeypatch.setitem(COUNTS, "toy", (Count("clips", 8, "a paper"), Count("classes", 3, "a paper")))
    assert found(clips_from([5] * 8))["classes"].verdict == WRONG


def test_every_data_set_with_a_reader_has_published_clips() -> None:
    assert set(COUNTS) == set(READERS)
    for name, counts in COUNTS.items():
        numbers = {count.what: count.number for count in counts}
        assert len(numbers) == len(counts)
        assert numbers["clips"] > 0
        for side in [what for what in numbers if what.endswith(" train")]:
            assert numbers[side] + numbers[side.replace("train", "test")] == numbers["clips"], name
        assert all(count.source for count in counts)


# ── the page of counts ──────────────────────────────────────────────────────────────────────────────────────────────


def test_counting_writes_what_is_here_and_keeps_what_is_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data_counts, "present", lambda name: name == "sbu")
    clips = clips_from([5] * 8, name="sbu")
    monkeypatch.setattr(data_counts, "load", lambda _: clips)
    path = tmp_path / "counts.csv"
    path.write_text("dataset,what,counted,fingerprint,source\nsbu,clips,1,old,old\nutd_mhad,clips,7,abc,files\n")
    assert data_counts.update(path) == ["sbu"]
    lines = data_counts.read(path)
    assert {line["what"]: int(line["counted"]) for line in lines if line["dataset"] == "sbu"} == counted(clips)
    assert {line["fingerprint"] for line in lines if line["dataset"] == "sbu"} == {clips.fingerprint}
    assert lines[-1] == {
        "dataset": "utd_mhad",
        "what": "clips",
        "counted": "7",
        "fingerprint": "abc",
        "source": "files",
    }
    table = data_counts.table(path)
    assert "| sbu | clips | 282 | 8 |" in table
    assert "| utd_mhad | clips | 861 | 7 | abc |" in table
    assert "| utd_mhad | classes | 27 | not known |" in table
    assert "| ntu60 | clips | 56,578 | not counted |" in table


def test_a_damaged_line_of_counts_is_refused_by_its_number(tmp_path: Path) -> None:
    path = tmp_path / "counts.csv"
    path.write_text("dataset,what,counted,fingerprint,source\nsbu,clips,many,abc,files\n")
    with pytest.raises(SkelkitError, match=r"counts.csv, line 2: has not the columns"):
        data_counts.read(path)


def test_the_page_of_counts_shows_the_committed_ones() -> None:
    page = (project_root() / "results" / "data.md").read_text(encoding="utf-8")
    assert page == pages.data_page(), "skelkit data verify --table --count"


# ── real data ───────────────────────────────────────────────────────────────────────────────────────────────────────

REAL = {
    "sbu": {"clips": 282, "frames": 6822, "fold 0 test": 55, "fold 4 test": 65},
    "nw_ucla": {"clips": 1484, "xview-v3 train": 1020, "xview-v3 test": 464},
    "utd_mhad": {"clips": 861, "xsub train": 431, "xsub test": 430},
    "msr_action3d": {"clips": 567, "classes": 20},
    "msrc12": {"clips": 6233, "subjects": 30},
    "hdm05_11": {"clips": 288, "classes": 11},
    "cmu_small": {"clips": 142, "subjects": 18},
}


@pytest.mark.parametrize("name", REAL)
def test_real_clips_have_the_known_counts(name: str, real_data: Callable[[str], Clips]) -> None:
    clips = real_data(name)
    numbers = counted(clips)
    assert REAL[name].items() <= numbers.items()
    for line in data_counts.read():
        if line["dataset"] == name and line["fingerprint"] == clips.fingerprint:
            assert numbers[line["what"]] == int(line["counted"])


@pytest.mark.parametrize("name", ["sbu", "utd_mhad", "msrc12", "hdm05_11", "cmu_small"])
def test_nothing_is_wrong_with_real_clips(name: str, real_data: Callable[[str], Clips]) -> None:
    assert [f for f in verify(real_data(name), progress=False) if f.verdict == WRONG] == []


def test_the_ninety_five_clips_of_nw_ucla_that_leak_are_found(real_data: Callable[[str], Clips]) -> None:
    clips = real_data("nw_ucla")
    names = leaked_clips(clips, "xview-v3")
    assert len(names) == 95
    assert "95 of 464 test clips" in found(clips)["xview-v3: test clips that also train"].found
    lists = [folder / "nw_ucla_duplicates.txt" for folder in data_folders()]
    known = next((path for path in lists if path.exists()), None)
    if known is None:
        pytest.skip("nw_ucla_duplicates.txt is not in $SKELKIT_DATA")
    assert names == sorted(line.split()[1] for line in known.read_text().splitlines())


def test_msr_action3d_without_its_empty_clip_is_as_published(real_data: Callable[[str], Clips]) -> None:
    clips = real_data("msr_action3d")
    findings = found(clips.subset(clips.table["name"].to_numpy() != "a13_s09_e02"))
    assert (findings["clips"].found, findings["clips"].verdict) == ("566", "")


def test_the_clip_of_zeros_of_msr_action3d_is_found(real_data: Callable[[str], Clips]) -> None:
    findings = found(real_data("msr_action3d"))
    assert findings["clips of zeros"].found == "1: a13_s09_e02"
    assert findings["frames of zeros"].found.startswith("1,113 in 20 clips")
