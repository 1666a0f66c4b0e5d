"""Times one step of GroovePredictor on one thread, per input and runtime.

    python benchmarks/groove_latency.py [--runs 2000]

The networks have the shipped sizes and fresh weights: time doesn't depend on what was learned. A step of
`live` takes its state in and gives it out, as a host calls it. All contestants are called in turn, so that a
change of the machine's load meets all alike.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import onnxruntime
import torch
from _turns import print_latencies, time_in_turn

from kelly_groove.config import GrooveConfig
from kelly_groove.grid import CONTEXT, N_DRUMS, WINDOW
from kelly_groove.model import LiveStep, ScoreStep, build_network

BUDGET_MS = 2.0


def session(path: Path) -> onnxruntime.InferenceSession:
    """ONNX Runtime on one thread."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def contestants(folder: Path) -> dict:
    """Name to a function of no arguments that does one step."""
    found = {}
    for kind in ("score", "live"):
        config = GrooveConfig(input=kind)
        net = build_network(config).eval()
        step = (LiveStep(net, config.network.span) if kind == "live" else ScoreStep(net)).eval()
        inputs = [
            (torch.rand(1, WINDOW, N_DRUMS) < 0.3).float(),
            torch.rand(1, CONTEXT),
            torch.ones(1, dtype=torch.long),
            torch.ones(1, dtype=torch.long),
        ]
        if kind == "live":
            inputs += [torch.rand(1, N_DRUMS, 3), *step.initial_state(1)]
        path = folder / f"{kind}.onnx"
        names = [f"x{at}" for at in range(len(inputs))]
        torch.onnx.export(step, tuple(inputs), path, input_names=names, opset_version=17, dynamo=False)
        ran = session(path)
        fed = {name: tensor.numpy() for name, tensor in zip(names, inputs, strict=True)}
        traced = torch.jit.freeze(torch.jit.trace(step, tuple(inputs)))
        found[f"{kind} step, torch"] = lambda m=step, x=inputs: m(*x)
        found[f"{kind} step, TorchScript"] = lambda m=traced, x=inputs: m(*x)
        found[f"{kind} step, ONNX Runtime"] = chained(ran, fed)
    return found


def chained(ran: onnxruntime.InferenceSession, fed: dict):
    """One step after the other, each with the state that the one before gave."""
    states = list(fed)[5:]

    def run() -> None:
        outputs = ran.run(None, fed)
        fed.update(zip(states, outputs[4:], strict=True))

    return run


def main() -> None:
    """Print p50, p99 and the longest call of each, and the share of the budget that p99 takes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=2000)
    runs = parser.parse_args().runs
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder, torch.inference_mode():
        calls = contestants(Path(folder))
        print_latencies("one 16th step", time_in_turn(calls, runs), BUDGET_MS)


if __name__ == "__main__":
    main()
