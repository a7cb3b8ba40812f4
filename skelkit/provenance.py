"""Where an artefact comes from: commit, versions, device, data."""

from __future__ import annotations

import platform
import subprocess
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import numpy as np
import torch

import skelkit
from skelkit.data.clips import Clips
from skelkit.device import device_name
from skelkit.files import project_root


def provenance(clips: Clips) -> dict[str, Any]:
    """Commit, versions, device and time of what is being built, and a fingerprint of the data."""

    versions = {"python": platform.python_version(), "torch": torch.__version__, "numpy": np.__version__}
    return {
        "commit": _git("rev-parse", "HEAD").strip() or "unknown",
        "dirty": bool(_git("status", "--porcelain", "--untracked-files=no", "--", "skelkit")),
        "versions": {**versions, "skelkit": skelkit.__version__, "data": clips.fingerprint},
        "device": device_name(),
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
    }


@lru_cache
def _git(*words: str) -> str:
    """Asked once a process: the code that runs is the code that was imported."""
    try:
        # Also where the checkout is another user's, as in a container.
        command = ["git", "-c", "safe.directory=*", *words]
        return subprocess.run(command, cwd=project_root(), capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return ""  # an installed wheel has no checkout
