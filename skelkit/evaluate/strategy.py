"""What a strategy of active learning is, and the checks on what goes into it and comes out."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor

from skelkit.files import SkelkitError


@runtime_checkable
class Strategy(Protocol):
    """Chooses the clips whose labels are asked for: a frozen dataclass with this one method."""

    def select(
        self,
        features: Float[Tensor, "k d"],
        probabilities: Float[Tensor, "k c"] | None,
        labelled: Int[Tensor, " l"],
        n: int,
        generator: Generator,
    ) -> Int[Tensor, " n"]:
        """n different clips without a label, as rows of the features.

        features: of all training clips, labelled ones included. probabilities: of their classes, each row's sum 1;
        None as long as no clip has a label. labelled: rows of the clips that have one. generator: torch's, on the
        features' device; every draw is its.
        """
        ...


def propose(
    strategy: Strategy,
    features: Float[Tensor, "k d"],
    probabilities: Float[Tensor, "k c"] | None,
    labelled: Int[Tensor, " l"],
    n: int,
    generator: Generator,
) -> Int[Tensor, " n"]:
    """What a strategy selects, anybody's: its input is checked before, and its answer after.

    Raises SkelkitError where more labels are asked for than there are clips without one, where a feature is not finite
    or a row of probabilities is none, and where the answer is no list of rows, or has too few clips, one twice, or one
    that has its label.
    """
    clips, name = len(features), type(strategy).__name__
    free = unlabelled(features, labelled, n)
    if probabilities is not None:
        rows = (probabilities.sum(1) - 1).abs()
        if len(rows) != clips or not bool((rows < 1e-3).all()) or bool((probabilities < 0).any()):
            raise SkelkitError(
                f"{name}: {len(rows)} rows of probabilities for {clips} clips, or one whose sum is not 1; give the "
                "softmax of each clip's class scores"
            )
    chosen: Any = strategy.select(features, probabilities, labelled, n, generator)
    if not isinstance(chosen, Tensor) or chosen.ndim != 1 or chosen.dtype not in (torch.int64, torch.int32):
        raise SkelkitError(f"{name}: selected {chosen!r:.60}; return the rows of {n} clips, a tensor of whole numbers")
    seen: set[Any] = set()
    for clip in chosen.tolist():
        if clip in seen:
            raise SkelkitError(f"{name}: selected clip {clip} twice; select {n} different ones")
        if clip not in range(clips):
            raise SkelkitError(f"{name}: selected clip {clip}, and there are {clips}; select rows of the features")
        seen.add(clip)
    if again := seen.intersection(labelled.tolist()):
        raise SkelkitError(f"{name}: selected clip {min(again)}, which has its label; select among the other clips")
    if len(chosen) != n:
        raise SkelkitError(f"{name}: selected {len(chosen)} clips where {n} were asked for; select {n}")
    found: Tensor = chosen.to(free)
    return found


def unlabelled(features: Float[Tensor, "k d"], labelled: Int[Tensor, " l"], n: int) -> Int[Tensor, " u"]:
    """The clips that have no label yet, in order; the first line of a strategy.

    Raises SkelkitError where n of them cannot be chosen, where `labelled` names a clip twice or one that is not there,
    and where a feature is not finite.
    """
    clips, known = len(features), labelled.long()
    free = torch.ones(clips, dtype=torch.bool, device=features.device)
    if len(known) and not 0 <= int(known.min()) <= int(known.max()) < clips:
        raise SkelkitError(f"selection: labelled clips {int(known.min())} to {int(known.max())} of {clips}; give rows")
    free[known] = False
    left = int(free.sum())
    if clips - left != len(known):
        raise SkelkitError(f"selection: {len(known)} labelled clips, {clips - left} of them different; name each once")
    if not 1 <= n <= left:
        raise SkelkitError(
            f"selection: {n} labels are asked for, and {left} of {clips} clips have none; ask for "
            f"{f'1 to {left}' if left else 'no more'}"
        )
    if not bool(features.isfinite().all()):
        row = int((~features.isfinite()).any(1).nonzero()[0, 0])
        raise SkelkitError(f"selection: features of clip {row} are not finite; train with a lower learning rate")
    return free.nonzero().flatten()


def uniform(free: Int[Tensor, " u"], n: int, generator: Generator) -> Int[Tensor, " n"]:
    """n of some clips, each as likely as any other."""
    return free[torch.randperm(len(free), generator=generator, device=free.device)[:n]]


def certain(name: str, probabilities: Float[Tensor, "k c"] | None) -> Float[Tensor, "k c"]:
    """The class probabilities, for a strategy that cannot do without. Raises SkelkitError where there are none."""
    if probabilities is None:
        raise SkelkitError(f"{name}: needs class probabilities once a clip has a label; train a classifier, or use KT")
    return probabilities


def seed_of(generator: Generator) -> int:
    """A seed for libraries that take no torch generator, drawn from one."""
    return int(torch.randint(2**31 - 1, (1,), generator=generator, device=generator.device))
