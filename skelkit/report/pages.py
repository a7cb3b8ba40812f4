"""The pages that are written from committed rows: the README's blocks, results/README.md and results/data.md."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from math import isnan
from pathlib import Path
from textwrap import shorten

from skelkit.files import SkelkitError, project_root, results_folder, whole_file
from skelkit.report import claims, data_counts, results, tables
from skelkit.report.differences import difference, mean_of
from skelkit.report.results import AVERAGE, NO_NETWORK, RANDOM, SHUFFLED, Row

TITLES = {
    "ntu60": "NTU RGB+D 60",
    "ntu120": "NTU RGB+D 120",
    "pku_mmd1": "PKU-MMD I",
    "pku_mmd2": "PKU-MMD II",
    "sbu": "SBU",
    "uwa3d": "UWA3D",
    "nw_ucla": "NW-UCLA",
    "utd_mhad": "UTD-MHAD",
    "hdm05_11": "HDM05 (11 classes)",
}


@dataclass(frozen=True)
class Paper:
    """Where a paper and its code are found."""

    name: str
    """The method, then authors and year."""
    link: str
    """Its arXiv page or DOI."""
    losses: tuple[str, ...]
    """Its functions in `skelkit.losses`."""

    @property
    def short(self) -> str:
        """The method's name."""
        return self.name.partition(",")[0]


PAPERS = {
    "longt_gan": Paper(
        "LongT GAN, Zheng et al. 2018", "https://doi.org/10.1609/aaai.v32i1.11853", ("element_wise", "adversarial")
    ),
    "sesar": Paper("SESAR, Li & Shlizerman 2020", "https://arxiv.org/abs/2012.01740", ("frame_distance",)),
    "ascal": Paper("AS-CAL, Rao et al. 2021", "https://arxiv.org/abs/2008.00188", ("info_nce",)),
    "interskeleton": Paper(
        "Inter-skeleton contrast, Thoker et al. 2021", "https://arxiv.org/abs/2108.03656", ("info_nce",)
    ),
    "byol": Paper(
        "BYOL for skeletons, Moliner et al. 2022", "https://arxiv.org/abs/2202.02232", ("normalised_distance",)
    ),
}


COMPARED = (
    ("longt_gan", "Table 2", "HDM05, 11 classes cross-actor", "hdm05_11", "U: Ours"),
    ("longt_gan", "Table 2", "UTD-MHAD cross-subject", "utd_mhad", "U: Ours"),
    ("sesar", "Predict & Cluster", "1-NN", "nw_ucla", "P&C-FS"),
    ("ascal", "Table V", AVERAGE, "sbu", "Ours (CAE)"),
    ("ascal", "NW-UCLA", "V3, leak-free", "nw_ucla", "Ours (CAE)"),
    ("interskeleton", "Table 5", "X_IMG", "nw_ucla", "Temporal Crop-resize + Pose + Joint Jitter"),
    ("interskeleton", "Table 5", "X_IMG", "utd_mhad", "Temporal Crop-resize + Pose + Joint Jitter"),
    ("byol", "Table 2", "NW-UCLA V3, leak-free", "nw_ucla", "All augmentations"),
)
"""The paper's own encoder on each open data set: paper, table, column, data set, row."""
READ_OUTS = {"linear": "top-1", "logistic regression": "logistic top-1", "nearest neighbour": "kNN top-1"}


def papers_block() -> str:
    """The table of the papers: where each part of a paper lies, where it was measured, and what became of its
    claims."""
    head = ["paper", "method", "loss", "notebooks, recipe", "measured on", *claims.VERDICTS]
    lines = [f"| {' | '.join(head)} |", "|---|---|---|---|---|---:|---:|---:|---:|"]
    for paper, of in PAPERS.items():
        method = f"[`{paper}.py`](skelkit/methods/{paper}.py)"
        losses = ", ".join(f"[`{name}`](skelkit/losses.py)" for name in of.losses)
        tables_of = f"[notebooks](notebooks/{paper}), [recipe](skelkit/recipes/{paper}.py)"
        counts = map(str, claims.counts(paper).values())
        cells = (f"[{of.name}]({of.link})", method, losses, tables_of, measured(results.read(paper)), *counts)
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n\nThe last four columns count the claims of a paper by their verdict."


def measured(rows: list[Row]) -> str:
    """Data sets and tiers of some rows: "SBU (`paper`), NW-UCLA (`paper`)"."""
    places = dict.fromkeys((row.dataset, row.tier) for row in rows if row.table != SHUFFLED)
    return ", ".join(f"{title(dataset)} (`{tier}`)" for dataset, tier in places) or "nothing"


def title(dataset: str) -> str:
    """A data set's name as people write it."""
    return TITLES.get(dataset, dataset)


def claims_block() -> str:
    """The claims that hold and those that are contradicted, and how many others there are."""
    every = {paper: claims.judged(paper) for paper in PAPERS}
    lines = ["| verdict | paper | claim | difference [95 % interval] | tested on |", "|---|---|---|---|---|"]
    for wanted in claims.VERDICTS[:2]:
        for paper, found in every.items():
            for each in found:
                if each.verdict == wanted:
                    cells = (wanted, PAPERS[paper].short, each.claim.claim + each.mark, str(each.difference))
                    lines.append(f"| {' | '.join(cells)} | {title(each.claim.dataset)} |")
    verdicts = [each.verdict for found in every.values() for each in found]
    left = ", ".join(f"{verdicts.count(name)} {name}" for name in claims.VERDICTS[2:])
    return "\n".join(lines) + f"\n\nThe other claims: {left}. {CLAIMS_LEGEND}"


CLAIMS_LEGEND = (
    "A difference is in points of accuracy, or in the unit of an error. Its interval covers seeds, draws of labels, or "
    "the test clips of one seed, which says nothing of other seeds (“unpaired”: the predictions of one of the two were "
    "not kept, so that the interval is wider). A claim holds, or is contradicted, where the whole interval says so. "
    "†: a random encoder, or no network, does at least as well, so that the method shows nothing on these data."
)


def baselines_block() -> str:
    """Each paper's encoder beside the two baselines that learn nothing, by each way of reading the features."""
    head = ["encoder", "data", *READ_OUTS]
    lines = [f"| {' | '.join(head)} |", "|---|---|---:|---:|---:|"]
    for paper, table, column, dataset, row in COMPARED:
        rows = [r for r in results.read(paper) if (r.table, r.dataset, r.variant) == (table, dataset, "paper")]
        cells = [_beside_baselines(rows, row, column, metric) for metric in READ_OUTS.values()]
        lines.append(f"| {' | '.join([PAPERS[paper].short, title(dataset), *cells])} |")
    return "\n".join(lines) + (
        "\n\nA cell shows trained encoder / random encoder / no network: accuracy in percent, the mean over the seeds "
        "that were run; –: not run. Bold: the trained encoder is above both."
    )


def _beside_baselines(rows: list[Row], row: str, column: str, metric: str) -> str:
    values = [mean_of(rows, (name, column), metric) for name in (row, RANDOM, NO_NETWORK)]
    text = " / ".join("–" if isnan(value) else f"{value:.1f}" for value in values)
    return f"**{text}**" if all(values[0] > other for other in values[1:]) else text


def screen() -> str:
    """What `skelkit report` prints: the claims that are decided, and counts of claims and of cells."""
    lines = []
    for paper in PAPERS:
        found = claims.judged(paper)
        counts = Counter(each.verdict for each in found)
        numbers = ", ".join(f"{counts[name]} {name}" for name in claims.VERDICTS if counts[name])
        lines.append(f"{PAPERS[paper].short}: claims: {numbers}")
        for each in found:
            if each.verdict in claims.VERDICTS[:2]:
                claim = shorten(each.claim.claim, 76, placeholder=" ...")
                lines.append(f"  {each.verdict:12s}  {claim + each.mark:78s}  {each.difference}")
    counted = tables.counted().sum()
    lines.append(f"published cells: {', '.join(f'{counted[name]} {name}' for name in tables.STATUSES[:-1])}")
    lines += ["", "†: a random encoder, or no network, does at least as well"]
    return "\n".join([*lines, "skelkit report PAPER: the claims and the tables of a paper"])


def demo_block() -> str:
    """The quickstart's table of seed 0, that of all committed seeds, and what AS-CAL adds."""
    rows = results.read("quickstart", demo_folder())
    seeds = sorted({row.seed for row in rows})
    if not rows:
        return "Not run."
    once, often = (tables.plain(tables.by_encoder(r for r in rows if r.seed in some)) for some in (seeds[:1], seeds))
    read_outs = (("linear evaluation", "top-1"), ("kNN", "kNN top-1"))
    found = {
        f"{rival}, {column}": difference(rows, ("AS-CAL, no labels", column), (rival, column), metric)
        for rival in (RANDOM, NO_NETWORK)
        for column, metric in read_outs
    }
    said = "; ".join(f"{name}: {each}" for name, each in found.items())
    head = f"The same over seeds {seeds[0]} to {seeds[-1]}, mean ± standard deviation:"
    return f"{once}\n\n{head}\n\n{often}\n\nAS-CAL minus each baseline, with 95 % interval: {said}."


def demo_folder() -> Path:
    """Where the quickstart's rows for the README are: apart from those that a notebook finds and trains no more."""
    return results_folder() / "demo"


def results_block() -> str:
    """How many published cells have which status, a line a paper."""
    return f"{tables.totals(tables.counted())}\n\n{tables.LEGEND}"


def results_page() -> str:
    """results/README.md: the claims of each paper, then the cells that were run; `markdown` has every cell."""
    parts = ["# Results", "Written from the committed rows by `skelkit report --readme`."]
    parts += ["## Claims", CLAIMS_LEGEND]
    for paper, of in PAPERS.items():
        parts += [f"### {of.name}", tables.plain(claims.table(paper).set_index("claim"), "claim")]
    parts += ["## Baselines", baselines_block(), "## Cells", tables.LEGEND]
    for paper, of in PAPERS.items():
        rows = results.read(paper)
        parts += [f"### {of.name}, cells", tables.summary(paper, rows), *tables.sections(paper, rows)]
    return "\n\n".join(parts) + "\n"


def data_page() -> str:
    """results/data.md: what is published of each data set's size, beside what was counted."""
    head = (
        "Published counts beside those of the clips that were here. `skelkit data verify --table --count` counts "
        'again what is here and writes this page. "Not counted": the data set was not here; a part of one counts '
        "less. The data sets themselves are no part of this repository."
    )
    return f"# The data sets in numbers\n\n{head}\n\n{data_counts.table()}\n"


README_BLOCKS: dict[str, Callable[[], str]] = {
    "papers": papers_block,
    "demo": demo_block,
    "claims": claims_block,
    "baselines": baselines_block,
    "results": results_block,
}
"""The README's blocks that are written from committed rows, by the name of their markers."""
PAGES: dict[str, Callable[[], str]] = {"results/README.md": results_page, "results/data.md": data_page}
"""The pages that are written whole."""


def rewritten(text: str, block: str, name: str) -> str:
    """A README's text with the block of a name renewed. Raises SkelkitError where it has no pair of markers."""
    begin, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
    before, found, rest = text.partition(begin)
    _, closed, after = rest.partition(end)
    if not (found and closed):
        raise SkelkitError(f"README.md: no block of {name}; add the lines {begin} and {end}")
    return f"{before}{begin}\n\n{block}\n\n{end}{after}"


def update_readme(name: str, path: Path | None = None) -> bool:
    """Renew one of `README_BLOCKS` in README.md (by default the checkout's); returns whether it changed."""
    path = path or project_root() / "README.md"
    try:
        old = path.read_text(encoding="utf-8")
    except OSError as error:
        raise SkelkitError(f"{path}: cannot be read ({error.strerror}); name the README") from error
    return _write(path, old, rewritten(old, README_BLOCKS[name](), name))


def update_page(name: str, path: Path | None = None) -> bool:
    """Write one of `PAGES` (by default in the checkout) anew; returns whether it changed."""
    path = path or project_root() / name
    return _write(path, path.read_text(encoding="utf-8") if path.exists() else "", PAGES[name]())


def _write(path: Path, old: str, new: str) -> bool:
    if new != old:
        with whole_file(path) as part:
            part.write_text(new, encoding="utf-8")
    return new != old
