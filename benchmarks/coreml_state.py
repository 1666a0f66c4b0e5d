"""How far state in fp16 drifts: the format `coreml-state` against the trained network, step after step.

    python benchmarks/coreml_state.py [--steps 1000] [--only harmony_gru] [--folder DIR]

Each network is trained for a few epochs on its synthetic demo set, in a folder that is thrown away unless it
is named. Then items of the test side go through it and through the file's program, computed op by op with
torch, one after the other without a reset; each side keeps its own state. The table has the largest difference,
as a share of the tensor's largest value or of 1, which is what the format's bound is of.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

import numpy as np
import torch

from kelly_core.checkpoint import load_trained
from kelly_core.contract import BATCH, Contract
from kelly_core.pipeline.export import example_source, export_model
from kelly_core.plugins import PluginHost
from kelly_core.runtime import ModuleRunner
from kelly_core.tensors import symbols
from kelly_core.verify import from_reset
from kelly_core.workspace import Workspace
from kelly_export.coreml.inspect import load_program
from kelly_export.coreml.mil import MilRunner
from kelly_export.coreml.tools import quiet

FORMAT = "coreml-state"
NETWORKS = {
    "emotion_streaming": ("emotion", 6, ["architecture_type=streaming"]),
    "melody_transformer": ("melody", 3, ["architecture_type=transformer"]),
    "melody_lstm": ("melody", 3, ["architecture_type=lstm"]),
    "melody_frames": ("melody", 3, ["architecture_type=frames"]),
    "melody_tcn": ("melody", 2, ["architecture_type=tcn"]),
    "harmony_mlp": ("harmony", 4, ["architecture_type=mlp"]),
    "harmony_gru": ("harmony", 4, ["architecture_type=gru"]),
    "harmony_frames": ("harmony", 4, ["architecture_type=frames"]),
    "harmony_tcn": ("harmony", 4, ["architecture_type=tcn"]),
    "groove_live": ("groove", 3, ["input=live"]),
    "dynamics_causal": ("dynamics", 2, ["architecture_type=tcn", "input=causal"]),
}
"""Model, epochs and settings by name."""


class EnoughError(Exception):
    """The steps asked for are done."""


class SideBySide:
    """The trained network as a runner; beside it the program, each with a state of its own that is never reset.

    Args:
        module: The trained network.
        program: The file's.
        contract: Names of what goes in and comes out.
        steps: After so many it stops.
    """

    def __init__(self, module, program, contract: Contract, steps: int) -> None:
        self.contract, self.left = contract, steps
        self.trained, self.written = ModuleRunner(module, contract), MilRunner(program, contract)
        self.state, self.kept = None, self.written.make_state()
        self.worst, self.scale = defaultdict(float), defaultdict(float)
        self.dim = next((dim for dim in symbols(contract.inputs) if dim != BATCH), None)

    def run(self, inputs):
        """Outputs of the network, single steps of the first item at a time."""
        taken = {info.name: inputs[info.name][:1] for info in self.contract.inputs}
        if self.dim is None:
            return self._step(taken)
        axes = {info.name: info.shape.index(self.dim) for info in self.contract.inputs}
        length = next(array.shape[axes[name]] for name, array in taken.items())
        given = [
            self._step({name: np.take(array, [at], axes[name]) for name, array in taken.items()})
            for at in range(length)
        ]
        joined = {
            info.name: np.concatenate([one[info.name] for one in given], info.shape.index(self.dim))
            for info in self.contract.outputs
        }
        return given[-1] | joined

    def _step(self, inputs):
        if not self.left:
            raise EnoughError
        self.left -= 1
        state = self.contract.state
        before = self.state or {info.name: from_reset(self.contract, inputs)[info.name] for info in state}
        right = self.trained.run({**inputs, **before})
        self.state = {info.name: right[info.next_name] for info in state}
        given = self.written.predict(inputs, self.kept)
        given |= {info.next_name: self.kept[info.name].value.numpy() for info in state}
        for name, array in right.items():
            self.worst[name] = max(self.worst[name], float(np.abs(array - given[name]).max()))
            self.scale[name] = max(self.scale[name], float(np.abs(array).max()))
        return right

    def share(self, names) -> float:
        """Largest difference of these tensors."""
        return max(self.worst[name] / max(1.0, self.scale[name]) for name in names)


def compared(name: str, folder: Path, steps: int) -> SideBySide:
    """Train a network if the folder has none, write the file, and let both run."""
    model, epochs, settings = NETWORKS[name]
    host, place = PluginHost(), Workspace(folder / name)
    spec = host.model(model)
    best = place.checkpoints(spec.model_id) / "best.pt"
    if not best.is_file():
        place.root.mkdir(parents=True, exist_ok=True)
        train = ["train", model, "--data", "demo", "--device", "cpu", "--epochs", str(epochs)]
        chosen = [part for setting in settings for part in ("--set", setting)]
        kelly = Path(sys.executable).with_name("kelly")
        command = [str(kelly), "--workspace", str(place.root), *train, *chosen]
        subprocess.run(command, check=True, capture_output=True)
    trained = load_trained(best, host, name=spec.name)
    source = example_source(trained, place, host)
    (written,) = export_model(trained, place, host, [FORMAT], source)
    with quiet() as ct:
        program = load_program(ct.models.MLModel(str(written.path), skip_model_load=True))
    module = trained.task.export_module(trained.module)
    sides = SideBySide(module, program, Contract.load(place.contract(spec.model_id)), steps)
    deployed = trained.task.deployed(trained.module, sides)
    while True:
        try:
            trained.task.predict(deployed, source, 1)
        except EnoughError:
            return sides


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--only", choices=NETWORKS, nargs="+", default=list(NETWORKS))
    parser.add_argument("--folder", type=Path, help="where the trained networks stay")
    options = parser.parse_args()
    torch.set_num_threads(1)
    print(f"{FORMAT}, {options.steps} steps without a reset, largest difference as a share")
    print(f"{'':22}{'outputs':>10}{'state':>10}")
    with tempfile.TemporaryDirectory() as temporary:
        for name in options.only:
            sides = compared(name, options.folder or Path(temporary), options.steps)
            outputs = sides.share(info.name for info in sides.contract.outputs)
            state = sides.share(info.next_name for info in sides.contract.state)
            print(f"{name:22}{outputs:10.3%}{state:10.3%}", flush=True)


if __name__ == "__main__":
    main()
