"""The networks: step by step equals whole sequences, outputs stay in range, nothing of the future is used."""

import pytest
import torch

from kelly_groove.config import RECENT, GrooveConfig, NetworkConfig
from kelly_groove.grid import LIMIT, N_DRUMS, step_context, windows
from kelly_groove.model import (
    PLACES,
    LiveStep,
    ScoreStep,
    build_network,
    drum_rows,
    past_of,
    recent_of,
)
from kelly_groove.styles import FAMILIES, STYLES

SIZES = [NetworkConfig(width=16, span=64), NetworkConfig(width=32, depth=2, span=80)]


def network(kind: str, sizes: NetworkConfig = SIZES[0]):
    torch.manual_seed(0)
    net = build_network(GrooveConfig(input=kind, network=sizes)).eval()
    with torch.no_grad():  # heads begin at zero; give them something to say
        for parameter in net.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    return net


def part(steps: int, batch: int = 2, seed: int = 1, bar: int = 16):
    """Window, context, style, family and what was played, of performances with a repeating pattern."""
    rng = torch.Generator().manual_seed(seed)
    pattern = torch.rand(batch, 24, N_DRUMS, generator=rng) < 0.2
    hit = pattern.repeat(1, steps // 24 + 1, 1)[:, :steps].float()
    late, loud = torch.rand(2, *hit.shape, generator=rng)
    played = torch.stack((hit, hit * (late - 0.5), hit * loud), -1)
    window = torch.stack([torch.tensor(windows(mask)) for mask in hit.numpy()])
    place = (torch.arange(steps) % bar).int().numpy()
    context = torch.from_numpy(step_context(place, 0 * place + bar, 0 * place + 100.0)).repeat(batch, 1, 1)
    style = torch.randint(0, len(STYLES) + 1, (batch, 1), generator=rng).expand(batch, steps)
    family = torch.randint(0, len(FAMILIES) + 1, (batch, 1), generator=rng).expand(batch, steps)
    return window, context, style, family, played


@torch.no_grad()
def whole(net, inputs, span: int):
    """Predictions for whole sequences at once."""
    window, context, style, family, played = inputs
    past = past_of(window, context[..., :PLACES], played, span)
    return net(window, context, style, family, drum_rows(past, context), recent_of(played, RECENT))


@torch.no_grad()
def stepwise(net, inputs, span: int):
    *told, played = inputs
    step = LiveStep(net, span)
    state = step.initial_state(len(played))
    before = torch.zeros(len(played), N_DRUMS, 3)
    rows = []
    for at in range(played.shape[1]):
        *said, a, b, c, d = step(*(tensor[:, at] for tensor in told), before, *state)
        state, before = [a, b, c, d], played[:, at]
        rows.append(said)
    return [torch.stack(column, dim=1) for column in zip(*rows, strict=True)]


@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize(("steps", "bar"), [(1, 16), (9, 16), (70, 12), (300, 16)])
def test_live_step_by_step_equals_the_whole_sequence(sizes, steps, bar):
    net, inputs = network("live", sizes), part(steps, bar=bar)
    for one, other in zip(stepwise(net, inputs, sizes.span), whole(net, inputs, sizes.span), strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-5)


def test_score_step_by_step_equals_the_whole_sequence():
    net = network("score")
    window, context, style, family, _ = part(20)
    with torch.no_grad():
        at_once = net(window, context, style, family, drum_rows(None, context))
        rows = [ScoreStep(net)(window[:, at], context[:, at], style[:, at], family[:, at]) for at in range(20)]
    for number, of_all in enumerate(at_once):
        torch.testing.assert_close(torch.stack([row[number] for row in rows], 1), of_all, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("at", [0, 20, 39])
def test_what_is_played_changes_later_steps_only(at):
    net, inputs = network("live"), part(40)
    changed = [*inputs[:4], inputs[4].clone()]
    changed[4][:, at] = torch.tensor([1.0, 0.4, 1.0])
    before, after = (whole(net, told, 64).offset for told in (inputs, changed))
    torch.testing.assert_close(before[:, : at + 1], after[:, : at + 1], atol=1e-6, rtol=0)
    if at < 39:
        assert (before[:, at + 1] - after[:, at + 1]).abs().max() > 1e-6


def test_the_table_holds_the_running_mean_of_a_place_and_drum():
    inputs = part(200)
    window, context, _, _, played = inputs
    past = past_of(window, context[..., :PLACES], played, 64)
    place, steps = 7, torch.arange(200) % 16
    for drum in range(N_DRUMS):
        earlier = played[0, :183, drum][steps[:183] == place]
        late = earlier[earlier[:, 0] > 0][:, 1]
        expected = late.mean() if len(late) else torch.tensor(0.0)
        assert past[0, 183, drum, 1] / 8.0 == pytest.approx(float(expected), abs=1e-5)


def test_likeness_finds_the_bar_that_was_written_alike():
    """A pattern of 24 steps: only the step 24 before is written alike as far as the memory compares."""
    window, context, _, _, played = part(49, batch=1)
    past = past_of(window, context[..., :PLACES], played, 64)
    at, drum = (played[0, 30:46, :, 0] > 0).nonzero()[0].tolist()
    for kind in (0, 4):
        said = past[0, 30 + at, drum, 36 + 3 * kind + 1] / 8.0
        assert said == pytest.approx(float(played[0, 6 + at, drum, 1]), abs=0.02)


@pytest.mark.parametrize("kind", ["score", "live"])
@pytest.mark.parametrize("size", [1.0, 100.0])
def test_outputs_stay_in_their_ranges_whatever_comes_in(kind, size):
    net = network(kind)
    *told, played = part(30)
    window, context = size * told[0], size * told[1]
    with torch.no_grad():
        if kind == "live":
            said = whole(net, (window, context, *told[2:], size * played), 64)
        else:
            said = net(window, context, *told[2:], drum_rows(None, context))
    assert torch.isfinite(torch.stack(tuple(said))).all()
    assert said.offset.abs().max() <= LIMIT
    assert said.velocity.min() >= 1
    assert said.velocity.max() <= 127
    assert min(said.offset_spread.min(), said.velocity_spread.min()) >= 0


def test_default_sizes_are_small():
    for kind in ("score", "live"):
        assert 10_000 < sum(p.numel() for p in build_network(GrooveConfig(input=kind)).parameters()) < 500_000
