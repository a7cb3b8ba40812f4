"""The papers' printed numbers as data, and our rows laid beside them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import pandas as pd

from skelkit.files import SkelkitError, committed_folder
from skelkit.report import results
from skelkit.report.differences import interval
from skelkit.report.results import AVERAGE, LABEL_DRAWS, SELECTIONS, TIERS, VARIANTS, Row

KEY = ["row", "column", "dataset", "split", "labels", "metric"]
"""What names a cell within a table; rows and cells are joined on it."""
COLUMNS = ["paper", "table", *KEY, "value", "spread", "source", "note"]
OURS = ["ours", "sd", "low", "high", "over", "n"]
COMPARED = [*KEY, "published", *OURS, "difference", "status", "note"]
"""The columns of a comparison."""

POINTS = {"MSE": 0.01, "RMSE": 0.01}
"""What counts as one point, by metric; of a percentage 1 does."""
CLOSE = 3
"""The largest distance, in points, of a reproduced number and its whole interval from the published one."""
BASELINES = {"ascal": ("RNN", "GRU", "LSTM"), "longt_gan": ("S: Ours", "S+P: Unsupervised LSTM")}
"""Published rows of networks whose optimiser the paper does not give, so that it had to be chosen here: they are
counted apart from the paper's own method."""

_SETTING = ["tier", "variant"]  # rows of two settings are never averaged
_TURNED = {("ascal", "Table IX")}  # printed with our columns downwards


def papers() -> list[str]:
    """The papers whose cells stand in `results/published/`."""
    return sorted(path.stem for path in committed_folder("published").glob("*.csv"))


def cells(paper: str) -> pd.DataFrame:
    """Every printed number of a paper: `COLUMNS`, one cell a line, in the paper's order.

    value is NaN where the number stands in a figure only, or is missing from the text that the cells were read from;
    spread is NaN where the paper gives none. Raises SkelkitError where there is no such paper or its file is damaged.
    """
    path = committed_folder("published") / f"{paper}.csv"
    if not path.exists():
        raise SkelkitError(f"unknown paper {paper!r}; published cells stand for {', '.join(papers()) or 'no paper'}")
    gaps = {"value": [""], "spread": [""]}  # and no others: "None" is a row of Fig. 9
    kinds = {name: float if name in gaps else str for name in COLUMNS}
    try:
        table = pd.read_csv(path, dtype=kinds, keep_default_na=False, na_values=gaps, encoding="utf-8")
    except (ValueError, OSError) as error:
        raise SkelkitError(f"{path}: not a table of cells ({error}); restore it from version control") from error
    if list(table.columns) != COLUMNS:
        raise SkelkitError(f"{path}: its columns are {', '.join(table.columns)}; give {', '.join(COLUMNS)}")
    return table


def tables(paper: str, rows: Iterable[Row] | None = None) -> list[str]:
    """A paper's published tables and figures, then those of our own that its rows name."""
    rows = results.read(paper) if rows is None else rows
    return list(dict.fromkeys([*cells(paper)["table"], *(r.table for r in rows if r.paper == paper)]))


def show(paper: str, table: str) -> pd.DataFrame:
    """A published table as the paper prints it: its rows, its columns, its order; NaN where the text has no value.

    What row and column leave open (two metrics, two splits) becomes a further level of the columns.
    """
    printed = _printed(paper, table)
    ambiguous = printed.groupby(["row", "column"])[["dataset", "split", "labels"]].nunique().max() > 1
    levels = [*(["metric"] if printed["metric"].nunique() > 1 else []), *ambiguous.index[ambiguous], "column"]
    main = printed[printed["metric"] == printed["metric"].iloc[0]]
    fullest = main.groupby("row", sort=False).size().idxmax()  # the first row may lack the first columns
    order = pd.concat([printed[printed["row"] == fullest], printed])[levels].drop_duplicates()
    columns = pd.MultiIndex.from_frame(order) if len(levels) > 1 else pd.Index(order["column"])
    grid = printed.pivot(index="row", columns=levels, values="value").reindex(printed["row"].unique())[columns]
    return grid.T if (paper, table) in _TURNED else grid


def compare(
    paper: str,
    table: str,
    rows: Iterable[Row] | None = None,
    *,
    tier: str = "paper",
    selection: str = "last",
    variant: str = "paper",
    metrics: Sequence[str] | None = None,
) -> pd.DataFrame:
    """Our numbers beside the published ones: one line a cell, then one an extension (not printed in the paper).

    rows: by default the committed ones. tier: the best one to show; where a cell has no row of it, the next lower
    tier stands in, and so for the variant: the status says it. selection: "last" or "best test epoch", never mixed.
    metrics: by default all but the balanced accuracies.

    Columns: those of `KEY`; `published`; `ours`, the mean over seeds; `sd` over seeds (n - 1), NaN for one; `low` and
    `high`, the 95 % confidence interval of ours; `over`, what it covers: "5 seeds", "10 draws" of labels, "464 clips"
    of one seed; `n`, the seeds; `difference`, ours minus published (none for tiers below "reduced"); `status`; `note`.
    A seed counts once: its folds are averaged first, and only where all are there. "Average" is the mean of its row's
    other columns, seed by seed. Of two rows for one cell, seed and fold the later counts.

    Status: see `verdict`; `not run`, `no value in the text`, `setting differs: <what>`, `extension`.
    """
    chosen = (("tier", tier, TIERS), ("selection", selection, SELECTIONS), ("variant", variant, VARIANTS))
    for name, value, known in chosen:
        if value not in known:
            raise SkelkitError(f"compare: {name} {value!r} is none of {', '.join(known)}; give one of them")
    rows = [r for r in (results.read(paper) if rows is None else rows) if r.paper == paper]
    printed = _printed(paper, table, [r.table for r in rows])
    rows = [r for r in rows if (r.table, r.selection) == (table, selection)]
    rows = [r for r in rows if TIERS.index(r.tier) >= TIERS.index(tier) and _wanted(r.metric, metrics)]
    over = "draws" if (paper, table) in LABEL_DRAWS else "seeds"
    ours = _nearest(_seeds(rows, printed), variant)

    known_cells = pd.MultiIndex.from_frame(printed[KEY])
    extension = ~pd.MultiIndex.from_frame(ours[KEY]).isin(known_cells)
    of_row = ours[extension].groupby(["dataset", "row", "labels", "metric"], sort=False).ngroup()
    below = ours.loc[of_row.sort_values(kind="stable").index]  # a row's average beside its parts
    above = printed[[*KEY, "value", "note"]].rename(columns={"value": "published"}).merge(ours, how="left", on=KEY)
    if metrics is not None:
        above = above[above["metric"].isin(metrics)]
    lines = [_line(line, "", over) for line in above.to_dict("records")]
    lines += [_line(line, "extension", over) for line in below.to_dict("records")]
    return pd.DataFrame(lines, columns=COMPARED)


def _seeds(rows: list[Row], printed: pd.DataFrame) -> pd.DataFrame:
    """One line a cell, setting and seed, averages included; value is NaN where the seed lacks folds or columns."""
    by = [*KEY, *_SETTING, "seed"]
    if not rows:
        return pd.DataFrame(columns=[*by, "value", "clips"])
    runs = results.frame(rows).drop_duplicates([*by, "fold"], keep="last")
    runs = runs.assign(folds=runs.groupby(["column", "dataset", "split", *_SETTING])["fold"].transform("nunique"))
    grouped = runs.groupby(by, sort=False)
    seeds = grouped.agg(value=("value", "mean"), n=("fold", "size"), of=("folds", "first"), clips=("n_test", "sum"))
    seeds = seeds.assign(value=seeds["value"].where(seeds["n"] == seeds["of"])).drop(columns=["n", "of"]).reset_index()

    averages = []
    for dataset, line in seeds.groupby("dataset", sort=False):
        beside = printed[printed["dataset"] == dataset]
        average = beside[beside["column"] == AVERAGE]
        parts = [c for c in beside.loc[beside["row"].isin(average["row"]), "column"].unique() if c != AVERAGE]
        if not parts:  # no printed average: one over the folds that were run
            parts = sorted(c for c in line["column"].unique() if c.startswith("Fold "))
        line = line[line["column"].isin(parts)]
        if len(average):  # UWA3D's columns are twelve splits
            line = line.assign(split=average["split"].iloc[0])
        if len(parts) > 1 and len(line):
            wide = line.pivot(index=[c for c in by if c != "column"], columns="column", values=["value", "clips"])
            values, clips = (pd.DataFrame(wide[name]).reindex(columns=parts) for name in ("value", "clips"))
            found = pd.DataFrame({"value": values.mean(axis=1, skipna=False), "clips": clips.sum(axis=1)}).reset_index()
            averages.append(found.assign(column=AVERAGE))
    return pd.concat([seeds, *averages], ignore_index=True)


def _nearest(seeds: pd.DataFrame, variant: str) -> pd.DataFrame:
    """One line a cell: mean, sd and n at one setting; a whole seed before none, a better tier, the wanted variant."""
    by = seeds.groupby([*KEY, *_SETTING], sort=False)
    stats = by.agg(ours=("value", "mean"), sd=("value", "std"), n=("value", "count"), seeds=("value", "size"))
    stats = stats.assign(clips=by["clips"].first()).reset_index()
    worse = 100 * (stats["n"] == 0) + 2 * stats["tier"].map(TIERS.index) + (stats["variant"] != variant)
    first = worse.groupby([stats[name] for name in KEY], sort=False).idxmin()
    return stats.loc[first].reset_index(drop=True)


def _line(cell: dict, status: str, over: str) -> dict:
    """A cell with its interval, status, difference and note; `cell` lacks a tier where there is no row. over: what its
    seeds are, in words."""
    ran = isinstance(cell["tier"], str)
    published, ours, n = cell.get("published", math.nan), cell["ours"], int(cell["n"]) if ran else 0
    low, high = interval(ours, cell["sd"], n, cell["metric"], cell["clips"])
    differs = ", ".join(f"{name} {cell[name]}" for name in _SETTING if cell[name] != "paper") if ran else ""
    compared = ran and cell["tier"] in ("paper", "reduced")
    notes = [cell.get("note", "")]
    if status == "extension":
        notes += [differs]
    elif math.isnan(published):
        status = "no value in the text"
    elif n == 0:
        status = "not run"
    elif differs:
        status = f"setting differs: {differs}"
    else:
        status = verdict(published, low, high, POINTS.get(cell["metric"], 1.0))
    if ran and n < cell["seeds"]:
        notes += [f"{cell['seeds'] - n:.0f} of {cell['seeds']:.0f} seeds lack folds or columns"]
    extra = {
        "low": low,
        "high": high,
        "n": n,
        "over": f"{n} {over}" if n > 1 else "" if math.isnan(low) else f"{cell['clips']:.0f} clips",
        "difference": ours - published if compared else math.nan,
        "status": status,
        "note": "; ".join(filter(None, notes)),
    }
    return cell | {"published": published} | extra


def verdict(published: float, low: float, high: float, point: float = 1.0) -> str:
    """What a 95 % confidence interval says of a published number.

    `reproduced`: ours minus published, its whole interval, lies within `CLOSE` points. `higher`, `lower`: the
    interval's near end is more than one point away. `undecided`: neither, so that a wide spread decides nothing; also
    where there is no interval (NaN).
    """
    below, above = low - published, high - published
    if -CLOSE * point <= below and above <= CLOSE * point:
        return "reproduced"
    if below > point:
        return "higher"
    return "lower" if above < -point else "undecided"


def _wanted(metric: str, metrics: Sequence[str] | None) -> bool:
    return not metric.endswith("balanced accuracy") if metrics is None else metric in metrics


def _printed(paper: str, table: str, extensions: Iterable[str] = ()) -> pd.DataFrame:
    printed = cells(paper)
    known = dict.fromkeys([*printed["table"], *extensions])
    if table not in known:
        raise SkelkitError(f"{paper}: no {table!r}; there are {', '.join(known)}")
    return printed[printed["table"] == table]
