"""Times one inference on one thread, per architecture and runtime, with and without the mel front end.

    python benchmarks/latency.py [--runs 2000]

The networks have the shipped architectures and fresh weights: time doesn't depend on what was learned. An
empty ONNX graph shows what the call itself costs. `streaming` is also timed frame by frame with its state.
All contestants are called in turn, so that a change of the machine's load meets all alike.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from _turns import print_latencies, time_in_turn
from onnx import TensorProto, helper

from kelly_core.features.audio import LogMel
from kelly_emotion.config import EmotionConfig
from kelly_emotion.model import StreamingChunk, build_network

BUDGET_MS = 5.0
WINDOW = 128
SAMPLES = (WINDOW - 1) * 256


def session(path: Path) -> onnxruntime.InferenceSession:
    """ONNX Runtime on one thread."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def empty_graph(path: Path) -> None:
    """A graph that hands its input through."""
    value = [1, 1, 64, WINDOW]
    tensors = [helper.make_tensor_value_info(name, TensorProto.FLOAT, value) for name in ("input", "output")]
    graph = helper.make_graph(
        [helper.make_node("Identity", ["input"], ["output"])], "empty", *([t] for t in tensors)
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)


def export(module: torch.nn.Module, inputs: tuple[torch.Tensor, ...], path: Path) -> None:
    """Write a graph of fixed shape; names are `x0, x1, ...` in and `y0, ...` out."""
    names = [f"x{at}" for at in range(len(inputs))]
    torch.onnx.export(module, inputs, path, input_names=names, opset_version=17, dynamo=False)


def contestants(folder: Path, audio: np.ndarray) -> dict:
    """Name to a function of no arguments that does one inference."""
    front = LogMel()
    mel = front(audio)[None, None]
    empty_graph(folder / "empty.onnx")
    nothing = session(folder / "empty.onnx")
    found = {
        "empty graph": lambda: nothing.run(None, {"input": mel}),
        "mel front end alone": lambda: front(audio),
    }
    for architecture in ("cnn", "streaming", "mlp"):
        module = build_network(EmotionConfig(architecture_type=architecture)).eval()
        tensor = torch.from_numpy(mel)
        path = folder / f"{architecture}.onnx"
        export(module, (tensor,), path)
        ran = session(path)
        traced = torch.jit.freeze(torch.jit.trace(module, tensor))
        found[f"{architecture}, torch"] = lambda m=module, t=tensor: m(t)
        found[f"{architecture}, TorchScript"] = lambda m=traced, t=tensor: m(t)
        found[f"{architecture}, ONNX Runtime"] = lambda r=ran: r.run(None, {"x0": mel})
        found[f"{architecture}, ONNX Runtime with front end"] = lambda r=ran: r.run(
            None, {"x0": front(audio)[None, None]}
        )
        if architecture == "streaming":
            found["streaming step, ONNX Runtime"] = step(module, folder)
    return found


def step(module: torch.nn.Module, folder: Path):
    """One frame through the streaming network, state in and out."""
    state = module.initial_state(1)
    frame = torch.full((1, 1, 64, 1), -50.0)
    export(StreamingChunk(module).eval(), (frame, *state), folder / "step.onnx")
    ran = session(folder / "step.onnx")
    kept = [frame.numpy(), *(one.numpy() for one in state)]

    def run() -> None:
        kept[1:] = ran.run(None, {f"x{at}": value for at, value in enumerate(kept)})[1:]

    return run


def main() -> None:
    """Print p50, p99 and the longest call of each, and the share of the budget that p99 takes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=2000)
    runs = parser.parse_args().runs
    torch.set_num_threads(1)
    audio = np.random.default_rng(0).normal(0, 0.1, SAMPLES).astype(np.float32)
    with tempfile.TemporaryDirectory() as folder, torch.inference_mode():
        calls = contestants(Path(folder), audio)
        print_latencies(
            f"one window of {WINDOW} frames ({SAMPLES / 16000:.2f} s of sound)",
            time_in_turn(calls, runs),
            BUDGET_MS,
        )


if __name__ == "__main__":
    main()
