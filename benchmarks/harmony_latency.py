"""Times one beat of HarmonyPredictor on one thread, per architecture and runtime.

    python benchmarks/harmony_latency.py [--runs 2000]

The networks have the shipped sizes and fresh weights: time doesn't depend on what was learned. A step takes its
state in and gives it out, as a host calls it. All contestants are called in turn, so that a change of the
machine's load meets all alike.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import onnxruntime
import torch
from _turns import print_latencies, time_in_turn

from kelly_harmony.config import HarmonyConfig
from kelly_harmony.lead import MELODY, METRE
from kelly_harmony.model import HarmonyStep, build_network

BUDGET_MS = 3.0
INPUTS, OUTPUTS = 3, 2


def session(path: Path) -> onnxruntime.InferenceSession:
    """ONNX Runtime on one thread."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def contestants(folder: Path) -> dict:
    """Name to a function of no arguments that does one step."""
    found = {}
    for kind in ("mlp", "gru", "frames", "tcn"):
        step = HarmonyStep(build_network(HarmonyConfig(architecture_type=kind)).eval()).eval()
        melody = (torch.rand(1, MELODY) < 0.1).float()
        given = (
            melody,
            torch.ones(1, METRE),
            torch.tensor([4]),
            *step.initial_state(1),
        )
        path = folder / f"{kind}.onnx"
        names = [f"x{at}" for at in range(len(given))]
        torch.onnx.export(step, given, path, input_names=names, opset_version=17, dynamo=False)
        fed = {name: tensor.numpy() for name, tensor in zip(names, given, strict=True)}
        traced = torch.jit.freeze(torch.jit.trace(step, given))
        found[f"{kind} step, torch"] = lambda m=step, x=given: m(*x)
        found[f"{kind} step, TorchScript"] = lambda m=traced, x=given: m(*x)
        found[f"{kind} step, ONNX Runtime"] = chained(session(path), fed)
    return found


def chained(ran: onnxruntime.InferenceSession, fed: dict):
    """One step after the other, each with the state that the one before gave."""
    states = list(fed)[INPUTS:]
    known = {one.name for one in ran.get_inputs()}

    def run() -> None:
        outputs = ran.run(None, {name: array for name, array in fed.items() if name in known})
        fed.update(zip(states, outputs[OUTPUTS:], strict=True))

    return run


def main() -> None:
    """Print p50, p99 and the longest call of each, and the share of the budget that p99 takes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=2000)
    runs = parser.parse_args().runs
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder, torch.inference_mode():
        calls = contestants(Path(folder))
        print_latencies("one beat", time_in_turn(calls, runs), BUDGET_MS)


if __name__ == "__main__":
    main()
