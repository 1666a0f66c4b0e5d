import json
import math
import multiprocessing
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from kelly_core.checkpoint import read_checkpoint
from kelly_core.train.metrics_log import read_metrics

PROGRAMS = Path(__file__).parent / "train_programs"
EXTENSIVE = {  # everything with a state of its own
    "one_cycle": {"weight_averaging": 0.9, "early_stopping": {"patience": 50, "min_delta": 0.01}},
    "plateau": {
        "optimizer": {"name": "sgd", "gradient_clip": 0.5},
        "schedule": {"name": "plateau", "patience": 1, "factor": 0.5},
        "weight_averaging": 0.0,
        "epochs": 8,
    },
    "stops early": {
        "schedule": {"name": "cosine", "warmup": 0.1},
        "early_stopping": {"patience": 2},
        "validate_every": 2,
        "epochs": 60,
    },
}


@pytest.fixture(scope="module")
def processes():
    """Starts children quickly: they fork from a process that has imported torch and done nothing else."""
    sys.path.insert(0, str(PROGRAMS))
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["torch", "lightning_fabric", "kelly_core.train.loop"])
    first = context.Process()
    first.start()
    first.join()
    yield context
    sys.path.remove(str(PROGRAMS))


@pytest.fixture(scope="module")
def sine(processes):
    import sine_task

    return sine_task


def flatten(value, at=""):
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from flatten(inner, f"{at}/{key}")
    elif isinstance(value, list | tuple):
        for index, inner in enumerate(value):
            yield from flatten(inner, f"{at}/{index}")
    else:
        yield at, value


def same(a, b):
    if isinstance(a, torch.Tensor):
        return torch.equal(a, b)
    return a == b or (isinstance(a, float) and math.isnan(a) and math.isnan(b))


def assert_same_run(folder, reference, names=("best.pt", "last.pt")):
    for name in names:
        mine = dict(flatten(read_checkpoint(folder / "checkpoints" / name)))
        theirs = dict(flatten(read_checkpoint(reference / "checkpoints" / name)))
        assert mine.keys() == theirs.keys()
        compared = [key for key in mine if not key.startswith("/config/") and not key.endswith("/seconds")]
        different = [key for key in compared if not same(mine[key], theirs[key])]
        assert not different, name
    lines = [[{**line, "seconds": 0} for line in read_metrics(f / "run")] for f in (folder, reference)]
    assert lines[0] == lines[1]
    kept = [sorted(p.name for p in (f / "checkpoints").iterdir()) for f in (folder, reference)]
    assert kept[0] == kept[1]


@pytest.mark.parametrize("name", EXTENSIVE)
def test_killed_at_random_moments_ends_as_if_it_had_not_been(name, processes, sine, tmp_path):
    values = EXTENSIVE[name]
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    started = time.monotonic()
    child = processes.Process(target=sine.train, args=(whole, values))
    child.start()
    child.join()
    duration = time.monotonic() - started
    assert child.exitcode == 0
    moments = random.Random(name)
    kills = 0
    for attempt in range(5):
        resume = (cut / "checkpoints" / "last.pt").exists()
        child = processes.Process(target=sine.train, args=(cut, values), kwargs={"resume": resume})
        child.start()
        if attempt == 0:  # at least one is killed, however busy the machine was when the whole run was timed
            while child.is_alive() and not (cut / "checkpoints").exists():
                time.sleep(0.001)
        else:
            child.join(timeout=duration * moments.uniform(0.3, 0.9))
        child.kill()
        child.join()
        kills += child.exitcode == -signal.SIGKILL
    child = processes.Process(target=sine.train, args=(cut, values), kwargs={"resume": True})
    child.start()
    child.join()
    assert child.exitcode == 0
    assert kills > 0
    for leftover in (cut / "checkpoints").glob(".*"):  # half-written files of the killed
        leftover.unlink()
    assert_same_run(cut, whole)


@pytest.mark.parametrize("moment", ["after best.pt", "in the middle of writing last.pt", "after a few steps"])
def test_killed_at_a_bad_moment_keeps_the_last_good_state(moment, processes, sine, tmp_path):
    values = EXTENSIVE["one_cycle"]
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    sine.train(whole, values)
    child = processes.Process(target=sine.train_and_die, args=(cut, values, moment))
    child.start()
    child.join()
    assert child.exitcode == -signal.SIGKILL
    assert read_checkpoint(cut / "checkpoints" / "last.pt")["epoch"] == 2
    sine.train(cut, values, resume=True)
    for leftover in (cut / "checkpoints").glob(".*"):
        leftover.unlink()
    assert_same_run(cut, whole)


def test_a_run_killed_before_its_first_epoch_ended_can_be_resumed(sine, tmp_path):
    class Killed(BaseException):
        pass

    class DyingTask(sine.SineTask):
        def loss(self, model, batch, generator):
            raise Killed

    with pytest.raises(Killed):
        sine.train(tmp_path / "cut", {}, task_class=DyingTask)
    sine.train(tmp_path / "cut", {}, resume=True)
    sine.train(tmp_path / "whole", {})
    assert_same_run(tmp_path / "cut", tmp_path / "whole")


def test_ctrl_c_in_an_epoch_saves_the_position_and_says_how_to_go_on(sine, tmp_path):
    values = {"epochs": 4000, "schedule": {"name": "constant"}, "checkpoint": {"every": 0, "samples_every": 0}}
    command = [sys.executable, str(PROGRAMS / "sine_task.py"), str(tmp_path / "cut"), json.dumps(values)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as program:
        metrics = tmp_path / "cut" / "run" / "metrics.jsonl"
        while not metrics.exists() and program.poll() is None:
            time.sleep(0.01)
        program.send_signal(signal.SIGINT)
        said = program.communicate(timeout=60)[1]
    assert program.returncode == 130, said
    assert "stopped after" in said
    assert "--resume" in said
    stopped = read_checkpoint(tmp_path / "cut" / "checkpoints" / "last.pt")
    done = stopped["epoch"]
    assert 0 < done < 4000
    values["epochs"] = done + 1
    sine.train(tmp_path / "cut", values, resume=True, batch_size=15)
    sine.train(tmp_path / "whole", values, batch_size=15)
    assert_same_run(tmp_path / "cut", tmp_path / "whole")


def test_interrupting_between_two_steps_loses_none(sine, tmp_path):
    from kelly_core.train.failures import InterruptedRunError

    class Interrupting(sine.SineTask):
        steps = 0

        def loss(self, model, batch, generator):
            Interrupting.steps += 1
            if Interrupting.steps == 8:
                signal.raise_signal(signal.SIGINT)
            return super().loss(model, batch, generator)

    values = EXTENSIVE["one_cycle"]
    with pytest.raises(InterruptedRunError):
        sine.train(tmp_path / "cut", values, task_class=Interrupting)
    assert read_checkpoint(tmp_path / "cut/checkpoints/last.pt")["resume"]["step"] == 3
    sine.train(tmp_path / "cut", values, resume=True)
    sine.train(tmp_path / "whole", values)
    assert_same_run(tmp_path / "cut", tmp_path / "whole")


def test_more_epochs_on_resume_continue_the_run(sine, tmp_path):
    constant = {"schedule": {"name": "constant"}}
    sine.train(tmp_path / "cut", {**constant, "epochs": 3})
    sine.train(tmp_path / "cut", {**constant, "epochs": 7}, resume=True)
    sine.train(tmp_path / "whole", {**constant, "epochs": 7})
    assert_same_run(tmp_path / "cut", tmp_path / "whole")


def test_a_run_that_stopped_early_stays_stopped(sine, tmp_path):
    values = EXTENSIVE["stops early"]
    first = sine.train(tmp_path, values)
    assert first.stopped_early
    again = sine.train(tmp_path, values, resume=True)
    assert again.stopped_early
    assert again.epochs == first.epochs < 60
    assert len(read_metrics(tmp_path / "run")) == first.epochs


def test_another_seed_gives_other_weights(sine, tmp_path):
    one, two = sine.train(tmp_path / "1", {}), sine.train(tmp_path / "2", {"seed": 1})
    assert not torch.equal(one.state["1.weight"], two.state["1.weight"])
