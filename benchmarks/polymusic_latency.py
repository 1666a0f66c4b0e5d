"""Times one frame of MelodyTransformer's head `keys` on one thread, per arm of the protocol and runtime.

    python benchmarks/polymusic_latency.py [--runs 2000]

The networks have the sizes of the protocol's arms and fresh weights: time doesn't depend on what was learned. A
step takes its state in and gives it out, as a host calls it; `memory` is what the host does besides, in Python:
looking for matches in a piece of 1,000 frames and more. All contestants are called in turn, so that a change of
the machine's load meets all alike.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from _turns import print_latencies, time_in_turn

from kelly_core.config.resolve import load_stored
from kelly_melody.config import MelodyConfig
from kelly_melody.heads import make_task
from kelly_melody.polymusic.memory import KEYS, RollMemory
from kelly_melody.polymusic.protocols import POLYMUSIC

BUDGET_MS = 5.0
HEARD = 1000


def nested(settings: dict) -> dict:
    """Dotted keys as blocks."""
    found: dict = {}
    for key, value in settings.items():
        *blocks, name = key.split(".")
        place = found
        for block in blocks:
            place = place.setdefault(block, {})
        place[name] = value
    return found


def contestants(folder: Path) -> dict:
    """Name to a function of no arguments that does one step."""
    found = {}
    for arm, settings in POLYMUSIC.arm_settings().items():
        task = make_task(load_stored(MelodyConfig, nested(settings)))
        step = task.export_module(task.build(None).eval())
        told = [torch.from_numpy(array) for array in task.example_inputs(None, 1).values()]
        given = (*told, *step.initial_state(1))
        names, path = [f"x{at}" for at in range(len(given))], folder / f"{arm}.onnx"
        torch.onnx.export(step, given, path, input_names=names, opset_version=17, dynamo=False)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        ran = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        fed = {name: tensor.numpy() for name, tensor in zip(names, given, strict=True)}
        found[f"{arm} frame, torch"] = lambda m=step, x=given: m(*x)
        found[f"{arm} frame, ONNX Runtime"] = chained(ran, fed, names[len(told) :])
    found[f"memory after {HEARD:,} frames"] = remembering()
    return found


def chained(ran: onnxruntime.InferenceSession, fed: dict, states: list[str]):
    """One step after the other, each with the state that the one before gave."""

    def run() -> None:
        fed.update(zip(states, ran.run(None, fed)[1:], strict=True))

    return run


def remembering():
    """What the host does for one frame; the piece grows with every call."""
    frames = (np.random.default_rng(0).random((16, KEYS)) < 0.05).astype(np.uint8)
    memory = RollMemory(2)
    for at in range(HEARD):
        memory.push(frames[at % 16])

    def run() -> None:
        memory.push(frames[0])

    return run


def main() -> None:
    """Print p50, p99 and the longest call of each, and the share of the budget that p99 takes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=2000)
    runs = parser.parse_args().runs
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder, torch.inference_mode():
        print_latencies("one frame", time_in_turn(contestants(Path(folder)), runs), BUDGET_MS)


if __name__ == "__main__":
    main()
