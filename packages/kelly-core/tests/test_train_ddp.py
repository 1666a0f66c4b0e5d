"""Several processes compute what one does, and the first alone writes."""

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from kelly_core.checkpoint import read_checkpoint
from kelly_core.errors import TrainingError
from kelly_core.train.metrics_log import read_metrics

PROGRAM = Path(__file__).parent / "train_programs" / "sine_task.py"
PLAIN = {"plain": True, "epochs": 4, "seed": 3}


def run(folder, values, *extra):
    command = [sys.executable, str(PROGRAM), str(folder), json.dumps(values), *extra]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """One process and two, same global batch of 15: parts of 8 and 7."""
    folder = tmp_path_factory.mktemp("ddp")
    results = [run(folder / str(devices), {**PLAIN, "devices": devices}) for devices in (1, 2)]
    assert [result.returncode for result in results] == [0, 0], results[1].stderr
    return folder


def test_two_processes_have_the_loss_curve_of_one(pair):
    one, two = (read_metrics(pair / name / "run") for name in ("1", "2"))
    assert len(one) == len(two) == 4
    for a, b in zip(one, two, strict=True):
        assert b["train_loss"] == pytest.approx(a["train_loss"], abs=1e-5)
        assert b["val_loss"] == pytest.approx(a["val_loss"], abs=1e-5)
        assert b["lr"] == a["lr"]
    assert one[-1]["train_loss"] < one[0]["train_loss"]


def test_one_process_writes_every_file(pair):
    epochs = [line["epoch"] for line in read_metrics(pair / "2" / "run")]
    assert epochs == [1, 2, 3, 4]
    names = sorted(path.name for path in (pair / "2" / "checkpoints").iterdir())
    assert names == ["best.pt", "epoch_2.pt", "epoch_4.pt", "last.pt"]


def test_two_processes_resume_as_if_they_had_not_stopped(tmp_path):
    values = {"epochs": 4, "devices": 2, "schedule": {"name": "constant"}}  # with dropout and augmentation
    done = run(tmp_path, values, "--cut")
    assert done.returncode == 0, done.stderr
    whole, cut = (
        read_checkpoint(folder / "checkpoints" / "last.pt") for folder in (tmp_path, tmp_path / "cut")
    )
    for name, tensor in whole["resume"]["model"].items():
        assert tensor.equal(cut["resume"]["model"][name]), name


def test_too_few_examples_for_the_processes_is_said(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(PROGRAM.parent)
    import sine_task

    pair = SimpleNamespace(world_size=2, global_rank=0, is_global_zero=True, device="cpu")
    with pytest.raises(TrainingError, match="2 processes can't share 1 examples a step"):
        sine_task.train(tmp_path, PLAIN, fabric=pair, batch_size=1)
