"""Distillation: Eq. 6 of Moliner et al. 2022, and a teacher that stands still and outside."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from tiny import clips_of, resident_of
from torch import Generator, Tensor
from torch.testing import assert_close

from skelkit.augment import Shear
from skelkit.data.skeleton import SBU
from skelkit.data.views import Batch, DataSpec
from skelkit.evaluate.features import extract
from skelkit.files import SkelkitError
from skelkit.losses import soft_cross_entropy
from skelkit.methods import METHODS, build
from skelkit.methods.distillation import Distillation, DistillationConfig
from skelkit.methods.supervised import SupervisedConfig
from skelkit.models.agcn import AGCN
from skelkit.models.rnn import Recurrent
from skelkit.train import Adam, Steps, Training, train

pytestmark = pytest.mark.usefixtures("one_thread")
SPEC = DataSpec(clips=12, classes=3, skeleton=SBU, persons=1)


def teacher_of(width: int = 8, spec: DataSpec = SPEC) -> Any:
    torch.manual_seed(1)
    return build(SupervisedConfig(), AGCN(width).build(spec), spec, Generator())


def student_of(config: DistillationConfig = DistillationConfig(), teacher: Any = None) -> Distillation:  # noqa: B008 (frozen)
    torch.manual_seed(0)
    student = build(config, AGCN(4).build(SPEC), SPEC, Generator())
    student.learn_from(teacher or teacher_of())
    return student


def batch_of(labels: tuple[int, ...] = (0, 1, 2, 2)) -> Batch:
    x = torch.randn(len(labels), 3, 8, 15, 1, generator=Generator().manual_seed(1))
    return Batch(x, torch.arange(len(labels)), torch.tensor(labels))


def loss_of(student: Distillation, batch: Batch, seed: int = 0) -> Tensor:
    return student.loss(batch, Generator().manual_seed(seed))["loss"]


@pytest.mark.parametrize("tau", [0.5, 1.0, 4.0])
def test_the_loss_equals_eq_6_written_out(tau: float) -> None:
    z_s, z_t = torch.randn(2, 5, 3, generator=Generator().manual_seed(0)).double().tolist()
    total = 0.0
    for student, teacher in zip(z_s, z_t, strict=True):
        expected = [math.exp(z / tau) / sum(math.exp(other / tau) for other in teacher) for z in teacher]
        found = [math.exp(z / tau) / sum(math.exp(other / tau) for other in student) for z in student]
        total -= sum(p * math.log(q) for p, q in zip(expected, found, strict=True))
    assert soft_cross_entropy(torch.tensor(z_s), torch.tensor(z_t), tau).item() == pytest.approx(total / 5, rel=1e-5)


def test_the_loss_by_hand() -> None:
    """The teacher is undecided between two classes; the student gives them 1/4 and 3/4: -(log 1/4 + log 3/4) / 2."""
    found = soft_cross_entropy(torch.tensor([[0.0, math.log(3)]]), torch.tensor([[5.0, 5.0]]), 1.0)
    assert found.item() == pytest.approx(-(math.log(1 / 4) + math.log(3 / 4)) / 2)
    # At temperature 2 its odds of 1 : 9 are 1 : 3 as well.
    found = soft_cross_entropy(torch.tensor([[0.0, math.log(9)]]), torch.tensor([[5.0, 5.0]]), 2.0)
    assert found.item() == pytest.approx(-(math.log(1 / 4) + math.log(3 / 4)) / 2)


def test_the_loss_is_least_where_student_and_teacher_agree_and_ignores_a_constant_in_the_logits() -> None:
    z_s, z_t = torch.randn(2, 5, 3, generator=Generator().manual_seed(0))
    least = soft_cross_entropy(z_t, z_t, 1.0)
    assert least < soft_cross_entropy(z_s, z_t, 1.0)
    assert_close(soft_cross_entropy(z_s + 7, z_t - 3, 1.0), soft_cross_entropy(z_s, z_t, 1.0))


def test_labels_play_no_part() -> None:
    assert torch.equal(loss_of(student_of(), batch_of()), loss_of(student_of(), batch_of((-1, -1, -1, -1))))


def test_teacher_and_student_see_the_same_augmented_clip() -> None:
    batch, config = batch_of(), DistillationConfig(steps=(Shear(),), temperature=2.0)
    x = Shear().apply(batch.clips, Shear().sample(batch.clips.shape, Generator().manual_seed(5)))
    student, teacher = student_of(config), teacher_of().eval()
    expected = soft_cross_entropy(student(x), teacher(x), 2.0)
    assert_close(loss_of(student_of(config), batch, seed=5), expected)


def test_the_teacher_stands_still_outside_of_the_students_state() -> None:
    teacher = teacher_of()
    student = student_of(teacher=teacher)
    before = {name: tensor.clone() for name, tensor in teacher.state_dict().items()}
    alone = build(DistillationConfig(), AGCN(4).build(SPEC), SPEC, Generator())
    assert student.state_dict().keys() == alone.state_dict().keys()
    student.train()
    loss_of(student, batch_of()).backward()
    assert not teacher.training
    assert all(p.grad is None for p in teacher.parameters())
    assert all(torch.equal(before[name], tensor) for name, tensor in teacher.state_dict().items())
    assert all(p.grad is not None for p in student.parameters())


def test_without_a_teacher_or_with_one_of_other_classes_a_line_says_so() -> None:
    alone = build(DistillationConfig(), AGCN(4).build(SPEC), SPEC, Generator())
    with pytest.raises(SkelkitError, match=r"there is no teacher; name its weights in Weights\.teacher"):
        loss_of(alone, batch_of())
    with pytest.raises(SkelkitError, match="the teacher knows 5 classes and the student 3"):
        alone.learn_from(teacher_of(4, DataSpec(clips=12, classes=5, skeleton=SBU, persons=1)))


def test_a_narrower_student_learns_what_a_teacher_says_of_unlabelled_clips() -> None:
    clips = clips_of(12, 3)
    data, everything = resident_of(clips), torch.arange(12)
    torch.manual_seed(1)
    teacher = build(SupervisedConfig(), Recurrent("gru", 12).build(SPEC), SPEC, Generator())
    rng = Generator().manual_seed(0)
    train(teacher, data, np.arange(12), Training(Adam(0.02), Steps(15), batch=6), rng)
    said = extract(teacher, data, everything).argmax(1)
    assert said.tolist() == clips.labels.tolist()
    data.labels[:] = -1
    student = build(DistillationConfig(), Recurrent("gru", 6).build(SPEC), SPEC, Generator())
    student.learn_from(teacher)
    history = train(student, data, np.arange(12), Training(Adam(0.02), Steps(25), batch=6), rng)
    assert history[-1]["loss"] < 0.7 * history[0]["loss"]
    assert torch.equal(extract(student, data, everything).argmax(1), said)
    assert METHODS["distillation"] == (DistillationConfig, Distillation)
