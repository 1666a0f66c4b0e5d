"""What a runtime costs before it is warm, in a process of its own: load, first call, memory.

    python -m kelly_core.pipeline.bench.cold WORKSPACE MODEL_ID RUNTIME

prints a JSON object. Memory is how far the process grew, libraries of the runtime included.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any


def measure_cold(workspace: str, model_id: str, name: str) -> dict[str, Any]:
    """Figures of one runtime; the process should be fresh.

    Args:
        workspace: Folder of the workspace.
        model_id: Whose file.
        name: Runtime.

    Returns:
        `load_ms`: opening the file with its runtime's library already loaded; `library_ms`: what the library
        took before; `first_ms`: the first call; `memory_mib`: growth of the process.
    """
    from kelly_core.contract import Contract
    from kelly_core.pipeline.bench.calls import open_runner, whole_inputs
    from kelly_core.plugins import PluginHost
    from kelly_core.workspace import Workspace

    place, host = Workspace(Path(workspace)), PluginHost()
    contract = Contract.load(place.contract(model_id))
    inputs = whole_inputs(contract.of_artifact(name))
    before = _resident_mib()
    started = time.perf_counter()
    open_runner(place, host, contract, name)
    opened = time.perf_counter()
    runner = open_runner(place, host, contract, name)
    again = time.perf_counter()
    runner.run(inputs)
    called = time.perf_counter()
    load = again - opened
    return {
        "load_ms": round(load * 1000.0, 2),
        "library_ms": round(max(0.0, opened - started - load) * 1000.0, 1),
        "first_ms": round((called - again) * 1000.0, 3),
        "memory_mib": round(max(0.0, _resident_mib() - before), 1),
    }


def _resident_mib() -> float:
    """Memory of this process, MiB; where the system tells no more, the largest so far, or 0."""
    pages = Path("/proc/self/statm")
    if pages.exists():
        return int(pages.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20
    try:
        import resource
    except ImportError:
        return 0.0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)


if __name__ == "__main__":
    sys.stdout.write(json.dumps(measure_cold(*sys.argv[1:4])) + "\n")
