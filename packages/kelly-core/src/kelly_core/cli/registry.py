"""`kelly registry`: look at the models of a workspace, check them, move them from status to status."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from kelly_core.cli import console

if TYPE_CHECKING:
    from kelly_core.registry import ModelEntry
    from kelly_core.workspace import Workspace

EXAMPLES = """\b
Examples:
  kelly registry list
  kelly registry show emotion --json
  kelly registry validate
  kelly registry set-status emotion production
  kelly registry rebuild
  kelly registry card emotion
"""
app = typer.Typer(
    help="List, show, validate and change the model registry.", epilog=EXAMPLES, no_args_is_help=True
)
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Model = Annotated[str, typer.Argument(help="Model id or short name, e.g. emotion.")]


@app.command("list", epilog="\b\nExample:\n  kelly registry list --json")
def list_models(as_json: Json = False) -> None:
    """List the registered models."""
    from kelly_core.registry import load_or_empty

    models = load_or_empty(console.workspace().registry).models
    if as_json:
        console.print_json([entry.model_dump(mode="json") for entry in models])
        return
    if not models:
        console.note("no model is registered yet; train one: `kelly train emotion --data demo`")
        return
    columns = ("model", "status", "version", "trained", "data", "artefacts")
    console.table(columns, [_row(entry) for entry in models])


@app.command(epilog="\b\nExample:\n  kelly registry show emotion")
def show(model: Model, as_json: Json = False) -> None:
    """Show one model: training, figures, artefacts."""
    from kelly_core.registry import find, load

    entry = find(load(console.workspace().registry), model)
    if as_json:
        console.print_json(entry.model_dump(mode="json"))
        return
    console.table(("field", "value"), _facts(entry))
    figures = [
        (split, name, _figure(one)) for split, metrics in entry.metrics.items() for name, one in metrics.items()
    ]
    if figures:
        console.say()
        console.table(("split", "metric", "figure"), figures)
    if entry.artifacts:
        console.say()
        rows = [
            (name, made.file, made.bytes, "yes" if made.verified else "no", made.sha256[:12])
            for name, made in entry.artifacts.items()
        ]
        console.table(("artefact", "file", "bytes", "verified", "sha256"), rows)


@app.command(epilog="\b\nExample:\n  kelly registry validate && echo in order")
def validate(as_json: Json = False) -> None:
    """Check the registry against its schema and against the files it names; exit code 2 on errors."""
    from dataclasses import asdict

    from kelly_core.registry.validate import in_order
    from kelly_core.registry.validate import validate as check

    path = console.workspace().registry
    faults = check(path)
    if as_json:
        console.print_json({"valid": in_order(faults), "faults": [asdict(fault) for fault in faults]})
    else:
        for fault in faults:
            if fault.severity == "error":
                console.fail(f"{fault.where}: {fault}", "registry.invalid")
            else:
                console.warn(f"{fault.where}: {fault}")
            console.note(f"  -> {fault.hint}")
        if in_order(faults):
            console.say(f"{path} is valid")
    if not in_order(faults):
        raise typer.Exit(2)


@app.command("set-status", epilog="\b\nExample:\n  kelly registry set-status emotion production")
def move(
    model: Model,
    status: Annotated[str, typer.Argument(help="stub, training, trained, production or deprecated.")],
) -> None:
    """Move a model to another status; production verifies every artefact first."""
    from kelly_core.registry import find, set_status, update
    from kelly_core.registry.status import parse_status

    workspace = console.workspace()
    new = parse_status(status)

    def verify(model_id: str) -> Any:
        from kelly_core.verify import verify_model

        console.note(f"verifying every artefact of {model_id} ...")
        return verify_model(workspace, console.host(), model_id)

    registry = update(workspace.registry, lambda registry: set_status(registry, model, new, verify))
    entry = find(registry, model)
    console.say(f"{entry.id} is now {entry.status!r}")
    card = _refresh_card(workspace, entry)
    if card:
        console.note(f"rewrote {card}")


@app.command(epilog="\b\nExample:\n  kelly registry rebuild")
def rebuild(as_json: Json = False) -> None:
    """Make the registry anew from run folders, contracts and artefacts."""
    from kelly_core.registry.rebuild import rebuild as made_anew
    from kelly_core.registry.store import restore

    workspace = console.workspace()
    registry, kept = restore(workspace.registry, lambda: made_anew(workspace))
    if kept is not None:
        console.warn(f"the old registry could not be read; it is kept as {workspace.relative(kept)}")
    if as_json:
        console.print_json(registry.model_dump(mode="json"))
        return
    console.say(f"{workspace.registry}: {len(registry.models)} model(s)")
    for entry in registry.models:
        console.say(f"  {entry.id}: {entry.status}, {len(entry.artifacts)} artefact(s)")


@app.command(epilog="\b\nExample:\n  kelly registry card emotion\n  kelly registry card --print-template")
def card(
    model: Annotated[str | None, typer.Argument(help="Model id or short name.")] = None,
    print_template: Annotated[
        bool, typer.Option("--print-template", help="Print the default template with its placeholders.")
    ] = False,
) -> None:
    """Write a model card again, from what its run left and the registry's present status."""
    if print_template:
        from kelly_core.cards.write import default_template

        console.say(default_template().rstrip())
        return
    if model is None:
        raise typer.BadParameter("name a model, or give --print-template")
    from kelly_core.errors import RegistryError
    from kelly_core.registry import find, load

    workspace = console.workspace()
    entry = find(load(workspace.registry), model)
    if entry.run_id is None:
        raise RegistryError(
            f"model {entry.id!r} has no run, so there is nothing to describe",
            hint="train it first",
            code="registry.no-run",
        )
    console.say(_write_card(workspace, entry))


def _refresh_card(workspace: Workspace, entry: ModelEntry) -> str | None:
    """Rewrite the card after a change of status, where its run left the data for it."""
    from kelly_core.cards.data import CARD_FILE

    if entry.run_id is None or not (workspace.runs / entry.run_id / CARD_FILE).exists():
        return None
    return _write_card(workspace, entry)


def _write_card(workspace: Workspace, entry: ModelEntry) -> str:
    from dataclasses import replace

    from kelly_core.cards import load_card_data, write_card

    data = load_card_data(workspace.runs / str(entry.run_id))
    return workspace.relative(write_card(workspace, replace(data, entry=entry)))


def _row(entry: ModelEntry) -> tuple[str, ...]:
    data = f"{entry.dataset or '-'}{' (synthetic)' if entry.synthetic_data else ''}"
    made = ", ".join(
        f"{name}{'' if one.verified else ' (unverified)'}" for name, one in entry.artifacts.items()
    )
    trained = entry.training.training_date or "-"
    return (
        entry.name or entry.id,
        entry.status,
        entry.model_version or "-",
        trained,
        data,
        made or entry.file or "-",
    )


def _facts(entry: ModelEntry) -> list[tuple[str, object]]:
    flat = {key: getattr(entry, key) for key in ("id", "name", "task", "status", "file", "format")}
    flat |= {key: getattr(entry, key) for key in ("model_version", "architecture_type", "parameters")}
    flat |= {
        key: getattr(entry, key)
        for key in ("dataset", "synthetic_data", "data_hash", "run_id", "config", "card")
    }
    flat |= entry.training.model_dump()
    flat |= {"created_at": entry.created_at, "updated_at": entry.updated_at}
    return [
        (key, f"{value:.4g}" if isinstance(value, float) else value)
        for key, value in flat.items()
        if value is not None
    ]


def _figure(one: Any) -> str:
    ends = f" [{one.low:.3f}, {one.high:.3f}]" if one.low is not None and one.high is not None else ""
    return f"{one.value:.3f}{ends}"
