"""Writes the generated parts of docs/: `python docs/generate.py`, or `--check` that they are fresh."""  # noqa: INP001 - a script

from __future__ import annotations

import argparse
import ast
import difflib
import importlib
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

import data_flow
import schemas

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
    yield DOCS / "images" / "data-flow.svg", data_flow.svg()
    for name in schemas.SCHEMAS:
        text = json.dumps(schemas.schema(name), indent=2, ensure_ascii=False) + "\n"
        yield DOCS / "reference" / f"{name}.schema.json", text
    makers: dict[str, Callable[..., str]] = {
        "hooks": hooks,
        "config": config,
        "commands": commands,
        "protocols": protocols,
        "runtimes": runtimes,
        "latency": latency,
        "rules": rules,
        "api": api,
        "errors": errors,
        "python": python,
        "schema": schemas.tables,
        "status": status,
    }
    for file in sorted(DOCS.rglob("*.md")):
        text = file.read_text(encoding="utf-8")
        blocks = [block.split() for block in re.findall(BEGIN.format(name="([a-z0-9 -]+)"), text)]
        mine = [block for block in blocks if block[0] in makers]
        for name, *arguments in mine:
            text = fill(text, " ".join([name, *arguments]), makers[name](*arguments), file.name)
        if mine:
            yield file, text


def fill(text: str, block: str, content: str, page: str) -> str:
    """Put `content` between the markers of `block`."""
    begin = BEGIN.format(name=block)
    pattern = re.compile(f"{re.escape(begin)}.*?{re.escape(END)}", re.DOTALL)
    if not pattern.search(text):
        raise SystemExit(f"{page}: no block {begin} ... {END}")
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
    parts = [f"## {name}", f"<!-- not run: a signature -->\n```python\n{name}{returns}\n```", summary.strip()]
    if arguments.strip():
        parts.append(re.sub(r"^ +(\w+): ", r"- `\1`: ", arguments.strip("\n").rstrip(), flags=re.MULTILINE))
    parts.append(f"```pycon\n>>>{example.rstrip()}\n```")
    return "\n\n".join(parts)


def rules() -> str:
    """Every conformance rule with what it demands, why, and how to mend a failure."""
    from kelly_core.testing import ordered_rules

    rows = ["| rule | for | what it demands | why | how to mend it |", "|---|---|---|---|---|"]
    for rule in ordered_rules():
        cells = (f"`{rule.name}`", ", ".join(rule.kinds), rule.says, rule.why, rule.mend)
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows)


def errors() -> str:
    """What every code of an error means, usual causes and what to do, as `kelly explain` says it."""
    from kelly_core.explain import explanations

    sections = []
    for about in explanations().values():
        parts = [f"### {about.code}", about.means]
        if about.causes:
            parts.append("Usual causes:\n\n" + "\n".join(f"- {cause}" for cause in about.causes))
        parts.append("What to do:\n\n" + "\n".join(f"- {step}" for step in about.next))
        sections.append("\n\n".join(parts))
    return "\n\n".join(sections)


def api() -> str:
    """Every public name with the first sentence about it, by area and module."""
    from kelly_core.api import AREAS

    sections = []
    for area in AREAS:
        rows = [f"### {area.title}", "", "| import | from | what it is |", "|---|---|---|"]
        for module, names in area.modules.items():
            rows += [f"| `{name}` | `{module}` | {_summary(module, name)} |" for name in names]
        sections.append("\n".join(rows))
    return "\n\n".join(sections)


def python() -> str:
    """A directive for each public name, from which mkdocstrings writes the site's page."""
    from kelly_core.api import AREAS

    sections = []
    for area in AREAS:
        names = [f"::: {module}.{name}" for module, names in area.modules.items() for name in names]
        sections.append("\n\n".join([f"## {area.title}", *names]))
    return "\n\n".join(sections)


def status() -> str:
    """The table of moves between statuses, where the code states it."""
    from kelly_core.registry import status as module

    return "\n".join(line for line in (module.__doc__ or "").splitlines() if line.startswith("|"))


def _summary(module: str, name: str) -> str:
    """The first line of a docstring; of a constant, the string below it."""
    loaded = importlib.import_module(module)
    found = getattr(loaded, name)
    if inspect.isclass(found) or inspect.isroutine(found):
        text = inspect.getdoc(found) or ""
    else:
        text = _below(loaded, name)
    return text.partition("\n\n")[0].replace("\n", " ").replace("|", "\\|")


def _below(module: Any, name: str) -> str:
    """The string that stands below an assignment; looked up where the name comes from."""
    source = inspect.getsource(module)
    body = ast.parse(source).body
    for node, following in zip(body, [*body[1:], None], strict=True):
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        if any(isinstance(target, ast.Name) and target.id == name for target in targets):
            value = following.value if isinstance(following, ast.Expr) else None
            return inspect.cleandoc(value.value) if isinstance(value, ast.Constant) else ""
        if isinstance(node, ast.ImportFrom) and any(alias.name == name for alias in node.names):
            return _below(importlib.import_module(node.module or ""), name)
    return ""


def config(model: str = "emotion") -> str:
    """The commented defaults, as `kelly config MODEL` prints them."""
    return f"```yaml\n{_run_kelly('config', model).rstrip()}\n```"


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


def protocols(model: str = "", protocol: str = "") -> str:
    """A table of figures for each report in docs/measured/protocols/, as `kelly evaluate --output` wrote it.

    Args:
        model: Only this model's.
        protocol: Only this protocol's.
    """
    reports = [
        report
        for report in _measured("protocols").values()
        if model in {"", report["model"]} and protocol in {"", report["protocol"]}
    ]
    if not reports:
        return "No measured protocol is kept in `docs/measured/protocols/`."
    # Arms that were run one by one lie in files of their own: each then says which it holds.
    names = [report["protocol"] for report in reports]
    split = {name for name in names if names.count(name) > 1}
    return "\n\n".join(_protocol(report, part=report["protocol"] in split) for report in reports)


def runtimes() -> str:
    """A table for each report in docs/measured/runtimes/, as `kelly evaluate --runtime all -o` wrote it."""
    tables = map(_runtimes, _measured("runtimes").values())
    return "\n\n".join(tables) or "No measurement is kept in `docs/measured/runtimes/`."


def _runtimes(report: dict[str, Any]) -> str:
    metric = report["headline"] if report["headline"] in report["runtimes"][0]["metrics"] else None
    metric = metric or next(iter(report["runtimes"][0]["metrics"]))
    made = "synthetic " if report["synthetic"] else ""
    lines = [f"{report['model']}, {report['items']} test items of {made}{report['dataset']}:", ""]
    lines += [
        f"| runtime | KiB | {metric} (95 %) | change (95 %, paired) | ms per call |",
        "|---|---:|---:|---:|---:|",
    ]
    for row in report["runtimes"]:
        size = "-" if row["bytes"] is None else f"{row['bytes'] / 1024:.0f}"
        if row["not_run"]:
            lines.append(f"| {row['runtime']} | {size} | not run here | | |")
            continue
        value, change = row["metrics"][metric], row["change"][metric]
        by, low, high = (f"{round(change[key], 4) + 0.0:+.4f}" for key in ("value", "low", "high"))
        figure = f"{_figure(value['value'])}{_range(value)}"
        lines.append(f"| {row['runtime']} | {size} | {figure} | {by} [{low}, {high}] | {row['ms']:.3f} |")
    return "\n".join(lines)


def latency() -> str:
    """The tables of docs/measured/latency/*.json, as `kelly bench --json` printed them."""
    return "\n\n".join(_latency(name, report) for name, report in reversed(_measured("latency").items()))


def _measured(kind: str) -> dict[str, dict[str, Any]]:
    """Name and content of the reports in a folder of docs/measured/, sorted by name."""
    files = sorted((DOCS / "measured" / kind).glob("*.json"))
    return {file.stem: json.loads(file.read_text(encoding="utf-8")) for file in files}


def _latency(name: str, report: dict[str, Any]) -> str:
    lines = [f"{name.capitalize()}, {report['machine']['processor']}, one thread, one item:", ""]
    lines += [
        "| model | runtime | call | p50 ms | p99 ms | p99.9 ms | longest ms | after others | budget |",
        "|---|---|---|" + "---:|" * 6,
    ]
    for model in report["models"]:
        name = f"{model['model']}, `{model['architecture_type']}`"
        for row in model["rows"]:
            times = " | ".join(
                f"{row[key]:.3f}" for key in ("p50_ms", "p99_ms", "p999_ms", "max_ms", "after_others_ms")
            )
            budget = (
                f"{row['p99_ms'] / model['budget_ms']:.0%} of {model['budget_ms']:g} ms"
                if row["budget"]
                else ""
            )
            lines.append(f"| {name} | {row['runtime']} | {row['what']} | {times} | {budget} |")
    return "\n".join(lines)


def _protocol(report: dict[str, Any], *, part: bool) -> str:
    """One report: a table per arm, and figures of others."""
    seeds = ",".join(map(str, report["seeds"]))
    arms = report.get("arms") or {"": report}
    architectures = {arm["architecture_type"] for arm in arms.values()}
    alone = f" --set architecture_type={report['architecture_type']}" if "arms" not in report else ""
    title = f"### {report['protocol']}" + (f", `{architectures.pop()}`" if alone else "")
    command = f"kelly evaluate {report['model']} --protocol {report['protocol']} --data FOLDER{alone}"
    size = "Seeds" if "arms" in report else f"{report['parameters']:,} parameters, seeds"
    lines = [title, "", f"{size} {seeds.replace(',', ', ')}. Made by", ""]
    chosen = "".join(f" --arm {name}" for name in arms if part and name)
    lines += ["<!-- not run: trains for hours, on data of others -->"]
    lines += ["```bash", f"{command}{chosen} --seeds {seeds}", "```"]
    for name, arm in arms.items():
        lines += _arm(report, name, arm)
    if report["published"]:
        lines += ["", "| published | figure | measured under | source |", "|---|---|---|---|"]
        columns = ("name", "value", "protocol", "source")
        lines += [f"| {' | '.join(row[name] for name in columns)} |" for row in report["published"]]
    return "\n".join(lines)


def _arm(report: dict[str, Any], name: str, arm: dict[str, Any]) -> list[str]:
    headline = report["headline"]
    rows = [row for row in report["rows"] if row.get("arm", "") == name]
    metrics = [metric for metric in rows[0]["over_folds"] if metric != headline]
    single = rows[0]["over_folds"][headline]["low"] is None
    lines = [""]
    if name:
        lines += [f"#### {name}: `{arm['architecture_type']}`, {arm['parameters']:,} parameters", ""]
    kind = "95 %, over groups" if single else "95 %, over folds"
    lines.append(f"| predictor | {headline} ({kind}) | {' | '.join(metrics)} |")
    lines.append("|---|---:|" + "---:|" * len(metrics))
    # Where some rows have no headline, the others' figures count as much, and have their intervals too.
    apart = any(headline not in row["over_folds"] for row in rows)
    for row in rows:
        figures = [_spread(row, headline, single=single)]
        figures += [_spread(row, m, single=single) if apart else _mean(row, m) for m in metrics]
        lines.append(f"| {row['name']} | {' | '.join(figures)} |")
    runs = rows[0]["per_seed"].items()
    per_seed = ", ".join(f"{seed}: {values[headline]:.3f}" for seed, values in runs)
    lines += ["", f"{headline} per seed: {per_seed}."]
    differences = rows[0].get("paired_difference", {})
    for metric in [headline, *metrics] if apart else [headline]:
        found = {baseline: of[metric] for baseline, of in differences.items() if metric in of}
        if found:
            lines += ["", f"| {metric} minus that of | paired difference (95 %, over groups) |", "|---|---:|"]
            lines += [f"| {name} | {_figure(of['value'])}{_range(of)} |" for name, of in found.items()]
    if arm["breakdown"]:
        lines += ["", "| of the model | |", "|---|---:|"]
        lines += [f"| {what} | {value:.3f} |" for what, value in arm["breakdown"].items()]
    return lines


def _spread(row: dict[str, Any], metric: str, *, single: bool) -> str:
    """A figure with its interval; a baseline that can't be asked for it has none."""
    if metric not in row["over_folds"]:
        return "-"
    ends = row["over_groups"][metric] if single else row["over_folds"][metric]
    spread = _range(ends) if single else f" ± {(ends['high'] - ends['low']) / 2:.3f}"
    return f"{_figure(row['over_folds'][metric]['value'])}{spread}"


def _mean(row: dict[str, Any], metric: str) -> str:
    return _figure(row["over_folds"][metric]["value"]) if metric in row["over_folds"] else "-"


def _figure(value: float) -> str:
    return f"{value:.3f}" if abs(value) >= 0.1 or value == 0 else f"{value:.4f}"


def _range(ends: dict[str, float | None]) -> str:
    low, high = ends["low"], ends["high"]
    return "" if low is None or high is None else f" [{_figure(low)}, {_figure(high)}]"


if __name__ == "__main__":
    sys.exit(main())
