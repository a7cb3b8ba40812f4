"""A headless browser before a JupyterLab of its own, for tests that do what a person does."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

TOKEN = "tests"
PATIENCE = 300
"""Seconds to wait for what must come: only a failing test waits so long."""


@dataclass(frozen=True)
class Lab:
    """A JupyterLab that serves one folder."""

    process: subprocess.Popen[bytes]
    folder: Path
    url: str

    def stop_kernels(self) -> None:
        """Every kernel dies, as when the machine is switched off."""
        for session in self._asked("GET", "api/sessions"):
            self._asked("DELETE", f"api/sessions/{session['id']}")

    def _asked(self, how: str, path: str) -> Any:
        head = {"Authorization": f"token {TOKEN}"}
        with urllib.request.urlopen(urllib.request.Request(self.url + path, method=how, headers=head)) as answer:
            return json.loads(answer.read() or "null")


def programs() -> tuple[str, str]:
    """Chromium and its driver; where they are missing the test is skipped, and says how to get them."""
    names = (("chromium", "chromium-browser", "google-chrome"), ("chromedriver",))
    browser, driver = (next(filter(None, map(shutil.which, each)), None) for each in names)
    if not browser or not driver:
        pytest.skip("no Chromium with its driver: apt-get install chromium chromium-driver")
    return browser, driver


@contextmanager
def lab(folder: Path, **environment: str) -> Iterator[Lab]:
    """Serve a folder on a free port; settings, kernels and logs lie in a scratch folder of its own."""
    from ipykernel.kernelspec import write_kernel_spec

    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch)
        write_kernel_spec(place / "data" / "kernels" / "python3")  # this interpreter, whatever else is registered
        quiet = place / "settings" / "@jupyterlab" / "apputils-extension" / "notification.jupyterlab-settings"
        quiet.parent.mkdir(parents=True)
        quiet.write_text('{"fetchNews": "false", "checkForUpdates": false}')
        own = {f"JUPYTER_{name}_DIR": str(place / name.lower()) for name in ("CONFIG", "DATA", "RUNTIME")}
        own |= {"JUPYTERLAB_SETTINGS_DIR": str(place / "settings"), "JUPYTERLAB_WORKSPACES_DIR": str(place / "spaces")}
        options = ["--no-browser", "--allow-root", "--ServerApp.port=0", f"--IdentityProvider.token={TOKEN}"]
        options += [f"--ServerApp.root_dir={folder}", "--LabApp.expose_app_in_browser=True"]
        with open(place / "log", "wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "jupyterlab", *options],
                env={**os.environ, **own, **environment},
                stdout=log,
                stderr=log,
            )
        try:

            def where() -> str:
                assert process.poll() is None, (place / "log").read_text()
                found = [*(place / "runtime").glob("jpserver-*.json")]
                return json.loads(found[0].read_text())["url"] if found else ""

            yield Lab(process, folder, until(where, "JupyterLab serves"))
        finally:
            process.terminate()
            process.wait()


@contextmanager
def chromium() -> Iterator[Any]:
    """A headless browser window of 1300 x 1400 pixels."""
    from selenium.webdriver import Chrome, ChromeOptions
    from selenium.webdriver.chrome.service import Service

    browser, driver = programs()
    options = ChromeOptions()
    options.binary_location = browser
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--window-size=1300,1400"):
        options.add_argument(argument)
    window = Chrome(options=options, service=Service(driver))
    try:
        yield window
    finally:
        window.quit()


def run_all(window: Any, lab: Lab, notebook: str) -> None:
    """Open a notebook and run all its cells, as the menu does."""
    window.get(f"{lab.url}lab/tree/{notebook}?reset&token={TOKEN}")
    ready = (  # the kernel must stand, or the cells would run nowhere
        "const panel = window.jupyterapp?.shell.currentWidget;"
        "return panel?.sessionContext?.session?.kernel?.status === 'idle' && panel.content.widgets.length > 1"
    )
    until(lambda: window.execute_script(ready), f"{notebook} is open and has its kernel")
    window.execute_script("window.jupyterapp.commands.execute('notebook:run-all-cells')")


def until(look: Callable[[], Any], what: str) -> Any:
    """What `look` gives once that is true; asks ten times a second, and fails with `what` it waited for."""
    from selenium.common.exceptions import NoSuchElementException, StaleElementReferenceException
    from selenium.webdriver.support.wait import WebDriverWait

    ignored = (NoSuchElementException, StaleElementReferenceException)
    wait: Any = WebDriverWait(None, PATIENCE, 0.1, ignored)  # type: ignore[type-var]
    return wait.until(lambda _: look(), f"waited {PATIENCE} s until: {what}")
