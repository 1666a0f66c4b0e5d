"""Two small networks that exporters are tried on: dense layers, and one that remembers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from kelly_core.contract import ChainInfo, ChainState, ChainTensor, Contract, StateInfo, TensorInfo
from kelly_core.export import ExportBundle

if TYPE_CHECKING:
    from torch import nn

INPUTS, HIDDEN, OUTPUTS = 6, 8, 3
STEPS = 12
"""Length of an example of the network that remembers."""
Shape = Sequence[int | str]


def dense() -> ExportBundle:
    """Two dense layers: `frame` (batch, 6) to `answer` (batch, 3)."""
    import torch
    from torch import nn

    from kelly_core.chain import Chain, layers_of

    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(INPUTS, HIDDEN), nn.Tanh(), nn.Linear(HIDDEN, OUTPUTS)).eval()
    info = ChainInfo(
        inputs=[ChainTensor(name="frame", size=INPUTS)], outputs=[ChainTensor(name="answer", size=OUTPUTS)]
    )
    return _bundle(module, Chain(layers_of(module, INPUTS), info), (), ())


def recurrent() -> ExportBundle:
    """A GRU and a dense layer: `frame` (batch, steps, 6) and state `hidden` (batch, 8) to `answer`."""
    import torch
    from torch import Tensor, nn

    from kelly_core.chain import Chain, layers_of

    class Recurrent(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.GRU(INPUTS, HIDDEN, batch_first=True)
            self.head = nn.Linear(HIDDEN, OUTPUTS)

        def forward(self, frame: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
            heard, last = self.layer(frame, hidden.unsqueeze(0))
            return self.head(heard), last.squeeze(0)

    torch.manual_seed(0)
    module = Recurrent().eval()
    info = ChainInfo(
        time="steps",
        inputs=[ChainTensor(name="frame", size=INPUTS)],
        outputs=[ChainTensor(name="answer", size=OUTPUTS)],
        state=[ChainState(name="hidden", axes=[0])],
    )
    layers = [*layers_of(module.layer, INPUTS), *layers_of(module.head, HIDDEN)]
    state = [StateInfo(name="hidden", shape=["batch", HIDDEN])]
    return _bundle(module, Chain(layers, info), ("steps",), state)


def frames(bundle: ExportBundle, batch: int) -> dict[str, Any]:
    """Random inputs by name, always the same."""
    sizes = [STEPS if dim == "steps" else dim for dim in bundle.contract.inputs[0].shape[1:]]
    rng = np.random.default_rng(batch)
    return {"frame": rng.standard_normal((batch, *map(int, sizes))).astype(np.float32)}


def _bundle(module: nn.Module, chain: Any, time: Shape, state: Sequence[StateInfo]) -> ExportBundle:
    contract = Contract(
        model_id="reference",
        model_version="0",
        task="reference",
        architecture_type="reference",
        parameters=sum(parameter.numel() for parameter in module.parameters()),
        inputs=[TensorInfo(name="frame", shape=["batch", *time, INPUTS])],
        outputs=[TensorInfo(name="answer", shape=["batch", *time, OUTPUTS])],
        state=list(state),
        chain=chain.info,
        latency_budget_ms=1.0,
        run_id="check",
        checkpoint_sha256="",
    )
    bundle = ExportBundle(module, contract, {}, {"model_id": "reference"}, chain)
    reset = {info.name: np.full((1, HIDDEN), info.reset, np.float32) for info in state}
    return ExportBundle(module, contract, {**frames(bundle, 1), **reset}, bundle.metadata, chain)
