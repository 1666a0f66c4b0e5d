"""Times one step of DynamicsEngine on one thread: per architecture and input, and the live context around it.

    python benchmarks/dynamics_latency.py [--runs 2000]

The networks have the shipped shapes and fresh weights: time doesn't depend on what was learned. One step is
one note (`tcn`: with its state in and out). All contestants are called in turn, so that a change of the
machine's load meets all alike.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from _turns import print_latencies, time_in_turn

from kelly_dynamics.config import DynamicsConfig
from kelly_dynamics.features.history import History
from kelly_dynamics.features.table import INPUTS
from kelly_dynamics.model import DynamicsTcn, TcnStep, build_network
from kelly_dynamics.score import Score

BUDGET_MS = 1.0


def exported_step(architecture: str, kind: str, folder: Path):
    """A function of no arguments that runs one note through ONNX Runtime, state passed on."""
    network = build_network(DynamicsConfig(architecture_type=architecture, input=kind)).eval()
    note = torch.zeros(1, 1, len(INPUTS[kind]))
    state = network.initial_state(1) if isinstance(network, DynamicsTcn) else []
    module = TcnStep(network) if isinstance(network, DynamicsTcn) else network
    names = [f"x{at}" for at in range(1 + len(state))]
    path = folder / f"{architecture}-{kind}.onnx"
    torch.onnx.export(module, (note, *state), path, input_names=names, opset_version=17, dynamo=False)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    kept = [note.numpy(), *(one.numpy() for one in state)]

    def run() -> None:
        kept[1:] = session.run(None, dict(zip(names, kept, strict=True)))[1:]

    return run


def live_context():
    """A function that makes the context of one four-note chord from the past, and tells how it was played."""
    count = 40_000
    onset = np.repeat(np.arange(count // 4) / 2.0, 4)
    pitch = np.tile([48.0, 60.0, 64.0, 67.0], count // 4)
    one = np.ones(count)
    score = Score(
        onset, one / 2, pitch, np.mod(onset, 4), one * 4, one, 100.0, np.zeros((count, 24), np.float32)
    )
    live = History(score)

    def run() -> None:
        live.coming()
        live.played((60, 50, 55, 70), live.moment * 0.3)

    return run


def main() -> None:
    """Print p50, p99 and the longest call of each, and the share of the budget that p99 takes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=2000)
    runs = parser.parse_args().runs
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder, torch.inference_mode():
        calls = {
            f"{a}, {k}, ONNX Runtime": exported_step(a, k, Path(folder)) for a in ("mlp", "tcn") for k in INPUTS
        }
        calls["live context of a chord of four"] = live_context()
        print_latencies("one step", time_in_turn(calls, runs), BUDGET_MS)


if __name__ == "__main__":
    main()
