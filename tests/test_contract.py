"""The contract of a method: every two of methods, encoders and scenes (two skeletons, one and two persons) meet."""

from __future__ import annotations

import dataclasses
from dataclasses import FrozenInstanceError
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny import clips_of, resident_of
from torch import Generator, Tensor, nn

from skelkit.augment import PartMask, Pieces, Shear
from skelkit.data.clips import Clips
from skelkit.data.skeleton import KINECT_V2, SBU, Skeleton
from skelkit.data.views import Batch, DataSpec
from skelkit.methods import METHODS, build
from skelkit.methods.supervised import SupervisedConfig
from skelkit.models.agcn import AGCN
from skelkit.models.decoder import WeakDecoder
from skelkit.models.gru import BiGRU
from skelkit.models.hcn import HCN
from skelkit.models.representations import Representations
from skelkit.models.rnn import Recurrent
from skelkit.models.sequences import Bidirectional, Decoder
from skelkit.models.stgcn import STGCN
from skelkit.train import SGD, Steps, Training, train

DECODER = Decoder(6, dropout=0.0)
VARIANTS: dict[str, list[dict[str, Any]]] = {
    "ascal": [
        # A-GCN's features know no bound: at the published temperature one logit takes all, and no loss is left.
        {"queue": 16, "temperature": 100.0},
        {"queue": 16, "paradigm": "end to end", "head": "linear", "head_dim": 4},
        {"queue": 16, "paradigm": "memory bank", "head": "nonlinear", "head_dim": 4},
        {"queue": 16, "paradigm": "memory bank", "bank": "instance discrimination", "head_dim": 4},
    ],
    "interskeleton": [{"steps": (Shear(),), "queue": 16, "head_dim": 4}],
    "supervised": [{}, {"frozen": 0.5, "encoder_rate": 0.001}],
    "byol": [
        {"t1": (Shear(),), "t2": (), "hidden": 16, "head_dim": 8},
        {"hidden": 16, "head_dim": 8, "momentum": 0.5, "statistics_momentum": 0.5},
        {"hidden": 16, "head_dim": 8, "statistics": "batch"},
    ],
    "longt_gan": [
        {"decoder": DECODER, "discriminator": Bidirectional(4, dropout=0.0), "pieces": Pieces(2, 6)},
        {"decoder": DECODER, "lambda_adv": 0.0, "mask": PartMask(3, alike=True), "counted": "hidden"},
    ],
    "autoencoder": [
        {"decoder": DECODER, "pieces": Pieces(2, 6)},
        {"decoder": DECODER, "pieces": None, "future": 0.4, "reverse": True, "fed": True},
    ],
    "distillation": [{"steps": (Shear(),), "temperature": 2.0}],
    "predict_cluster": [{}, {"decoder": WeakDecoder("fixed weights")}, {"decoder": WeakDecoder("none", None)}],
    "sesar": [{}, {"decoder": None, "initial": None}, {"decoder": WeakDecoder("none"), "cross_entropy": "sum"}],
}
"""Settings of each method's config, the first of them with every encoder and scene; a method that is added to METHODS
is tested as it is, or with its own line here."""
SEQ, IMG, STG, BODY = BiGRU(4, 2), HCN(8, image=16, dropout=0.0), AGCN(4), STGCN(4, dropout=0.0)
"""Without dropout, which draws from torch's own generator: the loss is to be decided by the one that is handed in."""
ENCODERS = [
    *(SEQ, IMG, STG, BODY, Bidirectional(6, dropout=0.0)),
    *(Recurrent("rnn", 6, 2, "last"), Recurrent("lstm", 6, 1, "mean"), Recurrent("gru", 6, 2, "mean")),
]
SEVERAL = Representations((("SEQ", SEQ), ("IMG", IMG), ("STG", STG)))
"""What only a method of several representations takes."""
SCENES = [(SBU, 1), (SBU, 2), (KINECT_V2, 1), (KINECT_V2, 2)]


@cache
def _clips(skeleton: Skeleton, persons: int) -> Clips:
    return clips_of(20, skeleton=skeleton, persons=persons)


class Case(NamedTuple):
    method: str
    settings: dict[str, Any]
    encoder: Any
    skeleton: Skeleton
    persons: int

    def __str__(self) -> str:
        config = " ".join(str(v) for v in self.settings.values())
        sizes = "-".join(str(value) for value in dataclasses.astuple(self.encoder))
        encoder = "several" if self.encoder is SEVERAL else f"{type(self.encoder).__name__}-{sizes}"
        return f"{self.method} {config}, {encoder}, {self.skeleton.name} x {self.persons}"

    @property
    def config(self) -> Any:
        return METHODS[self.method][0](**self.settings)

    @property
    def clips(self) -> Clips:
        return _clips(self.skeleton, self.persons)

    def build(self, seed: int = 0) -> Any:
        clips = self.clips
        spec = DataSpec(len(clips), len(clips.classes), clips.skeleton, clips.persons)
        torch.manual_seed(seed)
        method = build(self.config, self.encoder.build(spec), spec, Generator().manual_seed(seed))
        if hasattr(method, "learn_from"):
            torch.manual_seed(9)  # the same teacher for every student: it is no part of their state
            method.learn_from(build(SupervisedConfig(), self.encoder.build(spec), spec, Generator()))
        return method

    def batch(self, n: int = 8) -> Batch:
        return resident_of(self.clips).batch(torch.arange(20), torch.arange(n))


CASES = [
    Case(name, settings, encoder, *SCENES[(m + e) % len(SCENES)])
    for m, name in enumerate(METHODS)
    for i, settings in enumerate(VARIANTS.get(name, [{}]))
    for e, encoder in enumerate(ENCODERS)
    if i == 0 or e == len(ENCODERS) - 1
]
"""Scenes move on by one from method to method, so that a dozen cases a method hold what all its products would."""
CASES += [Case("interskeleton", VARIANTS["interskeleton"][0], SEVERAL, *scene) for scene in SCENES[1:3]]
pytestmark = [pytest.mark.parametrize("case", CASES, ids=str), pytest.mark.usefixtures("one_thread")]


def total(losses: dict[str, Tensor]) -> Tensor:
    return torch.stack(list(losses.values())).sum()


def group(method: Any, name: str) -> nn.Module:
    return method if name == "loss" else method.get_submodule(name)


def step(case: Case, method: Any, batch: Batch, seed: int = 0) -> dict[str, Tensor]:
    """One step, as the loop takes it."""
    optimiser = torch.optim.SGD([p for p in method.parameters() if p.requires_grad], 0.1)
    losses = method.loss(batch, Generator().manual_seed(seed))
    for name, value in losses.items():
        inputs = [p for p in group(method, name).parameters() if p.requires_grad]
        value.backward(inputs=inputs, retain_graph=True)
    optimiser.step()
    method.after_step(0.5)
    return losses


def state(method: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in method.state_dict().items()}


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_the_loss_is_one_finite_scalar_a_parameter_group(case: Case) -> None:
    method = case.build()
    losses = method.loss(case.batch(), Generator().manual_seed(0))
    assert losses
    for name, value in losses.items():
        assert value.shape == ()
        assert value.dtype == torch.float32
        assert value.isfinite()
        assert any(p.requires_grad for p in group(method, name).parameters())


def test_gradients_reach_every_trainable_parameter_and_no_other(case: Case) -> None:
    method = case.build()
    step(case, method, case.batch())
    for name, parameter in method.named_parameters():
        if parameter.requires_grad:
            assert parameter.grad is not None, name
            assert parameter.grad.isfinite().all(), name
        else:
            assert parameter.grad is None, name
    assert any(p.requires_grad and p.grad.abs().sum() > 0 for p in method.parameters())


def test_a_step_changes_the_trainable_parameters_of_the_encoder(case: Case) -> None:
    method = case.build()
    before = state(next(iter(method.encoders.values())))
    step(case, method, case.batch())
    assert not same(before, state(next(iter(method.encoders.values()))))


def test_several_steps_with_after_step_stay_finite(case: Case) -> None:
    method = case.build()
    losses = [step(case, method, case.batch(), seed) for seed in range(3)]
    assert torch.stack([total(value) for value in losses]).isfinite().all()
    assert all(tensor.isfinite().all() for tensor in method.state_dict().values())


def test_every_encoder_gives_its_out_dim(case: Case) -> None:
    method = case.build().eval()
    x = case.batch(5).clips
    assert x.shape == (5, 3, 8, len(case.skeleton), case.persons)
    for name, encoder in method.encoders.items():
        features = encoder(x)
        assert features.shape == (5, encoder.out_dim), name
        assert features.dtype == torch.float32
        assert features.isfinite().all()


def test_the_state_survives_safetensors_bit_for_bit(case: Case, tmp_path: Path) -> None:
    method, other = case.build(0), case.build(1)
    step(case, method, case.batch())
    assert not same(state(method), state(other))
    save_file({k: v.clone().contiguous() for k, v in method.state_dict().items()}, tmp_path / "w.safetensors")
    other.load_state_dict(load_file(tmp_path / "w.safetensors"))
    assert same(state(method), state(other))
    one, two = (total(m.loss(case.batch(), Generator().manual_seed(2))) for m in (method, other))
    assert torch.equal(one, two)


def test_encoding_in_eval_mode_repeats_itself(case: Case) -> None:
    method, x = case.build().eval(), case.batch().clips
    with torch.no_grad():
        assert all(torch.equal(encoder(x), encoder(x)) for encoder in method.encoders.values())


def test_a_clips_features_do_not_depend_on_its_batch(case: Case) -> None:
    method, x = case.build().eval(), case.batch().clips
    with torch.no_grad():
        for encoder in method.encoders.values():
            together = encoder(x)
            torch.testing.assert_close(encoder(x[3:4]), together[3:4], rtol=1e-4, atol=1e-6)
            torch.testing.assert_close(encoder(x.flip(0)).flip(0), together, rtol=1e-4, atol=1e-6)


def test_encoding_leaves_the_method_as_it_was(case: Case) -> None:
    method = case.build().eval()
    before = state(method)
    for encoder in method.encoders.values():
        encoder(case.batch().clips)
    assert same(before, state(method))


def test_the_loss_is_decided_by_the_generator(case: Case) -> None:
    batch, losses = case.batch(), []
    for torchs, seed in ((0, 1), (5, 1), (0, 2)):
        method = case.build()
        torch.manual_seed(torchs)  # torch's own generator plays no part
        losses.append(total(method.loss(batch, Generator().manual_seed(seed))))
    assert torch.equal(losses[0], losses[1])
    if getattr(case.config, "steps", ()) or getattr(case.config, "t1", ()):
        assert not torch.equal(losses[0], losses[2])


def test_the_loss_leaves_the_batch_as_it_was(case: Case) -> None:
    batch, method = case.batch(), case.build()
    clips = batch.clips.clone()
    step(case, method, batch)
    assert torch.equal(batch.clips, clips)


def test_building_is_decided_by_the_seeds(case: Case) -> None:
    assert same(state(case.build()), state(case.build()))
    assert not same(state(case.build()), state(case.build(1)))


def test_the_config_is_frozen_and_hashable_and_refuses_unknown_keys(case: Case) -> None:
    config = case.config
    assert hash(config) == hash(case.config)
    assert config == dataclasses.replace(config)
    with pytest.raises(FrozenInstanceError):
        setattr(config, dataclasses.fields(config)[0].name, None)
    with pytest.raises(TypeError, match="unknown_knob"):
        METHODS[case.method][0](unknown_knob=1)


@pytest.mark.parametrize("n", [1, 3])
def test_a_small_last_batch_is_taken(case: Case, n: int) -> None:
    assert total(step(case, case.build(), case.batch(n))).isfinite()


def test_the_loop_trains_it_on_16_bit_clips(case: Case) -> None:
    clips = clips_of(9, skeleton=case.skeleton, persons=case.persons, dtype=np.float16)
    data = resident_of(clips)
    assert data.frames.dtype == torch.float16
    training = Training(SGD(0.01), Steps(1), batch=4)  # 4 + 4 + 1
    history = train(case.build(), data, np.arange(9), training, Generator().manual_seed(0))
    assert np.isfinite(history[0]["loss"])


def test_nothing_is_made_on_the_default_device(case: Case) -> None:
    method, batch = case.build(), case.batch()
    with torch.device("meta"):  # what is made without a device named lands there, and cannot meet the clips
        losses = method.loss(batch, Generator().manual_seed(0))
        method.after_step(0.5)
    assert total(losses).device.type == "cpu"
    assert {tensor.device.type for tensor in method.state_dict().values()} == {"cpu"}
