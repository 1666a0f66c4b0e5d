"""What is timed: a model's calls as a host makes them, whole, step by step, and with its front end."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from kelly_core.contract import BATCH, Contract
from kelly_core.errors import ContractError
from kelly_core.runtime import runtime_for
from kelly_core.tensors import symbols
from kelly_core.verify import from_reset, random_inputs
from kelly_core.verify.cases import stepwise

if TYPE_CHECKING:
    from kelly_core.export import Runner
    from kelly_core.plugins import PluginHost
    from kelly_core.workspace import Workspace

WHOLE, STEP, FRONT = "whole", "step", "whole with front end"
INTERFACES = {"waveform": FRONT, "whole": WHOLE}
"""What a call of a file with another interface is."""
EMPTY, FRONT_ALONE = "empty graph", "front end alone"
"""Rows beside the runtimes: what a call from Python costs, and what the sound's features cost."""

Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Call:
    """Something that is timed.

    Attributes:
        runtime: Name of the runtime, `EMPTY` or `FRONT_ALONE`.
        what: `WHOLE`, `STEP`, `FRONT`, or empty.
        run: Does it once.
    """

    runtime: str
    what: str
    run: Callable[[], object]


def calls_of(contract: Contract, runtime: str, runner: Runner) -> list[Call]:
    """Every way in which a host calls a runtime with one item.

    A model with state, or one that knows frames apart, is called with single steps; state goes from call to
    call. Where a call is a step anyway, there is no other.
    """
    contract = contract.of_artifact(runtime)
    whole = whole_inputs(contract)
    if contract.interface:
        inputs = random_inputs(contract, 1)
        return [
            Call(runtime, INTERFACES.get(contract.interface, contract.interface), lambda: runner.run(inputs))
        ]
    dim = step_dimension(contract)
    found = []
    if dim is not None or not contract.state:
        found.append(Call(runtime, WHOLE, lambda: runner.run(whole)))
    step = _step(contract, runner, dim)
    if step is not None:
        found.append(Call(runtime, STEP, step))
    sound = _sound(contract)
    if sound is not None and found[0].what == WHOLE:
        front, samples = sound

        def heard() -> object:
            return runner.run({**whole, contract.inputs[0].name: front(samples)[None, None]})

        found.append(Call(runtime, FRONT, heard))
    return found


def other_calls(contract: Contract) -> list[Call]:
    """The empty graph, where onnx is installed, and the front end."""
    found = []
    empty = _empty_graph(contract)
    if empty is not None:
        found.append(Call(EMPTY, "", empty))
    sound = _sound(contract)
    if sound is not None:
        front, samples = sound
        found.append(Call(FRONT_ALONE, "", lambda: front(samples)))
    return found


def open_runner(workspace: Workspace, host: PluginHost, contract: Contract, name: str) -> Runner:
    """A runtime with the model's file, on one thread.

    Raises:
        ContractError: The contract names no such file, or it isn't there.
    """
    if name not in contract.artifacts:
        raise ContractError(
            f"there is no {name!r} file of {contract.model_id!r} (there: {', '.join(contract.artifacts)})",
            where=str(workspace.contract(contract.model_id)),
            hint=f"write one: `kelly export {contract.model_id} --format {name}`",
            code="contract.no-file",
        )
    return runtime_for(name, host).open(
        workspace.models / contract.artifacts[name].file, contract.of_artifact(name), 1
    )


def whole_inputs(contract: Contract) -> Arrays:
    """Inputs of one item, with the reset state: the contract's first golden vector, else random ones."""
    golden = contract.golden_arrays()
    inputs = next((given for given, _ in golden.values()), None) or random_inputs(contract, 1)
    return from_reset(contract, inputs)


def step_dimension(contract: Contract) -> str | None:
    """The dimension that a host lets grow by one: frames, notes; None where there is none."""
    dims = [dim for dim in symbols(contract.inputs) if dim != BATCH]
    known = contract.chain.time if contract.chain is not None else ""
    if known:
        return known
    return dims[0] if contract.state and dims else None


def _step(contract: Contract, runner: Runner, dim: str | None) -> Callable[[], object] | None:
    if dim is None and not contract.state:
        return None
    whole = whole_inputs(contract)
    inputs = {info.name: whole[info.name] for info in contract.inputs}
    first = dict(stepwise(contract, inputs, inputs).calls[0])
    carried = [(state.name, state.next_name) for state in contract.state]

    def run() -> None:
        outputs = runner.run(first)
        for name, following in carried:
            first[name] = outputs[following]

    return run


def _sound(contract: Contract) -> tuple[Any, NDArray[np.float32]] | None:
    """The front end of a model that hears, and as much sound as its example is long."""
    if contract.features.get("kind") != "log-mel":
        return None
    from dataclasses import fields

    from kelly_core.features.audio import LogMel, MelConfig

    config = MelConfig(**{field.name: contract.features[field.name] for field in fields(MelConfig)})
    frames = whole_inputs(contract)[contract.inputs[0].name].shape[-1]
    samples = np.random.default_rng(0).normal(0.0, 0.1, (frames - 1) * config.hop_length)
    return LogMel(config), samples.astype(np.float32)


def _empty_graph(contract: Contract) -> Callable[[], object] | None:
    """A graph that hands the first input through, called as the models are."""
    if find_spec("onnx") is None or find_spec("onnxruntime") is None:
        return None
    import onnx
    from onnx import helper

    from kelly_core.infer.runtimes.onnx import open_runner as open_onnx

    info = contract.inputs[0]
    value = whole_inputs(contract)[info.name]
    kind = helper.np_dtype_to_tensor_dtype(value.dtype)
    tensors = [helper.make_tensor_value_info(name, kind, value.shape) for name in (info.name, "output")]
    node = helper.make_node("Identity", [info.name], ["output"])
    graph = helper.make_graph([node], "empty", tensors[:1], tensors[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    bare = contract.model_copy(
        update={"inputs": [info], "outputs": [info.model_copy(update={"name": "output"})], "state": []}
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "empty.onnx"
        onnx.save(model, path)
        runner = open_onnx(path, bare, 1)
    return lambda: runner.run({info.name: value})
