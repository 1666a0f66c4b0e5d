"""`kelly train`: train a model, resume a run, or show what a run would do."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kelly_core.cli import console
from kelly_core.cli.complete import complete_dataset, complete_model

if TYPE_CHECKING:
    from kelly_core.pipeline.prepare import Job
    from kelly_core.progress import Progress


def command(
    model: Annotated[
        str | None,
        typer.Argument(
            metavar="[MODEL]", help="Name of the model; --config may name it.", autocompletion=complete_model
        ),
    ] = None,
    *,
    data: Annotated[
        str | None, typer.Option("--data", metavar="PATH|demo", help="Folder with data, or demo.")
    ] = None,
    dataset: Annotated[
        str | None,
        typer.Option(
            help="Which dataset plugin reads it, when several could.", autocompletion=complete_dataset
        ),
    ] = None,
    config: Annotated[Path | None, typer.Option("--config", "-c", help="A configuration file.")] = None,
    sets: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="One setting, e.g. optimizer.name=sgd; repeatable."),
    ] = None,
    epochs: Annotated[int | None, typer.Option(help="Passes over the training data.")] = None,
    batch_size: Annotated[int | None, typer.Option(help="Items per step.")] = None,
    lr: Annotated[float | None, typer.Option("--lr", help="Peak learning rate.")] = None,
    device: Annotated[str | None, typer.Option(help="auto, cpu, mps, cuda, or a plugin's device.")] = None,
    devices: Annotated[int | None, typer.Option(help="Processes or GPUs.")] = None,
    strategy: Annotated[str | None, typer.Option(help="How several processes share the work: ddp.")] = None,
    precision: Annotated[str | None, typer.Option(help="32-true, 16-mixed or bf16-mixed.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of everything random.")] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Stop at the first unusable file.")] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the last run, exactly.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be done; train nothing.")] = False,
    export_onnx: Annotated[bool, typer.Option("--export-onnx", help="Write ONNX after training.")] = False,
    export_torchscript: Annotated[
        bool, typer.Option("--export-torchscript", help="Write TorchScript after training.")
    ] = False,
    export_coreml: Annotated[
        bool, typer.Option("--export-coreml", help="Write Core ML after training.")
    ] = False,
    export_rtneural: Annotated[
        bool, typer.Option("--export-rtneural", help="Write RTNeural JSON after training.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Train a model, evaluate it, export it, register it and write its card.

    \b
    Examples:
      kelly train emotion --data demo                      the built-in synthetic set
      kelly train emotion --data ~/recordings --epochs 80 --export-onnx
      kelly train --config configs/emotion_recognizer.yaml
      kelly train emotion --data ~/recordings --dry-run    what would be used
      kelly train emotion --resume                         go on after Ctrl-C or a crash
      kelly train emotion --resume --epochs 200            and train for longer
      kelly train emotion --set architecture_type=streaming --set augment.gain_db=6
    """  # noqa: D301 - \b is the character that keeps these lines apart
    from kelly_core.pipeline.prepare import Request, find_job

    host, name = console.host(), _model_name(model, config)
    host.model(name).require_trainable("kelly train")
    console.require_training()
    flags: dict[str, Any] = {
        "epochs": epochs,
        "batch_size": batch_size,
        "learning_rate": lr,
        "device": device,
        "devices": devices,
        "strategy": strategy,
        "precision": precision,
        "seed": seed,
        "strict_data": strict or None,
        "export_onnx": export_onnx or None,
        "export_torchscript": export_torchscript or None,
        "export_coreml": export_coreml or None,
        "export_rtneural": export_rtneural or None,
    }
    request = Request(name, data, dataset, config, sets or (), flags, resume)
    job = find_job(request, console.workspace(), host)
    with console.progress() as progress:
        if dry_run:
            _show_plan(job, progress, as_json=as_json)
            return
        _run(job, progress, as_json=as_json)


def _model_name(model: str | None, config: Path | None) -> str:
    """The model given, or the one that the configuration file names."""
    from kelly_core.errors import UserError

    if model is not None:
        return model
    if config is not None:
        from kelly_core.config.yaml_source import load_yaml

        named = load_yaml(config).values.get("model_id")
        if isinstance(named, str) and named:
            return named
        raise UserError(
            "it names no model",
            where=str(config),
            hint="add `model_id:` or name the model: `kelly train MODEL`",
            code="usage.no-model",
        )
    raise UserError(
        "no model was named",
        hint="name one: `kelly train emotion`; `kelly list` shows what is installed",
        code="usage.no-model",
    )


def _run(job: Job, progress: Progress, *, as_json: bool) -> None:
    from kelly_core.pipeline.finish import finish, registered_as_training
    from kelly_core.pipeline.train import train
    from kelly_core.progress import Silent

    first = os.environ.get("LOCAL_RANK", "0") == "0"
    watched = console.rich_console(stderr=True)
    watched.quiet = not first
    if job.checkpoint is not None:
        _note_finished(job)
    observers = job.host.notifier()
    if first:
        console.note(
            f"{job.spec.name}: {len(job.dataset.items)} items from {job.dataset.name!r} at {job.dataset.root}"
        )
    with registered_as_training(job) if first else _nothing():
        outcome = train(job, watched, progress if first else Silent(), observers)
        if outcome is None:
            return
        finished = finish(job, outcome, progress, observers)
    if as_json:
        console.print_json(finished.as_dict())
    else:
        _show_result(finished)


def _note_finished(job: Job) -> None:
    assert job.checkpoint is not None
    if job.checkpoint["epoch"] >= job.config.epochs:
        console.note(f"all {job.config.epochs} epochs are done already; give a larger --epochs to train on")
    elif job.checkpoint["resume"]["judge"]["fitted"]["stopped_early"]:
        console.note("the run had stopped early: validation got no better; start a new one to train on")


def _nothing() -> Any:
    from contextlib import nullcontext

    return nullcontext()


def _show_result(finished: Any) -> None:
    results = finished.results
    splits = [side for side in ("train", "validation", "test") if side in results.metrics]
    rows = [
        [metric, *(_figure(results.metrics[side].get(metric)) for side in splits)]
        for metric in dict.fromkeys(metric for side in splits for metric in results.metrics[side])
    ]
    console.table(("metric", *splits), rows, title="95 % intervals by bootstrap over groups")
    headline = finished.headline
    compared = [(finished.name, results.metrics[results.measured_on][headline])]
    compared += [(n, figures[headline]) for n, figures in results.baselines.items() if headline in figures]
    compared += [(f"{finished.name}, {name}", figures[headline]) for name, figures in results.variants.items()]
    console.say()
    console.table((f"{headline} on {results.measured_on}", "figure"), [(n, _figure(v)) for n, v in compared])
    console.say()
    for what, where in finished.places:
        console.say(f"{what:<14}{where}")


def _figure(interval: Any) -> str:
    if interval is None:
        return ""
    return str(interval).partition(" ")[0] if interval.low != interval.low else str(interval)


def _show_plan(job: Job, progress: Progress, *, as_json: bool) -> None:
    from kelly_core.config.render import yaml_value
    from kelly_core.config.resolve import describe_changes, dump
    from kelly_core.pipeline.train import describe

    prepared = job.prepare(progress)
    facts = describe(job, prepared)
    changes = describe_changes(job.resolved)
    if as_json:
        origins = {change.key: change.origin for change in changes}
        data = {"dataset": job.dataset.name, "root": str(job.dataset.root), "synthetic": job.dataset.synthetic}
        console.print_json({"config": dump(job.config), "origins": origins, "data": data, **facts})
        return
    console.say(
        f"model        {job.spec.name} ({job.config.architecture_type}, {facts['parameters']:,} parameters)"
    )
    kind = "SYNTHETIC " if job.dataset.synthetic else ""
    console.say(f"data         {kind}{job.dataset.name} at {job.dataset.root}: {len(job.dataset.items)} items")
    console.say(f"device       {facts['device']['name']} ({facts['device']['reason']})")
    console.say(f"work         {facts['steps_per_epoch']} steps of {facts['batch_size']} items an epoch")
    console.say(f"memory       about {facts['estimated_memory_bytes'] / 2**20:.0f} MiB beside the data")
    hours = facts["summary"].get("hours", {})
    console.say()
    sides = facts["summary"]["split"]
    labels = sorted({label for side in sides.values() for label in side["labels"]})
    rows = [
        (name, *(side["labels"].get(label, 0) for label in labels), side["groups"], f"{hours.get(name, 0):.2f}")
        for name, side in sides.items()
    ]
    console.table(
        ("split", *(label or "items" for label in labels), f"{job.dataset.group_kind}s", "hours"), rows
    )
    console.say()
    if changes:
        table = [(c.key, yaml_value(c.value), yaml_value(c.default), c.origin) for c in changes]
        console.table(("changed setting", "value", "default", "from"), table)
    else:
        console.say("every setting has its default; `kelly config` shows them")
    for problem in facts["problems"]:
        console.warn(problem)
    console.say("\nnothing was trained (--dry-run)")
