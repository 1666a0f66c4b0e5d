"""A chain of layers, and how a model's tensors become frames for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from kelly_core.chain.layers import Layer
from kelly_core.contract import ChainInfo, HostStep, Votes
from kelly_core.errors import FormatError


@dataclass(frozen=True, eq=False)
class Chain:
    """A network that takes a frame, a vector, and gives a frame, with some memory of the frames before.

    Attributes:
        layers: In order; each takes what the one before gives.
        info: Which tensors of the contract the frames and the memory are made of.

    Raises:
        FormatError: Sizes don't fit together; names the layer.
    """

    layers: Sequence[Layer]
    info: ChainInfo = field(default_factory=ChainInfo)

    def __post_init__(self) -> None:
        if not self.layers:
            raise FormatError("the chain has no layer", hint="report this to the model's package")
        for at, (before, layer) in enumerate(zip(self.layers, self.layers[1:], strict=False), 1):
            if before.outputs != layer.inputs:
                raise FormatError(
                    f"layer {at} ({layer.kind}) takes {layer.inputs} numbers; the one before gives "
                    f"{before.outputs}",
                    hint="report this to the model's package",
                )
        for side, slots, size in (
            ("inputs", self.info.inputs, self.layers[0].inputs),
            ("outputs", self.info.outputs, self.layers[-1].outputs),
        ):
            total = sum(slot.size for slot in slots)
            if slots and total != size:
                raise FormatError(
                    f"the {side} of its frames are {total} numbers, the layers have {size}",
                    hint="report this to the model's package",
                )
        self._check_host()
        if self.info.state and len(self.info.state) != len(self.state):
            raise FormatError(
                f"{len(self.info.state)} state tensors are named for {len(self.state)} parts of memory",
                hint="report this to the model's package",
            )

    def _check_host(self) -> None:
        given = {slot.name: slot.size for slot in self.info.outputs}
        taken = {slot.name: slot.size for slot in self.info.inputs}
        ones = {slot.name for slot in self.info.inputs if slot.one_hot}
        for step in (*self.info.prepare, *self.info.host):
            if isinstance(step, Votes):
                numbers = {name: size for name, size in taken.items() if name not in ones}
                places = [(step.output, given), (step.weights, given), (step.rows, numbers)]
            else:
                parts = taken if step in self.info.prepare else given
                places = [(step.part, parts), (step.by, dict.fromkeys(ones, 0))]
            for name, known in places:
                if name not in known:
                    raise FormatError(
                        f"its host step {step.kind!r} names {name!r}, which is no such part of a frame",
                        hint="report this to the model's package",
                    )
            _check_sizes(step, given if step in self.info.host else taken, taken)
        if list(self.info.outputs[: len(self.info.finished)]) != self.info.finished:
            raise FormatError(
                "what its host steps take stands before its outputs", hint="report this to the model's package"
            )

    @property
    def state(self) -> list[tuple[str, tuple[int, ...]]]:
        """Name and shape of every part of the memory, in the order of the layers: `("2.past", (4, 64))`."""
        return [(f"{at}.{name}", shape) for at, layer in enumerate(self.layers) for name, shape in layer.state]


def _check_sizes(step: HostStep, parts: Mapping[str, int], taken: Mapping[str, int]) -> None:
    if isinstance(step, Votes):
        if taken[step.rows] % parts[step.weights]:
            raise FormatError(
                f"{step.rows!r} isn't a row for each of the {parts[step.weights]} {step.weights!r}",
                hint="report this to the model's package",
            )
        return
    turned = step.groups * step.cycle * step.inner
    if turned > parts[step.part] or taken[step.by] > step.cycle * step.per:
        raise FormatError(
            f"turning {turned} numbers of {step.part!r} by the {taken[step.by]} places of {step.by!r} leads "
            "beyond one of them",
            hint="report this to the model's package",
        )
