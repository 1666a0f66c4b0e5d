"""The training loop: short, readable, resumable to the bit."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from kelly_core.checkpoint import CHECKPOINT_FORMAT, save_checkpoint
from kelly_core.config import TrainConfig
from kelly_core.task import Source, Task
from kelly_core.train import rng
from kelly_core.train.averaging import WeightAverage
from kelly_core.train.failures import InterruptedRunError, Interrupts, check_finite, explained
from kelly_core.train.metrics_log import MetricsLog
from kelly_core.train.optim import Plateau, build_optimizer, rate_factor
from kelly_core.train.order import BatchOrder, share
from kelly_core.train.view import NoView, View

CHECK_LOSS_EVERY = 50
"""Steps between two looks at the loss inside an epoch; each one waits for the device."""


@dataclass(frozen=True)
class Plan:
    """What a run needs beside task and data.

    Attributes:
        checkpoints: Folder of `epoch_N.pt`, `best.pt`, `last.pt`; None keeps the best weights in memory only.
        folder: The run's folder, for metrics and samples; None writes neither.
        batch_size: Examples per step over all processes.
        identity: Stored in every checkpoint: name, model id, config, run id, data hash, versions.
        notify: Calls observers: `notify(hook, **arguments)`.
        view: What a person sees.
        eval_batch_size: Examples at once in evaluation.
    """

    checkpoints: Path | None
    folder: Path | None
    batch_size: int
    identity: Mapping[str, Any] = field(default_factory=dict)
    notify: Callable[..., None] = lambda hook, **arguments: None
    view: View = field(default_factory=NoView)
    eval_batch_size: int = 256
    tensorboard: bool = True


@dataclass
class Fitted:
    """What training gave.

    Attributes:
        best_epoch: Epoch (from 1) whose weights `state` holds, chosen on validation data.
        state: Weights of that epoch.
        metrics: That epoch's metrics.
        epochs: Epochs that were run.
        stopped_early: Whether early stopping ended it.
    """

    best_epoch: int = 0
    state: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)
    epochs: int = 0
    stopped_early: bool = False


def fit(
    task: Task[Any],
    train: Source,
    validation: Source,
    plan: Plan,
    fabric: Fabric,
    resume: Mapping[str, Any] | None = None,
) -> Fitted:
    """Train until the configured epoch, early stopping or Ctrl-C.

    Args:
        task: Network, loss and metrics.
        train: Examples to learn from.
        validation: Examples that choose the epoch.
        plan: Where things go.
        fabric: Device, precision and processes, already launched.
        resume: A `last.pt` as read by `read_checkpoint`; training goes on as if it had never stopped.

    Returns:
        The best weights and their metrics.

    Raises:
        InterruptedRunError: Ctrl-C; `last.pt` holds the exact position.
        TrainingError: The loss isn't finite, memory or disk ran out, data went away.
    """
    last = (plan.checkpoints or Path()) / "last.pt"
    with ExitStack() as stack:
        stack.enter_context(explained(last, plan.batch_size))
        trainer = Trainer(task, train, validation, plan, fabric)
        if resume is not None:
            trainer.load_state(resume)
        trainer.interrupts = stack.enter_context(Interrupts())
        if plan.folder is not None and fabric.is_global_zero:
            log = MetricsLog(plan.folder, keep_epochs=trainer.epoch, tensorboard=plan.tensorboard)
            trainer.log = stack.enter_context(log)
        stack.enter_context(plan.view)
        return trainer.run()


class Trainer:
    """The state of a run between two steps, and how it moves."""

    def __init__(self, task: Task[Any], train: Source, validation: Source, plan: Plan, fabric: Fabric) -> None:
        config: TrainConfig = task.config
        rng.seed_all(config.seed)
        self.task, self.config, self.plan, self.fabric = task, config, plan, fabric
        self.train_source, self.validation = train, validation
        self.order = BatchOrder(len(train), plan.batch_size, config.seed)
        self.raw: nn.Module = task.build(train).to(fabric.device)
        self.model, self.optimizer = _setup(fabric, self.raw, build_optimizer(self.raw, config))
        self.average = WeightAverage(self.raw, config.weight_averaging)
        factor = rate_factor(config.schedule, config.epochs * self.order.steps, self.order.steps)
        self.plateau = Plateau(config.schedule)
        self.rate = LambdaLR(self.optimizer, lambda step: factor(step) * self.plateau.factor)
        self.epoch, self.step = 0, 0  # finished epochs; finished steps of the next one
        self.loss_sum = torch.zeros((), dtype=torch.float64 if fabric.device.type != "mps" else torch.float32)
        self.loss_sum = self.loss_sum.to(fabric.device)
        self.waited = 0
        self.fitted = Fitted()
        self.log: MetricsLog | None = None
        self.interrupts = Interrupts()

    def run(self) -> Fitted:
        """Train to the end and return the best weights."""
        while self.epoch < self.config.epochs and not self.fitted.stopped_early:
            started = time.monotonic()
            self.train_epoch()
            self.finish_epoch(time.monotonic() - started)
        self.fitted.epochs = self.epoch
        return self.fitted

    def train_epoch(self) -> None:
        """Go through the training data once, from wherever the epoch stands."""
        self.model.train()
        rank, world = self.fabric.global_rank, self.fabric.world_size
        parameters = [parameter for parameter in self.raw.parameters() if parameter.requires_grad]
        for number, indices in enumerate(self.order.batches(self.epoch)):
            if number < self.step:
                continue
            if self.interrupts.requested:
                self.interrupt()
            seed = rng.step_seed(self.config.seed, self.epoch, number, rank)
            part = share(indices, rank, world)
            batch = self.train_source.fetch(part, rng.generator(seed))
            batch = {name: tensor.to(self.fabric.device) for name, tensor in batch.items()}
            loss = self.task.loss(self.model, batch, torch.Generator().manual_seed(seed))
            # Parts of a global batch may differ by one example; weighting makes their mean the batch's.
            loss = loss * (len(part) * world / len(indices)) if world > 1 else loss
            self.fabric.backward(loss)
            if self.config.optimizer.gradient_clip:
                self.clip(parameters)
            self.optimizer.step()
            self.optimizer.zero_grad()
            self.rate.step()
            self.average.update()
            self.loss_sum += loss.detach()
            self.step += 1
            if self.step % CHECK_LOSS_EVERY == 0:
                self.look_at_loss()

    def clip(self, parameters: list[nn.Parameter]) -> None:
        """Bound the gradient's norm."""
        limit = self.config.optimizer.gradient_clip
        if self.config.precision == "16-mixed":
            self.fabric.clip_gradients(self.model, self.optimizer, max_norm=limit)  # type: ignore[arg-type]
        else:
            torch.nn.utils.clip_grad_norm_(parameters, limit)

    def look_at_loss(self) -> float:
        """The mean loss of the epoch so far, over all processes, checked to be finite."""
        mean = self.loss_sum / max(1, self.step)
        if self.fabric.world_size > 1:
            mean = self.fabric.all_reduce(mean, reduce_op="mean")  # type: ignore[assignment]
        value = float(mean)
        last = (self.plan.checkpoints or Path()) / "last.pt"
        check_finite(value, self.epoch + 1, self.step, self.optimizer.param_groups[0]["lr"], last)
        self.plan.view.step(self.epoch + 1, self.step, value)
        return value

    def finish_epoch(self, seconds: float) -> None:
        """Validate, decide, save, tell."""
        metrics = {"train_loss": self.look_at_loss()}
        due = (self.epoch + 1) % self.config.validate_every == 0 or self.epoch + 1 == self.config.epochs
        metrics |= self.validate() if due else {}
        metrics |= {"lr": self.optimizer.param_groups[0]["lr"], "seconds": seconds}
        self.epoch, self.step = self.epoch + 1, 0
        self.loss_sum.zero_()
        best = due and self.judge(metrics)
        if self.fabric.is_global_zero:
            if self.log is not None:
                self.log.write(self.epoch, metrics)
            self.write_samples()  # before saving: whatever it draws is part of the saved generator state
            self.save(best, metrics)
        self.fabric.barrier()
        self.plan.view.epoch(self.epoch, metrics, best)
        self.plan.notify("kelly_epoch_finished", epoch=self.epoch, metrics=metrics)

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        """Loss and metrics of the averaged weights on validation data; every process gets the first one's."""
        values: dict[str, float] = {}
        if self.fabric.is_global_zero:
            module = self.average.module.eval()
            predictions = self.task.predict(module, self.validation, self.plan.eval_batch_size)
            scalars = {"loss": predictions.loss, **self.task.metrics(predictions)}
            values = {f"val_{name}": value for name, value in scalars.items()}
        return self.fabric.broadcast(values) if self.fabric.world_size > 1 else values

    def judge(self, metrics: dict[str, float]) -> bool:
        """Whether this epoch is the best so far, ties going to the later; moves early stopping and plateau."""
        value = metrics[f"val_{self.task.monitor}"]
        sign = 1.0 if self.task.monitor_mode == "max" else -1.0
        previous = self.fitted.metrics.get(f"val_{self.task.monitor}")
        gain = math.inf if previous is None else sign * (value - previous)
        best = gain >= 0
        if best:
            state = {
                name: tensor.detach().cpu().clone() for name, tensor in self.average.module.state_dict().items()
            }
            self.fitted = Fitted(self.epoch, state, dict(metrics))
        improved = gain > self.config.early_stopping.min_delta
        self.waited = 0 if improved else self.waited + 1
        patience = self.config.early_stopping.patience
        self.fitted.stopped_early = bool(patience) and self.waited >= patience
        if self.config.schedule.name == "plateau":
            self.plateau.update(improved)
        return best

    def save(self, best: bool, metrics: Mapping[str, float]) -> None:
        """Write `last.pt`, and `best.pt` or `epoch_N.pt` when due."""
        folder = self.plan.checkpoints
        if folder is None:
            return
        weights = self.payload(self.average.module.state_dict(), self.epoch, metrics)
        if best:
            self.write(folder / "best.pt", weights)
        settings = self.config.checkpoint
        if settings.every and self.epoch % settings.every == 0:
            self.write(folder / f"epoch_{self.epoch}.pt", weights)
            _keep_newest(folder, settings.keep)
        self.write(folder / "last.pt", {**weights, "resume": self.state_dict()})

    def write(self, path: Path, payload: Mapping[str, Any]) -> None:
        """Write one checkpoint and tell the observers."""
        save_checkpoint(path, payload)
        self.plan.notify("kelly_checkpoint_saved", path=path)

    def payload(self, state: Mapping[str, Any], epoch: int, metrics: Mapping[str, float]) -> dict[str, Any]:
        """What every checkpoint holds."""
        return {
            **self.plan.identity,
            "format": CHECKPOINT_FORMAT,
            "epoch": epoch,
            "val_loss": metrics.get("val_loss", float("nan")),
            "metrics": dict(metrics),
            "model_state_dict": {name: tensor.detach().cpu() for name, tensor in state.items()},
            "optimizer_state_dict": self.optimizer.state_dict(),
        }

    def write_samples(self) -> None:
        """Every so often, a few predictions that a person can look at or listen to."""
        every = self.config.checkpoint.samples_every
        if self.plan.folder is not None and every and self.epoch % every == 0:
            folder = self.plan.folder / "samples" / f"epoch_{self.epoch}"
            folder.mkdir(parents=True, exist_ok=True)
            self.task.write_samples(self.average.module.eval(), self.validation, folder)

    def interrupt(self) -> None:
        """Save the exact position and leave."""
        folder = self.plan.checkpoints
        if folder is not None and self.fabric.is_global_zero:
            metrics = self.fitted.metrics
            payload = self.payload(self.average.module.state_dict(), self.epoch, metrics)
            self.write(folder / "last.pt", {**payload, "resume": self.state_dict()})
        saved = f"everything is saved in {folder}" if folder is not None else "nothing was to be saved"
        raise InterruptedRunError(
            f"stopped in epoch {self.epoch + 1} of {self.config.epochs}; {saved}",
            hint="go on with the same command and --resume",
        )

    def state_dict(self) -> dict[str, Any]:
        """Everything that the future of this run depends on."""
        return {
            "epoch": self.epoch,
            "step": self.step,
            "loss_sum": self.loss_sum.cpu(),
            "model": self.raw.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "average": self.average.state_dict(),
            "rate": {"last_epoch": self.rate.last_epoch},
            "plateau": self.plateau.state_dict(),
            "waited": self.waited,
            "best": vars(self.fitted),
            "rng": rng.capture(),
        }

    def load_state(self, checkpoint: Mapping[str, Any]) -> None:
        """Continue from a `last.pt`."""
        state = checkpoint["resume"]
        self.raw.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.average.load_state_dict(state["average"])
        self.plateau.load_state_dict(state["plateau"])
        self.rate.last_epoch = state["rate"]["last_epoch"]
        self.epoch, self.step = state["epoch"], state["step"]
        self.loss_sum.copy_(state["loss_sum"])
        self.waited = state["waited"]
        self.fitted = Fitted(**state["best"])
        self.fitted.stopped_early = False
        for group, rate in zip(self.optimizer.param_groups, self.rate.lr_lambdas, strict=False):
            group["lr"] = group["initial_lr"] * rate(self.rate.last_epoch)
        rng.restore(state["rng"])


def _setup(fabric: Fabric, module: nn.Module, optimizer: Optimizer) -> tuple[nn.Module, Optimizer]:
    """Let Fabric wrap what it needs to; a single process in full precision needs nothing."""
    if fabric.world_size == 1 and fabric._precision.precision == "32-true":  # noqa: SLF001 - no public reader
        return module, optimizer
    model, wrapped = fabric.setup(module, optimizer)
    return model, wrapped


def _keep_newest(folder: Path, keep: int) -> None:
    epochs = sorted(folder.glob("epoch_*.pt"), key=lambda path: int(path.stem.partition("_")[2]))
    for path in epochs[:-keep] if keep else []:
        path.unlink()
