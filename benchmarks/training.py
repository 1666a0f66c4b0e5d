"""Steps per second of Kelly's loop against a bare PyTorch loop and Lightning's Trainer.

All train the same 15 k-parameter network on the same data with batches of 32, on one thread, in turns
within one run. "bare" is what users write: a DataLoader over a map-style dataset with default collation,
AdamW with its defaults. "bare, equal work" also clips gradients and averages weights, as Kelly does by
default; the Trainer does the same as "bare". Run: `uv run python benchmarks/training.py`.
"""

from __future__ import annotations

import argparse
import json
import logging
import statistics
import time
import warnings

import numpy as np
import torch
import torch.nn.functional as F
from lightning.pytorch import LightningModule, Trainer
from lightning_fabric import Fabric
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.data import DataLoader, Dataset

from kelly_core.config import TrainConfig
from kelly_core.config.base import CheckpointConfig, OptimizerConfig, ScheduleConfig
from kelly_core.task import Interface, Predictions, Task
from kelly_core.train.loop import Plan, fit

ITEMS, BATCH, BANDS, FRAMES, CLASSES = 1600, 32, 64, 32, 7
NETWORKS = ("convolutions", "dense")


def network(kind: str) -> nn.Module:
    """About 15 k parameters: where computing weighs, and where handing over the data does."""
    torch.manual_seed(0)
    if kind == "dense":
        layers = [nn.Flatten(), nn.AvgPool1d(32), nn.Linear(64, 96), nn.ReLU(), nn.Linear(96, 80), nn.ReLU()]
        return nn.Sequential(*layers, nn.Dropout(0.1), nn.Linear(80, CLASSES))
    return nn.Sequential(
        nn.Conv1d(BANDS, 44, 3, stride=2),
        nn.BatchNorm1d(44),
        nn.ReLU(),
        nn.Conv1d(44, 44, 3, stride=2),
        nn.BatchNorm1d(44),
        nn.ReLU(),
        nn.AdaptiveAvgPool1d(1),
        nn.Flatten(),
        nn.Dropout(0.1),
        nn.Linear(44, CLASSES),
    )


class Items(Dataset):
    """Per-item access, as users write it."""

    def __init__(self) -> None:
        rng = np.random.default_rng(0)
        self.mels = rng.standard_normal((ITEMS, BANDS, FRAMES), dtype=np.float32)
        self.targets = rng.integers(CLASSES, size=ITEMS)

    def __len__(self) -> int:
        return ITEMS

    def __getitem__(self, index):
        return {"mel": torch.from_numpy(self.mels[index]), "target": int(self.targets[index])}


class Batches:
    """The same data for Kelly."""

    def __init__(self, items: Items) -> None:
        self.items = items

    def __len__(self) -> int:
        return ITEMS

    def fetch(self, indices, rng):
        mel, target = self.items.mels[indices], self.items.targets[indices]
        return {"mel": torch.from_numpy(mel), "target": torch.from_numpy(target)}


class BenchmarkTask(Task[TrainConfig]):
    """The network with the bare loop's loss."""

    kind = "convolutions"

    def prepare(self, dataset, split, context):
        raise NotImplementedError

    def build(self, train):
        return network(self.kind)

    def loss(self, model, batch, generator):
        return F.cross_entropy(model(batch["mel"]), batch["target"])

    def predict(self, model, source, batch_size):
        none = np.zeros(1)
        return Predictions(none, none, none, [""], loss=0.0)

    def metrics(self, predictions):
        return {}

    def interface(self):
        return Interface([], [])

    def example_inputs(self, source, batch):
        return {}


def kelly(kind: str, items: Items, epochs: int, *, equal: bool) -> float:
    """Seconds of `fit`; with `equal`, also clipping and averaging, Kelly's defaults."""
    config = TrainConfig(
        epochs=epochs,
        optimizer=OptimizerConfig(gradient_clip=1.0 if equal else 0.0),
        weight_averaging=0.99 if equal else 0.0,
        schedule=ScheduleConfig(name="constant"),
        checkpoint=CheckpointConfig(samples_every=0),
    )
    source, fabric = Batches(items), Fabric(accelerator="cpu", devices=1)
    started = time.perf_counter()
    task = BenchmarkTask(config)
    task.kind = kind
    fit(task, source, source, Plan(None, None, BATCH), fabric)
    return time.perf_counter() - started


def bare(kind: str, items: Items, epochs: int, *, equal: bool) -> float:
    """Seconds of the loop in every tutorial."""
    loader = DataLoader(items, batch_size=BATCH, shuffle=True)
    started = time.perf_counter()
    model = network(kind)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    average = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(0.99), use_buffers=True) if equal else None
    for _ in range(epochs):
        total = 0.0
        for batch in loader:
            optimizer.zero_grad()
            loss = F.cross_entropy(model(batch["mel"]), batch["target"])
            loss.backward()
            if average is not None:
                torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            if average is not None:
                average.update_parameters(model)
            total += loss.item()
    return time.perf_counter() - started


def lightning(kind: str, items: Items, epochs: int) -> float:
    """Seconds of Lightning's Trainer without logger, checkpoints and progress bar."""

    class Module(LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.net = network(kind)

        def training_step(self, batch, _index):
            return F.cross_entropy(self.net(batch["mel"]), batch["target"])

        def configure_optimizers(self):
            return torch.optim.AdamW(self.parameters(), lr=1e-3)

    quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
    trainer = Trainer(accelerator="cpu", devices=1, max_epochs=epochs, enable_model_summary=False, **quiet)
    loader = DataLoader(items, batch_size=BATCH, shuffle=True)
    module = Module()
    started = time.perf_counter()
    trainer.fit(module, loader)
    return time.perf_counter() - started


def main() -> None:
    """Print steps per second and ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore")
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    figures = {kind: measure(kind, asked.epochs, asked.rounds) for kind in NETWORKS}
    if asked.json:
        print(json.dumps(figures))
        return
    for kind, found in figures.items():
        size = sum(parameter.numel() for parameter in network(kind).parameters())
        print(f"{kind}: {size:,} parameters, batches of {BATCH}, one thread, median of {asked.rounds} rounds")
        for name, value in found["steps_per_second"].items():
            print(f"  {name:<38}{value:8.0f} steps/s")
        for name, value in found["ratios"].items():
            print(f"  {name:<40}{value:6.2f}")


def measure(kind: str, epochs: int, rounds: int) -> dict[str, dict[str, float]]:
    """Steps per second and ratios for one network."""
    items = Items()
    runs = {
        "bare": lambda: bare(kind, items, epochs, equal=False),
        "kelly": lambda: kelly(kind, items, epochs, equal=False),
        "bare, equal work": lambda: bare(kind, items, epochs, equal=True),
        "kelly, equal work": lambda: kelly(kind, items, epochs, equal=True),
        "lightning Trainer": lambda: lightning(kind, items, epochs),
    }
    for run in runs.values():
        run()
    seconds = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            seconds[name].append(run())
    steps = epochs * (ITEMS // BATCH)
    speed = {name: steps / statistics.median(times) for name, times in seconds.items()}
    pairs = (
        ("kelly", "bare"),
        ("kelly, equal work", "bare, equal work"),
        ("lightning Trainer", "bare"),
    )
    # Ratios within a round: what slows the machine down slows all of them.
    ratios = {
        f"{one} / {two}": statistics.median(b / a for a, b in zip(seconds[one], seconds[two], strict=True))
        for one, two in pairs
    }
    return {"steps_per_second": speed, "ratios": ratios}


if __name__ == "__main__":
    main()
