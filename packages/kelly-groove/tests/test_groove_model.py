"""The networks: step by step equals whole sequences, outputs stay in range, nothing of the future is used."""

import numpy as np
import pytest
import torch

from kelly_groove.config import GrooveConfig, NetworkConfig
from kelly_groove.grid import CONTEXT, LIMIT, N_DRUMS, WINDOW
from kelly_groove.model import LiveNet, LiveStep, ScoreStep, build_network
from kelly_groove.styles import FAMILIES, STYLES

SIZES = [
    NetworkConfig(width=16, heads=2, key_size=4, span=16, hidden=16),
    NetworkConfig(width=32, depth=2, heads=3, key_size=8, span=24, hidden=24),
]


def network(kind: str, sizes: NetworkConfig = SIZES[0]):
    torch.manual_seed(0)
    net = build_network(GrooveConfig(input=kind, network=sizes)).eval()
    with torch.no_grad():  # heads begin at zero; give them something to say
        for parameter in net.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    return net


def part(steps: int, batch: int = 2, seed: int = 1):
    rng = torch.Generator().manual_seed(seed)
    hit = (torch.rand(batch, steps, N_DRUMS, generator=rng) < 0.3).float()
    late, loud = torch.rand(2, *hit.shape, generator=rng)
    played = torch.stack((hit, hit * (late - 0.5), hit * loud), -1)
    window = (torch.rand(batch, steps, WINDOW, N_DRUMS, generator=rng) < 0.2).float()
    context = torch.rand(batch, steps, CONTEXT, generator=rng)
    style = torch.randint(0, len(STYLES) + 1, (batch, 1), generator=rng).expand(batch, steps)
    family = torch.randint(0, len(FAMILIES) + 1, (batch, 1), generator=rng).expand(batch, steps)
    return window, context, style, family, played


@torch.no_grad()
def stepwise(net: LiveNet, inputs):
    *told, played = inputs
    step = LiveStep(net)
    state = step.initial_state(len(played))
    before = torch.zeros(len(played), N_DRUMS, 3)
    rows = []
    for at in range(played.shape[1]):
        *said, a, b, c, d = step(*(tensor[:, at] for tensor in told), before, *state)
        state, before = [a, b, c, d], played[:, at]
        rows.append(said)
    return [torch.stack(column, dim=1) for column in zip(*rows, strict=True)]


@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize("steps", [1, 15, 16, 17, 75])
def test_live_step_by_step_equals_the_whole_sequence(sizes, steps):
    net, inputs = network("live", sizes), part(steps)
    with torch.no_grad():
        whole = net(*inputs)[0]
    for one, other in zip(stepwise(net, inputs), whole, strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-5)


def test_score_step_by_step_equals_the_whole_sequence():
    net = network("score")
    window, context, style, family, _ = part(20)
    with torch.no_grad():
        whole = net(window, context, style, family)
        rows = [ScoreStep(net)(window[:, at], context[:, at], style[:, at], family[:, at]) for at in range(20)]
    for number, of_all in enumerate(whole):
        torch.testing.assert_close(torch.stack([row[number] for row in rows], 1), of_all, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("at", [0, 20, 39])
def test_what_is_played_changes_later_steps_only(at):
    net, inputs = network("live"), part(40)
    changed = [*inputs[:4], inputs[4].clone()]
    changed[4][:, at] = torch.tensor([1.0, 0.4, 1.0])
    with torch.no_grad():
        before, after = net(*inputs)[0].offset, net(*changed)[0].offset
    torch.testing.assert_close(before[:, : at + 1], after[:, : at + 1], atol=1e-6, rtol=0)
    if at < 39:
        assert (before[:, at + 1] - after[:, at + 1]).abs().max() > 1e-6


@pytest.mark.parametrize("kind", ["score", "live"])
@pytest.mark.parametrize("size", [1.0, 100.0])
def test_outputs_stay_in_their_ranges_whatever_comes_in(kind, size):
    net = network(kind)
    window, context, style, family, played = part(30)
    inputs = (size * window, size * context, style, family, *((size * played,) if kind == "live" else ()))
    with torch.no_grad():
        said = net(*inputs)[0] if kind == "live" else net(*inputs)
    assert torch.isfinite(torch.stack(tuple(said))).all()
    assert said.offset.abs().max() <= LIMIT
    assert said.velocity.min() >= 1
    assert said.velocity.max() <= 127
    assert min(said.offset_spread.min(), said.velocity_spread.min()) >= 0


def test_an_untrained_live_network_without_a_past_says_what_the_score_says():
    torch.manual_seed(0)
    net = build_network(GrooveConfig(input="live", network=SIZES[0])).eval()
    inputs = part(5)
    with torch.no_grad():
        with_past, from_score = net(*inputs)
    torch.testing.assert_close(with_past.offset, from_score.offset)


def test_default_sizes_are_small():
    counts = {
        kind: sum(p.numel() for p in build_network(GrooveConfig(input=kind)).parameters())
        for kind in ("score", "live")
    }
    assert counts["score"] < 100_000
    assert counts["live"] < 250_000
    assert np.all(np.array(list(counts.values())) > 10_000)
