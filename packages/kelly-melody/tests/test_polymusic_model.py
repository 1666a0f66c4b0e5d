"""Head `keys`: step by step equals the whole, nothing of the future is used, figures are what they say."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from kelly_core.evaluate.intervals import bootstrap
from kelly_melody.config import MelodyConfig, NetworkConfig
from kelly_melody.heads import make_task
from kelly_melody.polymusic.baselines import WINDOW, baselines
from kelly_melody.polymusic.config import KeysConfig
from kelly_melody.polymusic.memory import KEYS, RollMemory, bucket, remembered
from kelly_melody.polymusic.metrics import NOVEL, novel_frames
from kelly_melody.polymusic.model import KeysStep
from kelly_melody.polymusic.protocols import POLYMUSIC
from kelly_melody.polymusic.report import HEARD, continued, notes_of
from kelly_melody.polymusic.source import RollSource
from kelly_melody.task import MelodyTask

SMALL = NetworkConfig(width=12, layers=2, heads=2, span=16, kernel=3)


def pieces(count=4, frames=40, seed=0):
    """Pieces of two bars in turn, so that there is something to remember."""
    rng = np.random.default_rng(seed)
    made = []
    for _ in range(count):
        bars = (rng.random((2, 8, KEYS)) < 0.05).astype(np.uint8)
        made.append(np.concatenate([bars[at] for at in rng.integers(0, 2, frames // 8)]))
    return made


def source_of(candidates, **changed):
    made = pieces(**changed)
    return RollSource(made, [f"piece {at}" for at in range(len(made))], candidates, 32, 8)


def task_of(architecture, candidates):
    keys = KeysConfig(candidates=candidates, crop=32, warm=8, neighbours=3 * (candidates > 0))
    return make_task(MelodyConfig(head="keys", architecture_type=architecture, network=SMALL, keys=keys))


def shaken(net):
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    return net.eval()


@pytest.fixture(params=["lstm", "tcn", "transformer"])
def architecture(request):
    torch.manual_seed(0)
    return request.param


@pytest.mark.parametrize("candidates", [0, 2])
@torch.no_grad()
def test_step_by_step_with_the_host_s_memory_gives_what_the_whole_gives(architecture, candidates):
    task, source = task_of(architecture, candidates), source_of(candidates)
    net = shaken(task.build(source))
    batch = source.whole([1])
    whole = net(batch["roll"], batch["continuations"], batch["buckets"])
    step, memory = KeysStep(net), RollMemory(candidates)
    state = step.initial_state(1)
    for at, frame in enumerate(source.rolls[1]):
        heard, lengths = memory.push(frame)
        told = [torch.from_numpy(frame.astype(np.float32))[None]]
        if candidates:
            told += [torch.from_numpy(heard.astype(np.float32))[None], torch.from_numpy(bucket(lengths))[None]]
        said, *state = step(*told, *state)
        torch.testing.assert_close(said, whole[:, at], atol=1e-5, rtol=1e-5)
    shapes = [info.shape[1:] for info in task.interface().state]
    assert [list(part.shape[1:]) for part in state] == shapes


@torch.no_grad()
def test_later_frames_change_nothing_earlier(architecture):
    source = source_of(2, count=1)
    changed = [source.rolls[0].copy()]
    changed[0][20:] = 1 - changed[0][20:]
    other = RollSource(changed, ["changed"], 2, 32, 8)
    net = shaken(task_of(architecture, 2).build(source))
    one, two = (net(*list(of.whole([0]).values())[:3])[0] for of in (source, other))
    torch.testing.assert_close(one[:20], two[:20], atol=1e-6, rtol=1e-6)
    assert (one[20] - two[20]).abs().max() > 1e-3


@torch.no_grad()
def test_pieces_measured_together_are_measured_as_alone(architecture):
    task, source = task_of(architecture, 1), source_of(1)
    object.__setattr__(source, "rolls", [roll[: 12 + 8 * at] for at, roll in enumerate(source.rolls)])
    net = shaken(task.build(source))
    together = task.predict(net, source, 16)
    for at, roll in enumerate(source.rolls):
        inputs = list(source.whole([at]).values())[:3]
        true = torch.from_numpy(roll[1:].astype(np.float32))[None]
        nll = F.binary_cross_entropy_with_logits(net(*inputs)[:, :-1], true, reduction="sum")
        assert together.outputs[at, 0] == pytest.approx(float(nll), rel=1e-5)
    frames = sum(len(roll) - 1 for roll in source.rolls)
    expected = together.outputs[:, 0].sum() / frames
    assert task.metrics(together)["nll"] == pytest.approx(expected)
    assert together.loss == pytest.approx(expected)
    drawn = bootstrap(together, task.metrics, sums=task.sums, resamples=50)
    slow = bootstrap(together, task.metrics, resamples=50)
    assert drawn["nll"].low == pytest.approx(slow["nll"].low)


def test_an_untrained_network_begins_near_how_often_keys_sound(architecture):
    task, source = task_of(architecture, 0), source_of(0)
    net = task.build(source).eval()
    with torch.no_grad():
        net.leave.weight.zero_()
        net.stay.weight.zero_()
    marginal = baselines(source, source)["how often each key sounds"](source, 0)
    logits = net(*list(source.whole([0]).values())[:3])
    said = torch.sigmoid(logits[0, 0]).detach().numpy()
    np.testing.assert_allclose(said, 1 / (1 + np.exp(-marginal[0])), atol=2e-3)


def test_a_gradient_reaches_every_weight(architecture):
    task, source = task_of(architecture, 2), source_of(2)
    net = task.build(source)
    batch = source.fetch(np.arange(4), np.random.default_rng(0))
    task.loss(net, batch, torch.Generator()).backward()
    assert all(parameter.grad is not None for parameter in net.parameters())


def test_the_loss_is_the_metric_where_whole_pieces_are_examples(architecture):
    task = task_of(architecture, 1)
    source = source_of(1, frames=24)
    net = shaken(task.build(source))
    batch = source.fetch(np.arange(len(source)), None)
    loss = float(task.loss(net, batch, torch.Generator()).detach())
    assert loss == pytest.approx(task.predict(net, source, 16).loss, rel=1e-5)


def test_a_frame_after_a_known_run_is_not_novel():
    bar = pieces(1, 8)[0]
    novel = novel_frames(remembered(np.concatenate([bar, bar]), 1)[1])
    assert novel[: 8 + NOVEL - 1].all()
    assert not novel[8 + NOVEL - 1 :].any()


def test_baselines_know_the_piece_only_with_a_memory():
    plain, knowing = (set(baselines(source_of(count), source_of(count))) for count in (0, 1))
    assert knowing - plain == {"longest match copied", f"logistic regression, {WINDOW} frames and matches"}
    task, source = task_of("lstm", 1), source_of(1)
    found = task.baselines({"train": source, "validation": source, "test": source}, "test")
    figures = {name: task.metrics(said)["nll"] for name, said in found.items()}
    assert figures["longest match copied"] < figures["how often each key sounds"]


def test_a_continuation_begins_with_what_was_given_and_is_repeatable():
    source = source_of(2, frames=48)
    net = shaken(task_of("tcn", 2).build(source))
    first, again = (continued(net, source.rolls[0][:HEARD], 10, seed=3) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    np.testing.assert_array_equal(first[:HEARD], source.rolls[0][:HEARD])
    assert len(first) == HEARD + 10
    notes = notes_of(first)
    assert notes["pitch"].min() >= 21
    assert notes["pitch"].max() <= 108


def test_heads_and_arms_are_what_they_say():
    assert isinstance(make_task(MelodyConfig()), MelodyTask)
    for name, settings in POLYMUSIC.arm_settings().items():
        assert settings["head"] == "keys"
        assert (settings["keys.candidates"] == 0) == name.endswith("plain")
        assert settings["architecture_type"] in {"lstm", "tcn"}  # attention would be a memory of the piece
