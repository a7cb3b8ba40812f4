"""The device that the work runs on is the one that was asked for, or an error that says what to ask for."""

from __future__ import annotations

import pytest
import torch

from skelkit.device import device, device_name
from skelkit.files import SkelkitError


def test_without_a_wish_it_is_a_gpu_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SKELKIT_DEVICE")
    for there, kind in ((False, "cpu"), (True, "cuda")):
        monkeypatch.setattr(torch.cuda, "is_available", lambda there=there: there)
        assert device() == torch.device(kind)


def test_a_cpu_is_named_with_its_threads() -> None:
    assert device_name().startswith("cpu, ")
    assert device_name().endswith(f", {torch.get_num_threads()} threads")


@pytest.mark.parametrize(
    ("wish", "said"),
    [
        ("cuda", "torch sees no CUDA device here; choose the kernel skelkit, or cpu"),
        ("cuda:1", "SKELKIT_DEVICE=cuda:1: give cuda, and choose by CUDA_VISIBLE_DEVICES=1"),
        ("tpu", "SKELKIT_DEVICE=tpu: no such device; give cpu, cuda or mps"),
    ],
)
def test_what_is_not_here_or_no_device_is_refused_in_one_line(
    wish: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SKELKIT_DEVICE", wish)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: wish != "cuda")
    with pytest.raises(SkelkitError, match=said):
        device()
