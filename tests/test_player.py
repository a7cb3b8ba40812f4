"""The animated skeleton and its strip of poses."""

from __future__ import annotations

import base64
import html
import json
import re

import numpy as np
import pytest
import torch
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import to_hex

from skelkit.data.skeleton import KINECT_V1, KINECT_V2, SBU, Skeleton
from skelkit.files import SkelkitError
from skelkit.report.player import HIDDEN, MASKED, SHADOW, SIDES, YAW, on_stage, player, poses, strips, travel


def a_clip(skeleton: Skeleton, t: int = 8, m: int = 1, seed: int = 0) -> np.ndarray:
    """(t, 3, v, m) in metres, 3 m before the sensor: legs below, trunk and arms above."""
    rng = np.random.default_rng(seed)
    clip = rng.normal(0, 0.2, (t, 3, len(skeleton), m)).astype(np.float32)
    legs = [j for part, joints in skeleton.parts.items() if "leg" in part for j in joints]
    clip[:, 1, legs] -= 1.0
    clip[:, 2] += 3.0
    return clip


def record_of(page: str) -> dict:
    return json.loads(html.unescape(re.search(r'data-clip="([^"]*)"', page)[1]))


def bodies_of(record: dict) -> list[np.ndarray]:
    """What the script decodes: one (t, m, v, 3) a panel, NaN where nothing is drawn."""
    bodies = []
    for panel in record["panels"]:
        grid = np.frombuffer(base64.b64decode(panel["xyz"]), "<i2").reshape(panel["t"], panel["m"], record["v"], 3)
        bodies.append(np.where(grid == MASKED, np.nan, grid * record["step"] + panel["centre"]))
    return bodies


def test_the_page_needs_nothing_from_elsewhere() -> None:
    page = player(a_clip(KINECT_V2), KINECT_V2, title="wave")._repr_html_()
    assert not re.search(r"https?:|src=|href=|<link|import\(|require\(|fetch\(", page)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16])
def test_the_embedded_clip_is_the_clip_to_a_millimetre(dtype: type) -> None:
    clip = a_clip(KINECT_V2, m=2).astype(dtype)
    (body,) = bodies_of(record_of(player(clip, KINECT_V2).html))
    np.testing.assert_allclose(body, clip.transpose(0, 3, 2, 1), atol=1e-3)


def test_a_clip_costs_about_eight_characters_a_joint() -> None:
    long, short = (len(player(a_clip(KINECT_V2, t), KINECT_V2).html) for t in (150, 50))
    assert (long - short) / (100 * 25) < 8.1


def test_two_players_of_one_clip_have_ids_of_their_own() -> None:
    clip = a_clip(SBU)
    names = [re.findall(r'id="([^"]+)"', player(clip, SBU).html) for _ in range(2)]
    assert len(names[0]) == len(names[1]) == 1
    assert names[0] != names[1]


def test_the_script_finds_its_own_player_and_declares_no_global() -> None:
    page = player(a_clip(SBU), SBU).html
    script = re.search(r"<script>\s*(.*?)\s*</script>", page, re.S)[1]
    assert script.startswith("(() => {")
    assert script.endswith("})();")
    assert re.search(r'id="([^"]+)"', page)[1] in script


def test_an_absent_person_is_left_out() -> None:
    clip = a_clip(SBU, m=2)
    clip[..., 1] = 0
    page = player(clip, SBU).html
    assert record_of(page)["panels"][0]["m"] == 1
    assert "person 2" not in page


def test_a_person_who_leaves_is_drawn_until_then() -> None:
    clip = a_clip(SBU, t=6, m=2)
    clip[4:, :, :, 1] = 0
    page = player(clip, SBU).html
    seen = np.isfinite(bodies_of(record_of(page))[0]).all((2, 3))
    assert seen.tolist() == [[True, True]] * 4 + [[True, False]] * 2
    assert "person 2" in page


def test_a_masked_joint_is_left_out_and_a_centred_one_is_not() -> None:
    clip = a_clip(KINECT_V1)
    clip -= clip[:, :, [KINECT_V1.centre]]
    clip[3:5, :, 7] = 0
    seen = np.isfinite(on_stage({"": clip}, KINECT_V1)[""]).all(3)[:, 0]
    assert seen[:, KINECT_V1.centre].all()
    assert np.flatnonzero(~seen[:, 7]).tolist() == [3, 4]


def test_a_centred_clip_beside_the_stored_one_keeps_its_centre_joint() -> None:
    clip = a_clip(KINECT_V1, m=2)
    centred = clip - clip[:, :, [KINECT_V1.centre]]
    bodies = on_stage({"as stored": clip, "centred": centred}, KINECT_V1)
    assert all(np.isfinite(body).all() for body in bodies.values())
    masked = clip.copy()
    masked[2:5, :, KINECT_V1.centre] = 0
    seen = np.isfinite(on_stage({"as stored": clip, "masked": masked}, KINECT_V1)["masked"]).all(3)
    assert np.flatnonzero(~seen[:, 0, KINECT_V1.centre]).tolist() == [2, 3, 4]


@pytest.mark.parametrize(
    "turn", [np.diag([-1, -1, 1]), [[1, 0, 0], [0, 0, -1], [0, 1, 0]], [[0, 1, 0], [-1, 0, 0], [0, 0, 1]]]
)
def test_a_clip_with_another_way_up_is_turned_and_not_mirrored(turn: list) -> None:
    clip = a_clip(SBU)
    lying = np.einsum("ij,tjvm->tivm", np.array(turn, np.float32), clip)
    upright, turned = (on_stage({"": c}, SBU)[""] for c in (clip, lying))
    np.testing.assert_allclose(turned[..., 1], upright[..., 1], atol=1e-5)

    def volume(body: np.ndarray) -> float:  # signed, of four joints: a mirror image changes its sign
        return float(np.linalg.det(body[0, 0, 1:4] - body[0, 0, 0]))

    assert volume(turned) == pytest.approx(volume(upright), rel=1e-4)


@pytest.mark.parametrize("down", [1, -1])
def test_somebody_who_lies_down_and_stays_lying_is_drawn_standing_first(down: int) -> None:
    """Two frames upright, then 18 on the floor, the head towards +x, where the trunk is further from the legs."""
    clip = a_clip(SBU, t=20)
    clip[2:] = (clip * np.array([1.2, 1, 1], np.float32)[:, None, None])[2:][:, [1, 0, 2]]
    clip *= np.array([down, down, 1], np.float32)[:, None, None]
    body = on_stage({"": clip}, SBU)[""]
    np.testing.assert_allclose(body.transpose(0, 3, 2, 1), clip * np.array([down, down, 1])[:, None, None], atol=1e-5)


def test_side_by_side_clips_keep_their_labels_order_and_lengths() -> None:
    clip = a_clip(KINECT_V2)
    record = record_of(player({"original": clip, "view <1>": clip[:5]}, KINECT_V2).html)
    assert [(p["label"], p["t"]) for p in record["panels"]] == [("original", 8), ("view <1>", 5)]


def test_all_panels_share_the_way_up_of_the_first() -> None:
    clip = a_clip(KINECT_V2)
    upside_down = clip * np.array([-1, -1, 1], np.float32)[:, None, None]
    body = on_stage({"original": clip, "rotated": upside_down}, KINECT_V2)["rotated"]
    np.testing.assert_array_equal(body, upside_down.transpose(0, 3, 2, 1))


def test_a_title_is_text_and_no_markup() -> None:
    page = player(a_clip(SBU), SBU, title="<script>alert(1)</script>").html
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert" in page


def test_bones_are_coloured_by_the_side_of_their_limb() -> None:
    record = record_of(player(a_clip(SBU), SBU).html)
    side = {name: record["side"][j] for j, name in enumerate(SBU.joints)}
    assert side["left_hand"] == side["left_foot"] == 0
    assert side["right_elbow"] == side["right_hip"] == 1
    assert side["head"] == side["torso"] == 2


def test_a_skeleton_without_parts_and_an_empty_scene_still_give_a_player() -> None:
    plain = Skeleton("three", ("a", "b", "c"), ((1, 0), (2, 1)), 0)
    nobody = np.zeros((4, 3, 3, 2), np.float32)
    assert record_of(player(nobody, plain).html)["panels"][0]["t"] == 4
    assert poses(nobody, plain, frames=2)._repr_png_()


def test_playing_a_clip_draws_no_random_number_and_keeps_the_clip() -> None:
    clip = a_clip(SBU)
    copy, states = clip.copy(), (torch.get_rng_state(), np.random.get_state()[1])
    player(clip, SBU)
    assert torch.equal(states[0], torch.get_rng_state())
    assert np.array_equal(states[1], np.random.get_state()[1])
    assert np.array_equal(clip, copy)


@pytest.mark.parametrize("shape", [(8, 3, 14, 1), (0, 3, 15, 1), (8, 2, 15, 1)])
def test_a_clip_of_another_shape_is_refused_in_one_line(shape: tuple[int, ...]) -> None:
    with pytest.raises(SkelkitError, match=r"clip 'view' has shape .*; give \(t, 3, 15, m\) for sbu") as fault:
        player({"view": np.zeros(shape, np.float32)}, SBU)
    assert "\n" not in str(fault.value)


def test_a_clip_with_nan_is_refused() -> None:
    with pytest.raises(SkelkitError, match="holds NaN or infinity; set what is missing to zero"):
        poses(a_clip(SBU) * np.nan, SBU)


def test_poses_are_numbered_from_the_first_frame_to_the_last() -> None:
    figure = poses(a_clip(KINECT_V2, t=11), KINECT_V2, frames=6, title="wave")
    axes = figure.axes[0]
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["1", "3", "5", "7", "9", "11"]
    assert figure.get_suptitle() == "wave"
    assert axes.get_xlabel() == "frame"
    assert axes.get_aspect() == 1


def colours_of(axes: Axes) -> list[list[str]]:
    """The colours of each pose's bones, in the order of drawing."""
    return [[to_hex(c) for c in drawn.get_colors()] for drawn in axes.collections if isinstance(drawn, LineCollection)]


def test_what_a_decoder_did_not_see_is_marked_before_the_shadow_of_the_original() -> None:
    x, arm = a_clip(SBU, t=5), list(SBU.parts["left arm"])
    hidden = np.zeros((5, len(SBU)), bool)
    hidden[1:, arm] = True
    figure = strips({"original": x, "filled": x + 0.1}, SBU, 3, "two rows", hidden)
    above, below = (colours_of(axes) for axes in figure.axes)
    sides = {to_hex(SIDES["left"]), to_hex(SIDES["right"]), to_hex(SIDES["trunk"])}
    assert set(above[0]) == sides, "the first frame stays whole"
    marked = sum(child in arm for child, _ in SBU.bones)
    assert [pose.count(to_hex(HIDDEN)) for pose in above] == [0, marked, marked]
    assert [set(pose) for pose in below[::2]] == [{to_hex(SHADOW)}] * 3
    assert [sorted(pose) for pose in below[1::2]] == [sorted(pose) for pose in above]
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert names == ["left", "right", "trunk", "hidden from the decoder", "the original"]


def test_a_filled_in_clip_stands_where_the_original_does() -> None:
    x = a_clip(SBU, t=4)
    moved = x.copy()
    moved[:, 0] += 0.5  # sideways: without the original's place it would be moved back
    nothing = np.zeros((4, len(SBU)), bool)
    apart, alone = (
        [axes.collections[-1].get_offsets()[:, 0].mean() for axes in strips(clips, SBU, 2, "", hidden).axes]
        for clips, hidden in (({"a": x, "b": moved}, nothing), ({"a": x, "b": moved}, None))
    )
    assert abs(apart[0] - apart[1]) == pytest.approx(0.5 * np.cos(YAW + np.pi), rel=1e-4)
    assert alone[0] == pytest.approx(alone[1], abs=1e-5)


def test_hidden_joints_that_do_not_fit_are_refused() -> None:
    x = a_clip(SBU, t=5)
    with pytest.raises(SkelkitError, match=r"hidden joints of shape \(4, 15\) do not fit original \(5, 15\)"):
        strips({"original": x}, SBU, 3, "", np.zeros((4, 15), bool))


def test_travel_adds_up_how_far_the_first_person_s_joints_reach() -> None:
    clip = np.zeros((3, 3, 2, 2))
    clip[1, 0, 0, 0], clip[2, 1, 1, 0], clip[:, :, :, 1] = 2.0, -3.0, np.arange(3)[:, None, None]
    assert travel(clip) == 5.0
