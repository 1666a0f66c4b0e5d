"""A run's folder: what was asked, where it ran, what came out. Everything needed to repeat it."""

from __future__ import annotations

import json
import os
import platform
import secrets
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from kelly_core import atomic


@dataclass(frozen=True, slots=True)
class Run:
    """One training run.

    Attributes:
        id: Sortable name, e.g. `20260314-101500-emotion-3fa2`.
        folder: `logs/training/<id>`.
        model_id: What is trained.
    """

    id: str
    folder: Path
    model_id: str

    def write(self, name: str, value: Any) -> None:
        """Write a JSON file of the run atomically."""
        atomic.write_json(self.folder / name, value)

    def read(self, name: str) -> Any:
        """Read a JSON file of the run."""
        return json.loads((self.folder / name).read_text())


def new_run(runs: Path, name: str, model_id: str) -> Run:
    """Create a run's folder under `logs/training`."""
    stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    run_id = f"{stamp}-{name}-{secrets.token_hex(2)}"
    folder = runs / run_id
    folder.mkdir(parents=True)
    return Run(run_id, folder, model_id)


def environment(packages: Sequence[str]) -> dict[str, Any]:
    """Versions, hardware, commit and command of this process.

    Args:
        packages: Distributions that count beside core and its libraries: the model's own.
    """
    import torch

    wanted = ("kelly-core", *packages, "torch", "numpy", "lightning-fabric")
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processor": processor(),
        "cpu_count": os.cpu_count(),
        "torch_threads": torch.get_num_threads(),
        "cuda": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "packages": {name: _version(name) for name in wanted if _version(name)},
        "git_commit": git_commit(),
        "command": " ".join(["kelly", *sys.argv[1:]]),
    }


def git_commit(folder: Path | None = None) -> str | None:
    """Commit of the folder's repository, with `-dirty` when files differ from it; None outside one."""
    try:
        arguments = ["git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]
        result = subprocess.run(arguments, cwd=folder, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return result.stdout.strip() or None if result.returncode == 0 else None


def processor() -> str:
    """Name of the CPU for people."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def summarise(config: Mapping[str, Any], **facts: Any) -> dict[str, Any]:
    """The content of `run.json` at the start."""
    return {"started_at": datetime.now(UTC).isoformat(timespec="seconds"), "config": dict(config), **facts}
