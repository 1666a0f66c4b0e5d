"""Training examples: what the network is told of single hits is what it is told step by step."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from kelly_core.contract import TensorInfo
from kelly_core.runtime import ModuleRunner
from kelly_groove.config import GrooveConfig, NetworkConfig
from kelly_groove.data.read import read_performance
from kelly_groove.data.source import GrooveSource
from kelly_groove.demo.dataset import open_demo
from kelly_groove.grid import LIMIT, N_DRUMS, windows
from kelly_groove.model import LiveStep, ScoreStep, pasts
from kelly_groove.styles import UNKNOWN
from kelly_groove.task import GrooveTask

SPAN = 64


@pytest.fixture(scope="module")
def performances(tmp_path_factory):
    items = open_demo(tmp_path_factory.mktemp("demo"), {"drummers": 5, "bars": 6}).items[:3]
    return [read_performance(Path(item.path), item.extra["style"]) for item in items]


def source(performances, span=SPAN, hide=0.0):
    names = [str(index) for index in range(len(performances))]
    return GrooveSource(performances, names, np.array(names), span, hide)


@torch.no_grad()
def stepwise(net, performance, controls, live):
    """Offset and velocity of every hit, from one step after the other."""
    step = LiveStep(net, SPAN) if live else ScoreStep(net)
    state = step.initial_state(1) if live else []
    window, context = (torch.from_numpy(a) for a in (windows(performance.mask), performance.context()))
    played = torch.from_numpy(performance.played())
    told = [torch.tensor([int(index)]) for index in controls]
    before, rows = torch.zeros(1, N_DRUMS, 3), []
    for at in range(len(window)):
        inputs = [window[at : at + 1], context[at : at + 1], *told, *([before] if live else []), *state]
        said = step(*inputs)
        state, before = said[4:], played[at : at + 1]
        rows.append(torch.cat(said[:2]))
    return torch.stack(rows)[performance.hits["step"], :, performance.hits["drum"]].numpy().T


@pytest.mark.parametrize("kind", ["score", "live"])
def test_single_hits_are_told_what_is_told_step_by_step(performances, kind):
    torch.manual_seed(0)
    task = GrooveTask(GrooveConfig(input=kind, network=NetworkConfig(width=16, span=SPAN)))
    net = task.build(None).eval()
    torch.nn.init.normal_(net.head.weight, std=0.3)
    data = source(performances, SPAN if kind == "live" else 0)
    for index, performance in enumerate(performances):
        expected = stepwise(net, performance, data.controls[index], kind == "live")
        np.testing.assert_allclose(task.groove_of(net, data, index), expected, atol=1e-4, rtol=1e-5)


@pytest.mark.parametrize("kind", ["score", "live"])
def test_an_exported_step_is_measured_as_the_network_is(performances, kind):
    torch.manual_seed(0)
    task = GrooveTask(GrooveConfig(input=kind, network=NetworkConfig(width=16, span=SPAN)))
    net = task.build(None).eval()
    torch.nn.init.normal_(net.head.weight, std=0.3)
    data = source(performances[:1], SPAN if kind == "live" else 0)
    interface = task.interface()
    following = [TensorInfo(name=one.next_name, shape=one.shape) for one in interface.state]
    sides = SimpleNamespace(
        feeds=[*interface.inputs, *interface.state], fetches=[*interface.outputs, *following]
    )
    deployed = task.deployed(net, ModuleRunner.of(task.export_module(net).eval(), sides))
    np.testing.assert_allclose(
        task.groove_of(deployed, data, 0), task.groove_of(net, data, 0), atol=1e-4, rtol=1e-5
    )


def test_the_past_of_a_group_is_that_of_each_alone(performances):
    for together, alone in zip(
        pasts(performances, SPAN), (pasts([p], SPAN)[0] for p in performances), strict=True
    ):
        np.testing.assert_allclose(together, alone, atol=1e-5)


def test_every_hit_drum_and_step_is_one_example(performances):
    data = source(performances)
    batch = data.fetch(np.arange(len(data)), None)
    assert len(data) == sum(int(p.mask.sum()) for p in performances)
    assert float(batch["cells"][..., 0].sum()) == sum(len(p.hits) for p in performances)
    middle = batch["window"][:, batch["window"].shape[1] // 2]
    assert (middle * batch["drum"][:, 0, :N_DRUMS]).sum(dim=1).eq(1).all()
    assert batch["cells"][..., 1].abs().max() <= LIMIT


def test_styles_are_hidden_in_training_only(performances):
    data = source(performances, hide=1.0)
    rows = np.arange(len(data))
    assert set(data.fetch(rows, np.random.default_rng(0))["style"].tolist()) == {UNKNOWN}
    assert UNKNOWN not in data.fetch(rows, None)["style"].tolist()
