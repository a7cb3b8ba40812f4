"""`skelkit data ...`: bring data sets here, look at them, and check them."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from skelkit.files import SkelkitError, project_root


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command `data` and its actions."""
    actions = commands.add_parser("data", help="bring data sets here, look at them, check them").add_subparsers(
        required=True, metavar="ACTION"
    )
    actions.add_parser("list", help="the data sets that are here, and how to get the others").set_defaults(run=_list)

    one = actions.add_parser("import", help="read a data set from its official files")
    one.add_argument("name")
    one.add_argument("folder", type=Path)
    one.add_argument("--to", type=Path, default=project_root() / "data", help="where to save it (default: data/)")
    one.add_argument("--skip-bad", action="store_true", help="leave bad files out, and list them")
    one.add_argument("--half", action="store_true", help="store 16 bits a number: half the size")
    one.add_argument("-j", "--jobs", type=int, help="reading processes (default: one a core)")
    one.add_argument(
        "-o", "--option", nargs=2, action="append", default=[], metavar=("NAME", "VALUE"), help="a reader's own option"
    )
    one.set_defaults(run=_import)

    one = actions.add_parser(
        "verify",
        help="check hashes, values, counts and leaks",
        description="Exit code 0: as published, a part of it, or nothing is published; 1: a count differs, clips of "
        "zeros, or test clips that also train; 2: the clips are damaged.",
    )
    one.add_argument("name", nargs="?")
    one.add_argument("--leaks", metavar="SPLIT", help="name each test clip that also trains, one a line")
    one.add_argument("--table", action="store_true", help="published counts beside those counted here, of every set")
    one.add_argument("--count", action="store_true", help="with --table: count again what is here, and write README.md")
    one.set_defaults(run=_verify)

    one = actions.add_parser("info", help="counts, lengths, metadata")
    one.add_argument("name")
    one.set_defaults(run=_info)

    one = actions.add_parser("download", help="fetch the official files, or say how to get them (code 2)")
    one.add_argument("name")
    one.add_argument("--to", type=Path, help="where to unpack them (default: data/raw/NAME)")
    one.add_argument("--trust", action="store_true", help="take an archive whose hash is not the known one")
    one.set_defaults(run=_download)

    one = actions.add_parser("template", help="a commented example of your own data, or a class list to fill in")
    one.add_argument("where", nargs="+", metavar="FOLDER", help="where to write it; or: cmu RAW_FOLDER")
    one.set_defaults(run=_template)

    one = actions.add_parser("show", help="pictures: class balance, lengths, poses, an animated clip")
    one.add_argument("name")
    one.add_argument("clip", nargs="?", help="a clip's name (default: one is chosen)")
    one.add_argument("--out", type=Path, default=project_root() / "runs" / "show", help="where to (runs/show)")
    one.set_defaults(run=_show)


def _list(_: argparse.Namespace) -> None:
    from skelkit.data.clips import available, load, present
    from skelkit.data.datasets import READERS
    from skelkit.data.download import how

    for name in available():
        try:
            clips = load(name)
        except SkelkitError as error:  # one damaged data set does not hide the others
            print(f"{name}: cannot be opened: {error}")
            continue
        print(
            f"{name}: {len(clips)} clips, {len(clips.classes)} classes, {len(clips.skeleton)} joints x {clips.persons}"
        )
    for name in sorted(READERS):
        if not present(name):
            print(f"{name}: not here; {how(name)}")


def _import(arguments: argparse.Namespace) -> None:
    from skelkit.data.datasets import import_raw

    done = import_raw(
        arguments.name,
        arguments.folder,
        arguments.to,
        options=dict(arguments.option),
        processes=arguments.jobs,
        skip_bad=arguments.skip_bad,
        half=arguments.half,
    )
    print(f"{arguments.name}: {len(done.clips)} clips in {done.clips.folder}")
    if done.flaws:
        print(f"known flaws of the data set itself: {len(done.flaws)} (left_out.txt in that folder):")
        _print_some(done.flaws)
    if done.left_out:
        print(f"left out {len(done.left_out)} files (left_out.txt in that folder):")
        _print_some(done.left_out)


def _verify(arguments: argparse.Namespace) -> int:
    if arguments.table or arguments.count:
        _table(arguments.count)
        return 0
    if arguments.name is None:
        raise SkelkitError("data verify: name a data set (skelkit data list), or give --table")
    from skelkit.data import verify
    from skelkit.data.clips import load

    clips = load(arguments.name)
    if arguments.leaks:
        names = verify.leaked_clips(clips, arguments.leaks)
        print(*names, f"{len(names)} test clips of {arguments.leaks} also train", sep="\n")
        return int(bool(names))
    findings = verify.verify(clips)
    rows = [(f.check, f.found, f.published, f.verdict) for f in findings]
    print(f"{arguments.name}: {clips.source or 'arrays'}; fingerprint {clips.fingerprint}")
    print(_columns([("check", "found", "published", ""), *rows]))
    return int(verify.wrong(findings))


def _table(count: bool) -> None:
    from skelkit.report import data_counts, tables

    if count:
        names = data_counts.update()
        tables.update_readme(data_counts.table(), "data")
        print(f"counted {', '.join(names) or 'nothing'}; results/{data_counts.FILE} and README.md are up to date")
    else:
        print(data_counts.table())


def _info(arguments: argparse.Namespace) -> None:
    from skelkit.data.clips import load

    clips = load(arguments.name)
    print(
        f"{clips.name}: {len(clips)} clips, {len(clips.frames)} frames, {clips.units}, from {clips.source or 'arrays'}"
    )
    print(f"skeleton: {clips.skeleton.name}, {len(clips.skeleton)} joints, up to {clips.persons} persons")
    lengths = clips.lengths
    print(f"lengths: {lengths.min()} to {lengths.max()} frames, median {sorted(lengths)[len(lengths) // 2]}")
    for column in ("subject", "camera", "setup", "replicate", "fold"):
        values = sorted(set(clips.column(column)) - {-1})
        if values:
            print(f"{column}: {len(values)} ({values[0]} to {values[-1]})")
    for label, name in enumerate(clips.classes):
        print(f"  {label:3d}  {(clips.labels == label).sum():6d}  {name}")


def _download(arguments: argparse.Namespace) -> None:
    from skelkit.data import download

    if arguments.name not in download.DIRECT:
        print(*download.steps(arguments.name, arguments.to), sep="\n")
        raise SkelkitError(f"{arguments.name}: nothing was downloaded; follow the steps above")
    for line in download.download(arguments.name, arguments.to, trust=arguments.trust):
        print(line, flush=True)


def _template(arguments: argparse.Namespace) -> None:
    if len(arguments.where) == 2 and arguments.where[0] == "cmu":
        from skelkit.data.datasets import cmu

        sys.stdout.write(str(cmu.template(Path(arguments.where[1]))))
        return
    if len(arguments.where) != 1:
        raise SkelkitError(f"data template {' '.join(arguments.where)}: give FOLDER, or: cmu RAW_FOLDER")
    from skelkit.data.datasets import template

    for path in template.write(Path(arguments.where[0])):
        print(path)


def _show(arguments: argparse.Namespace) -> None:
    from skelkit.report import gallery

    for path in gallery.show(arguments.name, arguments.clip, arguments.out):
        print(path)


def _print_some(lines: Sequence[str]) -> None:
    """The first twenty of many."""
    print(*(f"  {_printable(line)}" for line in lines[:20]), sep="\n")
    if len(lines) > 20:
        print(f"  and {len(lines) - 20} more")


def _columns(rows: Sequence[tuple[str, ...]]) -> str:
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return "\n".join("  ".join(f"{cell:{w}}" for cell, w in zip(row, widths, strict=True)).rstrip() for row in rows)


def _printable(text: str) -> str:
    """A path need not be text."""
    return text.encode(errors="backslashreplace").decode()
