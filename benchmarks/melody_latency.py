"""Times one token of MelodyTransformer on one thread, per architecture and runtime.

    python benchmarks/melody_latency.py [--runs 2000]

The networks have the shipped sizes and fresh weights: time doesn't depend on what was learned. A step takes its
state in and gives it out, as a host calls it; `host` is what the host does besides, in Python: looking for
repeats in a melody of 400 tokens, making the inputs, and drawing from the outputs. All contestants are called
in turn, so that a change of the machine's load meets all alike.
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
from kelly_core.features.midi.keys import Key
from kelly_melody.compose import Host
from kelly_melody.config import MelodyConfig
from kelly_melody.model.network import MelodyStep, build_network
from kelly_melody.sampling import SplitMix64, Taste, draw
from kelly_melody.tokens import N_DURATIONS, N_PITCHES, Metre

BUDGET_MS = 5.0
HEARD = 400


def session(path: Path) -> onnxruntime.InferenceSession:
    """ONNX Runtime on one thread."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def contestants(folder: Path) -> dict:
    """Name to a function of no arguments that does one step."""
    found = {}
    told = listening_host()
    inputs = [torch.from_numpy(array) for array in told.inputs().values()]
    for kind in ("transformer", "lstm"):
        config = load_stored(MelodyConfig, {**MelodyConfig.recipe(kind), "architecture_type": kind})
        step = MelodyStep(build_network(config).eval()).eval()
        given = (*inputs, *step.initial_state(1))
        path = folder / f"{kind}.onnx"
        names = [f"x{at}" for at in range(len(given))]
        torch.onnx.export(step, given, path, input_names=names, opset_version=17, dynamo=False)
        fed = {name: tensor.numpy() for name, tensor in zip(names, given, strict=True)}
        traced = torch.jit.freeze(torch.jit.trace(step, given))
        found[f"{kind} step, torch"] = lambda m=step, x=given: m(*x)
        found[f"{kind} step, TorchScript"] = lambda m=traced, x=given: m(*x)
        found[f"{kind} step, ONNX Runtime"] = chained(session(path), fed)
    found["host"] = hosting(told)
    return found


def listening_host() -> Host:
    """A host that heard `HEARD` tokens of eight notes that come again and again."""
    host = Host(Key(), ((0, Metre()),))
    for at in range(HEARD):
        host.hear(40 + at % 8, 11)
    return host


def chained(ran: onnxruntime.InferenceSession, fed: dict):
    """One step after the other, each with the state that the one before gave."""
    states = list(fed)[3:]

    def run() -> None:
        outputs = ran.run(None, fed)
        fed.update(zip(states, outputs[2:], strict=True))

    return run


def hosting(host: Host):
    """What a host does for one token beside the network, in Python."""
    rng, numbers, taste = np.random.default_rng(0), SplitMix64(0), Taste(top_p=0.95)
    pitches, durations = rng.normal(size=N_PITCHES), rng.normal(size=N_DURATIONS)
    allowed = [True] * N_PITCHES

    def run() -> None:
        host.inputs()
        draw(pitches, allowed, taste, numbers.next_number())
        draw(durations, allowed[:N_DURATIONS], taste, numbers.next_number())

    return run


def main() -> None:
    """Print p50, p99 and the longest call of each, and the share of the budget that p99 takes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=2000)
    runs = parser.parse_args().runs
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder, torch.inference_mode():
        calls = contestants(Path(folder))
        print_latencies("one token", time_in_turn(calls, runs), BUDGET_MS)


if __name__ == "__main__":
    main()
