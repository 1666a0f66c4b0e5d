"""The `dense` network as a chain of layers that is computed frame by frame: a step is a frame."""

from __future__ import annotations

from torch import nn

from kelly_core.chain import Chain
from kelly_core.contract import ChainInfo, ChainTensor
from kelly_core.errors import FormatError
from kelly_groove.grid import CONTEXT, N_DRUMS, WINDOW
from kelly_groove.model.network import Groove, ScoreNet
from kelly_groove.styles import FAMILIES, STYLES


def chain_of(network: nn.Module) -> Chain:
    """The chain.

    Raises:
        FormatError: The network looks back over what was played, or its layers are added up.
    """
    if not isinstance(network, ScoreNet):
        raise FormatError(
            "its memory is attention over what was played, which isn't computed frame by frame",
            hint="train one from what is written: "
            "`kelly train groove --set architecture_type=dense --set input=score`",
        )
    if not network.encoder.plain:
        raise FormatError("layers of its encoder are bent by GELU and added to what went into them")
    inputs = [
        ChainTensor(name="window", size=WINDOW * N_DRUMS),
        ChainTensor(name="context", size=CONTEXT),
        ChainTensor(name="style", size=len(STYLES) + 1, one_hot=True),
        ChainTensor(name="family", size=len(FAMILIES) + 1, one_hot=True),
    ]
    outputs = [ChainTensor(name=name, size=N_DRUMS) for name in Groove._fields]
    return Chain(network.chain_layers(), ChainInfo(inputs=inputs, outputs=outputs))
