"""Runs notebooks through papermill, each in a process of its own, and says what became of each.

A notebook runs in its own folder, as it does in JupyterLab; the folders that `SKELKIT_*` name are made absolute first,
so that a relative one still means the same place.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from skelkit.files import SkelkitError, data_folders, results_folder, store_folder, whole_file
from skelkit.parameters import check_parameters, parameters_of, read_notebook
from skelkit.report.outcomes import Outcome, junit_summary, markdown_summary, one_line

__all__ = ["Outcome", "junit_summary", "kernels", "markdown_summary", "parameters_of", "run_notebooks"]


def run_notebooks(
    paths: Sequence[Path],
    *,
    parameters: Mapping[str, Any],
    out: Path,
    timeout: float | int,
    jobs: int = 1,
    kernel: str | None = None,
    on_finish: Callable[[Outcome], object] | None = None,
) -> list[Outcome]:
    """Execute notebooks with the given parameters, `jobs` at a time, and go on after a failure.

    Each is written to `out/<paper>/<name>.ipynb` (a notebook right under `notebooks/` to `out/<name>.ipynb`) with its
    HTML beside it; `out/summary.md` and `out/junit.xml` come last. timeout: wall seconds a notebook, after which its
    process and kernel are killed. kernel: a registered kernel's name; None is the running interpreter, registered or
    not. on_finish: called with each outcome as it comes. A kernel that does not start is tried once more. The outcomes
    stand in the order of `paths`. Raises SkelkitError before anything runs for an unknown or mistyped parameter, an
    unknown kernel, or two notebooks that would be written to one place.
    """
    targets = [_target(path, out) for path in paths]
    for path, target in zip(paths, targets, strict=True):
        check_parameters(path, parameters)
        if targets.count(target) > 1:
            raise SkelkitError(f"{path}: two notebooks would be written to {target}; run them with different outputs")
        if target.resolve() == path.resolve():
            raise SkelkitError(f"{path}: would be overwritten by its own execution; choose another output folder")
    if kernel is not None:
        _check_kernel(kernel)

    outcomes: dict[Path, Outcome] = {}
    with tempfile.TemporaryDirectory(prefix="skelkit-") as scratch:
        environment = _environment(Path(scratch), jobs, own_kernel=kernel is None)
        quiet = jobs > 1 or not sys.stderr.isatty()
        order = {"parameters": dict(parameters), "kernel": kernel or "python3", "progress_bar": not quiet}
        waiting = deque(
            _Job(path, target, Path(scratch, str(i)), order, environment)
            for i, (path, target) in enumerate(zip(paths, targets, strict=True))
        )
        running: list[_Job] = []
        try:
            while waiting or running:
                while waiting and len(running) < max(1, jobs):
                    running.append(waiting.popleft())
                    running[-1].start()
                time.sleep(0.05)
                for job in [job for job in running if not job.alive or job.seconds > timeout]:
                    outcome = job.finish(timeout)
                    if outcome.status == "not started" and job.attempts == 1:
                        job.start()
                        continue
                    running.remove(job)
                    outcomes[job.notebook] = job.publish(outcome)
                    if on_finish:
                        on_finish(outcomes[job.notebook])
        finally:  # an interrupted batch leaves no kernel behind
            for job in running:
                job.kill()
    result = [outcomes[path] for path in paths]
    for name, text in (("summary.md", markdown_summary(result)), ("junit.xml", junit_summary(result))):
        with whole_file(out / name) as part:
            part.write_text(text, encoding="utf-8")
    return result


def kernels(user: bool = False) -> list[str]:
    """Register the Jupyter kernels `skelkit` (best device) and `skelkit-gpu` (CUDA or a failing first cell).

    They start this interpreter. By default they go into the current environment (`sys.prefix`); user=True puts them
    where this user's JupyterLab finds them from any environment. Returns the names.
    """
    from ipykernel.kernelspec import install

    specs: dict[str, tuple[str, dict[str, str]]] = {
        "skelkit": ("skelkit (best device)", {}),
        "skelkit-gpu": ("skelkit (CUDA)", {"SKELKIT_DEVICE": "cuda"}),
    }
    place: dict[str, Any] = {"user": True} if user else {"prefix": sys.prefix}
    for name, (title, environment) in specs.items():
        try:
            install(kernel_name=name, display_name=title, env=environment, **place)
        except OSError as error:
            raise SkelkitError(f"kernel {name}: cannot be registered ({error}); try for the user alone") from error
    return list(specs)


@dataclass
class _Job:
    """One notebook, its scratch folder, and its process: started, watched, perhaps started again, and read."""

    notebook: Path
    target: Path
    scratch: Path
    order: dict[str, Any]
    environment: dict[str, str]
    attempts: int = 0
    began: float = 0.0
    process: subprocess.Popen[bytes] | None = None

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.began

    @property
    def alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def start(self) -> None:
        """Start the process; a second attempt shares the first one's time."""
        self.began = self.began or time.monotonic()
        self.attempts += 1
        shutil.rmtree(self.scratch, ignore_errors=True)
        self.scratch.mkdir()
        shutil.copyfile(self.notebook, self.scratch / "source.ipynb")
        order = {**self.order, "cwd": str(self.notebook.resolve().parent), "title": self.notebook.stem}
        (self.scratch / "order.json").write_text(json.dumps(order), encoding="utf-8")
        with open(self.scratch / "log.txt", "wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "skelkit.batch", str(self.scratch)],
                stdin=subprocess.PIPE,  # held open: its end tells the child that this process is gone
                stdout=log,
                stderr=None if self.order["progress_bar"] else log,
                env=self.environment,
            )

    def kill(self) -> None:
        """Kill the process, its kernel (jupyter_client gives that a session of its own) and all that they started."""
        import psutil  # type: ignore[import-untyped]

        if self.process is None:
            return
        if self.alive:
            child = psutil.Process(self.process.pid)
            for member in [child, *child.children(recursive=True)]:
                with suppress(psutil.NoSuchProcess):
                    member.kill()
        self.process.wait()
        if self.process.stdin:
            self.process.stdin.close()

    def finish(self, timeout: float | int) -> Outcome:
        """Kill what is left, and read from the scratch folder what became of the notebook."""
        late = self.alive
        self.kill()
        code = self.process.returncode if self.process else None
        said = self.scratch / "error.txt"  # written by the child when the execution, good or bad, is over
        error = said.read_text(encoding="utf-8") if said.exists() else None
        cell, line = _stopped_at(self.scratch / "executed.ipynb")
        log = (self.scratch / "log.txt").read_text(encoding="utf-8", errors="replace").splitlines()
        last = next((text for text in reversed(log) if text.strip()), "")
        if error == "":  # every cell ran
            cell, line = None, ""
        if late:
            status, error = "timeout", f"killed after {timeout:g} s"
        elif error == "" and code == 0:
            status = "passed"
        elif error == "":
            status, error = "failed", f"executed, but not converted to HTML: {last}"
        else:
            status = "failed" if cell else "not started"
            error = error or f"its process ended with exit code {code}"
            if not cell and last:
                error += f" ({last})"  # the kernel's own last word
        return Outcome(self.notebook, status, self.seconds, cell, line, one_line(error), None, None)

    def publish(self, outcome: Outcome) -> Outcome:
        """Move the executed notebook and its HTML to their places, whole; what an earlier run left there goes."""
        made: list[Path | None] = []
        for suffix in (".ipynb", ".html"):
            result, place = self.scratch / f"executed{suffix}", self.target.with_suffix(suffix)
            if outcome.status != "not started" and result.exists():
                with whole_file(place) as part:
                    shutil.copyfile(result, part)
                made.append(place)
            else:
                place.unlink(missing_ok=True)
                made.append(None)
        return replace(outcome, executed=made[0], html=made[1])


def _stopped_at(executed: Path) -> tuple[int | None, str]:
    """Number and first line of the cell that raised, or else of the last that began.

    papermill saves the notebook at both moments, with cells of its own among ours; ours are counted. A save that a
    kill has cut short is removed.
    """
    if not executed.exists():
        return None, ""
    try:
        cells = read_notebook(executed).cells
    except SkelkitError:
        executed.unlink()
        return None, ""
    number, began, raised = 0, None, None
    for cell in cells:
        tags = cell.metadata.get("tags", [])
        if "papermill-error-cell-tag" in tags:
            continue
        number += "injected-parameters" not in tags
        place = (number, one_line(cell.source.strip().partition("\n")[0]))
        if cell.metadata.get("papermill", {}).get("start_time"):
            began = place
        if raised is None and any(output.output_type == "error" for output in cell.get("outputs", [])):
            raised = place
    return raised or began or (None, "")


def _check_kernel(name: str) -> None:
    from jupyter_client.kernelspec import KernelSpecManager

    known = sorted(KernelSpecManager().find_kernel_specs())
    if name not in known:
        raise SkelkitError(
            f"kernel {name!r} is not registered; known are {', '.join(known)} (skelkit kernels adds two)"
        )


def _target(path: Path, out: Path) -> Path:
    paper = path.resolve().parent.name
    return out / path.name if paper == "notebooks" else out / paper / path.name


def _environment(scratch: Path, jobs: int, own_kernel: bool) -> dict[str, str]:
    """The environment of every notebook of a batch."""
    environment = {
        **os.environ,
        "SKELKIT_STORE": str(store_folder().resolve()),
        "SKELKIT_RESULTS": str(results_folder().resolve()),
        "SKELKIT_DATA": os.pathsep.join(str(folder.resolve()) for folder in data_folders()),
    }
    if jobs > 1:  # notebooks side by side share the cores instead of fighting for them
        environment.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // jobs)))
    if own_kernel:  # a `python3` that another installation registered for this user must not be taken for ours
        from ipykernel.kernelspec import write_kernel_spec

        # Without the flag each kernel warns that it talks over TCP on this machine.
        write_kernel_spec(scratch / "kernels" / "python3", extra_arguments=["--log-level=ERROR"])
        environment["JUPYTER_PATH"] = os.pathsep.join(filter(None, [str(scratch), os.environ.get("JUPYTER_PATH", "")]))
    return environment


def _leave_with_the_parent() -> None:
    os.read(0, 1)  # returns when the parent, which holds the other end and writes nothing, is gone
    os._exit(1)


def _execute_here(work: Path) -> None:
    """The child's side: execute `source.ipynb` in the scratch folder, say how it ended, and convert the result."""
    # jsonschema would have it build a grammar of IRIs, which no notebook is checked by: two thirds of the start.
    sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]
    import papermill
    from papermill.exceptions import PapermillExecutionError

    logging.getLogger("papermill").setLevel(logging.CRITICAL)  # the log is the kernel's; ours is in error.txt
    threading.Thread(target=_leave_with_the_parent, daemon=True).start()
    os.chdir(work)  # plain names from here on: papermill formats paths, and braces in one would trip it
    order = json.loads(Path("order.json").read_text(encoding="utf-8"))
    error = ""
    try:
        papermill.execute_notebook(
            "source.ipynb",
            "executed.ipynb",
            parameters=order["parameters"],
            kernel_name=order["kernel"],
            language="python",
            cwd=order["cwd"],
            progress_bar=order["progress_bar"],
        )
    except PapermillExecutionError as fault:
        error = f"{fault.ename}: {fault.evalue}"
    except Exception as fault:
        error = f"{type(fault).__name__}: {fault}"
    Path("error.txt").write_text(error, encoding="utf-8")
    if _stopped_at(Path("executed.ipynb"))[0]:  # something ran
        from nbconvert import HTMLExporter

        resources = {"metadata": {"name": order["title"]}}
        page, _ = HTMLExporter().from_notebook_node(read_notebook(Path("executed.ipynb")), resources=resources)
        with whole_file(Path("executed.html")) as part:  # a timeout may strike here as well
            part.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    _execute_here(Path(sys.argv[1]))
