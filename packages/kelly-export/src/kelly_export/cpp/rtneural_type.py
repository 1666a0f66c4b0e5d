"""The RTNeural type of a model, known at compile time, from its RTNeural JSON."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from kelly_core.chain import Activation, BatchNorm, Conv1d, Conv2d, Dense, Gru, Layer, Lstm, Prelu
from kelly_core.chain.rtneural import parse
from kelly_core.errors import KellyError

if TYPE_CHECKING:
    from kelly_core.contract import Contract

_GUARD = """\
#ifdef __has_include
#if __has_include(<RTNeural/RTNeural.h>)
"""
_END = """\
#endif
#endif
"""
INCLUDES = f"""
{_GUARD}#ifndef EIGEN_STACK_ALLOCATION_LIMIT
#define EIGEN_STACK_ALLOCATION_LIMIT 0  // wide layers are larger than Eigen allows unless told
#endif
#include <RTNeural/RTNeural.h>
#include <fstream>
#include <memory>
#include <string>
{_END}"""
_NAMES = {
    "tanh": "TanhActivationT",
    "relu": "ReLuActivationT",
    "sigmoid": "SigmoidActivationT",
    "softmax": "SoftmaxActivationT",
    "elu": "ELuActivationT",
}


def of(contract: Contract, folder: Path) -> str:
    """Lines with the type and a loader of the file; empty for a model without RTNeural JSON."""
    info = contract.artifacts.get("rtneural")
    if info is None:
        return ""
    try:
        layers = parse((folder / info.file).read_text(encoding="utf-8"))
    except (OSError, KellyError):
        return ""  # `kelly verify` says what is wrong with it
    return render(layers, info.file)


def render(layers: list[Layer], file: str) -> str:
    """The lines.

    Args:
        layers: As they stand in the file.
        file: Its name.
    """
    types = ",\n    ".join(f"RTNeural::{_type(layer)}" for layer in layers)
    return f"""\
{_GUARD}
// RTNeural with the sizes known at compile time: fill it with `load_rtneural(model, path of {file})`.
using RTNeuralModel = RTNeural::ModelT<
    float, {layers[0].inputs}, {layers[-1].outputs},
    {types}>;

inline void load_rtneural(RTNeuralModel& model, const std::string& path) {{
    std::ifstream file(path);
    model.parseJson(file);
    model.reset();
}}

// The same with the layers read from the file at run time; slower.
inline std::unique_ptr<RTNeural::Model<float>> load_rtneural(const std::string& path) {{
    std::ifstream file(path);
    auto model = RTNeural::json_parser::parseJson<float>(file);
    if (model) model->reset();
    return model;
}}
{_END}"""


def _type(layer: Layer) -> str:
    match layer:
        case Conv1d():
            sizes: tuple[object, ...] = (len(layer.weight), layer.dilation, layer.groups)
            return _sized("Conv1DT", layer.inputs, layer.outputs, *sizes)
        case Conv2d():
            time, width, inputs, outputs = layer.weight.shape
            sizes = (time, width, layer.dilation, layer.stride, _bool(value=not layer.same))
            return _sized("Conv2DT", inputs, outputs, layer.features, *sizes)
        case BatchNorm():
            name = "BatchNorm1DT" if layer.features == 1 else "BatchNorm2DT"
            sizes = (layer.mean.size,) if layer.features == 1 else (layer.mean.size, layer.features)
            return _sized(name, *sizes, _bool(value=layer.gamma is not None or layer.beta is not None))
        case Activation() | Prelu():
            name = _NAMES[layer.name] if isinstance(layer, Activation) else "PReLUActivationT"
            return _sized(name, layer.inputs)
    names = {Dense: "DenseT", Gru: "GRULayerT", Lstm: "LSTMLayerT"}
    return _sized(names[type(layer)], layer.inputs, layer.outputs)


def _sized(name: str, *sizes: object) -> str:
    return f"{name}<{', '.join(map(str, ('float', *sizes)))}>"


def _bool(*, value: bool) -> str:
    return str(value).lower()
