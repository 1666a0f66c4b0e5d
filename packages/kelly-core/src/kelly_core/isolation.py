"""Runs a plugin's code in a child process, where it may hang, crash or exit without harm."""

from __future__ import annotations

import faulthandler
import json
import os
import signal
import subprocess
import sys
import warnings
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any, Literal

from kelly_core.catalog import Entry, read_catalog

DEFAULT_LIMIT_S = 5.0
DEVICE_LIMIT_S = 60.0
"""Probing a device imports PyTorch, which takes long on a cold disk."""
START_UP_LIMIT_S = 60.0
MARK = "\x1ekelly "
CHILD = "from kelly_core.isolation import main; main()"
Job = Literal["plugin", "devices"]


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """What happened to a plugin in its child process.

    Attributes:
        problem: One line; empty when all is well.
        traceback: Traceback or crash report, where there is one.
        values: What the job sent back, in order.
        deprecated: What the plugin uses that will go away.
    """

    problem: str = ""
    traceback: str = ""
    values: tuple[dict[str, Any], ...] = ()
    deprecated: tuple[str, ...] = ()


def probe_plugins(
    entries: Iterable[Entry], limit_s: float = DEFAULT_LIMIT_S
) -> dict[tuple[str, str], ProbeResult]:
    """Load each plugin module in a process of its own.

    Args:
        entries: Catalog entries; a module named by several is loaded once.
        limit_s: Longest time the plugin's code may take, in seconds; the child's own start is not counted.

    Returns:
        Result by `(distribution, module)`.
    """
    modules = list(dict.fromkeys((entry.distribution, entry.module) for entry in entries))
    with ThreadPoolExecutor(max_workers=4) as pool:
        results = pool.map(lambda key: run_isolated("plugin", *key, limit_s=limit_s), modules)
        return dict(zip(modules, results, strict=True))


def run_isolated(job: Job, distribution: str, module: str, *, limit_s: float) -> ProbeResult:
    """Do one job in a child process.

    Args:
        job: `"plugin"` loads the module as a plugin; `"devices"` also probes the devices it declares.
        distribution: Package that declares the plugin.
        module: Its plugin module.
        limit_s: Time limit in seconds.
    """
    command = [sys.executable, "-X", "faulthandler", "-c", CHILD, job, distribution, module, str(limit_s)]
    try:
        done = subprocess.run(
            command,
            check=False,
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=limit_s + START_UP_LIMIT_S,
        )
    except subprocess.TimeoutExpired:
        return ProbeResult(f"did not answer within {limit_s + START_UP_LIMIT_S:g} s and was ended")
    said = done.stdout.decode(errors="replace")
    errors = done.stderr.decode(errors="replace").strip()
    sent = [json.loads(line[len(MARK) :]) for line in said.split("\n") if line.startswith(MARK)]
    values = tuple(value for value in sent if "done" not in value)
    end = next((value for value in sent if "done" in value), None)
    if end is not None:
        return ProbeResult(end["problem"], end["traceback"], values, tuple(end["deprecated"]))
    return ProbeResult(_cause_of_death(done.returncode, errors, limit_s), errors, values)


def main() -> None:
    """The child: do the job named by the arguments, send what was found, and leave at once."""
    job, distribution, module, limit_s = sys.argv[1:5]
    entries = read_catalog()
    from kelly_core.plugins import PluginHost

    # From here on the plugin's code runs; the watchdog works even while that holds the interpreter's lock.
    faulthandler.dump_traceback_later(float(limit_s), exit=True)
    host = PluginHost(entries)
    mine = [entry for entry in entries if (entry.distribution, entry.module) == (distribution, module)]
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always", DeprecationWarning)
        failure = host.probe(mine[0])
    # Those of the libraries that a plugin imports are no concern of its users.
    deprecated = [str(one.message) for one in said if one.filename == _file_of(mine[0].module)]
    if failure is None and job == "devices":
        for entry in (entry for entry in mine if entry.kind == "device"):
            _send(_probe_device(host, entry))
    problem, text = (failure.outcome, failure.traceback) if failure else ("", "")
    _send({"done": True, "problem": problem, "traceback": text, "deprecated": deprecated})
    sys.stdout.flush()
    os._exit(0)  # threads that a plugin has started must not keep the process alive


def _file_of(module: str) -> str:
    return str(getattr(sys.modules.get(module), "__file__", ""))


def _probe_device(host: Any, entry: Entry) -> dict[str, Any]:
    spec = host.spec_of(entry)
    try:
        return asdict(spec.probe.resolve()())
    except Exception as error:  # noqa: BLE001 - whatever a driver raises is the finding
        reason = f"its probe raised {type(error).__name__}: {error}"
        return {"name": spec.name, "available": False, "reason": reason, "detail": "", "memory_bytes": 0}


def _send(value: dict[str, Any]) -> None:
    sys.stdout.write(f"\n{MARK}{json.dumps(value)}\n")
    sys.stdout.flush()


def _cause_of_death(code: int, errors: str, limit_s: float) -> str:
    if "Timeout (" in errors:
        return f"took longer than {limit_s:g} s and was ended"
    if code < 0:
        try:
            name = signal.Signals(-code).name
        except ValueError:
            name = f"signal {-code}"
        return f"crashed the interpreter ({name})"
    return f"ended the process with exit code {code}"
