"""The networks: step by step equals whole tunes, keys turn with the chords, nothing of the future leaks."""

import numpy as np
import pytest
import torch

from kelly_harmony.chords import N_CHORDS, transposed
from kelly_harmony.config import FramesConfig, GruConfig, HarmonyConfig, MlpConfig, TcnConfig
from kelly_harmony.lead import MELODY, METRE, SOUNDING
from kelly_harmony.model import EMBEDDING, HarmonyStep, build_network
from kelly_harmony.prior import Prior

CONFIGS = {
    "mlp": HarmonyConfig(mlp=MlpConfig(width=16, entry=8, window=20, span=24)),
    "mlp, narrow": HarmonyConfig(mlp=MlpConfig(width=12, entry=6, window=3, span=7, heads=3)),
    "mlp, no memory": HarmonyConfig(mlp=MlpConfig(width=12, entry=6, window=5, span=0)),
    "gru": HarmonyConfig(architecture_type="gru", gru=GruConfig(width=12)),
    "frames": HarmonyConfig(architecture_type="frames", frames=FramesConfig(width=12, entry=6, window=9)),
    "tcn": HarmonyConfig(architecture_type="tcn", tcn=TcnConfig(width=12, layers=4, look_ahead=15)),
    "tcn, past": HarmonyConfig(architecture_type="tcn", tcn=TcnConfig(width=12, layers=4, look_ahead=0)),
    "tcn, a bit ahead": HarmonyConfig(architecture_type="tcn", tcn=TcnConfig(width=12, layers=4, look_ahead=5)),
}
CAUSAL = [name for name, config in CONFIGS.items() if name not in {"tcn", "tcn, a bit ahead"}]


def network(name: str):
    torch.manual_seed(0)
    return build_network(CONFIGS[name]).eval()


def tune(beats: int, batch: int = 2, seed: int = 1):
    rng = torch.Generator().manual_seed(seed)
    melody = torch.rand(batch, beats, MELODY, generator=rng) * (
        torch.rand(batch, beats, MELODY, generator=rng) < 0.2
    )
    metre = torch.rand(batch, beats, METRE, generator=rng)
    metre[..., -1] = 1.0
    key = torch.randint(0, 24, (batch, beats), generator=rng)
    return melody, metre, key


@torch.no_grad()
def stepwise(net, melody, metre, key):
    step = HarmonyStep(net)
    batch, beats = key.shape
    state = step.initial_state(batch)
    rows = []
    for at in range(beats + net.look_ahead):
        if at < beats:
            inputs = melody[:, at], metre[:, at], key[:, at]
        else:
            inputs = torch.zeros_like(melody[:, 0]), torch.zeros_like(metre[:, 0]), key[:, -1]
        logits, embedded, *state = step(*inputs, *state)
        rows.append((logits, embedded))
    rows = rows[net.look_ahead :]
    return [torch.stack(column, dim=1) for column in zip(*rows, strict=True)]


@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("beats", [1, 9, 40, 75])
def test_step_by_step_equals_the_whole_tune(name, beats):
    net, inputs = network(name), tune(beats)
    with torch.no_grad():
        whole = net(*inputs)
    for one, other in zip(stepwise(net, *inputs), whole, strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", CONFIGS)
def test_padding_behind_a_tune_changes_nothing(name):
    net = network(name)
    melody, metre, key = tune(30)
    longer = [torch.nn.functional.pad(part, (0, 0, 0, 20)) for part in (melody, metre)]
    with torch.no_grad():
        alone = net(melody, metre, key)[0]
        padded = net(*longer, torch.nn.functional.pad(key, (0, 20)))[0]
    torch.testing.assert_close(alone, padded[:, :30], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", CAUSAL)
def test_what_comes_later_changes_nothing(name):
    net = network(name)
    melody, metre, key = tune(40)
    other = melody.clone()
    other[:, 25:] = 1.0 - other[:, 25:]
    with torch.no_grad():
        torch.testing.assert_close(net(melody, metre, key)[0][:, :25], net(other, metre, key)[0][:, :25])


@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("semitones", [1, 7, 11])
def test_a_transposed_melody_gets_transposed_chords(name, semitones):
    net = network(name)
    melody, metre, _ = tune(30)
    key = torch.full((2, 30), 5)
    moved = melody.clone()
    moved[..., : SOUNDING + 12] = (
        melody[..., : SOUNDING + 12].unflatten(-1, (-1, 12)).roll(semitones, -1).flatten(-2)
    )
    with torch.no_grad():
        before = net(melody, metre, key)
        after = net(moved, metre, (key + 2 * semitones) % 24)
    places = torch.from_numpy(transposed(np.arange(N_CHORDS), semitones))
    torch.testing.assert_close(before[0], after[0][..., places])
    torch.testing.assert_close(before[1], after[1])


def test_the_prior_turns_with_the_key():
    rng = np.random.default_rng(0)
    stay, move = rng.uniform(-3, -1, (2, 3, N_CHORDS + 1)), rng.uniform(-9, -1, (2, N_CHORDS + 1, N_CHORDS))
    prior = Prior(stay.astype(np.float32), move.astype(np.float32))
    in_c, in_d = prior.in_key(1, 2), prior.in_key(5, 2)
    places = transposed(np.arange(N_CHORDS), 2)
    np.testing.assert_array_equal(in_c, in_d[np.append(places, N_CHORDS)][:, places])
    np.testing.assert_array_equal(in_c, prior.after(1, 2))


def test_default_sizes_are_small():
    for kind in ("mlp", "gru", "frames", "tcn"):
        net = build_network(HarmonyConfig(architecture_type=kind))
        assert 50_000 < sum(p.numel() for p in net.parameters()) < 600_000
        assert net.embed.out_features == EMBEDDING == 64
