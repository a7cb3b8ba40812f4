"""What the committed rows say of each paper, in sentences: every measured number is worked out here from rows.

A value is a mean over seeds, with ± the standard deviation over them, or of one seed alone; a lead has a 95 % interval
(`leads.Lead`). Words such as "above" follow from that interval, so that new rows change the sentence with its numbers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import pandas as pd

from skelkit.report import published, results
from skelkit.report.leads import Lead, lead
from skelkit.report.results import SHUFFLED, Row
from skelkit.report.words import against, in_short, line, listed, printed, rows_on, value, why_is_open


@dataclass(frozen=True)
class Prose:
    """What is said of one paper."""

    finding: str
    """In a few words, for the table of papers."""
    short: str
    """In two or three sentences, for the README."""
    long: str
    """What else is to be known, for results/README.md."""


HOW_TO_READ = (
    "A value is the mean over seeds, with ± the standard deviation over them; without ± it is of one seed. A lead is "
    "told with its 95 % interval: of n > 1 seeds Student's, of one seed that of drawing the test clips, which says "
    "nothing of other seeds. Where the interval holds 0 the two are not told apart. One interval in twenty misses: a "
    "lead that barely leaves its own is no finding. Leak-free NW-UCLA is trained without the clips of which the test "
    "set holds copies."
)
_TITLES = {
    "ntu60": "NTU RGB+D 60",
    "ntu120": "NTU RGB+D 120",
    "pku_mmd1": "PKU-MMD I",
    "pku_mmd2": "PKU-MMD II",
    "sbu": "SBU",
    "uwa3d": "UWA3D",
    "nw_ucla": "NW-UCLA",
    "utd_mhad": "UTD-MHAD",
    "cmu": "CMU",
    "cmu_subset": "CMU's subset",
    "hdm05": "HDM05",
    "hdm05_11": "HDM05's eleven whole classes",
    "mhad": "Berkeley MHAD",
}
_LEAKFREE = "xview-v3-leakfree"


def prose(paper: str, rows: Iterable[Row] | None = None) -> Prose:
    """The sentences of a paper. rows: by default the committed ones."""
    rows = results.read(paper) if rows is None else list(rows)
    if not rows:
        return Prose("not run", "Nothing of it has been run.", "")
    said, here = _OF[paper](rows), {row.dataset for row in rows}
    missing = [title(name) for name in dict.fromkeys(published.cells(paper)["dataset"]) if name not in here]
    short = f"{said.short} Of its data sets not run: {', '.join(missing) or 'none'}."
    return replace(said, short=short, long=f"{said.long} {shuffled(rows)}".strip())


def shuffled(rows: Iterable[Row]) -> str:
    """What classifiers on frozen features make of training labels that were exchanged at random; "" if none was asked.

    Chance is told for as many classes as the data set has.
    """
    found = [r for r in rows if (r.table, r.selection) == (SHUFFLED, "last") and "top-5" not in r.metric]
    said = []
    for dataset in dict.fromkeys(r.dataset for r in found):
        values = [r.value for r in found if r.dataset == dataset and not r.metric.startswith("class ")]
        said.append(
            f"in {min(values):.0f} to {max(values):.0f} % of the test clips of {title(dataset)} "
            f"({len(values)} classifiers; one class in {CLASSES[dataset]} would be {100 / CLASSES[dataset]:.0f} %)"
        )
    asked = "Once the training labels are exchanged at random, classifiers on frozen features are right"
    return f"{asked} {'; '.join(said)}." if said else ""


def title(dataset: str) -> str:
    """A data set's name as people write it."""
    return _TITLES.get(dataset, dataset)


def _ascal(rows: list[Row]) -> Prose:
    table = published.compare("ascal", "Table V", rows)
    counts = table.loc[table["published"].notna(), "status"].value_counts()
    average = table[(table["column"] == published.AVERAGE) & (table["metric"] == "top-1")].set_index("row")

    def said(row: str) -> str:
        if row not in average.index or not average.loc[row, "n"]:
            return "not run"
        of = average.loc[row].to_dict()
        spread = "" if pd.isna(of["sd"]) else f" ± {of['sd']:.1f}"
        beside = "" if pd.isna(of["published"]) else f" (published {of['published']:.1f}: {of['status']})"
        return f"{of['ours']:.1f}{spread} %{beside}"

    sbu = [replace(r, column="folds") for r in rows_on(rows, "sbu", "paper", tables=["Table V"])]
    ucla = rows_on(rows, "nw_ucla", "paper", _LEAKFREE)

    def over(rows: list[Row], column: str, row: str, metric: str) -> Lead:
        return lead(rows, (row, column), ("random encoder", column), metric)

    linear, near = (over(sbu, "folds", "Ours (CAE)", metric) for metric in ("top-1", "kNN top-1"))
    linear_there, near_there = (over(ucla, "V3, leak-free", "Ours (CAE)", m) for m in ("top-1", "kNN top-1"))
    plus_there = over(ucla, "V3, leak-free", "Ours (CAE+)", "top-1")
    reproduced = counts.get("reproduced", 0)
    return Prose(
        finding=f"{reproduced} of {counts.sum()} cells of Table V reproduced; by kNN, over random: {in_short(near)}",
        short=line(
            f"""On SBU at tier `paper`, {reproduced} of Table V's {counts.sum()} cells are reproduced,
            {counts.get("higher", 0)} come out higher and {counts.get("lower", 0)} lower. The averages: CAE
            {said("Ours (CAE)")}, CAE+ {said("Ours (CAE+)")}, the random encoder {said("random encoder")}. By a
            linear classifier CAE is {against(linear, "the random encoder")}, by the nearest neighbour
            {against(near, "it")}."""
        ),
        long=line(
            f"""The supervised baselines average
            {"; ".join(f"{row} {said(row)}" for row in ("RNN", "GRU", "LSTM"))}. What the unit of the coordinates
            has to do with AS-CAL's numbers stands in `notebooks/ascal/tables.ipynb`. On leak-free NW-UCLA, which
            the paper does not use, CAE is {against(linear_there, "the random encoder")} by a linear classifier and
            {against(near_there, "it")} by the nearest neighbour; CAE+ is
            {against(plus_there, "the random encoder")} by a linear classifier."""
        ),
    )


def _interskeleton(rows: list[Row]) -> Prose:
    every, none, random = "Temporal Crop-resize + Pose + Joint Jitter", "No augmentation", "random encoder"
    free, utd = rows_on(rows, "nw_ucla", "reduced", _LEAKFREE), rows_on(rows, "utd_mhad", "reduced")
    leaky = rows_on(rows, "nw_ucla", "reduced", "xview-v3")

    def image(rows: list[Row], one: str, other: str) -> Lead:
        return lead(rows, (one, "X_IMG"), (other, "X_IMG"))

    augmented, partner = image(free, every, none), image(free, "Inter (X_IMG, X_SEQ)", "Intra (X_IMG only)")
    abroad, abroad_beside = image(utd, every, random), image(utd, "Inter (X_IMG, X_SEQ)", random)
    shear, crop = image(free, "Pose", every), image(free, "Temporal Crop-resize", none)
    with_, without = (printed("interskeleton", "Table 5", row, "X_IMG") for row in (every, none))
    both = {(r.row, r.column) for r in free} & {(r.row, r.column.removesuffix(", V3")) for r in leaky}
    raised = [lead([*free, *leaky], (row, f"{column}, V3"), (row, column)).mean for row, column in both] or [0.0]
    copies = max((r.n_train for r in leaky), default=0) - max((r.n_train for r in free), default=0)
    return Prose(
        finding=f"augmentations: {in_short(augmented)}; a partner: {in_short(partner)}",
        short=line(
            f"""On leak-free NW-UCLA at tier `reduced`, X_IMG (HCN) pretrained with all augmentations has
            {value(free, every, "X_IMG")} %: {against(image(free, every, random), "the random encoder")}, and
            {against(augmented, "pretraining without augmentation")}; the paper has {with_:.1f} with them and
            {without:.1f} without on NTU RGB+D 60. A GRU beside it is {against(partner, "none")}. On UTD-MHAD the
            same pretraining is {against(abroad, "its random encoder")}{why_is_open(abroad)}."""
        ),
        long=line(
            f"""On leak-free NW-UCLA shear alone is {against(shear, "all augmentations together")}, and cropping
            alone {against(crop, "none")}. On UTD-MHAD, which the paper does not use, X_IMG has
            {value(utd, every, "X_IMG")} %, its random encoder {value(utd, random, "X_IMG")}; with the partner
            X_IMG is {against(abroad_beside, "it")}. The standard split of NW-UCLA, with copies of {copies} test
            clips among the classifier's training clips, adds {min(raised):.0f} to {max(raised):.0f} points to every
            one of these numbers, the random encoder's too: compare leak-free rows only."""
        ),
    )


def _byol(rows: list[Row]) -> Prose:
    column = "NW-UCLA V3, leak-free"
    known = rows_on(rows, "nw_ucla", "reduced", _LEAKFREE)
    free, frozen = ([r for r in known if (r.table == AUGMENTED) == other] for other in (False, True))
    best, one_view = "All augmentations", "Without MVS: All augmentations"
    symmetric = "Without Asymm. Aug.: Only aggressive augmentation"
    plain, mild = (f"Baseline BYOL: Only {kind} augmentation" for kind in ("aggressive", "conservative"))
    random, settled = "random encoder", "random encoder, its norms settled"

    def over(one: str, other: str) -> Lead:
        return lead(free, (one, column), (other, column))

    def paper(other: str) -> str:
        ours, theirs = (printed("byol", "Table 2", row, "NTU-60 (CS)") for row in (best, other))
        return f"{ours - theirs:+.1f}"

    def said(row: str) -> str:
        return value(free, row, column)

    asymmetry, views = over(best, symmetric), over(best, one_view)
    stepped = over(f"{best}, as many steps as without MVS", one_view)
    dropped = [f"No {name}" for name in ("shear", "low-pass filtering", "temporal shift", "resampling")]
    parts = {row: over(best, row) for row in (*dropped, "No left/right drop")}
    parts = {row: found for row, found in parts.items() if found.seeds}
    tuned, scratch, student = "Ours 1x", "ST-GCN (sup.)", "Ours 1x, distilled"
    few, schedules, distilled = (
        {at: lead(free, (one, f"{column} {at}"), (other, f"{column} {at}")) for at in ("5%", "10%", "20%")}
        for one, other in ((tuned, random), (tuned, scratch), (student, tuned))
    )
    augmented = lead(frozen, ("Ours", column), (random, column))
    clips = max((r.n_train for r in free), default=0)
    return Prose(
        finding=f"asymmetric pipelines: {in_short(asymmetry)}; viewpoints: {in_short(views)}",
        short=line(
            f"""On leak-free NW-UCLA at tier `reduced`, the paper's best setting (asymmetric pipelines and
            viewpoints) has {said(best)} %, one aggressive pipeline without viewpoints {said(plain)}, the supervised
            ST-GCN {said("ST-GCN (sup.)")}, the random encoder {said(random)}, and {said(settled)} once its norms
            are settled. The best setting is {against(asymmetry, "the same without asymmetry")} and
            {against(views, "the same without viewpoints")}, where the paper gains by both ({paper(symmetric)} and
            {paper(one_view)} on NTU RGB+D 60){why_is_open(asymmetry, views)}."""
        ),
        long=line(
            f"""Without viewpoints asymmetry is {against(over(one_view, plain), "none")}; without asymmetry
            viewpoints are {against(over(symmetric, plain), "none")}. Without viewpoints, the conservative pipeline
            for one of the two networks has {said(one_view)} %, for both {said(mild)}. At as many steps as without
            them, viewpoints are {against(stepped, "none")}. The best setting against itself without one
            transformation: {listed(parts)}. By the classifier of Sec. 4.3, which sees augmented clips and no
            standardised features, the best setting is {against(augmented, "the random encoder")}, which has
            {value(frozen, random, column)} % by it where standardised features give it {said(random)}. An ST-GCN as
            it is initialised, whose norms do nothing, hands on little but the mean pose; with its norms settled on the
            clips it is where learning starts. One aggressive pipeline is
            {against(over(plain, settled), "that start")} and
            {against(over(plain, random), "the network as initialised")}. It has seen {EPOCHS["byol"]} epochs of
            {clips:,} clips by then, the paper's network {EPOCHS["byol, paper"]:,} epochs of NTU RGB+D: of the
            method at its own length these rows say nothing. Few labels, all after one pretraining, in several draws
            of the labels: fine-tuned, against the random encoder fine-tuned alike: {listed(few)}; against the
            supervised ST-GCN, which has a schedule of its own: {listed(schedules)}. Its distilled student against it:
            {listed(distilled)}. Whether a pair of viewpoints shows the same moments is asked of the data in
            `notebooks/byol/ablations.ipynb`; sampling them takes fewer steps in as many epochs."""
        ),
    )


CLASSES = {"nw_ucla": 10, "hdm05_11": 11}
EPOCHS = {"byol": 100, "byol, paper": 1600, "longt_gan": 200}
"""Numbers of classes and settings that the sentences name; tests compare them with the data and the recipes."""
AUGMENTED = "Table 1, classifier of Sec. 4.3"
"""The table of BYOL's second read-out, whose rows have the names of Table 1; a test compares it with the recipe's."""


def _longt_gan(rows: list[Row]) -> Prose:
    hdm05, column = rows_on(rows, "hdm05_11", "reduced", "xsub"), "HDM05, 11 classes cross-actor"
    joint, element, blind = "Ours (w/ F), joint loss", "Ours (w/ F), element-wise loss", "Ours (w/o F), joint loss"

    def said(row: str) -> str:
        return value(hdm05, row, column)

    def error(row: str) -> str:
        return value(hdm05, row, "MSE", "MSE", ".3f")

    def over(row: str) -> Lead:
        return lead(hdm05, ("U: Ours", column), (row, column))

    random, adversarial = over("random encoder"), lead(hdm05, (joint, "Acc.(S)"), (element, "Acc.(S)"))
    with_, without = (printed("longt_gan", "Table 3", row, "MSE", "MSE") for row in (joint, blind))
    sizes = [f"{n} a class" for n in (1, 2, 4, 8)]
    few = {at: lead(hdm05, ("S+P: Ours", f"{column}, {at}"), ("S: Ours", f"{column}, {at}")) for at in sizes}
    least = min(few.values(), key=lambda found: (found.mean - found.half) if found.seeds else -float("inf"))
    return Prose(
        finding=f"few labels: {in_short(least)}; adversarial loss: {in_short(adversarial)}",
        short=line(
            f"""On HDM05's eleven whole classes across actors at tier `reduced`
            ({max((r.n_test for r in hdm05), default=0)} test clips), the frozen representation has
            {said("U: Ours")} %, the autoencoder's {said("U: Autoencoder")}, the random encoder
            {said("random encoder")}, a network trained on the labels {said("S: Ours")}: it is
            {against(random, "the random encoder")}. Few labels with pretraining against few without (Fig. 3, one
            pretraining, several draws of the labels): {listed(few)}. With the representation the inpainting error
            is {error(joint)} instead of {error(blind)} (no interval; published, on CMU: {with_:.2f} and {without:.2f});
            the adversarial loss is
            {against(adversarial, "none")} in accuracy."""
        ),
        long=line(
            f"""A quarter of the width, {EPOCHS["longt_gan"]} epochs. The representation is
            {against(over("U: Autoencoder"), "that of the autoencoder")} and
            {against(over("S: Ours"), "a network trained on the labels")}. Without the adversarial loss the
            inpainting error is {error(element)}."""
        ),
    )


def _sesar(rows: list[Row]) -> Prose:
    table = rows_on(rows, "nw_ucla", "reduced", tables=["Table 2"])
    near = rows_on(rows, "nw_ucla", "reduced", tables=["Predict & Cluster"])
    columns = {"50 labels": "50", "150 labels": "150", "50 labels, leak-free": "50 leak-free"}

    def over(one: str, other: str) -> dict[str, Lead]:
        found = {name: lead(table, (one, column), (other, column)) for column, name in columns.items()}
        return {name: each for name, each in found.items() if each.seeds}

    def paper(row: str, labels: str = "50 labels") -> float:
        return printed("sesar", "Table 2", row, labels)

    names = ("KJS", "KT", "CS", "DIS")
    uniform = {f"{name} {at}": found for name in names for at, found in over(f"SESAR-{name}", "SESAR-U").items()}
    counts = Counter(found.verdict for found in uniform.values())
    cells = published.compare("sesar", "Table 2", rows)
    base = cells[cells["row"].isin(["C", "RC", "RIC"]) & (cells["column"] == "50 labels")]
    apart = base["difference"].abs().max()
    baselines = f"lie within {apart:.1f} points of the published numbers" if apart >= 0 else "have not been run"
    pretrained = lead(near, ("P&C-FS", "1-NN"), ("random encoder", "1-NN"), "kNN top-1")
    return Prose(
        finding=f"pretraining: {in_short(pretrained)}; strategies above uniform: {counts['above']} of {len(uniform)}",
        short=line(
            f"""On NW-UCLA's standard split at tier `reduced`, one draw of labels, Predict & Cluster has
            {value(near, "P&C-FS", "1-NN", "kNN top-1")} % by the nearest neighbour,
            {against(pretrained, "the random encoder")}. With 50 labels C, RC and RIC {baselines}.
            Strategies against uniform sampling, {len(uniform)} comparisons: {counts["above"]} above it,
            {counts["below"]} below, {counts["not told apart from"]} not told apart."""
        ),
        long=line(
            f"""Its Table 2, at a quarter of the width, four times the rate and a quarter of the epochs. A linear
            layer with few labels on Predict & Cluster's features, against one on the random encoder's:
            {listed(over("Predict & Cluster, linear", "random encoder"))}. With the compression the neighbours have
            {value(near, "P&C-FS + AEC", "1-NN", "kNN top-1")} %. Reconstruction beside the labels (RC) against C:
            {listed(over("RC", "C"))}. Pretraining (RIC) against RC: {listed(over("RIC", "RC"))}. Strategies
            against uniform sampling (U): {listed(uniform)}. In the paper, with 50 labels, the core-set (CS, which
            asks for what lies farthest) is {paper("SESAR-CS") - paper("SESAR-U"):+.1f} against U and KMeans-top
            (KT) {paper("SESAR-KT") - paper("SESAR-U"):+.1f}. KJS against KT:
            {listed(over("SESAR-KJS", "SESAR-KT"))}; in the paper, with 50 labels and the leak,
            {paper("SESAR-KJS") - paper("SESAR-KT"):+.1f}. C against U: {listed(over("C", "SESAR-U"))}; in the
            paper, with 150 labels, {paper("C", "150 labels") - paper("SESAR-U", "150 labels"):+.1f}. Which clips
            each asks for stands in `notebooks/sesar/ablations.ipynb`. Columns that end in "leak-free" are trained
            without the clips of which the test set holds copies; the paper has none."""
        ),
    )


_OF: dict[str, Callable[[list[Row]], Prose]] = {
    "longt_gan": _longt_gan,
    "sesar": _sesar,
    "ascal": _ascal,
    "interskeleton": _interskeleton,
    "byol": _byol,
}
