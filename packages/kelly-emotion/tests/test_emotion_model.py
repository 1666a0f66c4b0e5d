import copy

import numpy as np
import pytest
import torch

from kelly_core.sound.store import MelStore
from kelly_core.train.optim import build_optimizer
from kelly_emotion.config import EmotionConfig
from kelly_emotion.data.source import ClipSource
from kelly_emotion.model import EmotionStreaming, build_network
from kelly_emotion.task import EmotionTask

ARCHITECTURES = ("cnn", "streaming", "mlp")


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)
    torch.manual_seed(0)


def settings(architecture, **values):
    return EmotionConfig.model_validate(
        {"architecture_type": architecture, "augment": {"speeds": [1.0]}, **values}
    )


def settled(architecture):
    """A network in evaluation mode whose batch norms have seen data."""
    net = build_network(settings(architecture)).train()
    for _ in range(5):
        net(sound(8, 64))
    return net.eval()


def sound(batch, frames):
    return torch.randn(batch, 1, 64, frames) * 15 - 50


def source(clips=24):
    rng = np.random.default_rng(0)
    targets = np.arange(clips) % 7
    mels = [rng.normal(-60 + 3 * t, 15, (int(rng.integers(60, 200)), 64)).astype(np.float32) for t in targets]
    return ClipSource(
        stores={1.0: MelStore(mels)},
        targets=targets,
        weights=np.ones(clips, dtype=np.float32),
        groups=np.array([f"speaker {i % 4}" for i in range(clips)]),
        paths=[f"{i}.wav" for i in range(clips)],
        window=128,
        reach=160,
    )


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_default_configuration_trains_for_a_step(architecture):
    recipe = EmotionConfig.recipe(architecture)
    recipe.setdefault("augment", {})["speeds"] = [1.0]
    task = EmotionTask(EmotionConfig.model_validate({"architecture_type": architecture, **recipe}))
    clips = source()
    net = task.build(clips)
    before = copy.deepcopy(net.state_dict())
    optimizer = build_optimizer(net, task.config)
    batch = clips.fetch(np.arange(16), np.random.default_rng(1))
    loss = task.loss(net, batch, torch.Generator().manual_seed(0))
    loss.backward()
    assert torch.isfinite(loss)
    assert all(parameter.grad is not None for parameter in net.parameters())
    optimizer.step()
    assert all(not torch.equal(before[name], value) for name, value in net.named_parameters() if value.ndim > 1)
    predictions = task.predict(net.eval(), clips, 64)
    assert predictions.outputs.shape == (24, 7)
    assert np.isfinite(predictions.loss)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_network_has_at_most_200_000_parameters(architecture):
    net = build_network(settings(architecture))
    assert sum(parameter.numel() for parameter in net.parameters()) <= 200_000


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("frames", [16, 17, 100, 128, 1000])
def test_any_number_of_frames_from_16_on_is_classified(architecture, frames):
    net = settled(architecture)
    with torch.no_grad():
        logits = net(sound(2, frames))
    assert logits.shape == (2, 7)
    assert torch.isfinite(logits).all()


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_an_item_is_classified_alike_whatever_else_is_in_the_batch(architecture):
    net, mel = settled(architecture), sound(3, 128)
    with torch.no_grad():
        together, alone = net(mel), torch.cat([net(one[None]) for one in mel])
    assert torch.allclose(together, alone, atol=1e-4)


def test_streaming_frame_by_frame_equals_the_whole():
    net, mel = settled("streaming"), sound(2, 60)
    assert isinstance(net, EmotionStreaming)
    with torch.no_grad():
        whole = net.frame_outputs(mel)
        state, steps = net.initial_state(2), []
        for frame in mel[:, 0].unbind(2):
            output, state = net.step(frame, state)
            steps.append(output)
        stepped = torch.stack(steps, 2)
        logits = net(mel)
    assert (whole - stepped).abs().max() < 1e-5
    a, b = stepped.split(7, dim=1)
    assert torch.allclose(logits, a.mean(2) + b.amax(2), atol=1e-5)


@pytest.mark.parametrize("changed_from", [0, 1, 30, 59])
def test_streaming_looks_at_no_later_frame(changed_from):
    net, mel = settled("streaming"), sound(1, 60)
    other = mel.clone()
    other[..., changed_from:] += 20
    with torch.no_grad():
        one, two = net.frame_outputs(mel), net.frame_outputs(other)
    assert torch.equal(one[..., :changed_from], two[..., :changed_from])
    assert not torch.allclose(one[..., changed_from], two[..., changed_from])


def test_streaming_skips_only_frames_that_nothing_reads():
    net, mel = settled("streaming"), sound(2, 64)
    rate = int(np.prod(net.training_strides))
    with torch.no_grad():
        every, some = net.frame_outputs(mel), net.frame_outputs(mel, skip=True)
    assert torch.allclose(every[..., ::rate], some, atol=1e-5)
