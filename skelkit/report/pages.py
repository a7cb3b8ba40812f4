"""The pages that are written from committed rows: the README's blocks, results/README.md and results/data.md."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from skelkit.files import SkelkitError, project_root, results_folder, whole_file
from skelkit.report import data_counts, published, results, tables
from skelkit.report.leads import lead
from skelkit.report.prose import HOW_TO_READ, prose, title
from skelkit.report.results import SELECTIONS, SHUFFLED, Row
from skelkit.report.words import against


@dataclass(frozen=True)
class Paper:
    """Where a paper and its code are found."""

    name: str
    """The method, then authors and year."""
    link: str
    """Its arXiv page or DOI."""
    losses: tuple[str, ...]
    """Its functions in `skelkit.losses`."""


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


def papers_block() -> str:
    """The table of the papers: where each part of a paper lies, what was measured, what was found."""
    lines = ["| paper | method | loss | notebooks, recipe | measured so far | found |", "|---|---|---|---|---|---|"]
    for paper, of in PAPERS.items():
        method = f"[`{paper}.py`](skelkit/methods/{paper}.py)"
        losses = ", ".join(f"[`{name}`](skelkit/losses.py)" for name in of.losses)
        tables_of = f"[notebooks](notebooks/{paper}), [recipe](skelkit/recipes/{paper}.py)"
        cells = (f"[{of.name}]({of.link})", method, losses, tables_of)
        lines.append(f"| {' | '.join([*cells, measured(results.read(paper)), prose(paper).finding])} |")
    return "\n".join(lines) + f"\n\n{_so_far()}"


def _so_far() -> str:
    """What became of all published cells, in one sentence."""
    of = tables.counted().sum()
    return (
        f"Of {of['published cells']} published cells {of['reproduced']} are reproduced, {of['higher']} came out "
        f"higher and {of['lower']} lower, {of['setting differs']} were measured at another setting, {of['not run']} "
        f"have not been run, and {of['no value in the text']} have no value in their paper's text. Tier `paper` is the "
        "paper's own setting; `reduced` is narrower and shorter, so that its numbers are not the paper's."
    )


def measured(rows: list[Row]) -> str:
    """Data sets, tier and seeds of some rows but for the checks: "SBU (tier paper, 1 to 5 seeds)"."""
    found, rows = [], [row for row in rows if row.table != SHUFFLED]
    for dataset, tier in dict.fromkeys((row.dataset, row.tier) for row in rows):
        seeds: dict[tuple[str, str, str], set[int]] = {}
        for row in rows:
            if (row.dataset, row.tier) == (dataset, tier):
                seeds.setdefault((row.table, row.row, row.column), set()).add(row.seed)
        least, most = min(map(len, seeds.values())), max(map(len, seeds.values()))
        number = f"{least} to {most} seeds" if least < most else f"{most} seed{'s' if most > 1 else ''}"
        found.append(f"{title(dataset)} (`{tier}`, {number})")
    return "; ".join(found) or "nothing"


def findings_block() -> str:
    """What was found, two or three sentences a paper."""
    return "\n\n".join(
        [HOW_TO_READ, *(f"**[{of.name}]({of.link}).** {prose(paper).short}" for paper, of in PAPERS.items())]
    )


def demo_block() -> str:
    """The quickstart's table of seed 0, that of all committed seeds, and what AS-CAL adds."""
    rows = results.read("quickstart", demo_folder())
    seeds = sorted({row.seed for row in rows})
    if not rows:
        return "Not run."
    once, often = (tables.plain(tables.by_encoder(r for r in rows if r.seed in some)) for some in (seeds[:1], seeds))
    added = {
        reader: lead(rows, ("AS-CAL, no labels", column), ("random encoder", column), metric)
        for reader, column, metric in (
            ("By a linear classifier", "linear evaluation", "top-1"),
            ("by the nearest neighbour", "kNN", "kNN top-1"),
        )
    }
    said = ", ".join(f"{reader} AS-CAL is {against(found, 'the random encoder')}" for reader, found in added.items())
    head = f"The same over seeds {seeds[0]} to {seeds[-1]}, mean ± standard deviation:"
    return f"{once}\n\n{head}\n\n{often}\n\n{said}."


def demo_folder() -> Path:
    """Where the quickstart's rows for the README are: apart from those that a notebook finds and trains no more."""
    return results_folder() / "demo"


def results_block() -> str:
    """How many published cells were reproduced, a line a paper."""
    return f"{tables.totals(tables.counted())}\n\n{tables.LEGEND}"


def results_page() -> str:
    """results/README.md: what is to be said of each paper, and the cells that were run; `markdown` has every cell."""
    head = f"What was run, beside what is published; written by `skelkit report --readme`. {tables.LEGEND}"
    parts = ["# Results", head, HOW_TO_READ]
    for paper in published.papers():
        rows, said = results.read(paper), prose(paper)
        parts += [f"## {paper}", *filter(None, (said.short, said.long)), tables.summary(paper, rows)]
        for table in published.tables(paper, rows):
            if not {r.key for r in rows if r.table == table} - {r.key for r in rows if r.table != table}:
                continue  # the default run alone, which stands in another table
            for selection in SELECTIONS:
                if any((r.table, r.selection) == (table, selection) for r in rows):
                    parts += tables.section(paper, table, rows, selection)
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
    "findings": findings_block,
    "sesar": partial(tables.grid, "sesar", "Table 2", "nw_ucla"),
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
