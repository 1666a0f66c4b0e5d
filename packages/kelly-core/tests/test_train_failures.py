import errno
import json
import os
import resource
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
import torch

from kelly_core import atomic
from kelly_core.checkpoint import read_checkpoint
from kelly_core.errors import TrainingError

PROGRAMS = Path(__file__).parent / "train_programs"


@pytest.fixture
def sine(monkeypatch):
    monkeypatch.syspath_prepend(PROGRAMS)
    import sine_task

    return sine_task


def failing_after(task_class, steps, result):
    """A task whose loss does something else after some steps."""

    class Failing(task_class):
        done = 0

        def loss(self, model, batch, generator):
            Failing.done += 1
            loss = super().loss(model, batch, generator)
            return result(loss) if Failing.done > steps else loss

    return Failing


def raising(error):
    def fail(loss):
        raise error

    return fail


def test_nan_loss_stops_and_keeps_the_last_good_state(sine, tmp_path):
    task = failing_after(sine.SineTask, 12, lambda loss: loss * float("nan"))
    with pytest.raises(TrainingError) as caught:
        sine.train(tmp_path, {}, task_class=task)
    last = tmp_path / "checkpoints" / "last.pt"
    assert caught.value.message == "the loss became nan"
    assert caught.value.where == "epoch 3, step 5"
    assert str(last) in caught.value.hint
    assert "--lr" in caught.value.hint
    kept = read_checkpoint(last)
    assert kept["epoch"] == 2
    assert all(torch.isfinite(tensor).all() for tensor in kept["resume"]["model"].values())


def test_weights_that_break_in_an_epochs_last_step_are_not_kept(sine, tmp_path):
    class Poisoned(torch.autograd.Function):
        @staticmethod
        def forward(context, loss):
            return loss.clone()

        @staticmethod
        def backward(context, gradient):
            return gradient * float("nan")

    task = failing_after(sine.SineTask, 9, Poisoned.apply)
    with pytest.raises(TrainingError, match="validation loss became nan"):
        sine.train(tmp_path, {}, task_class=task)
    assert read_checkpoint(tmp_path / "checkpoints" / "last.pt")["epoch"] == 1


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"),
        RuntimeError("MPS backend out of memory (MPS allocated: 8 GB)"),
        RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory"),
        MemoryError(),
    ],
)
def test_out_of_memory_names_a_smaller_batch(sine, tmp_path, error):
    with pytest.raises(TrainingError, match="out of memory with batches of 16") as caught:
        sine.train(tmp_path, {}, task_class=failing_after(sine.SineTask, 7, raising(error)))
    assert "--batch-size 8" in caught.value.hint
    assert read_checkpoint(tmp_path / "checkpoints" / "last.pt")["epoch"] == 1


def test_a_full_disk_leaves_the_old_checkpoint_whole(sine, tmp_path, monkeypatch):
    real, writes = os.fsync, []

    def full(handle):
        writes.append(handle)
        if len(writes) > 5:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(handle)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(TrainingError, match="No space left on device") as caught:
        sine.train(tmp_path, {})
    folder = tmp_path / "checkpoints"
    assert "free some space" in caught.value.hint
    assert str(folder / "last.pt") in caught.value.hint
    assert all(read_checkpoint(path) for path in folder.iterdir())
    assert not list(folder.glob(".*"))


def test_torchs_own_writer_failing_reads_as_a_failed_write(sine, tmp_path):
    """A limit on file size is the full disk that needs no privileges; torch hides the system's error."""
    code = f"""
import resource, sys
sys.path.insert(0, {str(PROGRAMS)!r})
import sine_task
resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))
sine_task.train({str(tmp_path)!r}, {{}})
"""
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    last_line = [line for line in done.stderr.splitlines() if "TrainingError" in line]
    assert last_line, done.stderr
    assert "could not write" in last_line[-1]
    assert "--resume" in done.stderr


def test_data_removed_under_way_names_the_file(sine, tmp_path):
    file = tmp_path / "clip.npy"
    task = failing_after(sine.SineTask, 7, lambda loss: loss + file.stat().st_size)
    with pytest.raises(TrainingError, match="went away") as caught:
        sine.train(tmp_path, {}, task_class=task)
    assert caught.value.where == str(file)
    assert "--resume" in caught.value.hint


def test_an_unreadable_file_is_named_with_the_systems_reason(sine, tmp_path):
    error = OSError(errno.EIO, "Input/output error", "/data/clip.wav")
    with pytest.raises(TrainingError, match="Input/output error") as caught:
        sine.train(tmp_path, {}, task_class=failing_after(sine.SineTask, 7, raising(error)))
    assert caught.value.where == "/data/clip.wav"


def test_a_programming_error_is_not_dressed_up(sine, tmp_path):
    error = RuntimeError("mat1 and mat2 shapes cannot be multiplied")
    with pytest.raises(RuntimeError, match="mat1") as caught:
        sine.train(tmp_path, {}, task_class=failing_after(sine.SineTask, 7, raising(error)))
    assert not isinstance(caught.value, TrainingError)


def test_a_write_that_dies_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "last.pt"
    atomic.write_bytes(path, b"old")
    with suppress(ZeroDivisionError), atomic.replacing(path) as part:
        part.write_bytes(b"ne")
        raise ZeroDivisionError
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_observers_hear_of_epochs_and_checkpoints_in_order(sine, tmp_path):
    heard = []
    values = {"epochs": 2, "learning_rate": 1e-9, "weight_averaging": 0.0, "checkpoint": {"every": 2}}
    sine.train(
        tmp_path, values, notify=lambda hook, **said: heard.append((hook, said.get("path", Path()).name))
    )
    saved, ended = "kelly_checkpoint_saved", "kelly_epoch_finished"
    start, first, second = heard[:1], heard[1:4], heard[4:]
    assert start == [(saved, "last.pt")]
    assert first == [(saved, "best.pt"), (saved, "last.pt"), (ended, "")]
    assert second[-3:] == [(saved, "epoch_2.pt"), (saved, "last.pt"), (ended, "")]


def test_a_raising_observer_is_muted_and_training_goes_on(sine, tmp_path):
    import pluggy

    from kelly_core import hookspecs
    from kelly_core.observers import Observers

    class Broken:
        @hookspecs.hookimpl
        def kelly_epoch_finished(self, epoch):
            calls.append(epoch)
            raise ZeroDivisionError

    calls = []
    manager = pluggy.PluginManager("kelly")
    manager.add_hookspecs(hookspecs)
    manager.register(Broken(), name="broken")
    observers = Observers(manager)
    fitted = sine.train(
        tmp_path, {"epochs": 3}, notify=lambda hook, **said: observers.call(hook, run=None, **said)
    )
    assert fitted.epochs == 3
    assert calls == [1]
    assert observers.muted == {"broken"}


def test_metrics_are_valid_json_even_when_one_is_nan(sine, tmp_path):
    class Undefined(sine.SineTask):
        def metrics(self, predictions):
            return {**super().metrics(predictions), "undefined": float("nan")}

    sine.train(tmp_path, {"epochs": 1}, task_class=Undefined)
    line = json.loads((tmp_path / "run" / "metrics.jsonl").read_text(), parse_constant=pytest.fail)
    assert line["val_undefined"] is None


def test_sample_predictions_are_written_every_few_epochs(sine, tmp_path):
    sine.train(tmp_path, {"epochs": 5, "checkpoint": {"samples_every": 2}})
    assert sorted(path.name for path in (tmp_path / "run" / "samples").iterdir()) == ["epoch_2", "epoch_4"]


def test_only_the_newest_epochs_are_kept(sine, tmp_path):
    sine.train(tmp_path, {"epochs": 6, "checkpoint": {"every": 1, "keep": 2}})
    kept = sorted(path.name for path in (tmp_path / "checkpoints").iterdir())
    assert kept == ["best.pt", "epoch_5.pt", "epoch_6.pt", "last.pt"]


def test_tensorboard_curves_hold_every_epoch(sine, tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    sine.train(tmp_path, {"epochs": 3}, tensorboard=True)
    events = EventAccumulator(str(tmp_path / "run" / "tensorboard")).Reload()
    assert [event.step for event in events.Scalars("val_accuracy")] == [1, 2, 3]
