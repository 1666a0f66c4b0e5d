"""The training loop: short, readable, resumable to the bit."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim import Optimizer

from kelly_core.config import TrainConfig
from kelly_core.errors import TrainingError
from kelly_core.task import Source, Task
from kelly_core.train import keeping, rng
from kelly_core.train.averaging import WeightAverage
from kelly_core.train.failures import InterruptedRunError, Interrupts, LossError, check_finite, explained
from kelly_core.train.judge import Judge
from kelly_core.train.metrics_log import MetricsLog
from kelly_core.train.optim import build_optimizer, rate_factor
from kelly_core.train.order import BatchOrder, share
from kelly_core.train.plan import Fitted, Plan

__all__ = ["Fitted", "Plan", "Trainer", "fit"]

CHECK_EVERY = 50
"""Steps between two looks at the loss inside an epoch; each one waits for the device."""


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
    with ExitStack() as stack:
        stack.enter_context(explained(plan.last, plan.batch_size, fabric.world_size))
        trainer = Trainer(task, train, validation, plan, fabric)
        if resume is not None:
            trainer.load_state(resume)
        trainer.interrupts = stack.enter_context(Interrupts())
        if plan.folder is not None and fabric.is_global_zero:
            log = MetricsLog(plan.folder, keep_epochs=trainer.epoch, tensorboard=plan.tensorboard)
            trainer.log = stack.enter_context(log)
        stack.enter_context(plan.view)
        if resume is None:
            trainer.save_position()  # a kill in the first epoch can be resumed as well
        try:
            return trainer.run()
        except (InterruptedRunError, LossError):
            if fabric.is_global_zero:
                raise
            # Every process is here. The first one reports; a child that failed would have it killed.
            return trainer.judge.fitted


class Trainer:
    """The state of a run between two steps, and how it moves."""

    def __init__(self, task: Task[Any], train: Source, validation: Source, plan: Plan, fabric: Fabric) -> None:
        config: TrainConfig = task.config
        rng.seed_all(config.seed)
        self.task, self.config, self.plan, self.fabric = task, config, plan, fabric
        self.train_source, self.validation = train, validation
        self.order = BatchOrder(len(train), plan.batch_size, config.seed)
        self.rank, self.world, self.device = fabric.global_rank, fabric.world_size, fabric.device
        if min(len(train), plan.batch_size) < self.world:
            raise TrainingError(
                f"{self.world} processes can't share {min(len(train), plan.batch_size)} examples a step",
                hint="give a larger --batch-size or fewer --devices",
                code="training.processes",
            )
        self.raw: nn.Module = task.build(train).to(self.device)
        self.model, self.optimizer = _setup(fabric, self.raw, build_optimizer(self.raw, config))
        self.parameters = [parameter for parameter in self.raw.parameters() if parameter.requires_grad]
        self.average = WeightAverage(self.raw, config.weight_averaging)
        self.factor = rate_factor(config.schedule, config.epochs * self.order.steps, self.order.steps)
        self.judge = Judge(config, f"val_{task.monitor}", task.monitor_mode)
        self.epoch, self.step = 0, 0  # finished epochs; finished steps of the next one
        kind = torch.float32 if self.device.type == "mps" else torch.float64
        self.loss_sum = torch.zeros((), dtype=kind, device=self.device)
        self.generator = torch.Generator()
        self.log: MetricsLog | None = None
        self.interrupts = Interrupts()

    def run(self) -> Fitted:
        """Train to the end and return the best weights."""
        while self.epoch < self.config.epochs and not self.judge.fitted.stopped_early:
            started = time.monotonic()
            self.train_epoch()
            self.finish_epoch(time.monotonic() - started)
        self.judge.fitted.epochs = self.epoch
        return self.judge.fitted

    def train_epoch(self) -> None:
        """Go through the training data once, from wherever the epoch stands."""
        self.model.train()
        seeds = rng.step_seeds(self.config.seed, self.epoch, self.rank, self.order.steps)
        for indices in self.order.batches(self.epoch, first=self.step):
            self.stop_if_asked()
            self.set_rate()
            loss = self.loss(indices, seeds[self.step])
            self.move(loss)
            self.loss_sum += loss.detach()
            self.step += 1
            looked = self.look_at_loss() if self.step % CHECK_EVERY == 0 else None
            self.plan.view.step(self.epoch + 1, self.step, looked)

    def loss(self, indices: NDArray[np.int64], seeds: NDArray[np.uint64]) -> Tensor:
        """This process's loss on its part of a global batch; all randomness comes from the seeds."""
        part = share(indices, self.rank, self.world)
        seed = int(seeds[0])
        batch = self.train_source.fetch(part, rng.generator(seed))
        batch = {name: tensor.to(self.device) for name, tensor in batch.items()}
        rng.seed_step(int(seeds[1]), self.device)
        loss = self.task.loss(self.model, batch, self.generator.manual_seed(seed))
        # Parts of a global batch may differ by one example; weighting makes their mean the batch's.
        return loss * (len(part) * self.world / len(indices)) if self.world > 1 else loss

    def move(self, loss: Tensor) -> None:
        """One step of the optimiser and of the average."""
        self.fabric.backward(loss)
        limit = self.config.optimizer.gradient_clip
        if limit and self.config.precision == "16-mixed":
            self.fabric.clip_gradients(self.model, self.optimizer, max_norm=limit)
        elif limit:
            torch.nn.utils.clip_grad_norm_(self.parameters, limit, foreach=True)
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.average.update()

    def set_rate(self) -> None:
        """Learning rate of the next step."""
        step = self.epoch * self.order.steps + self.step
        rate = self.config.learning_rate * self.factor(step) * self.judge.plateau.factor
        for group in self.optimizer.param_groups:
            group["lr"] = rate

    def look_at_loss(self) -> float:
        """The mean loss of the epoch so far, over all processes, checked to be finite."""
        mean = self.loss_sum / max(1, self.step)
        if self.world > 1:
            mean = self.fabric.all_reduce(mean, reduce_op="mean")  # type: ignore[assignment]
        value = float(mean)
        self.check(value, "loss", f"epoch {self.epoch + 1}, step {self.step}")
        return value

    def check(self, value: float, what: str, place: str) -> None:
        """Stop before weights that are beyond repair are kept."""
        rate, clip = self.optimizer.param_groups[0]["lr"], self.config.optimizer.gradient_clip
        check_finite(value, what, place, learning_rate=rate, clip=clip, last=self.plan.last)

    def finish_epoch(self, seconds: float) -> None:
        """Validate, decide, save, tell."""
        metrics = {"train_loss": self.look_at_loss()}
        due = (self.epoch + 1) % self.config.validate_every == 0 or self.epoch + 1 == self.config.epochs
        metrics |= self.validate() if due else {}
        metrics |= {"lr": self.optimizer.param_groups[0]["lr"], "seconds": seconds}
        self.epoch, self.step = self.epoch + 1, 0
        self.loss_sum.zero_()
        best = due and self.judge.look(self.epoch, metrics, self.weights)
        if self.fabric.is_global_zero:
            if self.log is not None:
                self.log.write(self.epoch, metrics)
            self.write_samples()  # before saving: whatever it draws is part of the saved generator state
            content = keeping.payload(self.plan, self.weights(), self.optimizer, self.epoch, metrics)
            keeping.keep_epoch(self.plan, self.config.checkpoint, content, self.state_dict(), best=best)
        if self.world > 1:
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
        values = self.fabric.broadcast(values) if self.world > 1 else values
        self.check(values["val_loss"], "validation loss", f"epoch {self.epoch + 1}")
        return values

    def weights(self) -> dict[str, Tensor]:
        """A copy on the CPU of the weights that are evaluated and shipped."""
        return {
            name: tensor.detach().cpu().clone() for name, tensor in self.average.module.state_dict().items()
        }

    def write_samples(self) -> None:
        """Every so often, a few predictions that a person can look at or listen to."""
        every = self.config.checkpoint.samples_every
        if self.plan.folder is not None and every and self.epoch % every == 0:
            folder = self.plan.folder / "samples" / f"epoch_{self.epoch}"
            folder.mkdir(parents=True, exist_ok=True)
            self.task.write_samples(self.average.module.eval(), self.validation, folder)

    def stop_if_asked(self) -> None:
        """After Ctrl-C: save the exact position and leave, all processes at the same step."""
        asked = self.interrupts.requested
        if self.world > 1:
            if self.step % CHECK_EVERY:
                return
            flag = torch.tensor(float(asked), device=self.device)
            asked = bool(self.fabric.all_reduce(flag, reduce_op="sum"))
        if not asked:
            return
        if self.step:
            self.loss_sum.fill_(self.look_at_loss() * self.step)  # of all processes; NaN weights aren't kept
        self.save_position()
        saved = f"the position is saved in {self.plan.last}" if self.plan.last else "nothing was to be saved"
        raise InterruptedRunError(
            f"stopped after {self.epoch} of {self.config.epochs} epochs; {saved}",
            hint="go on with the same command and --resume",
        )

    def save_position(self) -> None:
        """Write `last.pt` between two steps."""
        if self.fabric.is_global_zero:
            known = self.judge.fitted.metrics
            content = keeping.payload(self.plan, self.weights(), self.optimizer, self.epoch, known)
            keeping.write(self.plan, "last.pt", {**content, "resume": self.state_dict()})
        if self.world > 1:
            self.fabric.barrier()

    def state_dict(self) -> dict[str, Any]:
        """Everything that the future of this run depends on."""
        return {
            "epoch": self.epoch,
            "step": self.step,
            "loss_sum": self.loss_sum.cpu(),
            "model": self.raw.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "average": self.average.state_dict(),
            "judge": self.judge.state_dict(),
            "rng": rng.capture(),
        }

    def load_state(self, checkpoint: Mapping[str, Any]) -> None:
        """Continue from a `last.pt`."""
        state = checkpoint["resume"]
        self.raw.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.average.load_state_dict(state["average"])
        self.judge.load_state_dict(state["judge"])
        self.epoch, self.step = state["epoch"], state["step"]
        self.loss_sum.copy_(state["loss_sum"])
        rng.restore(state["rng"])


def _setup(fabric: Fabric, module: nn.Module, optimizer: Optimizer) -> tuple[nn.Module, Optimizer]:
    """Let Fabric wrap what it needs to; a single process in full precision needs nothing."""
    if fabric.world_size == 1 and fabric._precision.precision == "32-true":  # noqa: SLF001 - no public reader
        return module, optimizer
    model, wrapped = fabric.setup(module, optimizer)
    return model, wrapped
