"""Writes the generated parts of docs/: `python docs/generate.py`, or `--check` that they are fresh."""  # noqa: INP001 - a script

from __future__ import annotations

import argparse
import difflib
import inspect
import io
import json
import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout, suppress
from pathlib import Path
from typing import Any

DOCS = Path(__file__).resolve().parent
BEGIN, END = "<!-- {name}: generated -->", "<!-- end -->"

# Plain help of a fixed width, whatever terminal this runs in; read when typer is imported.
os.environ.update({"TYPER_USE_RICH": "0", "COLUMNS": "100", "NO_COLOR": "1"})


def main() -> int:
    """Write every page, or with `--check` only report those that differ."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail when a page is stale")
    check = parser.parse_args().check
    stale = 0
    for file, text in pages():
        before = file.read_text(encoding="utf-8") if file.exists() else ""
        if before == text:
            continue
        stale += 1
        if check:
            name = str(file.relative_to(DOCS.parent))
            old, new = before.splitlines(), text.splitlines()
            print("\n".join(difflib.unified_diff(old, new, name, "fresh", lineterm="")))
        else:
            file.write_text(text, encoding="utf-8")
            print(f"wrote {file.relative_to(DOCS.parent)}")
    if check and stale:
        print(f"\n{stale} pages are stale: run `make docs`", file=sys.stderr)
        return 1
    return 0


def pages() -> Iterator[tuple[Path, str]]:
    """Each generated file with the text that it should have."""
    blocks: dict[str, dict[str, Callable[[], str]]] = {
        "hooks.md": {"hooks": hooks},
        "config.md": {"config": config},
        "cli.md": {"commands": commands},
        "emotion.md": {"protocols": protocols},
    }
    for name, makers in blocks.items():
        file = DOCS / name
        text = file.read_text(encoding="utf-8")
        for block, make in makers.items():
            text = fill(text, block, make(), name)
        yield file, text


def fill(text: str, block: str, content: str, page: str) -> str:
    """Put `content` between the markers of `block`."""
    begin = BEGIN.format(name=block)
    pattern = re.compile(f"{re.escape(begin)}.*?{re.escape(END)}", re.DOTALL)
    if not pattern.search(text):
        raise SystemExit(f"docs/{page}: no block {begin} ... {END}")
    return pattern.sub(lambda _: f"{begin}\n{content.strip()}\n{END}", text, count=1)


def hooks() -> str:
    """Every hook with its signature, docstring and example, in the order of the source."""
    from kelly_core import hookspecs

    found = [
        (name, function)
        for name, function in vars(hookspecs).items()
        if name.startswith("kelly_") and inspect.isfunction(function)
    ]
    return "\n\n".join(_hook(name, function) for name, function in found)


def _hook(name: str, function: Any) -> str:
    text, _, example = inspect.cleandoc(function.__doc__ or "").partition(">>>")
    summary, _, arguments = text.partition("Args:")
    returns = str(inspect.signature(function)).replace("'", "")
    parts = [f"## {name}", f"```python\n{name}{returns}\n```", summary.strip()]
    if arguments.strip():
        parts.append(re.sub(r"^ +(\w+): ", r"- `\1`: ", arguments.strip("\n").rstrip(), flags=re.MULTILINE))
    parts.append(f"```pycon\n>>>{example.rstrip()}\n```")
    return "\n\n".join(parts)


def config() -> str:
    """The commented defaults, as `kelly config emotion` prints them."""
    return f"```yaml\n{_run_kelly('config', 'emotion').rstrip()}\n```"


def commands() -> str:
    """The help of every command and sub-command."""
    from kelly_core.cli.app import COMMANDS

    sections = [_help()]
    for name in COMMANDS:
        sections.append(_help(name))
        # `kelly predict` has a sub-command for each installed model.
        listed = _run_kelly(name, "--help").partition("\nCommands:\n")[2]
        sections += [_help(name, child) for child in re.findall(r"^  ([a-z][\w-]*)", listed, re.MULTILINE)]
    return "\n\n".join(sections)


def _help(*words: str) -> str:
    title = " ".join(("#" * max(2, len(words) + 1), "kelly", *words))
    return f"{title}\n\n```text\n{_run_kelly(*words, '--help')}\n```"


def _run_kelly(*arguments: str) -> str:
    from kelly_core.cli.app import build

    output = io.StringIO()
    with redirect_stdout(output), suppress(SystemExit):
        build().main(list(arguments), prog_name="kelly")
    text = output.getvalue().replace("\b", "")
    if not text.strip():
        raise SystemExit(f"`kelly {' '.join(arguments)}` printed nothing")
    return re.sub(r"[ \t]+$", "", text, flags=re.MULTILINE).strip("\n")


def protocols() -> str:
    """A table of figures for each report in docs/protocols/, as `kelly evaluate --output` wrote it."""
    reports = [json.loads(file.read_text(encoding="utf-8")) for file in sorted(DOCS.glob("protocols/*.json"))]
    if not reports:
        return "No measured protocol is kept in `docs/protocols/`."
    return "\n\n".join(map(_protocol, reports))


def _protocol(report: dict[str, Any]) -> str:
    headline = report["headline"]
    metrics = [name for name in report["rows"][0]["over_folds"] if name != headline]
    seeds = ", ".join(map(str, report["seeds"]))
    flags = f"--set architecture_type={report['architecture_type']} --seeds {seeds.replace(' ', '')}"
    lines = [
        f"### {report['protocol']}, `{report['architecture_type']}`",
        "",
        f"{report['parameters']:,} parameters, seeds {seeds}. Made by",
        "",
        "```bash",
        f"kelly evaluate {report['model']} --protocol {report['protocol']} --data FOLDER {flags}",
        "```",
        "",
        f"| predictor | {headline} (95 %, over folds) | {' | '.join(metrics)} |",
        "|---|---:|" + "---:|" * len(metrics),
    ]
    for row in report["rows"]:
        mean = row["over_folds"][headline]
        others = " | ".join(f"{row['over_folds'][name]['value']:.3f}" for name in metrics)
        half = (mean["high"] - mean["low"]) / 2
        lines.append(f"| {row['name']} | {mean['value']:.3f} ± {half:.3f} | {others} |")
    runs = report["rows"][0]["per_seed"].items()
    per_seed = ", ".join(f"{seed}: {values[headline]:.3f}" for seed, values in runs)
    lines += ["", f"{headline} per seed: {per_seed}.", "", "| of the model | |", "|---|---:|"]
    lines += [f"| {name} | {value:.3f} |" for name, value in report["breakdown"].items()]
    if report["published"]:
        lines += ["", "| published | figure | measured under | source |", "|---|---|---|---|"]
        columns = ("name", "value", "protocol", "source")
        lines += [f"| {' | '.join(row[name] for name in columns)} |" for row in report["published"]]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
