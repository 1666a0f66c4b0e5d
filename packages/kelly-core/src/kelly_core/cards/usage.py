"""The card's loading example, with the model's real names and shapes."""

from __future__ import annotations

from kelly_core.cards.data import CardData
from kelly_core.cards.markdown import block, code, escape, heading, table
from kelly_core.contract import BATCH, Contract, TensorInfo

ASSUMED_SIZE = 128


def usage(data: CardData) -> str:
    """How to load the model in Python, what goes in and out, and the command that predicts."""
    entry = data.entry
    command = block("bash", f"kelly predict {entry.name or entry.id} FILE")
    if data.contract is None:
        return heading("How to load", command)
    parts = [
        block("python", _example(entry.id, data.contract)),
        "Or on files:",
        command,
        _tensors(data.contract),
    ]
    if data.contract.labels:
        parts.append("Labels in order: " + ", ".join(map(code, data.contract.labels)) + ".")
    if data.contract.features:
        front_end = [(code(key), escape(value)) for key, value in data.contract.features.items()]
        parts += ["The input's front end:", table(("Setting", "Value"), front_end)]
    return heading("How to load", *parts)


def _example(model_id: str, contract: Contract) -> str:
    lines = [
        "import numpy as np",
        "from kelly_core.inference import create_engine_by_name",
        "",
        f'engine = create_engine_by_name("{model_id}")',
        "engine.load()",
        "inputs = {",
        *(f'    "{info.name}": {_zeros(contract, info)},' for info in contract.inputs),
        "}",
    ]
    if contract.labels:
        lines.append("best = engine.infer(inputs).get_top_k(k=1)[0]")
    else:
        lines += [
            f'{_variable(info.name)} = engine.infer(inputs).outputs["{info.name}"]' for info in contract.outputs
        ]
    return "\n".join(lines)


def _zeros(contract: Contract, info: TensorInfo) -> str:
    sizes = {BATCH: 1, **contract.window}
    shape = [dim if isinstance(dim, int) else sizes.get(dim, ASSUMED_SIZE) for dim in info.shape]
    text = f"{shape[0]}," if len(shape) == 1 else ", ".join(map(str, shape))
    return f"np.zeros(({text}), dtype=np.{info.dtype})"


def _variable(name: str) -> str:
    return name if name.isidentifier() else "output"


def _tensors(contract: Contract) -> str:
    rows = [
        [
            kind,
            code(info.name),
            escape(f"({', '.join(map(str, info.shape))})"),
            escape(info.dtype),
            escape(info.unit),
        ]
        for kind, infos in (("input", contract.inputs), ("state", contract.state), ("output", contract.outputs))
        for info in infos
    ]
    return table(("", "Tensor", "Shape", "Type", "Unit"), rows)
