"""`kelly plugin`: write a new plugin package, check an installed one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kelly_core.cli import console

EXAMPLES = """\b
Examples:
  kelly plugin new key-finder --kind model
  kelly plugin check key-finder
"""
app = typer.Typer(help="Write and check plugin packages.", epilog=EXAMPLES, no_args_is_help=True)


@app.command("new", epilog="\b\nExample:\n  kelly plugin new key-finder --kind model --to ~/src")
def new(
    name: Annotated[str, typer.Argument(help="Public name: lower case, words joined by hyphens.")],
    kind: Annotated[str, typer.Option(help="model, dataset, exporter or device.")] = "model",
    to: Annotated[Path, typer.Option(help="Folder that gets the new folder kelly-NAME.")] = Path(),
) -> None:
    """Write a working plugin package, with tests and CI, ready to be changed."""
    from kelly_core.authoring import new_plugin

    folder = new_plugin(name, kind, to)
    console.say(f"wrote {folder}")
    console.note(f"next: pip install -e '{folder}[test]', then: kelly plugin check kelly-{name}")
    if kind == "model":
        console.note(f"and: kelly train {name} --data demo")


@app.command(
    epilog="\b\nExamples:\n  kelly plugin check emotion\n  kelly plugin check kelly-key-finder --json\n"
    "  kelly plugin check pop909 --data ~/POP909\n  kelly plugin check emotion --rule exports-pass-parity",
)
def check(
    name: Annotated[str, typer.Argument(help="A plugin, or a package: then everything it brings.")],
    train: Annotated[bool, typer.Option("--train/--no-train", help="Also try the rules that train.")] = True,
    sets: Annotated[
        list[str] | None, typer.Option("--set", help="A setting for training, as KEY=VALUE; repeat it.")
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            exists=True, file_okay=False, help="A folder for the dataset or model, instead of built-in data."
        ),
    ] = None,
    rules: Annotated[list[str] | None, typer.Option("--rule", help="Only this rule; repeat it.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Put an installed plugin through Kelly's rules; ends with 1 when one is broken."""
    from kelly_core.testing import check_plugin

    with console.progress() as progress:
        report = check_plugin(
            name, train=train, sets=sets or (), data=data, rules=rules or None, progress=progress
        )
    if as_json:
        console.print_json(report.as_dict())
    else:
        columns = ("plugin", "rule", "verdict", "what was found")
        rows = [(one.plugin, one.rule, one.verdict, one.detail) for one in report.results]
        console.table(columns, rows)
        for failure in report.failures:
            console.say()
            console.say(str(failure))
    if not report.passed:
        raise typer.Exit(1)
