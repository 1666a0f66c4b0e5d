"""RTNeural JSON: every layer as torch computes it, the engine's own answers, damage, what is refused."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from kelly_core.chain import Activation, BatchNorm, Conv2d, Dense, clamp, conv2d_of, folded, layers_of
from kelly_core.chain.rtneural import parse, render
from kelly_core.errors import ContractError, FormatError
from kelly_core.infer.interpreter import Interpreter

torch.set_num_threads(1)
GOLDEN = Path(os.environ.get("KELLY_SHARED", "missing")) / "rtneural-golden"
CASES = sorted(GOLDEN.glob("*.json"))
FRAMES = 40


def answer(layers, frames):
    engine = Interpreter(layers)
    return engine.run(np.asarray(frames, np.float32)[None], engine.reset())[0][0]


def again(layers):
    """The layers after a trip through a file."""
    return parse(render(layers, {"model_id": "toy"}))


@pytest.mark.skipif(not CASES, reason="KELLY_SHARED names no folder with rtneural-golden")
@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
@pytest.mark.parametrize("change", [list, folded, again])
def test_the_interpreter_answers_as_the_engine_does(path, change):
    golden = json.loads(path.read_text())
    layers = change(parse(json.dumps(golden["model"])))
    np.testing.assert_allclose(answer(layers, golden["input"]), golden["rtneural_output"], atol=1e-5)


@pytest.mark.skipif(not CASES, reason="KELLY_SHARED names no folder with rtneural-golden")
@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_what_is_written_is_what_the_loader_was_given(path):
    golden = json.loads(path.read_text())["model"]
    if golden["layers"][-1]["type"] == "activation":
        pytest.skip("we put the activation into the layer before it, which means the same")
    written = json.loads(render(parse(json.dumps(golden))))
    assert written["in_shape"] == golden["in_shape"]
    for ours, theirs in zip(written["layers"], golden["layers"], strict=True):
        assert {k: v for k, v in ours.items() if k != "weights"} == {
            k: v for k, v in theirs.items() if k != "weights"
        }
        for a, b in zip(ours["weights"], theirs["weights"], strict=True):
            np.testing.assert_array_equal(np.array(a, np.float32), np.array(b, np.float32))


class Causal(nn.Conv1d):
    """With zeros in front; to torch sequences are (batch, channels, frames)."""

    def forward(self, x):
        past = (self.kernel_size[0] - 1) * self.dilation[0]
        return super().forward(nn.functional.pad(x.transpose(1, 2), (past, 0))).transpose(1, 2)


Causal.__name__ = "Conv1d"


def random_norm():
    norm = nn.BatchNorm1d(6)
    norm.running_mean.normal_()
    norm.running_var.uniform_(0.5, 2.0)
    nn.init.normal_(norm.weight)
    return norm


LAYERS = {
    "dense": lambda: nn.Sequential(nn.Linear(6, 9), nn.Tanh(), nn.Dropout(0.5), nn.Linear(9, 4, bias=False)),
    "conv1d": lambda: Causal(6, 8, 3, dilation=4),
    "groups": lambda: Causal(6, 12, 2, groups=3),
    "pointwise": lambda: Causal(6, 5, 1),
    "gru": lambda: nn.GRU(6, 7, batch_first=True),
    "two grus": lambda: nn.GRU(6, 7, num_layers=2, batch_first=True),
    "lstm": lambda: nn.LSTM(6, 5, batch_first=True),
    "three lstms": lambda: nn.LSTM(6, 5, num_layers=3, bias=False, batch_first=True),
    "one prelu": nn.PReLU,
    "prelu": lambda: nn.PReLU(6),
    "relu": nn.ReLU,
    "sigmoid": nn.Sigmoid,
    "softmax": lambda: nn.Softmax(dim=-1),
    "elu": nn.ELU,
}


@pytest.mark.parametrize("name", LAYERS)
@torch.no_grad()
def test_a_layer_computes_what_torch_computes(name):
    torch.manual_seed(0)
    module = LAYERS[name]().eval()
    layers = layers_of(module, 6)
    frames = torch.randn(1, FRAMES, 6)
    given_back = module(frames if isinstance(module, nn.Conv1d | nn.RNNBase) else frames[0])
    expected = given_back[0] if isinstance(given_back, tuple) else given_back
    np.testing.assert_allclose(answer(again(layers), frames[0]), expected.view(FRAMES, -1), atol=1e-6)


@torch.no_grad()
def test_batch_norm_is_folded_into_the_layers_beside_it():
    torch.manual_seed(0)
    module = nn.Sequential(
        random_norm(), nn.Linear(6, 6), random_norm(), nn.ReLU(), random_norm(), random_norm(), nn.Tanh()
    ).eval()
    layers = layers_of(module, 6)
    assert [layer.kind for layer in folded(layers)] == ["dense", "activation", "batchnorm", "activation"]
    frames = torch.randn(FRAMES, 6)
    for chain in (layers, again(layers), folded(layers)):
        np.testing.assert_allclose(answer(chain, frames), module(frames), atol=1e-6)


@pytest.mark.parametrize(("kernel", "stride", "dilation"), [(3, 2, 3), (5, 1, 1), (4, 3, 2), (1, 2, 1)])
@torch.no_grad()
def test_two_dimensional_layers_see_features_and_frames(kernel, stride, dilation):
    torch.manual_seed(0)
    conv, norm = nn.Conv2d(2, 5, (kernel, 3)), nn.BatchNorm2d(5).eval()
    norm.running_mean.normal_()
    layer = conv2d_of(conv, 11, stride=stride, dilation=dilation, norm=norm)
    frames = torch.randn(1, 2, 11, FRAMES)
    padded = nn.functional.pad(frames, (2 * dilation, 0, *layer.padding))
    expected = norm(nn.functional.conv2d(padded, conv.weight, conv.bias, (stride, 1), 0, (1, dilation)))
    flat = frames[0].permute(2, 1, 0).reshape(FRAMES, -1)  # features, their channels side by side
    scaled = BatchNorm.affine(np.float32([2.0, 0.5]), np.float32([1.0, -1.0]))
    plain = answer(again([layer]), flat)
    np.testing.assert_allclose(plain, expected[0].permute(2, 1, 0).reshape(FRAMES, -1), atol=1e-6)
    first = replace(scaled, features=11)
    moved = answer(
        again([first, layer]), (flat - flat.new_tensor([1.0, -1.0] * 11)) / flat.new_tensor([2, 0.5] * 11)
    )
    np.testing.assert_allclose(moved, plain, atol=1e-5)
    assert len(folded([first, layer])) == 2  # zeros of the padding aren't what the batch norm makes of zeros


@given(st.lists(st.floats(-1e6, 1e6, width=32), min_size=3, max_size=3))
@settings(max_examples=50, deadline=None)
def test_clamp_keeps_numbers_between_its_bounds(values):
    low, high = np.float32([-1.0, 0.0, -4.0]), np.float32([1.0, 127.0, 2.0])
    given_back = answer(folded(clamp(low, high)), [values])
    np.testing.assert_allclose(given_back[0], np.clip(np.float32(values), low, high), atol=1e-5)
    assert (given_back >= low).all()
    assert (given_back <= high).all()


@given(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1, max_size=9))
@settings(max_examples=100, deadline=None)
def test_numbers_read_back_as_the_same_float32(values):
    weight = np.array([values], np.float32)
    (layer,) = parse(render([Dense(weight, weight[0])]))
    assert layer.weight.tobytes() == weight.tobytes()


def test_numbers_are_as_short_as_they_can_be():
    text = render([Dense(np.float32([[0.1]]), np.float32([1 / 3]))])
    assert '"weights": [[[0.1]],\n    [0.33333334]]' in text


@pytest.mark.parametrize("module", [nn.GRU(3, 4), nn.LSTM(3, 4, num_layers=2)])
def test_step_by_step_is_the_whole_and_reset_forgets(module):
    engine = Interpreter(layers_of(module, 3))
    frames = np.random.default_rng(0).standard_normal((2, FRAMES, 3)).astype(np.float32)
    whole, end = engine.run(frames, engine.reset(2))
    memory = engine.reset(2)
    steps = []
    for at in range(FRAMES):
        given_back, memory = engine.run(frames[:, at : at + 1], memory)
        steps.append(given_back)
    np.testing.assert_array_equal(np.concatenate(steps, axis=1), whole)
    np.testing.assert_array_equal(memory[0], end[0])
    np.testing.assert_array_equal(engine.run(frames, engine.reset(2))[0], whole)
    assert np.abs(engine.run(frames, memory)[0] - whole).max() > 1e-3


@pytest.mark.parametrize(
    ("module", "words"),
    [
        (nn.Sequential(nn.Linear(4, 4), nn.GELU()), "layer '1' is GELU"),
        (nn.Sequential(nn.Sequential(nn.LayerNorm(4))), "layer '0.0' is LayerNorm"),
        (nn.Conv1d(4, 4, 3, padding=1), "is Conv1d with a stride or with padding"),
        (nn.GRU(4, 4, bidirectional=True), "two directions"),
        (nn.ELU(alpha=0.5), "is ELU"),
        (nn.Softmax(dim=1), "is Softmax"),
        (nn.MultiheadAttention(4, 2), "is MultiheadAttention"),
    ],
)
def test_other_layers_are_refused_by_name(module, words):
    with pytest.raises(FormatError, match=words):
        layers_of(module, 4)


def test_an_unknown_activation_is_neither_written_nor_read():
    with pytest.raises(FormatError, match="no activation 'gelu'"):
        render([Activation("gelu", 3)])
    text = render([Dense(np.eye(3, dtype=np.float32), np.zeros(3, np.float32)), Activation("elu", 3)])
    with pytest.raises(ContractError, match="no activation 'selu'"):
        parse(text.replace('"elu"', '"selu"'))


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('"dense"', '"flatten"', "unknown type 'flatten'"),
        ("[null, null, 3]", "[null, null, 4]", "its shape says"),
        ('"layers"', '"leyers"', "not RTNeural JSON"),
        ("1.0", '"one"', "not RTNeural JSON"),
        ("}", "", "not RTNeural JSON"),
    ],
)
def test_a_damaged_file_is_refused(old, new, words):
    text = render([Dense(np.eye(3, dtype=np.float32), np.zeros(3, np.float32))])
    with pytest.raises(ContractError, match=words):
        parse(text.replace(old, new))


def test_sizes_of_a_convolution_that_is_not_padded():
    weight = np.zeros((1, 4, 1, 2), np.float32)
    assert Conv2d(weight, np.zeros(2, np.float32), 10, stride=3, same=False).outputs == 3 * 2
