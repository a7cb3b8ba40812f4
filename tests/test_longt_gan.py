"""LongT GAN: pieces, masks, both losses, and which network learns from which."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny
import torch
from torch import Generator, Tensor, nn
from torch.testing import assert_close

from skelkit.augment import PartMask, Pieces, cut
from skelkit.data.skeleton import SBU, Skeleton
from skelkit.data.views import Batch, DataSpec, Resident, Whole
from skelkit.files import SkelkitError
from skelkit.losses import adversarial, element_wise
from skelkit.methods import METHODS, build
from skelkit.methods.longt_gan import LongTGAN, LongTGANConfig
from skelkit.models.sequences import Bidirectional, Decoder, frames_of
from skelkit.train import SGD, Adam, Steps, Training, train

SPEC = DataSpec(clips=4, classes=2, skeleton=SBU, persons=1)
LENGTHS = torch.tensor([4, 1, 7, 5])
SMALL = {"decoder": Decoder(6, dropout=0.0), "discriminator": Bidirectional(4, dropout=0.0)}
pytestmark = pytest.mark.usefixtures("one_thread")


def some_clips(padding: float = 0.0) -> Tensor:
    """Four clips of different lengths, `padding` after them."""
    x = torch.randn(4, 3, 7, 15, 1, generator=Generator().manual_seed(0))
    return torch.where((torch.arange(7) < LENGTHS[:, None])[:, None, :, None, None], x, padding)


def method_of(dropout: float = 0.0, **settings: Any) -> LongTGAN:
    torch.manual_seed(0)
    encoder = Bidirectional(6, dropout=dropout).build(SPEC)
    return build(LongTGANConfig(**(SMALL | settings)), encoder, SPEC, Generator())


def drawn(method: LongTGAN, x: Tensor) -> tuple[Tensor, Tensor]:
    """Masks and z of each clip."""
    rng = Generator().manual_seed(3)
    return method.mask.sample(x.shape, rng), torch.randn(len(x), 45, generator=rng)


# ── pieces ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_pieces_equal_slices_of_each_clip() -> None:
    x, pieces = some_clips(), Pieces(2, 4)
    start, length = piece = pieces.sample(LENGTHS, Generator().manual_seed(0))
    found = pieces.apply(x, piece)
    assert found.shape == (4, 3, 4, 15, 1)
    for i in range(4):
        assert torch.equal(found[i, :, : length[i]], x[i, :, start[i] : start[i] + length[i]])
        assert not found[i, :, length[i] :].any()


def test_a_piece_by_hand() -> None:
    x = torch.arange(6.0).view(1, 1, 6, 1, 1).expand(1, 3, 6, 1, 1)
    found = Pieces(1, 4).apply(x, (torch.tensor([2]), torch.tensor([3])))
    assert found[0, 0].flatten().tolist() == [2, 3, 4, 0]


def test_all_lengths_and_all_places_are_drawn_and_short_clips_bound_both() -> None:
    lengths = torch.tensor([40] * 3000 + [9] * 500 + [3] * 100 + [1] * 100)
    start, length = Pieces().sample(lengths, Generator().manual_seed(0))
    assert set(length[:3000].tolist()) == set(range(7, 36))
    assert set((start + length)[:3000].tolist()) == set(range(7, 41))
    assert set(length[3000:3500].tolist()) == {7, 8, 9}
    assert set(start[3000:3500].tolist()) == {0, 1, 2}
    assert set(zip(start[3500:].tolist(), length[3500:].tolist(), strict=True)) == {(0, 3), (0, 1)}
    counts = torch.bincount(length[:3000])[7:].float()
    assert counts.min() > 60, "of 103 expected of each length"
    assert counts.max() < 150


def test_without_pieces_or_lengths_clips_stay_whole() -> None:
    x = some_clips()
    batch = Batch(x, torch.arange(4), torch.zeros(4, dtype=torch.long))
    found, lengths = cut(None, batch, Generator())
    assert torch.equal(found, x)
    assert lengths.tolist() == [7, 7, 7, 7], "None: all frames are real"
    assert torch.equal(cut(None, replace(batch, lengths=LENGTHS), Generator())[1], LENGTHS)


@pytest.mark.parametrize(("shortest", "longest"), [(0, 5), (6, 5)])
def test_impossible_pieces_are_refused(shortest: int, longest: int) -> None:
    with pytest.raises(SkelkitError, match=f"of {shortest} to {longest} frames none can be cut; give lengths from 1"):
        Pieces(shortest, longest)


# ── masks ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def hidden_parts(hidden: Tensor) -> list[list[str]]:
    """The names of each clip's hidden parts; a part is hidden whole or not at all, in each frame but the first."""
    found = []
    for one in hidden:
        names = [name for name, joints in SBU.parts.items() if one[0, 1, list(joints), 0].all()]
        gone = {j for name in names for j in SBU.parts[name]}
        for t in range(one.shape[1]):
            for j in range(15):
                assert one[:, t, j, 0].tolist() == [t > 0 and j in gone] * 3
        found.append(names)
    return found


def test_one_to_four_whole_parts_are_hidden_in_every_frame_but_the_first_and_each_as_often() -> None:
    hidden = PartMask().fitted(SBU).sample(torch.Size([600, 3, 3, 15, 2]), Generator().manual_seed(0))
    parts = hidden_parts(hidden)
    counts = np.bincount([len(names) for names in parts], minlength=5)
    assert counts[0] == 0
    assert (counts[1:] > 110).all(), "of 150 expected"
    assert all(250 < sum(name in names for names in parts) < 350 for name in SBU.parts)


def test_a_mask_by_hand() -> None:
    """Two joints, three frames, the second joint hidden: it is left in the first frame alone."""
    x = torch.ones(1, 3, 3, 2, 1)
    hidden = torch.zeros(1, 3, 3, 2, 1, dtype=torch.bool)
    hidden[:, :, 1:, 1] = True
    found = PartMask().apply(x, hidden)
    assert found[0, 2, :, :, 0].tolist() == [[1, 1], [1, 0], [1, 0]]
    assert torch.equal(x, torch.ones_like(x))


def test_the_released_codes_mask_is_of_three_parts_alike_in_a_batch_and_leaves_z() -> None:
    mask = PartMask(3, alike=True, axes=2).fitted(SBU)
    rng = Generator().manual_seed(0)
    first, second = (mask.sample(torch.Size([5, 3, 4, 15, 1]), rng) for _ in range(2))
    assert torch.equal(first, first[:1].expand_as(first))
    assert not torch.equal(first, second), "drawn anew for each batch"
    assert not first[:, 2].any()
    gone = set(first[0, 0, 1, :, 0].nonzero().flatten().tolist())
    assert sum(set(joints) <= gone for joints in SBU.parts.values()) == 3


def test_the_first_frame_can_be_masked_too() -> None:
    hidden = PartMask(first_whole=False).fitted(SBU).sample(torch.Size([2, 3, 4, 15, 1]), Generator().manual_seed(0))
    assert torch.equal(hidden[:, :, 0], hidden[:, :, 1])


@pytest.mark.parametrize("parts", [0, 5, 7])
def test_a_mask_of_all_parts_or_none_is_refused(parts: int) -> None:
    with pytest.raises(SkelkitError, match=f"parts = {parts} of 5 hides everything or nothing; give 1 to 4"):
        method_of(mask=PartMask(parts))


@pytest.mark.parametrize("joints", [((0, 1), (1, 2)), ((0, 1), ()), ((0, 1), (2, 15)), ((0, 1), (-1,))])
def test_a_mask_whose_parts_share_joints_or_have_none_or_foreign_ones_is_refused(joints: Any) -> None:
    with pytest.raises(SkelkitError, match=r"give each part joints of its own, of the 0 to 14 that skeleton sbu has"):
        PartMask(joints=joints).fitted(SBU)


@pytest.mark.parametrize("axes", [0, 4])
def test_a_mask_of_no_axis_or_of_a_fourth_is_refused(axes: int) -> None:
    with pytest.raises(SkelkitError, match=f"axes = {axes} hides nothing, or more than there is; give 1, 2 or 3"):
        PartMask(axes=axes)


def test_a_skeleton_without_parts_is_refused_in_one_line() -> None:
    bare = Skeleton("stick", ("root", "tip"), ((1, 0),), centre=0, parts={"trunk": (0, 1), "left arm": ()})
    data = DataSpec(1, 1, bare, 1)
    with pytest.raises(SkelkitError, match=r"skeleton stick has 1 body parts, .* give it a trunk, left arm") as caught:
        build(LongTGANConfig(**SMALL), Bidirectional(6).build(data), data, Generator())
    assert "\n" not in str(caught.value)
    with pytest.raises(SkelkitError, match="knows no skeleton yet"):
        PartMask().sample(torch.Size([1, 3, 2, 2, 1]), Generator())


# ── losses ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_element_wise_loss_equals_the_written_out_sum() -> None:
    x, x_hat = some_clips(), some_clips().flip(0)
    counted = torch.rand(4, 3, 7, 15, 1, generator=Generator().manual_seed(1)) < 0.02
    counted[1] = False
    expected = []
    for one, other, count in zip(x, x_hat, counted, strict=True):
        total, frames = 0.0, 0
        for t in range(7):
            places = count[:, t].nonzero().tolist()
            total += sum(float(one[c, t, v, m] - other[c, t, v, m]) ** 2 for c, v, m in places)
            frames += bool(places)
        expected.append(total / frames if frames else 0.0)
    assert element_wise(x, x_hat, counted).tolist() == pytest.approx(expected, rel=1e-5)


def test_the_element_wise_loss_by_hand() -> None:
    """Two joints off by (3, 4, 0) in the first of two frames: 25 each, 50 over two frames."""
    x = torch.zeros(1, 3, 3, 2, 1)
    x[0, 0, 0], x[0, 1, 0] = 3, 4
    x[0, :, 2] = float("inf")  # beyond the clip's end
    counted = torch.tensor([True, True, False]).view(1, 1, 3, 1, 1)
    assert element_wise(x, torch.zeros_like(x), counted).tolist() == [25]


def test_the_element_wise_loss_does_not_care_which_is_which_nor_in_which_order_frames_stand() -> None:
    x, x_hat, counted = some_clips(), some_clips().flip(0), torch.rand(4, 1, 7, 1, 1) < 0.7
    found = element_wise(x, x_hat, counted)
    assert_close(element_wise(x_hat, x, counted), found)
    assert_close(element_wise(x.flip(2), x_hat.flip(2), counted.flip(2)), found)


def test_the_adversarial_loss_equals_the_equation_written_out() -> None:
    real, fake, from_z = torch.randn(3, 6, generator=Generator().manual_seed(0)).double()
    total = 0.0
    for one, two, three in zip(real.tolist(), fake.tolist(), from_z.tolist(), strict=True):
        d, d_hat, d_z = (1 / (1 + np.exp(-logit)) for logit in (one, two, three))
        total += np.log(d) + np.log(1 - d_hat) + 0.3 * np.log(1 - d_z)
    assert adversarial(real, fake, from_z, 0.3).item() == pytest.approx(total / 6, rel=1e-5)
    assert torch.equal(adversarial(real, fake, None, 0.3), adversarial(real, fake, from_z, 0.0))


def test_the_adversarial_loss_of_a_discriminator_that_cannot_tell_by_hand() -> None:
    zeros = torch.zeros(3)
    assert adversarial(zeros, zeros, zeros, 0.1).item() == pytest.approx(-2.1 * np.log(2))


def test_the_adversarial_loss_ignores_the_order_of_the_clips_and_who_is_called_real() -> None:
    real, fake, from_z = torch.randn(3, 6, generator=Generator().manual_seed(0)).double()
    mixed = torch.tensor([3, 0, 5, 1, 4, 2])
    assert_close(adversarial(real[mixed], fake[mixed], from_z[mixed], 0.3), adversarial(real, fake, from_z, 0.3))
    assert_close(adversarial(-fake, -real, None, 0.3), adversarial(real, fake, None, 0.3))  # 1 - D in the place of D


def test_the_adversarial_loss_stays_finite_where_a_logarithm_would_not() -> None:
    logit = torch.tensor([-200.0], requires_grad=True)
    found = adversarial(logit, -logit, None, 0.1)
    found.backward()
    assert found.item() == -400
    assert logit.grad.item() == 2
    assert adversarial(-logit, logit, None, 0.1).item() == 0


@pytest.mark.parametrize("counted", ["all", "hidden"])
def test_the_three_losses_equal_algorithm_1_clip_by_clip(counted: Any) -> None:
    method, x = method_of(counted=counted), some_clips()
    hidden, z = drawn(method, x)
    ele, adv = [], []
    for i, n in enumerate(LENGTHS.tolist()):
        own = x[i : i + 1, :, :n]
        masked = torch.where(hidden[i : i + 1, :, :n], 0.0, own)
        x_hat, x_hat_z = (method.decode(r, masked, LENGTHS[i : i + 1]) for r in (method.encoder(own), z[i : i + 1]))
        error = (own - x_hat).square()
        if counted == "all":
            ele.append(error.sum() / n)
        else:
            ele.append(error[hidden[i : i + 1, :, :n]].sum() / max(n - 1, 1))  # the first frame is whole
        d, d_hat, d_z = (method.discriminator(frames_of(clip)).sigmoid() for clip in (own, x_hat, x_hat_z))
        adv.append(d.log() + (1 - d_hat).log() + 0.1 * (1 - d_z).log())
    found = method.losses(x, LENGTHS, hidden, z)
    assert list(found) == ["encoder", "decoder", "discriminator"]
    assert_close(found["encoder"], torch.stack(ele).mean())
    assert_close(found["discriminator"], -torch.cat(adv).mean())
    assert_close(found["decoder"], torch.stack(ele).mean() + 0.1 * torch.cat(adv).mean())


@pytest.mark.parametrize(
    "settings", [{}, {"counted": "hidden"}, {"lambda_adv": 0.0}, {"lambda_z": 0.0}, {"conditioned": False}], ids=str
)
def test_a_padded_batch_has_the_losses_and_gradients_of_its_clips_alone_whatever_the_padding(settings: Any) -> None:
    method, x = method_of(**settings), some_clips(padding=float("nan"))
    hidden, z = drawn(method, x)
    alone: dict[str, Tensor] = {}
    for i, n in enumerate(LENGTHS):
        own = method.losses(x[i : i + 1, :, :n], LENGTHS[i : i + 1], hidden[i : i + 1, :, :n], z[i : i + 1])
        alone = {name: alone.get(name, 0) + value / 4 for name, value in own.items()}
    together = method.losses(x, LENGTHS, hidden, z)
    for name, value in together.items():
        own = list(method.get_submodule(name).parameters())
        assert_close(value, alone[name])
        for one, other in zip(
            *(torch.autograd.grad(v, own, retain_graph=True) for v in (value, alone[name])), strict=True
        ):
            assert_close(one, other, rtol=1e-4, atol=1e-6)


def test_clips_of_one_frame_have_finite_losses_and_gradients() -> None:
    for counted in ("all", "hidden"):
        method = method_of(counted=counted)
        batch = Batch(
            some_clips()[:, :, :1], torch.arange(4), torch.zeros(4, dtype=torch.long), None, torch.ones(4).long()
        )
        losses = method.loss(batch, Generator().manual_seed(0))
        torch.stack(list(losses.values())).sum().backward()
        assert all(p.grad is None or p.grad.isfinite().all() for p in method.parameters())
        assert all(value.isfinite() for value in losses.values())
        assert (losses["encoder"] == 0) == (counted == "hidden"), "nothing of a first frame is hidden"


# ── who learns from what ────────────────────────────────────────────────────────────────────────────────────────────


def ele_and_adv(method: LongTGAN, x: Tensor, lengths: Tensor, hidden: Tensor, z: Tensor) -> tuple[Tensor, Tensor]:
    """Both losses of Eq. 1 by Algorithm 1, lines 4 to 10, from the method's networks."""
    masked = x.masked_fill(hidden, 0)
    x_hat, x_hat_z = (method.decode(r, masked, lengths) for r in (method.encoder(x, lengths), z))
    there = (torch.arange(x.shape[2]) < lengths[:, None])[:, None, :, None, None]
    ele = ((x - x_hat).square() * there).sum((1, 2, 3, 4)) / lengths
    d, d_hat, d_z = (method.discriminator(frames_of(clip), lengths).sigmoid() for clip in (x, x_hat, x_hat_z))
    adv = d.log() + (1 - d_hat).log() + 0.1 * (1 - d_z).log()
    return ele.mean(), adv.mean()


def slopes(loss: Tensor, network: nn.Module) -> list[Tensor]:
    return list(torch.autograd.grad(loss, list(network.parameters()), retain_graph=True))


def test_each_network_follows_its_own_gradient_of_algorithm_1() -> None:
    """Enc down ele alone, Dec down ele + 0.1 adv, Dis up adv: one step of the loop, of length 1."""
    data, method, other = Resident(tiny.clips_of(4), Whole()), method_of(pieces=None), method_of(pieces=None)
    training = Training(SGD(1.0, momentum=0), Steps(1), batch=4)
    train(method, data, np.arange(4), training, Generator().manual_seed(7))
    rng = Generator().manual_seed(7)
    batch = data.batch(torch.arange(4), torch.randperm(4, generator=rng))
    hidden = other.mask.sample(batch.clips.shape, rng)
    ele, adv = ele_and_adv(other, batch.clips, batch.lengths, hidden, torch.randn(4, 45, generator=rng))
    wanted = {"encoder": ele, "decoder": ele + 0.1 * adv, "discriminator": -adv}
    for name, loss in wanted.items():
        start, end = (list(m.get_submodule(name).parameters()) for m in (other, method))
        for old, new, slope in zip(start, end, slopes(loss, other.get_submodule(name)), strict=True):
            assert slope.any()
            assert_close(new, old - slope, rtol=1e-4, atol=1e-6)


def step(loss: Tensor, network: nn.Module, rate: float) -> None:
    moves = slopes(loss, network)
    with torch.no_grad():
        for parameter, move in zip(network.parameters(), moves, strict=True):
            parameter -= rate * move


def test_a_discriminator_learns_to_tell_and_a_decoder_to_deceive() -> None:
    """The sign that Algorithm 1 prints would have the first one unlearn it."""
    x = some_clips()
    method = method_of()
    hidden, z = drawn(method, x)
    before = method.losses(x, LENGTHS, hidden, z)
    step(before["discriminator"], method.discriminator, 0.5)
    assert method.losses(x, LENGTHS, hidden, z)["discriminator"] < before["discriminator"]
    x_hat = method.decode(method.encoder(x, LENGTHS), method.mask.apply(x, hidden), LENGTHS)
    real, fake = (method.discriminator(frames_of(clips), LENGTHS).mean() for clips in (x, x_hat))
    assert real > fake

    method = method_of()
    before = method.losses(x, LENGTHS, hidden, z)
    step(before["decoder"] - before["encoder"], method.decoder, 0.5)
    after = method.losses(x, LENGTHS, hidden, z)
    assert after["decoder"] - after["encoder"] < before["decoder"] - before["encoder"]


def test_the_encoder_learns_alike_with_and_without_the_adversarial_loss() -> None:
    x = some_clips()
    hidden, z = drawn(method_of(), x)
    found = []
    for weight in (0.0, 0.1, 5.0):
        method = method_of(lambda_adv=weight)
        found.append(slopes(method.losses(x, LENGTHS, hidden, z)["encoder"], method.encoder))
    for one, other, third in zip(*found, strict=True):
        assert torch.equal(one, other)
        assert torch.equal(one, third)


def test_without_an_adversarial_loss_there_is_no_discriminator() -> None:
    method, x = method_of(lambda_adv=0.0), some_clips()
    losses = method.losses(x, LENGTHS, *drawn(method, x))
    assert list(losses) == ["encoder", "decoder"]
    assert torch.equal(losses["encoder"], losses["decoder"])
    assert not hasattr(method, "discriminator")


def test_without_the_representation_the_decoder_reads_zeros_and_the_encoder_stays_as_it_was() -> None:
    method, x = method_of(conditioned=False), some_clips()
    assert torch.equal(method.represent(x, LENGTHS), torch.zeros(4, 45))
    hidden, z = drawn(method, x)
    assert list(method.losses(x, LENGTHS, hidden, z)) == ["decoder", "discriminator"]
    before = {name: p.clone() for name, p in method.named_parameters()}
    training = Training(Adam(0.01, weight_decay=0.1), Steps(1), batch=2)
    train(method, Resident(tiny.clips_of(4), Whole()), np.arange(4), training, Generator().manual_seed(0))
    for name, parameter in method.named_parameters():
        assert torch.equal(parameter, before[name]) == name.startswith("encoder."), name


# ── training ────────────────────────────────────────────────────────────────────────────────────────────────────────


def trained(epochs: int, checkpoint: Path | None = None, stop: int = 0) -> Any:
    """Trained with dropout on pieces; interrupted in epoch `stop`, if one is given."""

    def interrupt(epoch: int, _: nn.Module) -> dict[str, float]:
        if epoch == stop:
            raise KeyboardInterrupt
        return {}

    method = method_of(dropout=0.3, pieces=Pieces(3, 6))
    data, rng = Resident(tiny.clips_of(8), Whole()), Generator().manual_seed(0)
    training = Training(Adam(0.01), Steps(epochs), batch=4)
    options: Any = {"checkpoint": checkpoint, "checkpoint_seconds": 0, "callbacks": [interrupt]}
    history = train(method, data, np.arange(8), training, rng, **options)
    return method.state_dict(), history


def test_an_interrupted_training_ends_with_the_same_bits(tmp_path: Path) -> None:
    whole, history = trained(4)
    with pytest.raises(KeyboardInterrupt):
        trained(4, tmp_path / "a.safetensors", stop=3)
    again, resumed = trained(4, tmp_path / "a.safetensors")
    assert resumed == history
    assert whole.keys() == again.keys()
    assert all(torch.equal(whole[name], again[name]) for name in whole)


def test_inpainting_improves_with_training_and_most_where_the_representation_helps() -> None:
    """One pose a class, of all joints but the first, which all classes have in one place: where the others are hidden,
    in about half of the clips, F alone tells what they show."""
    clips, errors = tiny.clips_of(16), []
    frames = np.array(clips.frames)
    frames[:, :, 0] = 0
    mask = PartMask(1, first_whole=False, joints=(tuple(range(1, 15)), (0,)))
    for conditioned in (True, False):
        settings: Any = {
            "decoder": Decoder(24, dropout=0.0),
            "mask": mask,
            "counted": "hidden",
            "lambda_adv": 0.0,
        }
        method = method_of(conditioned=conditioned, **settings)
        data, rng = Resident(replace(clips, frames=frames), Whole()), Generator().manual_seed(0)
        train(method, data, np.arange(16), Training(Adam(0.01), Steps(40), batch=16), rng)
        errors.append([float(step[0]) for step in method.newest])
    assert np.mean(errors[0][-5:]) < 0.7 * errors[0][0]  # measured: 0.06
    assert np.mean(errors[0][-5:]) < 0.5 * np.mean(errors[1][-5:])  # measured: 0.18


def test_the_newest_losses_are_those_of_the_step() -> None:
    method, x = method_of(), some_clips()
    losses = method.losses(x, LENGTHS, *drawn(method, x))
    assert torch.equal(method.newest[-1], torch.stack([losses["encoder"], losses["discriminator"]]).detach())
    assert not method.newest[-1].requires_grad


def test_the_method_and_its_encoder_are_found_by_name() -> None:
    assert METHODS["longt_gan"] == (LongTGANConfig, LongTGAN)
    method = method_of()
    assert method.encoders == {"encoder": method.encoder}
