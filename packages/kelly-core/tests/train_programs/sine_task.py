"""A small real task, which sine sounds in noise: for tests of the loop, here and in child processes."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from lightning_fabric import Fabric
from torch import nn

from kelly_core.checkpoint import read_checkpoint
from kelly_core.config import TrainConfig, setting
from kelly_core.errors import KellyError
from kelly_core.task import Interface, Predictions, Task
from kelly_core.train.loop import Plan, fit

CLASSES, SAMPLES = 3, 48


class SineConfig(TrainConfig):
    plain: bool = setting(False, "no dropout, batch norm or augmentation")
    validate_every: int = setting(1, "epochs between two looks at validation data", ge=1)


class Phrases:
    """Sine sounds of three pitches in noise: (items, samples + 16)."""

    def __init__(self, count, seed, noise=1.0, groups=4):
        rng = np.random.default_rng(seed)
        self.targets = rng.integers(CLASSES, size=count)
        time = np.arange(SAMPLES + 16) / SAMPLES
        phase = rng.uniform(0, 2 * np.pi, (count, 1))
        sounds = np.sin(2 * np.pi * (3 + 4 * self.targets[:, None]) * time + phase)
        self.sounds = (sounds + noise * rng.standard_normal(sounds.shape)).astype(np.float32)
        self.groups = np.array([f"player {i % groups}" for i in range(count)])
        self.paths = [f"{i}.wav" for i in range(count)]

    def __len__(self):
        return len(self.targets)

    def fetch(self, indices, rng):
        starts = np.zeros(len(indices), int) if rng is None else rng.integers(16, size=len(indices))
        cut = np.stack([self.sounds[i, s : s + SAMPLES] for i, s in zip(indices, starts, strict=True)])
        return {"sound": torch.from_numpy(cut), "target": torch.from_numpy(self.targets[indices])}


class PlainPhrases(Phrases):
    def fetch(self, indices, rng):
        return super().fetch(indices, None)


class SineTask(Task[SineConfig]):
    monitor = "accuracy"
    monitor_mode = "max"

    def prepare(self, dataset, split, context):
        raise NotImplementedError

    def build(self, train):
        if self.config.plain:
            return nn.Sequential(
                nn.Unflatten(1, (1, SAMPLES)), nn.Conv1d(1, 6, 9), nn.Tanh(), Pool(), nn.Linear(12, 3)
            )
        return nn.Sequential(
            nn.Unflatten(1, (1, SAMPLES)),
            nn.Conv1d(1, 6, 9),
            nn.BatchNorm1d(6),
            nn.ReLU(),
            Pool(),
            nn.Dropout(0.2),
            nn.Linear(12, CLASSES),
        )

    def loss(self, model, batch, generator):
        sound = batch["sound"]
        if not self.config.plain:
            sound = sound * torch.empty(len(sound), 1).uniform_(0.5, 2.0, generator=generator)
        return F.cross_entropy(model(sound), batch["target"])

    @torch.no_grad()
    def predict(self, model, source, batch_size):
        batch = source.fetch(np.arange(len(source)), None)
        logits = model(batch["sound"])
        loss = float(F.cross_entropy(logits, batch["target"]))
        return Predictions(logits.numpy(), source.targets, source.groups, source.paths, loss)

    def metrics(self, predictions):
        return {"accuracy": float((predictions.outputs.argmax(1) == predictions.targets).mean())}

    def write_samples(self, model, source, folder):
        drawn = torch.randint(len(source), (3,)).tolist()  # as a task may: from the global generator
        (folder / "samples.json").write_text(json.dumps(drawn))

    def interface(self):
        return Interface([], [])

    def example_inputs(self, source, batch):
        return {"sound": np.zeros((batch, SAMPLES), np.float32)}


class Pool(nn.Module):
    """Mean and max over time."""

    def forward(self, hidden):
        return torch.cat((hidden.mean(2), hidden.amax(2)), 1)


def config(**values):
    return SineConfig.model_validate({"epochs": 6, "learning_rate": 0.02, "checkpoint": {"every": 2}, **values})


def data(settings):
    kind = PlainPhrases if settings.plain else Phrases
    return kind(90, 1), kind(40, 2)


def train(folder, values, *, resume=False, batch_size=16, task_class=SineTask, fabric=None, **plan):
    """One run in `folder`; with `resume`, from its `last.pt`, with `values` possibly extended."""
    torch.set_num_threads(1)
    settings = config(**values)
    folder = Path(folder)
    (folder / "run").mkdir(parents=True, exist_ok=True)
    identity = {"name": "sine", "model_id": "sine", "config": settings.model_dump()}
    where = Plan(folder / "checkpoints", folder / "run", batch_size, identity, **{"tensorboard": False, **plan})
    found = read_checkpoint(where.last) if resume else None
    return fit(
        task_class(settings), *data(settings), where, fabric or Fabric(accelerator="cpu", devices=1), found
    )


def train_and_die(folder, values, moment, resume=False):
    """Like `train`, killed from inside at a named moment that a clock would hardly hit."""
    die = {
        "after best.pt": lambda: None,
        "in the middle of writing last.pt": _die_while_saving,
        "after a few steps": _die_in_step,
    }
    notify = _die_after_best if moment == "after best.pt" else (lambda hook, **arguments: None)
    die[moment]()
    train(folder, values, resume=resume, notify=notify)


def _kill_me():
    os.kill(os.getpid(), signal.SIGKILL)


def _die_after_best(hook, **arguments):
    best = hook == "kelly_checkpoint_saved" and arguments["path"].name == "best.pt"
    if best and read_checkpoint(arguments["path"])["epoch"] >= 3:
        _kill_me()


def _die_while_saving():
    real = torch.save

    def half(payload, path):
        real(payload, path)
        if payload["epoch"] == 3 and "resume" in payload:
            with Path(path).open("r+b") as file:
                file.truncate(Path(path).stat().st_size // 2)
            _kill_me()

    torch.save = half


def _die_in_step():
    real = SineTask.loss
    steps = 0

    def counted(self, model, batch, generator):
        nonlocal steps
        steps += 1
        if steps == 13:
            _kill_me()
        return real(self, model, batch, generator)

    SineTask.loss = counted


def main():
    """As a program: `sine_task.py FOLDER JSON [--cut]`, with the devices the settings ask for."""
    values = json.loads(sys.argv[2])
    fabric = None
    if values.get("devices", 1) > 1:
        fabric = Fabric(accelerator="cpu", devices=values["devices"], strategy="ddp")
        fabric.launch()
    print("training", flush=True)
    try:
        folder = Path(sys.argv[1])
        train(folder, values, fabric=fabric, batch_size=15)
        if "--cut" in sys.argv:  # the same once more in two parts
            train(folder / "cut", {**values, "epochs": 2}, fabric=fabric, batch_size=15)
            train(folder / "cut", values, resume=True, fabric=fabric, batch_size=15)
    except KellyError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
