"""The network: step by step equals the whole, for every architecture; its sizes are those of the spec."""

import numpy as np
import pytest
import torch

from kelly_melody.config import MelodyConfig, NetworkConfig
from kelly_melody.data.source import MelodySource, whole
from kelly_melody.demo.tunes import make_tune
from kelly_melody.features.inputs import PLACE, PROPOSAL, TOKEN, tell
from kelly_melody.features.memory import N_SOURCES
from kelly_melody.metrics import METRICS
from kelly_melody.model.network import MelodyStep, build_network
from kelly_melody.plugin import INPUTS, OUTPUTS
from kelly_melody.task import MelodyTask
from kelly_melody.tokens import DURATIONS, N_DURATIONS, N_PITCHES, Melody, pitch_index

SMALL = NetworkConfig(width=16, layers=2, heads=2, span=20, hidden=12)


def demo_melody(number):
    tune = make_tune(0, number, 2)
    pitch = [pitch_index(pitch, tune.key.shift) for pitch, _ in tune.notes]
    duration = [DURATIONS.index(length) for _, length in tune.notes]
    return Melody(np.array(pitch), np.array(duration), 0, tune.key, ((0, tune.metre),), tune.bpm)


@pytest.fixture(scope="module")
def source():
    melodies = [demo_melody(number) for number in range(4)]
    names = [f"{number}.mid" for number in range(4)]
    return MelodySource(melodies, [tell(melody) for melody in melodies], names, np.array(names), 64, 0.5)


@pytest.fixture(params=["transformer", "lstm", "frames"])
def task(request):
    torch.manual_seed(0)
    return MelodyTask(MelodyConfig(architecture_type=request.param, network=SMALL, crop=64))


@torch.no_grad()
def test_step_by_step_gives_what_the_whole_gives(task, source):
    net = build_network(task.config).eval()
    for parameter in net.parameters():
        parameter.mul_(2.0)
    inputs = whole(source.told[0])
    pitch, duration = net(*(inputs[name] for name in ("last", "place", "proposals", "pitch")))
    step = MelodyStep(net)
    state = step.initial_state(1)
    for at in range(pitch.shape[1]):
        pitches, table, *state = step(*(inputs[name][:, at] for name in ("last", "place", "proposals")), *state)
        torch.testing.assert_close(pitches, pitch[:, at], atol=1e-5, rtol=1e-5)
        row = table[:, int(inputs["pitch"][0, at])]
        torch.testing.assert_close(row, duration[:, at], atol=1e-5, rtol=1e-5)


def test_the_spec_has_the_sizes_of_the_features():
    sizes = {spec.name: spec.shape[1:] for spec in (*INPUTS, *OUTPUTS)}
    assert sizes == {
        "last": (TOKEN,),
        "place": (PLACE,),
        "proposals": (N_SOURCES, PROPOSAL),
        "pitch": (N_PITCHES,),
        "duration": (N_PITCHES, N_DURATIONS),
    }


def test_the_loss_is_the_nats_that_are_reported_and_padding_costs_nothing(task, source):
    net = task.build(source).eval()
    told = [whole(told) for told in source.told]
    with torch.no_grad():
        losses = [float(task.loss(net, one, torch.Generator())) for one in told]
    counts = np.array([len(one.last) for one in source.told])
    predictions = task.predict(net, source, 8)
    assert predictions.loss == pytest.approx(np.average(losses, weights=counts), rel=1e-5)
    assert task.metrics(predictions)["nats"] == pytest.approx(predictions.loss)
    assert set(task.sums(predictions)) == set(METRICS) == set(task.metrics(predictions))
    figures = task.metrics(predictions)
    assert figures["pitch_nats"] + figures["duration_nats"] == pytest.approx(figures["nats"])


def test_crops_cover_every_token_and_move_with_the_seed(source):
    told = [source.fetch(np.array([at]), None) for at in range(len(source))]
    seen = sum(int((one["duration"] > -2).sum()) for one in told)
    assert seen == sum(len(one.last) for one in source.told)
    batches = [source.fetch(np.arange(4), np.random.default_rng(seed)) for seed in (1, 1, 2)]
    assert torch.equal(batches[0]["pitch"], batches[1]["pitch"])
    assert not torch.equal(batches[0]["pitch"], batches[2]["pitch"])
    assert (batches[0]["place"].sum(-1) >= batches[0]["last"].sum(-1) * 0).all()


def test_a_few_steps_learn(task, source):
    net = task.build(source)
    optimizer = torch.optim.Adam(net.parameters(), 1e-2)
    batch = source.fetch(np.arange(4), None)
    losses = []
    for _ in range(12):
        loss = task.loss(net, batch, torch.Generator())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.8 * losses[0]
