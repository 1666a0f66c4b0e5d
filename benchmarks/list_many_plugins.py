"""`kelly list` with fifty plugins of strangers, five of them broken, against none: whole processes in turn."""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PLUGINS, BROKEN = 50, 5
LIMIT = 1.5
"""The longest that fifty plugins may make it take, as a share of the time with none."""
KINDS = ("models", "datasets", "exporters", "devices")
MODULE = '''"""A plugin that notes when it is imported."""

from pathlib import Path

from kelly_core.hookspecs import hookimpl
from kelly_core.specs import {spec}, LazyRef

KELLY_API = 1
Path(__file__).with_name("imported").touch()
ref = LazyRef("{module}.work:work")


@hookimpl
def kelly_{kind}():
    return [{made}]
'''
SPECS = {
    "models": ("ModelSpec", "ModelSpec('{name}', '{name}id', 'task', 'a model', ref, ref)"),
    "datasets": ("DatasetSpec", "DatasetSpec('{name}', 'data', ('emotion',), ref)"),
    "exporters": ("ExporterSpec", "ExporterSpec('{name}', 'a format', '.{name}', ref, ref)"),
    "devices": ("DeviceSpec", "DeviceSpec('{name}', 'a device', ref)"),
}
METADATA = """Metadata-Version: 2.4
Name: kelly-{name}
Version: 1.{number}.0
Summary: Number {number} of what strangers brought
Author: Somebody
License-Expression: MIT
Classifier: Programming Language :: Python :: 3
Requires-Python: >=3.11
Requires-Dist: kelly-core<0.2,>=0.1
Requires-Dist: kelly-core[train]<0.2,>=0.1; extra == 'train'
Provides-Extra: train
Description-Content-Type: text/markdown

# kelly-{name}

{readme}
"""
WAYS = ("raises", "hangs", "syntax", "wrong_api", "gone")
"""How a plugin is broken: raises or never ends at import, isn't Python, is for another core, has no module."""


def install(folder: Path, plugins: int = PLUGINS, broken: int = BROKEN) -> list[str]:
    """Write distributions as an installer leaves them: a module's folder and its dist-info beside it.

    Returns:
        Names of the plugins in the order written; the last `broken` of them are broken, each in another way.
    """
    names = [f"third-party-{number:02d}" for number in range(plugins)]
    for number, name in enumerate(names):
        way = WAYS[(number - (plugins - broken)) % len(WAYS)] if number >= plugins - broken else ""
        _install(folder, number, name, way)
    return names


def _install(folder: Path, number: int, name: str, way: str) -> None:
    kind = KINDS[number % len(KINDS)]
    module = f"kelly_{name.replace('-', '_')}"
    spec, made = SPECS[kind]
    code = MODULE.format(spec=spec, module=module, kind=kind, made=made.format(name=name))
    code = {
        "raises": f"{code}\nraise RuntimeError('no licence key')\n",
        "hangs": f"{code}\nwhile True:\n    pass\n",
        "syntax": "def :\n",
        "wrong_api": code.replace("KELLY_API = 1", "KELLY_API = 99"),
    }.get(way, code)
    if way != "gone":
        (folder / module).mkdir()
        (folder / module / "__init__.py").write_text('"""A package."""\n')
        (folder / module / "plugin.py").write_text(code)
    info = folder / f"{module}-1.{number}.0.dist-info"
    info.mkdir()
    readme = "\n\n".join(f"Paragraph {at}: what it does, and how to use it." * 4 for at in range(20))
    (info / "METADATA").write_text(METADATA.format(name=name, number=number, readme=readme))
    (info / "entry_points.txt").write_text(f"[kelly.{kind}]\n{name} = {module}.plugin\n")
    (info / "WHEEL").write_text("Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
    (info / "INSTALLER").write_text("pip\n")
    (info / "RECORD").write_text("".join(f"{module}/{part},,\n" for part in ("__init__.py", "plugin.py")))


def run_list(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`kelly list` in a process that finds what is installed in `folder` beside the environment's own."""
    code = "from kelly_core.cli import main; main()"
    environment = {**os.environ, "PYTHONPATH": str(folder), "KELLY_WORKSPACE": str(folder)}
    return subprocess.run(
        [sys.executable, "-c", code, "list", *arguments],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )


def measure(runs: int) -> dict[str, list[tuple[float, float]]]:
    """Wall time and processor time, in s, of whole processes with none and with all of them, in turn."""
    times: dict[str, list[tuple[float, float]]] = {"none": [], "fifty": []}
    with tempfile.TemporaryDirectory() as place:
        folders = {name: Path(place) / name for name in times}
        for folder in folders.values():
            folder.mkdir()
        install(folders["fifty"])
        for turn in range(runs + 1):
            for name, folder in folders.items():
                start, used = time.perf_counter(), _used()
                run_list(folder)
                if turn:  # the first of each only warms up
                    times[name].append((time.perf_counter() - start, _used() - used))
    return times


def _used() -> float:
    """Processor time of all finished child processes, in s."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=21)
    times = measure(parser.parse_args().runs)
    print(f"{'third-party plugins':20}{'median ms':>12}{'processor ms':>14}")
    middle = {}
    for name, pairs in times.items():
        middle[name] = [statistics.median(column) for column in zip(*pairs, strict=True)]
        print(f"{name:20}{middle[name][0] * 1e3:12.1f}{middle[name][1] * 1e3:14.1f}")
    wall, used = (many / none for many, none in zip(middle["fifty"], middle["none"], strict=True))
    print(f"ratio {wall:.2f}, of processor time {used:.2f}")
    if used >= LIMIT:
        raise SystemExit(f"it should stay below {LIMIT}")


if __name__ == "__main__":
    main()
