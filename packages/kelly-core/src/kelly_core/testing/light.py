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
TOLERATED_MS = 500.0
"""What fails: ten times the budget, since a busy machine or a cold disk mustn't decide."""
TRIES = 3
_CODE = """
import json, sys, time, importlib
import kelly_core.plugins, kelly_core.hookspecs, kelly_core.specs
before = set(sys.modules)
started = time.perf_counter()
module = importlib.import_module(sys.argv[1])
for hook in ("kelly_models", "kelly_datasets", "kelly_exporters", "kelly_devices"):
    list(getattr(module, hook, list)())
milliseconds = 1000 * (time.perf_counter() - started)
print("\\x1e" + json.dumps([milliseconds, sorted(set(sys.modules) - before)]))
"""


@rule(
    "model",
    "dataset",
    "exporter",
    "device",
    why="the module is imported by `kelly --help` of its commands, `kelly doctor` and every training of others",
    mend="import heavy libraries inside functions, and name heavy code by LazyRef",
)
def import_is_light(subject: Subject) -> str:
    """Importing the module brings no heavy library and takes little beyond core."""
    best, modules = _measure(subject.entry.module)
    heavy = [name for name in HEAVY if name in modules]
    if heavy:
        raise BrokenRuleError(f"importing {subject.entry.module} imports {', '.join(heavy)}")
    for _ in range(TRIES - 1):
        if best > BUDGET_MS:  # perhaps only the first time, from a cold disk
            best = min(best, _measure(subject.entry.module)[0])
    if best > TOLERATED_MS:
        raise BrokenRuleError(f"importing it takes {best:.0f} ms; the budget is {BUDGET_MS:.0f} ms")
    return f"{best:.0f} ms beyond core" + (f", over the budget of {BUDGET_MS:.0f}" if best > BUDGET_MS else "")


def _measure(module: str) -> tuple[float, list[str]]:
    command = [sys.executable, "-c", _CODE, module]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=60, env=child_environment()
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise KellyError(f"a fresh process can't import {module}: {last}")
    milliseconds, modules = json.loads(done.stdout.rpartition("\x1e")[2])
    return float(milliseconds), list(modules)
