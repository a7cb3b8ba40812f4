"""Which device the work runs on."""

from __future__ import annotations

import ctypes
import os
import platform

import torch
from jaxtyping import Float
from torch import Tensor

from skelkit.files import SkelkitError


def device() -> torch.device:
    """`$SKELKIT_DEVICE` (cpu, cuda, mps), by default CUDA where there is one, else the CPU.

    Raises SkelkitError where it is no device, not here, or a numbered one, which the training loop would not take.
    """
    wish = os.environ.get("SKELKIT_DEVICE", "cuda" if torch.cuda.is_available() else "cpu")
    if wish.startswith("cuda") and not torch.cuda.is_available():
        raise SkelkitError("SKELKIT_DEVICE=cuda: torch sees no CUDA device here; choose the kernel skelkit, or cpu")
    kind, numbered, which = wish.partition(":")
    if numbered:
        raise SkelkitError(f"SKELKIT_DEVICE={wish}: give {kind}, and choose by CUDA_VISIBLE_DEVICES={which}")
    try:
        return torch.device(wish)
    except RuntimeError as error:
        raise SkelkitError(f"SKELKIT_DEVICE={wish}: no such device; give cpu, cuda or mps") from error


def exact_on_cpu(x: Float[Tensor, ...]) -> bool:
    """Whether work on x runs on a CPU and in x's own precision (no autocast)."""
    return on_cpu(x) and not torch.is_autocast_enabled("cpu")


def on_cpu(x: Float[Tensor, ...]) -> bool:
    """Whether work on x runs on a CPU."""
    return x.device.type == "cpu"


def device_name() -> str:
    """The device in words, for a row's provenance: the GPU's name, or the processor type and the number of threads."""
    where = device()
    if where.type == "cuda":
        return torch.cuda.get_device_name(where)
    return f"{where.type}, {platform.machine()}, {torch.get_num_threads()} threads"


def keep_freed_memory() -> None:
    """Tell glibc to keep freed buffers for the next batch; without effect where there is no glibc.

    A batch's buffers are a few megabytes, which glibc otherwise hands back to the system and faults in again, page by
    page: augmentation on the CPU runs several times as fast without that.
    """
    if platform.libc_ver()[0] == "glibc":
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(-1, (1 << 31) - 1)  # M_TRIM_THRESHOLD: the top of the heap is given back above 2 GiB, the most there is
        mallopt(-3, 1 << 25)  # M_MMAP_THRESHOLD: 32 MiB, the most that glibc takes
