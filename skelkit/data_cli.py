"""`skelkit data ...`: bring data sets here, look at them, and check them."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from skelkit.files import SkelkitError, project_root

OPTIONS = """\
options of single data sets, -o NAME VALUE [default]:
  ntu60, ntu120       missing FILE: names to pass over [the official lists of clips without a usable skeleton]
  pku_mmd1, pku_mmd2  cut closed or from-start: is the first frame of a label taken? [closed]
                      instances usable or all: are labels cut to the frames there are, or faults? [usable]
  msr_action3d        clips 567 or 557: 557 leaves out the ten with a bad skeleton [567]
  msrc12              fps 30 or 15 [30]
  hdm05               classes 130, 65 or FILE.csv [130], folds K [10], seed N: of the random folds [0]
  cmu                 classes FILE.csv: from skelkit data template cmu RAW_FOLDER [none: clips without labels],
                      folds K [4], seed N [0], fps N: for the record [120]
  mhad                unit auto, mm, cm, inch or m [auto]
  processed files     split NAME: which of several pairs of lists, such as xsub; skeleton FILE.toml: of other joints
"""


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command `data` and its actions."""
    actions = commands.add_parser("data", help="bring data sets here, look at them, check them").add_subparsers(
        required=True, metavar="ACTION"
    )
    actions.add_parser("list", help="the data sets that are here, and how to get the others").set_defaults(run=_list)

    one = actions.add_parser(
        "import",
        help="read a data set from its official files, from processed files, or from your own",
        description="Reads every file, several at once, and saves the clips as one folder.\nRun again after an "
        "interruption, it reads on where it stopped. Known damage\nof a data set is left out and named; any other bad "
        "file stops the import.",
        epilog=OPTIONS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    one.add_argument("name", help="of a data set (skelkit data list); any other for processed files and your own")
    one.add_argument(
        "folder", type=Path, help="of the unpacked official files; or a .pkl, .npz, ST-GCN folder, folder of your own"
    )
    one.add_argument("--to", type=Path, default=project_root() / "data", help="where to save it (default: data/)")
    one.add_argument("--skip-bad", action="store_true", help="leave bad files out, and list them")
    one.add_argument("--half", action="store_true", help="store 16 bits a number: half the size")
    one.add_argument("-j", "--jobs", type=int, help="files read at once (default: one a core)")
    one.add_argument(
        "-o",
        "--option",
        nargs=2,
        action="append",
        default=[],
        metavar=("NAME", "VALUE"),
        help="a choice that the data set leaves, listed below",
    )
    one.set_defaults(run=_import)

    one = actions.add_parser(
        "verify",
        help="check hashes, values, counts and leaks",
        description="Exit code 0: as published, a part of it, or nothing is published; 1: a count differs, clips of "
        "zeros, or test clips that also train; 2: the clips are damaged.",
    )
    one.add_argument("name", nargs="?", help="of a data set that is here")
    one.add_argument(
        "--leaks", metavar="SPLIT", help="of this split (xsub, xview, ...) name each test clip that also trains"
    )
    one.add_argument("--table", action="store_true", help="published counts beside those counted here, of every set")
    one.add_argument(
        "--count", action="store_true", help="with --table: count again what is here, and write results/data.md"
    )
    one.set_defaults(run=_verify)

    one = actions.add_parser("info", help="what to know before training: sizes, lengths, splits, classes")
    one.add_argument("name", help="of a data set that is here")
    one.set_defaults(run=_info)

    one = actions.add_parser("download", help="fetch the official files, or say how to get them (code 2)")
    one.add_argument("name", help="of a data set (skelkit data list)")
    one.add_argument("--to", type=Path, help="where to unpack them (default: data/raw/NAME)")
    one.add_argument("--trust", action="store_true", help="take an archive whose hash is not the known one")
    one.set_defaults(run=_download)

    one = actions.add_parser("template", help="a commented example of your own data, or a class list to fill in")
    one.add_argument("where", nargs="+", metavar="FOLDER", help="where to write it; or: cmu RAW_FOLDER")
    one.set_defaults(run=_template)

    one = actions.add_parser("show", help="pictures: class balance, lengths, poses, an animated clip")
    one.add_argument("name", help="of a data set that is here")
    one.add_argument(
        "clip", nargs="?", help="name or number of a clip, to animate this one only (default: all pictures)"
    )
    one.add_argument("--out", type=Path, help="folder for the pictures (default: runs/show/NAME)")
    one.set_defaults(run=_show)


def _list(_: argparse.Namespace) -> None:
    from skelkit.data.datasets import READERS
    from skelkit.data.download import how
    from skelkit.data.library import available, load, present

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
    from skelkit.data.library import load

    clips = load(arguments.name)
    if arguments.leaks:
        names = verify.leaked_clips(clips, arguments.leaks)
        print(*names, f"{len(names)} test clips of {arguments.leaks} also train", sep="\n")
        return int(bool(names))
    findings = verify.verify(clips)
    rows = [(f.verdict, f.check, f.found, f.published) for f in findings]
    print(f"{arguments.name}: {clips.source or 'arrays'}; fingerprint {clips.fingerprint}")
    print(_columns([("", "check", "found", "published"), *rows]))
    return int(verify.wrong(findings))


def _table(count: bool) -> None:
    from skelkit.report import data_counts, pages

    if count:
        names = data_counts.update()
        pages.update_page("results/data.md")
        print(f"counted {', '.join(names) or 'nothing'}; results/{data_counts.FILE} and data.md are up to date")
    else:
        print(data_counts.table())


def _info(arguments: argparse.Namespace) -> None:
    import numpy as np

    from skelkit.data.counts import splits
    from skelkit.data.library import load
    from skelkit.data.protocols import split

    clips = load(arguments.name)
    size = f"{clips.frames.nbytes / 1e6:,.1f} MB as {clips.frames.dtype}"
    print(f"{clips.name}: {len(clips)} clips, {len(clips.frames)} frames, {clips.units}; {size}")
    print(f"from: {clips.source or 'arrays'}")
    print(f"where: {clips.folder or 'in memory'}; fingerprint {clips.fingerprint}")
    if clips.folder and (clips.folder / "left_out.txt").exists():
        print(f"left out: what {clips.folder / 'left_out.txt'} lists")
    print(f"skeleton: {clips.skeleton.name}, {len(clips.skeleton)} joints, up to {clips.persons} persons")
    lengths = clips.lengths
    low, median, high = np.percentile(lengths, (5, 50, 95))
    most = f"median {median:g}, nine of ten from {low:.0f} to {high:.0f}"
    print(f"lengths: {lengths.min()} to {lengths.max()} frames, {most}")
    for column in ("subject", "camera", "setup", "replicate", "fold"):
        values = sorted(set(clips.column(column)) - {-1})
        if values:
            print(f"{column}: {len(values)} ({values[0]} to {values[-1]})")
    for name, fold in splits(clips):
        sides = split(clips, name, fold)
        title = name if fold is None else f"{name}, fold {fold}"
        print(f"split {title}: {len(sides.train)} clips train, {len(sides.test)} test")
    if unlabelled := int((clips.labels == -1).sum()):
        print(f"without a label: {unlabelled}")
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

    out = arguments.out or project_root() / "runs" / "show" / arguments.name
    for path in gallery.show(arguments.name, arguments.clip, out):
        print(path)


def _print_some(lines: Sequence[str]) -> None:
    """The first twenty of many."""
    print(*(f"  {_printable(line)}" for line in lines[:20]), sep="\n")
    if len(lines) > 20:
        print(f"  and {len(lines) - 20} more")


def _columns(rows: Sequence[tuple[str, ...]]) -> str:
    widths = [min(max(len(row[i]) for row in rows), 48) for i in range(len(rows[0]))]  # what is longer runs on
    return "\n".join("  ".join(f"{cell:{w}}" for cell, w in zip(row, widths, strict=True)).rstrip() for row in rows)


def _printable(text: str) -> str:
    """A path need not be text."""
    return text.encode(errors="backslashreplace").decode()
