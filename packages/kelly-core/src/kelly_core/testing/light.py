"""Rules about what importing a plugin costs, measured in child processes."""

from __future__ import annotations

import json
import subprocess
import sys

from kelly_core.errors import KellyError
from kelly_core.testing.rules import BrokenRuleError, rule
from kelly_core.testing.subject import Subject, child_environment

HEAVY = (
    "torch",
    "torchaudio",
    "librosa",
    "onnx",
    "onnxruntime",
    "coremltools",
    "lightning",
    "lightning_fabric",
    "numba",
    "matplotlib",
    "sklearn",
    "scipy.signal",
    "tensorflow",
    "transformers",
    "jax",
)
BUDGET_MS = 50.0
CORE_MS = 200.0
"""How long core's own import may take before the machine counts as slow: the budget grows with it."""
TRIES = 5
_CODE = """
import json, sys, time, importlib
started = time.perf_counter()
import kelly_core.plugins, kelly_core.hookspecs, kelly_core.specs
core = 1000 * (time.perf_counter() - started)
before = set(sys.modules)
started = time.perf_counter()
module = importlib.import_module(sys.argv[1])
for hook in ("kelly_models", "kelly_datasets", "kelly_exporters", "kelly_devices"):
    list(getattr(module, hook, list)())
milliseconds = 1000 * (time.perf_counter() - started)
print("\\x1e" + json.dumps([milliseconds, core, sorted(set(sys.modules) - before)]))
"""


@rule(
    "model",
    "dataset",
    "exporter",
    "device",
    "observer",
    why="the module is imported by `kelly --help` of its commands, `kelly doctor` and every training of others",
    mend="import heavy libraries inside functions, and name heavy code by LazyRef",
)
def import_is_light(subject: Subject) -> str:
    """Importing the module brings no heavy library and takes at most 50 ms beyond core."""
    taken, core, modules = _measure(subject.entry.module)
    heavy = [name for name in HEAVY if name in modules]
    if heavy:
        raise BrokenRuleError(f"importing {subject.entry.module} imports {', '.join(heavy)}")
    for _ in range(TRIES - 1):
        if taken <= _budget(core):
            break
        again, core, _ = _measure(subject.entry.module)  # a cold disk, or somebody else's work, mustn't decide
        taken = min(taken, again)
    if taken > _budget(core):
        raise BrokenRuleError(
            f"importing it takes {taken:.0f} ms at best of {TRIES}; the budget is {_budget(core):.0f} ms where "
            f"core itself takes {core:.0f} ms"
        )
    return f"{taken:.0f} ms beyond core"


def _budget(core_ms: float) -> float:
    """The budget in ms, on a machine where importing core takes so long."""
    return BUDGET_MS * max(1.0, core_ms / CORE_MS)


def _measure(module: str) -> tuple[float, float, list[str]]:
    """Milliseconds beyond core, those of core, and what was imported, in a fresh process."""
    command = [sys.executable, "-c", _CODE, module]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=60, env=child_environment()
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise KellyError(f"a fresh process can't import {module}: {last}", code="failure.process")
    milliseconds, core, modules = json.loads(done.stdout.rpartition("\x1e")[2])
    return float(milliseconds), float(core), list(modules)
