"""Schedules, optimiser groups, order, averaging, judging, generators and what a person sees."""

from __future__ import annotations

import io
import random

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from torch import nn

from kelly_core.config import OptimizerConfig, ScheduleConfig, TrainConfig
from kelly_core.config.base import EarlyStoppingConfig
from kelly_core.train import rng
from kelly_core.train.averaging import WeightAverage
from kelly_core.train.judge import Judge
from kelly_core.train.optim import Plateau, build_optimizer, rate_factor
from kelly_core.train.order import BatchOrder, share
from kelly_core.train.view import LineView, LiveView, make_view


def factors(steps=100, per_epoch=10, **settings):
    factor = rate_factor(ScheduleConfig(**settings), steps, per_epoch)
    return [factor(step) for step in range(steps)]


def test_one_cycle_rises_to_its_peak_and_falls_to_nearly_nothing():
    rates = factors(name="one_cycle", warmup=0.3)
    assert rates[0] == pytest.approx(1 / 25)
    assert rates[30] == max(rates) == pytest.approx(1.0)
    assert rates[99] == pytest.approx(1e-4)
    assert rates[:31] == sorted(rates[:31])
    assert rates[30:] == sorted(rates[30:], reverse=True)


def test_one_cycle_has_the_shape_of_torchs():
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    theirs = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, 1.0, total_steps=101, pct_start=0.31, final_div_factor=1e4 / 25
    )
    expected = []
    for _ in range(101):
        expected.append(theirs.get_last_lr()[0])
        optimizer.step()
        theirs.step()
    ours = rate_factor(ScheduleConfig(name="one_cycle", warmup=30.31 / 101), 101, 10)
    assert max(abs(ours(step) - expected[step]) for step in range(101)) < 0.03


def test_cosine_warms_up_then_falls_to_zero():
    rates = factors(name="cosine", warmup=0.1)
    assert rates[0] == pytest.approx(0.1)
    assert rates[9] == pytest.approx(1.0)
    assert rates[55] == pytest.approx(0.5)
    assert rates[99] < 0.001


def test_step_drops_every_so_many_epochs():
    rates = factors(name="step", step_every=4, factor=0.5)
    assert rates[39] == 1.0
    assert rates[40] == 0.5
    assert rates[79] == 0.5
    assert rates[80] == 0.25


def test_plateau_lowers_after_patience_and_starts_counting_again():
    plateau = Plateau(ScheduleConfig(name="plateau", factor=0.5, patience=2))
    seen = [plateau.update(improved) for improved in (True, False, False, False, False, False, False, True)]
    assert seen == [1.0, 1.0, 1.0, 0.5, 0.5, 0.5, 0.25, 0.25]


def test_a_lowered_rate_holds_from_the_very_next_step(sine, tmp_path):
    rates = []

    class Watching(sine.SineTask):
        def metrics(self, predictions):
            return {"accuracy": 0.5}

    class View(LineView):
        def epoch(self, epoch, metrics, best):
            rates.append(metrics["lr"])

    values = {
        "epochs": 4,
        "learning_rate": 0.01,
        "schedule": {"name": "plateau", "patience": 1, "factor": 0.1},
    }
    sine.train(tmp_path, values, task_class=Watching, view=View(4, Console(file=io.StringIO())))
    assert rates == pytest.approx([0.01, 0.01, 0.01, 0.001])


def test_biases_and_norms_get_no_weight_decay():
    net = nn.Sequential(nn.Conv1d(1, 2, 3), nn.BatchNorm1d(2), nn.Linear(2, 2))
    config = TrainConfig(optimizer=OptimizerConfig(weight_decay=0.3))
    decayed, free = build_optimizer(net, config).param_groups
    assert {p.ndim for p in decayed["params"]} == {2, 3}
    assert decayed["weight_decay"] == 0.3
    assert {p.ndim for p in free["params"]} == {1}
    assert free["weight_decay"] == 0.0


@pytest.mark.parametrize(
    ("name", "kind"), [("adamw", torch.optim.AdamW), ("adam", torch.optim.Adam), ("sgd", torch.optim.SGD)]
)
def test_the_named_optimiser_is_built_without_frozen_weights(name, kind):
    net = nn.Linear(2, 2)
    net.bias.requires_grad_(False)
    optimizer = build_optimizer(net, TrainConfig(optimizer=OptimizerConfig(name=name)))
    assert type(optimizer) is kind
    assert [group["params"] for group in optimizer.param_groups] == [[net.weight]]


@pytest.fixture
def sine(monkeypatch):
    from pathlib import Path

    monkeypatch.syspath_prepend(Path(__file__).parent / "train_programs")
    import sine_task

    return sine_task


@pytest.mark.parametrize(("clip", "largest"), [(0.0, None), (0.001, 0.001)])
def test_clipping_bounds_the_step_of_plain_descent(sine, tmp_path, clip, largest):
    """With SGD and no momentum the step is rate times gradient, so weights show the gradient's norm."""
    sgd = {"name": "sgd", "momentum": 0.0, "weight_decay": 0.0, "gradient_clip": clip}
    values = {
        "plain": True,
        "epochs": 1,
        "learning_rate": 1.0,
        "optimizer": sgd,
        "weight_averaging": 0.0,
        "schedule": {"name": "constant"},
    }
    rng.seed_all(0)
    before = sine.SineTask(sine.config(**values)).build(None).state_dict()
    after = sine.train(tmp_path, values, batch_size=90).state
    moved = float(torch.cat([(after[name] - before[name]).flatten() for name in before]).norm())
    if largest is None:
        assert moved > 0.1
    else:
        assert moved == pytest.approx(largest, rel=1e-3)


@given(
    length=st.integers(1, 300),
    batch=st.integers(1, 64),
    seed=st.integers(0, 2**32 - 1),
    epoch=st.integers(0, 1000),
    world=st.integers(1, 5),
)
def test_every_item_comes_at_most_once_an_epoch_however_work_is_shared(length, batch, seed, epoch, world):
    order = BatchOrder(length, batch, seed)
    batches = list(order.batches(epoch))
    assert len(batches) == order.steps
    seen = np.concatenate(batches)
    assert len(set(seen.tolist())) == len(seen)
    assert len(seen) > length - batch or len(seen) == length
    assert 0 <= seen.min() <= seen.max() < length
    for whole in batches:
        parts = [share(whole, rank, world) for rank in range(world)]
        assert sorted(np.concatenate(parts).tolist()) == sorted(whole.tolist())
        assert max(map(len, parts)) - min(map(len, parts)) <= 1


@given(first=st.integers(0, 9))
def test_a_resumed_epoch_goes_on_with_the_same_batches(first):
    order = BatchOrder(100, 10, 7)
    whole, rest = list(order.batches(3)), list(order.batches(3, first))
    assert all((a == b).all() for a, b in zip(whole[first:], rest, strict=True))


def test_epochs_and_seeds_are_shuffled_differently():
    first = next(BatchOrder(50, 50, 0).batches(0))
    assert not np.array_equal(first, next(BatchOrder(50, 50, 0).batches(1)))
    assert not np.array_equal(first, next(BatchOrder(50, 50, 1).batches(0)))


def test_the_average_is_the_exponential_mean_and_keeps_counters():
    net = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    average = WeightAverage(net, 0.75)
    expected = net[0].weight.detach().clone()
    for step in range(1, 41):
        net(torch.randn(8, 2))
        with torch.no_grad():
            net[0].weight += torch.randn(2, 2)
        average.update()
        decay = min(0.75, step / (step + 9))
        expected = decay * expected + (1 - decay) * net[0].weight.detach()
    assert torch.allclose(average.module[0].weight, expected, atol=1e-5)
    assert average.module[1].num_batches_tracked == net[1].num_batches_tracked == 40
    assert not torch.equal(average.module[1].running_mean, net[1].running_mean)


def test_the_average_agrees_with_torchs_averaged_model():
    from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

    net = nn.Linear(3, 3)
    ours = WeightAverage(net, 0.1)  # reached at the first step, so the decay is constant
    theirs = AveragedModel(net, multi_avg_fn=get_ema_multi_avg_fn(0.1))
    theirs.update_parameters(net)
    for _ in range(5):
        with torch.no_grad():
            net.weight += torch.randn(3, 3)
        ours.update()
        theirs.update_parameters(net)
    assert torch.allclose(ours.module.weight, theirs.module.weight)


def test_without_averaging_the_network_itself_is_evaluated():
    net = nn.Linear(1, 1)
    average = WeightAverage(net, 0.0)
    average.update()
    assert average.module is net
    assert average.state_dict() == {}


def look(judge, values, monitor="val_accuracy"):
    return [judge.look(at, {monitor: value}, dict) for at, value in enumerate(values, start=1)]


def judge(mode="max", **settings):
    return Judge(TrainConfig(early_stopping=EarlyStoppingConfig(**settings)), "val_accuracy", mode)


def test_the_best_epoch_is_the_latest_of_equals():
    watched = judge()
    assert look(watched, [0.5, 0.7, 0.6, 0.7]) == [True, True, False, True]
    assert watched.fitted.best_epoch == 4


def test_less_can_be_better():
    watched = judge("min")
    assert look(watched, [0.5, 0.7, 0.3]) == [True, False, True]


def test_patience_counts_looks_without_gain():
    watched = judge(patience=2)
    look(watched, [0.5, 0.4])
    assert not watched.fitted.stopped_early
    look(watched, [0.4])
    assert watched.fitted.stopped_early


def test_small_gains_add_up_to_one_that_counts():
    watched = judge(patience=3, min_delta=0.1)
    look(watched, [0.50, 0.56, 0.61, 0.66, 0.72])
    assert not watched.fitted.stopped_early


def test_a_judge_goes_on_where_it_was():
    one, two = judge(patience=3), judge(patience=3)
    look(one, [0.5, 0.4, 0.4])
    two.load_state_dict(one.state_dict())
    look(two, [0.4])
    assert two.fitted.stopped_early
    assert two.fitted.best_epoch == 1


def draw():
    legacy = np.random.standard_normal(3).tolist()  # noqa: NPY002 - what libraries below us may draw from
    return torch.rand(3).tolist(), legacy, random.random()


def test_generators_are_restored_to_the_bit():
    rng.seed_all(3)
    np.random.standard_normal()  # noqa: NPY002 - leaves a second value waiting in the legacy generator
    state = rng.capture()
    first = draw()
    rng.restore(state)
    again = draw()
    assert first == again


def test_seeds_of_steps_differ_by_step_epoch_process_and_use():
    drawn = [rng.step_seeds(5, epoch, rank, 20) for epoch in range(3) for rank in range(2)]
    seeds = np.concatenate(drawn).ravel()
    assert len(set(seeds.tolist())) == len(seeds)
    assert np.array_equal(drawn[0], rng.step_seeds(5, 0, 0, 20))


def test_piped_output_has_one_line_an_epoch():
    stream = io.StringIO()
    with make_view(2, 10, Console(file=stream)) as view:
        for epoch in (1, 2):
            for step in range(10):
                view.step(epoch, step, 0.5)
            view.epoch(epoch, {"train_loss": 0.5, "val_accuracy": 0.25, "seconds": 1.0}, best=epoch == 1)
    first, second = stream.getvalue().splitlines()
    assert first.startswith("epoch 1/2  train_loss 0.5  val_accuracy 0.25  eta 0:00")
    assert first.endswith("best")
    assert not second.endswith("best")


def test_the_live_view_shows_epochs_bars_and_loss():
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, width=100)
    with make_view(20, 5, console) as view:
        assert isinstance(view, LiveView)
        for epoch in range(1, 13):
            view.step(epoch, 3, None)
            view.step(epoch, 5, 0.125)
            view.epoch(epoch, {"val_accuracy": epoch / 100} if epoch % 2 else {"lr": 0.1}, best=epoch == 1)
    shown = stream.getvalue()
    assert "12/20" in shown
    assert "loss 0.125" in shown
    assert "val_accuracy" in shown


@pytest.mark.parametrize("precision", ["bf16-mixed"])
def test_mixed_precision_trains(sine, tmp_path, precision):
    from lightning_fabric import Fabric

    fabric = Fabric(accelerator="cpu", devices=1, precision=precision)
    fitted = sine.train(tmp_path, {"epochs": 2, "precision": precision}, fabric=fabric)
    assert fitted.epochs == 2
