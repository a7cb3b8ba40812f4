"""The command line: the same work as the notebooks, without Jupyter."""

from __future__ import annotations

import argparse
import ast
import base64
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from skelkit import __version__, data_cli
from skelkit.files import SkelkitError, project_root, results_folder, whole_file


def main(words: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code.

    0 well, 1 a notebook, a training or a check failed, 2 a fault of the input, said in one line.
    """
    arguments = _parser().parse_args(words)
    try:
        code = int(arguments.run(arguments) or 0)
        sys.stdout.flush()
        return code
    except BrokenPipeError:  # `skelkit data info ntu60 | head`: nobody reads on
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except SkelkitError as error:
        print(f"skelkit: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("skelkit: stopped", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="skelkit", description="Skeleton action recognition, reproduced.")
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    data_cli.add(commands)

    one = commands.add_parser("run", help="run notebooks, or the trainings that published cells still wait for")
    one.add_argument("papers", nargs="*", help="papers or notebooks (ascal, ascal/tables, 00_quickstart); default: all")
    one.add_argument("--tier", help="smoke (default), small, reduced or paper")
    one.add_argument(
        "--dataset", help="the notebooks' data set (default: each notebook's own), or with --pending this one"
    )
    one.add_argument("--table", help='with --pending: only this table, such as "Table V"')
    one.add_argument("--seed", type=int, help="the notebooks' seed (default: each notebook's own)")
    one.add_argument("-p", nargs=2, action="append", metavar=("NAME", "VALUE"), help="any other parameter")
    one.add_argument("--out", type=Path, help="executed notebooks and summaries (runs/)")
    one.add_argument("--timeout", help="per notebook: 90s, 20m, 2h (default)")
    one.add_argument("--kernel", help="a registered kernel, such as skelkit-gpu (default: this interpreter)")
    one.add_argument(
        *("-j", "--jobs"),
        type=int,
        default=1,
        help="how many notebooks, or with --budget trainings, at once (1); these share the cores, a single one has all",
    )
    one.add_argument(
        "--pending",
        action="store_true",
        help="list the trainings that the data here allows and that have not run; run them with --budget",
    )
    one.add_argument("--budget", help="with --pending: run as many as fit into this time (20m, 2h), cheapest first")
    one.set_defaults(run=_run)

    one = commands.add_parser("demo", help="the quickstart notebook, its table and its HTML")
    one.add_argument("--readme", action="store_true", help="renew README.md's rows (five seeds) and pictures of it")
    one.set_defaults(run=_demo)

    one = commands.add_parser(
        "report", help="claims with their verdicts, and committed rows beside the published cells"
    )
    one.add_argument(
        "paper", nargs="?", help="its claims and the tables that have rows; default: one screen of all papers"
    )
    one.add_argument("table", nargs="?", help='every cell of a table, such as "Table V"')
    one.add_argument("--all", action="store_true", help="every cell, run or not, of the paper or of all papers")
    one.add_argument("--readme", action="store_true", help="write README.md's blocks, results/README.md and data.md")
    one.set_defaults(run=_report)

    one = commands.add_parser("bench", help="speed and memory, as ratios measured in one run")
    one.add_argument("parts", nargs="*", help="default: all")
    one.set_defaults(run=_bench)

    commands.add_parser("kernels", help="register the Jupyter kernels skelkit and skelkit-gpu").set_defaults(
        run=_kernels
    )
    return parser


def _run(arguments: argparse.Namespace) -> int:
    if arguments.jobs < 1:
        raise SkelkitError(f"-j {arguments.jobs}: give 1 or more")
    if arguments.pending:
        return _run_pending(arguments)
    if arguments.table is not None:
        raise SkelkitError("--table: notebooks run whole; add --pending, or name notebooks")
    if arguments.budget is not None:
        raise SkelkitError("--budget: only pending trainings have one; add --pending, or give notebooks a --timeout")
    from skelkit.batch import run_notebooks

    out = arguments.out or project_root() / "runs"
    parameters: dict[str, Any] = {"tier": arguments.tier or "smoke"}
    parameters |= {name: value for name in ("dataset", "seed") if (value := getattr(arguments, name)) is not None}
    parameters |= {name: _literal(value) for name, value in arguments.p or ()}
    _check(parameters)
    outcomes = run_notebooks(
        notebooks(arguments.papers),
        parameters=parameters,
        out=out,
        timeout=seconds(arguments.timeout or "2h"),
        jobs=arguments.jobs,
        kernel=arguments.kernel,
        on_finish=lambda o: print(f"{o.status:8s} {o.seconds:6.0f} s  {o.notebook}  {o.error}", flush=True),
    )
    print(f"executed notebooks, summary.md and junit.xml: {out}")
    return int(any(outcome.status != "passed" for outcome in outcomes))


def _check(parameters: dict[str, Any]) -> None:
    """What every notebook would refuse in its first cell is refused before any kernel starts."""
    from skelkit.report.results import TIERS

    if parameters["tier"] not in TIERS:
        raise SkelkitError(f"unknown tier {parameters['tier']!r}; choose one of {', '.join(reversed(TIERS))}")
    if "dataset" in parameters:
        from skelkit.data.library import check_name

        check_name(parameters["dataset"])


OF_NOTEBOOKS = {f"--{name}": name for name in ("tier", "seed", "out", "timeout", "kernel")} | {"-p": "p"}
"""The options of `run` that pending trainings do not have."""


def _run_pending(arguments: argparse.Namespace) -> int:
    from skelkit import pending

    if given := [flag for flag, name in OF_NOTEBOOKS.items() if getattr(arguments, name) is not None]:
        raise SkelkitError(f"{', '.join(given)}: of notebooks alone; a pending training is as its recipe has it")
    if arguments.jobs > 1 and not arguments.budget:
        raise SkelkitError(f"-j {arguments.jobs}: without --budget pending cells are only listed; add --budget 20m")
    budget = arguments.budget and seconds(arguments.budget)
    chosen = ([name] if name else [] for name in (arguments.table, arguments.dataset))
    jobs = pending.pending(arguments.papers, *chosen)
    if budget:
        done, failed = pending.run(jobs, budget=budget, processes=arguments.jobs)
        print(f"{done} of {len(jobs)} pending trainings done, {failed} failed; their rows are in results/rows")
        return int(failed > 0)
    for job in jobs:
        print(f"{'    ?' if job.minutes is None else f'{job.minutes:5.1f}'} min  {job.title}")
    total = sum(job.minutes or 0 for job in jobs)
    print(f"{len(jobs)} jobs pending on the data that is here, about {total:.0f} minutes on this device")
    return 0


def _demo(arguments: argparse.Namespace) -> int:
    from skelkit.batch import run_notebooks
    from skelkit.recipes.quickstart import quickstart
    from skelkit.report import pages, results, tables
    from skelkit.run import evaluate, rows_of

    (outcome,) = run_notebooks(
        notebooks(["00_quickstart"]), parameters={"tier": "small"}, out=project_root() / "runs", timeout=1800
    )
    if outcome.status != "passed" or outcome.executed is None:
        print(f"{outcome.notebook}: {outcome.status}, cell {outcome.cell}: {outcome.error}", file=sys.stderr)
        return 1
    table = tables.plain(tables.by_encoder(row for experiment in quickstart("small") for row in rows_of(experiment)))
    print(f"{table}\n\nTop-1 in percent on unseen people, in {outcome.seconds:.0f} s.")
    print(f"notebook: {outcome.executed}\npage:     {outcome.html}")
    if arguments.readme:
        rows = [row for seed in range(5) for experiment in quickstart("small", seed) for row in evaluate(experiment)]
        results.file_of("quickstart", pages.demo_folder()).unlink(missing_ok=True)
        results.append(rows, pages.demo_folder())
        pages.update_readme("demo")
        pictures(outcome.executed, results_folder() / "figures")
    return 0


def pictures(executed: Path, folder: Path) -> None:
    """Write the first and the last picture of an executed quickstart as demo_views.png and demo_map.png."""
    from skelkit.parameters import read_notebook

    outputs = [o for cell in read_notebook(executed).cells for o in cell.get("outputs", []) if "data" in o]
    images = [base64.b64decode(o.data["image/png"]) for o in outputs if "image/png" in o.data]
    for name, image in (("demo_views.png", images[0]), ("demo_map.png", images[-1])):
        with whole_file(folder / name) as part:
            part.write_bytes(image)


def _report(arguments: argparse.Namespace) -> None:
    from skelkit.recipes import PAPERS
    from skelkit.recipes.claimed import check_claims
    from skelkit.report import claims, pages, published, results, tables

    paper = arguments.paper
    if paper is not None:
        published.cells(paper)  # refuses an unknown paper
    for name in [paper] if paper in PAPERS else PAPERS:
        check_claims(name, PAPERS[name].everything())
    if arguments.readme:
        blocks = [pages.update_readme(name) for name in pages.README_BLOCKS]
        written = {"README.md": any(blocks)} | {name: pages.update_page(name) for name in pages.PAGES}
        for page, changed in written.items():
            print(f"{page} {'rewritten' if changed else 'was up to date'}")
    elif paper is None and not arguments.all:
        print(pages.screen())
    elif arguments.table or arguments.all:
        for each in [paper] if paper else published.papers():
            for table in [arguments.table] if arguments.table else published.tables(each):
                head = table if paper else f"{each}, {table}"
                print(f"## {head}\n\n{tables.markdown(each, table)}\n")
    else:
        rows, claimed = results.read(paper), claims.table(paper)
        head = [tables.plain(claimed.iloc[:, :7].set_index("claim"), "claim")] if len(claimed) else []
        print("\n\n".join([*head, *tables.sections(paper, rows)]))


def _bench(arguments: argparse.Namespace) -> None:
    from skelkit import bench

    bench.main(arguments.parts)


def _kernels(_: argparse.Namespace) -> None:
    from skelkit.batch import kernels

    print(f"registered: {', '.join(kernels())}")


def notebooks(names: Sequence[str]) -> list[Path]:
    """The notebooks of papers ("ascal"), single ones ("ascal/tables"), or all; SkelkitError for an unknown one."""
    folder = project_root() / "notebooks"
    every = sorted(p for p in folder.rglob("*.ipynb") if ".ipynb_checkpoints" not in p.parts)
    if not names:
        return every
    called = {p: _names(p.relative_to(folder).with_suffix("")) for p in every}
    found = []
    for name in names:
        chosen = [p for p in every if name in called[p]]
        if not chosen:
            raise SkelkitError(f"no notebook {name!r}; choose among {', '.join(sorted(set().union(*called.values())))}")
        found += chosen
    return list(dict.fromkeys(found))


def _names(notebook: Path) -> set[str]:
    """What a notebook is called by: its own path, and the folders that it lies in."""
    return {place.as_posix() for place in (notebook, *notebook.parents)} - {"."}


def seconds(text: str) -> float:
    """ "90s", "20m", "2h" or plain seconds, in seconds. Raises SkelkitError for anything else."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smh]?)", text)
    if not match:
        raise SkelkitError(f"{text!r} is no duration; give 90s, 20m or 2h")
    return float(match[1]) * {"": 1, "s": 1, "m": 60, "h": 3600}[match[2]]


def _literal(value: str) -> Any:
    try:
        return ast.literal_eval(value)
    except (ValueError, SyntaxError):
        return value


if __name__ == "__main__":
    sys.exit(main())
