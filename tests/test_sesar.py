"""Predict & Cluster and SESAR: their losses written out and by hand, who learns from what, and their clips prepared."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from bodies import each, ragged
from tiny import clips_of, resident_of
from torch import Generator, Tensor, nn
from torch.testing import assert_close

from skelkit.augment import Reverse
from skelkit.data.preprocess import AtMost, MinMax, SelectPersons, ViewInvariant, preprocess
from skelkit.data.skeleton import KINECT_V2, SBU
from skelkit.data.views import Batch, DataSpec
from skelkit.losses import frame_distance
from skelkit.methods import build
from skelkit.methods.ascal import ASCALConfig
from skelkit.methods.predict_cluster import PredictCluster, PredictClusterConfig
from skelkit.methods.sesar import SESAR, SESARConfig
from skelkit.models.decoder import WeakDecoder
from skelkit.models.gru import BiGRU
from skelkit.train import Adam, Decay, Training, train

pytestmark = pytest.mark.usefixtures("one_thread")
SPEC = DataSpec(clips=12, classes=3, skeleton=SBU, persons=1)
every_weakening = pytest.mark.parametrize("kind", ["fixed state", "fixed weights", "none"])


def method_of(config: Any, seed: int = 0, encoder: Any = BiGRU(4, 2)) -> Any:  # noqa: B008 (frozen)
    torch.manual_seed(seed)
    return build(config, encoder.build(SPEC), SPEC, Generator())


def batch_of(labels: list[int], t: int = 6, seed: int = 1) -> Batch:
    x = torch.randn(len(labels), 3, t, 15, 1, generator=Generator().manual_seed(seed))
    return Batch(x, torch.arange(len(labels)), torch.tensor(labels))


def loss_of(method: Any, batch: Batch) -> Tensor:
    (loss,) = method.loss(batch, Generator()).values()
    return loss


def only(batch: Batch, index: list[int]) -> Batch:
    return Batch(batch.clips[index], batch.index[index], batch.labels[index])


# ── L_re, Eq. 1 ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_distance_of_frames_equals_the_written_out_sum() -> None:
    x, y = torch.randn(2, 4, 3, 6, 5, 2, generator=Generator().manual_seed(0))
    x[1, :, 4:] = 0  # a clip of four frames, and padding
    x[2, ..., 1] = 0  # one whose second person is never there counts in all its frames
    found = frame_distance(x, y)
    for i, (clip, other) in enumerate(zip(x.numpy(), y.numpy(), strict=True)):
        frames = [t for t in range(6) if clip[:, t].any()]
        total = sum(abs(float(a) - float(b)) for t in frames for a, b in zip(clip[:, t].flat, other[:, t].flat))  # noqa: B905
        assert found[i].item() == pytest.approx(total / len(frames), rel=1e-5)


def test_the_distance_of_frames_by_hand() -> None:
    """Two frames of one joint: |1 - 3| + |2 - 2| + |0 + 1| = 3 and |4| = 4, on average 3.5; the third is padding."""
    x = torch.tensor([[[1.0, 4, 0], [2, 0, 0], [0, 0, 0]]])[..., None, None]  # (1 3 t 1 1)
    y = torch.tensor([[[3.0, 0, 9], [2, 0, 9], [-1, 0, 9]]])[..., None, None]
    assert frame_distance(x, y).tolist() == [3.5]


def test_the_distance_of_frames_is_none_from_itself_and_ignores_the_order_of_frames_and_clips() -> None:
    x, y = torch.randn(2, 4, 3, 6, 5, 2, generator=Generator().manual_seed(0))
    assert frame_distance(x, x).tolist() == [0] * 4
    assert_close(frame_distance(x.flip(2), y.flip(2)), frame_distance(x, y))
    assert_close(frame_distance(x.flip(0), y.flip(0)).flip(0), frame_distance(x, y))


def test_a_clip_of_zeros_is_no_distance_away_and_the_distance_is_32_bit() -> None:
    found = frame_distance(torch.zeros(2, 3, 4, 5, 1), torch.ones(2, 3, 4, 5, 1).bfloat16())
    assert found.tolist() == [0, 0]
    assert found.dtype == torch.float32


# ── Predict & Cluster ───────────────────────────────────────────────────────────────────────────────────────────────


@every_weakening
def test_predict_and_cluster_gives_back_what_the_encoders_last_state_tells(kind: Any) -> None:
    method, batch = method_of(PredictClusterConfig(WeakDecoder(kind))), batch_of([0, 1, 2, -1])
    distances = []
    for clip in batch.clips:
        x = clip[None]
        given = method.decoder(method.encoder(x), x).detach()
        distances.append(sum(float((x[:, :, t] - given[:, :, t]).abs().sum()) for t in range(6)) / 6)
    assert loss_of(method, batch).item() == pytest.approx(np.mean(distances), rel=1e-5)


def test_predict_and_cluster_reads_no_label() -> None:
    method, batch = method_of(PredictClusterConfig()), batch_of([0, 1, 2, 2])
    assert torch.equal(loss_of(method, batch), loss_of(method, replace(batch, labels=torch.full((4,), -1))))
    assert not any("classifier" in name for name, _ in method.named_parameters())


def trained(method: Any, labels: Any = None, **options: Any) -> Any:
    clips = clips_of(18, 3)
    data = resident_of(clips)
    if labels is not None:
        data = data.labelled(torch.tensor(labels, dtype=torch.long))
    training = Training(Adam(0.01), Decay(4, every=2), batch=6, clip=25.0, **options)
    history = train(method, data, np.arange(18), training, Generator().manual_seed(0))
    return [record["loss"] for record in history]


@pytest.mark.parametrize("config", [PredictClusterConfig, SESARConfig])
def test_a_training_leaves_every_fixed_weight_and_moves_all_others(config: Any) -> None:
    method = method_of(config(decoder=WeakDecoder("fixed weights")))
    before = {name: p.clone() for name, p in method.state_dict().items()}
    losses = trained(method)
    assert losses[-1] < losses[0]
    still = {name for name, p in method.state_dict().items() if torch.equal(p, before[name])}
    assert still == {name for name in before if name.startswith("decoder.")}
    assert len(still) == 6


@pytest.mark.parametrize("kind", ["fixed state", "none"])
def test_a_training_moves_the_other_decoders(kind: Any) -> None:
    method = method_of(PredictClusterConfig(WeakDecoder(kind)))
    before = {name: p.clone() for name, p in method.state_dict().items()}
    losses = trained(method)
    assert losses[-1] < losses[0]
    still = {name for name, p in method.state_dict().items() if torch.equal(p, before[name])}
    assert still == (set() if kind == "fixed state" else {"decoder.gru.weight_ih_l0"})  # its inputs are zeros


def test_the_published_networks_have_the_released_numbers_of_parameters() -> None:
    """A person of Kinect v2, 75 numbers: encoder 44,537,856, decoder 13,209,675; the classifier reads 2048 (Sec. 4)."""
    data = DataSpec(clips=12, classes=60, skeleton=KINECT_V2, persons=1)
    with torch.device("meta"):
        method = build(SESARConfig(), BiGRU(initial=0.05).build(data), data, Generator())
    sizes = {name: sum(p.numel() for p in part.parameters()) for name, part in method.named_children()}
    assert sizes == {"encoder": 44_537_856, "decoder": 13_209_675, "classifier": 2049 * 60}


# ── SESAR, Eq. 2-4 ──────────────────────────────────────────────────────────────────────────────────────────────────


@torch.no_grad()
def written_out(method: SESAR, batch: Batch) -> tuple[list[float], list[float]]:
    """L_re of every clip, and L_cla of every clip with a label, one after the other."""
    re, cla = [], []
    for clip, label in zip(batch.clips, batch.labels.tolist(), strict=True):
        x, h = clip[None], method.encoder(clip[None])
        if method.decoder is not None:
            re.append(float((x - method.decoder(h, x)).abs().sum()) / x.shape[2])
        if label >= 0:
            scores = (h @ method.classifier.weight.T + method.classifier.bias)[0].tolist()
            p = [np.exp(s) / sum(np.exp(scores)) for s in scores]
            cla.append(-sum(float(j == label) * np.log(p[j]) for j in range(3)))
    return re, cla


@every_weakening
@pytest.mark.parametrize("labels", [[0, 2, 1, 1], [0, -1, -1, 2], [-1, -1, -1, -1]])
def test_the_loss_equals_eq_3_and_4_written_out(kind: Any, labels: list[int]) -> None:
    for how in ("mean", "sum"):
        method = method_of(SESARConfig(WeakDecoder(kind), cross_entropy=how))
        re, cla = written_out(method, batch_of(labels))
        expected = sum(re) / 4 + sum(cla) / (4 if how == "mean" else 1)
        assert loss_of(method, batch_of(labels)).item() == pytest.approx(expected, rel=1e-5)


def test_classification_alone_equals_eq_2_written_out() -> None:
    method, batch = method_of(SESARConfig(decoder=None)), batch_of([0, -1, 2, 1])
    assert not any("decoder" in name for name, _ in method.named_parameters())
    assert loss_of(method, batch).item() == pytest.approx(sum(written_out(method, batch)[1]) / 4, rel=1e-5)


def test_the_loss_of_an_undecided_classifier_and_a_decoder_that_changes_nothing_by_hand() -> None:
    """Fixed state, all output weights 0: every frame is the first, which is 1 everywhere; the others are 3. Of four
    frames of 45 numbers three are 2 away: 67.5 on average; one of two clips has a label: log(3) / 2."""
    method = method_of(SESARConfig())
    with torch.no_grad():
        for p in (*method.decoder.out.parameters(), *method.classifier.parameters()):
            p.zero_()
    batch = batch_of([1, -1], t=4)
    batch.clips[:, :, 0], batch.clips[:, :, 1:] = 1, 3
    assert loss_of(method, batch).item() == pytest.approx(67.5 + np.log(3) / 2)


@pytest.mark.parametrize("how", ["mean", "sum"])
def test_the_loss_ignores_the_order_of_the_clips(how: Any) -> None:
    method, batch = method_of(SESARConfig(cross_entropy=how)), batch_of([0, -1, 2, 1])
    assert_close(loss_of(method, only(batch, [3, 1, 0, 2])), loss_of(method, batch))


def test_eq_4_counts_a_clip_alike_however_the_batches_are_cut() -> None:
    """The mean over clips of a batch, times its clips, adds up: four clips at once, or three and one."""
    method, batch = method_of(SESARConfig()), batch_of([0, -1, 2, 1])
    parts = 3 * loss_of(method, only(batch, [0, 1, 2])) + loss_of(method, only(batch, [3]))
    assert_close(parts, 4 * loss_of(method, batch))


def gradients(method: Any, batch: Batch) -> dict[str, bool]:
    method.zero_grad()
    loss_of(method, batch).backward()
    return {name: any(p.grad.any() for p in part.parameters()) for name, part in method.named_children()}


def test_a_clip_without_a_label_teaches_encoder_and_decoder_and_not_the_classifier() -> None:
    unlabelled, labelled = batch_of([-1, -1]), batch_of([0, 1])
    method = method_of(SESARConfig())
    assert gradients(method, unlabelled) == {"encoder": True, "decoder": True, "classifier": False}
    assert gradients(method, labelled) == {"encoder": True, "decoder": True, "classifier": True}
    alone = method_of(SESARConfig(decoder=None))
    assert gradients(alone, unlabelled) == {"encoder": False, "classifier": False}
    assert gradients(alone, labelled) == {"encoder": True, "classifier": True}


def test_without_labels_sesar_learns_as_predict_and_cluster_does() -> None:
    batch = batch_of([-1, -1, -1])
    one, other = method_of(SESARConfig()), method_of(PredictClusterConfig())
    assert torch.equal(loss_of(one, batch), loss_of(other, batch))
    trained(one, labels=[])
    trained(other)
    for name, p in other.state_dict().items():
        assert torch.equal(one.state_dict()[name], p), name


def test_a_few_labels_among_many_clips_classify_all_of_them() -> None:
    """Baseline RC on three labels of eighteen clips, whose classes are poses that lie apart."""
    method = method_of(SESARConfig(cross_entropy="sum"), encoder=BiGRU(16, 1))
    clips = clips_of(18, 3)
    data = resident_of(clips).labelled(torch.tensor([0, 1, 2]))
    train(method, data, np.arange(18), Training(Adam(0.01), Decay(30), batch=6), Generator().manual_seed(0))
    with torch.no_grad():
        predicted = method.eval()(data.clips(torch.arange(18))).argmax(1)
    assert (predicted.numpy() == clips.labels).mean() > 0.9


def test_the_classifier_starts_evenly_up_to_the_limit() -> None:
    method = method_of(SESARConfig(), encoder=BiGRU(64, 1))
    assert 0.04 < method.classifier.weight.abs().max() <= 0.05
    default = method_of(SESARConfig(initial=None), encoder=BiGRU(64, 1))
    assert 0.07 < default.classifier.weight.abs().max() <= 128**-0.5


# ── going on from other weights ─────────────────────────────────────────────────────────────────────────────────────


def around(start: Any, config: Any) -> SESAR:
    """SESAR as a run builds it from a start: around its encoder, with random weights elsewhere."""
    torch.manual_seed(7)
    method = build(config, start.encoder, SPEC, Generator())
    method.take_over(start)
    return method


def same(one: nn.Module, other: nn.Module) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


@every_weakening
def test_ric_goes_on_from_the_pretrained_encoder_and_decoder(kind: Any) -> None:
    start = method_of(PredictClusterConfig(WeakDecoder(kind)))
    trained(start)
    method = around(start, SESARConfig(WeakDecoder(kind)))
    assert same(method.decoder, start.decoder)
    assert same(method.encoder, start.encoder)
    assert all(p.requires_grad == (kind != "fixed weights") for p in method.decoder.parameters())
    batch = batch_of([-1, -1])
    assert torch.equal(loss_of(method, batch), loss_of(start, batch))


def test_the_next_round_goes_on_from_the_classifier_as_well() -> None:
    start = method_of(SESARConfig())
    trained(start, labels=[0, 1, 2])
    method, batch = around(start, SESARConfig()), batch_of([0, -1, 2])
    assert torch.equal(loss_of(method, batch), loss_of(start, batch))
    trained(method)
    assert not same(method.classifier, start.classifier), "what is taken over is a copy"


def test_a_start_with_another_decoder_or_none_hands_on_its_encoder_alone() -> None:
    fresh = SESARConfig()
    for start in (
        method_of(PredictClusterConfig(WeakDecoder("none"))),
        method_of(SESARConfig(decoder=None)),
        method_of(ASCALConfig(steps=(Reverse(),), queue=16)),
    ):
        method = around(start, fresh)
        torch.manual_seed(7)
        untouched = build(fresh, copy.deepcopy(start.encoder), SPEC, Generator())
        assert same(method.decoder, untouched.decoder)
        assert same(method.classifier, untouched.classifier) != isinstance(start, SESAR)
    assert isinstance(method_of(PredictClusterConfig()), PredictCluster)


# ── the clips, as Predict & Cluster prepares them ───────────────────────────────────────────────────────────────────


def prepared(clip: np.ndarray) -> np.ndarray:
    """One clip (t, 3, v, m) of Kinect v2 by the released notebooks, number by number; its first person alone."""
    clip = clip[..., 0].astype(np.float64).transpose(0, 2, 1)  # (t, v, 3)
    base, spine, left, right = (clip[0, joint] for joint in (0, 1, 12, 16))
    v1 = (spine - base) / np.linalg.norm(spine - base)
    v2 = (left - right) - (left - right) @ v1 * v1
    v2 = v2 / np.linalg.norm(v2)
    v3 = np.cross(v2, v1)
    matrix = np.linalg.inv(np.stack([v2, v3, v1], 1))
    turned = np.array([[matrix @ (joint - base) for joint in frame] for frame in clip])
    for axis in range(3):
        low, high = turned[..., axis].min(), turned[..., axis].max()
        turned[..., axis] = 2 * (turned[..., axis] - low) / (high - low) - 1
    stride = max(1, len(turned) // 50)
    return turned[::stride][:50].transpose(0, 2, 1)[..., None]


def test_the_steps_equal_the_released_preprocessing_number_by_number() -> None:
    """The view-invariant transform, each axis to [-1, 1], every floor(T / 50)-th frame, the first 50, one actor."""
    lengths = np.array([7, 50, 99, 100, 173])
    rng = np.random.default_rng(0)
    template = ragged(KINECT_V2, persons=2, absences=False)
    pose = template.frames[:1]
    frames = (pose + rng.normal(0, 0.1, (lengths.sum(), 3, 25, 2))).astype(np.float32)
    clips = clips_of(5, skeleton=KINECT_V2, persons=2).with_frames(frames, np.concatenate([[0], np.cumsum(lengths)]))
    steps = (SelectPersons(1), ViewInvariant(mirrored=True), MinMax(), AtMost(50, "stride"))
    found = preprocess(clips, steps)
    assert found.lengths.tolist() == [7, 50, 50, 50, 50]
    for ours, clip in zip(each(found), each(clips), strict=True):
        np.testing.assert_allclose(ours, prepared(clip), atol=2e-5)
