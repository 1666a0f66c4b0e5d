"""Rules about observers, tried on a made-up run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from kelly_core.observers import OBSERVER_HOOKS
from kelly_core.testing.rules import BrokenRuleError, rule
from kelly_core.testing.subject import Subject


@rule(
    "observer",
    why="an observer that raises is muted for the rest of the run, and what it watches for is lost",
    mend="catch in the hook what can go wrong there: a full disk, a network that is away, a missing metric",
)
def watching_never_raises(subject: Subject) -> str:
    """Each of its run hooks takes what a run of two epochs, one export and its end give it."""
    failure = subject.host.probe(subject.entry)
    if failure is not None:
        raise BrokenRuleError(failure.outcome)
    plugin = f"{subject.entry.distribution}:{subject.entry.module}"
    own = {
        hook: implementation
        for hook in OBSERVER_HOOKS
        for implementation in getattr(subject.host.manager.hook, hook).get_hookimpls()
        if implementation.plugin_name == plugin
    }
    if not own:
        raise BrokenRuleError(f"it implements none of {', '.join(OBSERVER_HOOKS)}")
    for hook, arguments in _run(subject):
        if hook in own:
            try:
                own[hook].function(*(arguments[name] for name in own[hook].argnames))
            except Exception as error:
                raise BrokenRuleError(f"{hook} raised {type(error).__name__}: {error}") from error
    return ", ".join(own)


def _run(subject: Subject) -> Iterator[tuple[str, dict[str, Any]]]:
    """Hooks of a run and their arguments, in the order of a real one."""
    from kelly_core.config import TrainConfig
    from kelly_core.config.resolve import dump
    from kelly_core.train.run_folder import new_run
    from kelly_core.verify import ParityReport

    run = new_run(subject.empty_folder("runs"), "check", "reference")
    checkpoint = subject.empty_folder("checkpoints") / "best.pt"
    checkpoint.write_bytes(b"")
    yield "kelly_run_started", {"run": run, "config": dump(TrainConfig(model_id="reference", task="reference"))}
    for epoch in (1, 2):
        metrics = {"epoch": epoch, "train_loss": 1.0 / epoch, "val_loss": 1.5 / epoch}
        yield "kelly_epoch_finished", {"run": run, "epoch": epoch, "metrics": metrics}
        yield "kelly_checkpoint_saved", {"run": run, "path": checkpoint}
    artifact = subject.empty_folder("models") / "reference.onnx"
    artifact.write_bytes(b"")
    report = ParityReport(str(artifact), "trained model", ())
    yield "kelly_export_verified", {"artifact": artifact, "report": report}
    yield "kelly_run_finished", {"run": run, "status": "finished"}
