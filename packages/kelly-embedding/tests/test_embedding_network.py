"""The network: it begins as principal components, and embeds every window by itself."""

import numpy as np
import pytest
import torch

from kelly_core.sound.store import MelStore
from kelly_core.train.optim import build_optimizer
from kelly_embedding.components import fit_components
from kelly_embedding.config import EmbeddingConfig
from kelly_embedding.data.source import WindowSource
from kelly_embedding.task import EmbeddingTask

ARCHITECTURES = ("conv", "linear")


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)
    torch.manual_seed(0)


def source(clips=12, seed=0):
    """Clips whose spectra move about, loud enough to lie above the floor."""
    rng = np.random.default_rng(seed)
    bands, time = np.arange(64), np.arange(70)[:, None]
    mels = [
        (-40 + 15 * np.sin(bands / rng.uniform(3, 9) + time / rng.uniform(4, 20)) + rng.normal(0, 3, (70, 64)))
        for _ in range(clips)
    ]
    return WindowSource(
        store=MelStore([mel.astype(np.float32) for mel in mels]),
        window=16,
        targets=np.full(clips, -1),
        groups=np.array([f"speaker {at % 4}" for at in range(clips)]),
        paths=[f"{at}.wav" for at in range(clips)],
    )


def task(architecture="conv", **values):
    return EmbeddingTask(EmbeddingConfig(architecture_type=architecture, embedding_size=8, **values))


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_before_training_it_restores_what_principal_components_restore(architecture):
    windows = source()
    module = task(architecture).build(windows).eval()
    given = windows.spread(1000)
    flat = given.reshape(len(given), -1)
    fitted = fit_components(flat, 8)
    with torch.no_grad():
        embedding, restored = module(torch.from_numpy(given))
    expected = fitted.decode(fitted.encode(flat))
    assert np.abs(restored.numpy().reshape(expected.shape) - expected).max() < 0.02
    assert embedding.std(dim=0).numpy() == pytest.approx(1.0, abs=0.02)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_default_configuration_trains_for_a_step(architecture):
    settings, windows = task(architecture, batch_size=32), source()
    module = settings.build(windows)
    optimizer = build_optimizer(module, settings.config)
    losses = []
    for step in range(30):
        batch = windows.fetch(np.arange(32), np.random.default_rng(step))
        loss = settings.loss(module, batch, torch.Generator().manual_seed(step))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert np.mean(losses[-5:]) < np.mean(losses[:5])
    predictions = settings.predict(module.eval(), windows, 64)
    assert predictions.outputs.shape == (12, 2)
    assert settings.metrics(predictions)["mae_db"] == pytest.approx(predictions.loss)


def test_a_window_is_embedded_alike_whatever_else_is_in_the_batch():
    windows = source()
    module = task().build(windows).eval()
    mel = torch.from_numpy(windows.spread(5))
    with torch.no_grad():
        together, alone = module(mel)[0], torch.cat([module(one[None])[0] for one in mel])
    assert torch.allclose(together, alone, atol=1e-5)


@pytest.mark.parametrize(("bands", "frames"), [(40, 9), (64, 16), (65, 31)])
def test_any_number_of_bands_and_frames_is_taken(bands, frames):
    config = EmbeddingConfig(input_size=frames, embedding_size=4, features={"n_mels": bands})
    module = EmbeddingTask(config).build(None).eval()
    with torch.no_grad():
        embedding, restored = module(torch.full((2, 1, bands, frames), -30.0))
    assert embedding.shape == (2, 4)
    assert restored.shape == (2, 1, bands, frames)


def test_with_fewer_windows_than_numbers_it_begins_with_what_there_is():
    windows = source(clips=1)
    few = windows.spread(3)
    module = task().build(None)
    module.begin(few)
    with torch.no_grad():
        _, restored = module.eval()(torch.from_numpy(few))
    assert torch.isfinite(restored).all()
    module.begin(few[:1])  # nothing varies
    assert all(torch.isfinite(value).all() for value in module.state_dict().values())


def test_an_embedding_as_large_as_the_window_is_refused():
    with pytest.raises(ValueError, match="more than half of what a window has"):
        EmbeddingConfig(embedding_size=256, input_size=8, features={"n_mels": 32})
