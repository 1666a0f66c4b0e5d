"""Rules about exporters, tried on a small network."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

from kelly_core.errors import FormatError, ParityError
from kelly_core.testing.rules import BrokenRuleError, NotApplicableError, rule
from kelly_core.testing.subject import Subject

if TYPE_CHECKING:
    from kelly_core.contract import Contract
    from kelly_core.export import ExportBundle

INPUTS, HIDDEN, OUTPUTS = 6, 8, 3


@rule(
    "exporter",
    why="a file must compute what the trained network computes, in one file, for any batch",
    mend="compare export and open_runner with the contract: names, order and dtypes of feeds and fetches",
)
def small_network_passes_parity(subject: Subject) -> str:
    """Two dense layers written in the format compute the same there, and nothing lies beside the file."""
    import numpy as np

    from kelly_core.verify import export_verified, parity_cases

    exporter = subject.exporter
    missing = [name for name in (*exporter.modules, "torch") if find_spec(name) is None]
    if missing:
        raise NotApplicableError(f"{' and '.join(missing)} isn't installed")
    bundle = _bundle()
    rng = np.random.default_rng(0)
    single, triple = ({"frame": rng.standard_normal((batch, INPUTS)).astype(np.float32)} for batch in (1, 3))
    path = subject.empty_folder("exported") / f"reference{exporter.suffix}"
    try:
        info, report = export_verified(bundle, exporter, path, parity_cases(bundle.contract, single, triple))
    except FormatError as error:
        if not error.hint:
            raise BrokenRuleError(f"it refuses without saying what to do: {error.message}") from error
        raise NotApplicableError(f"it can't carry the small network: {error.message}") from error
    except ParityError as error:
        raise BrokenRuleError(error.message) from error
    if report.not_run:
        return f"{info.bytes} bytes, not run here: {report.not_run}"
    return f"{info.bytes} bytes, at most {report.max_abs:.1e} apart"


@rule(
    "exporter",
    why="a user who opens a damaged file must read what is wrong, not a traceback of the format's library",
    mend="wrap opening in kelly_core.runtime.opening, or raise a KellyError with `where` and `hint`",
)
def damaged_files_are_errors_of_ours(subject: Subject) -> None:
    """Opening a file that holds something else ends with an error of Kelly's."""
    from kelly_core.errors import KellyError
    from kelly_core.runtime import Runtime

    if find_spec("torch") is None:
        raise NotApplicableError("torch isn't installed")
    runtime = Runtime.of(subject.exporter)
    if runtime.why_not():
        raise NotApplicableError(runtime.why_not())
    path = subject.empty_folder("damaged") / f"damaged{subject.exporter.suffix}"
    path.write_bytes(b"no model at all")
    try:
        runtime.open(path, _bundle().contract)
    except KellyError:
        return
    raise BrokenRuleError("it was opened as if it were whole")


def _bundle() -> ExportBundle:
    """A small network on its way into a file, with its chain of layers."""
    import numpy as np
    import torch
    from torch import nn

    from kelly_core.chain import Chain, layers_of
    from kelly_core.contract import ChainInfo, ChainTensor
    from kelly_core.export import ExportBundle

    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(INPUTS, HIDDEN), nn.Tanh(), nn.Linear(HIDDEN, OUTPUTS)).eval()
    info = ChainInfo(
        inputs=[ChainTensor(name="frame", size=INPUTS)], outputs=[ChainTensor(name="answer", size=OUTPUTS)]
    )
    example = {"frame": np.ones((1, INPUTS), np.float32)}
    contract = _contract(info)
    return ExportBundle(
        module, contract, example, {"model_id": "reference"}, Chain(layers_of(module, INPUTS), info)
    )


def _contract(chain: object) -> Contract:
    from kelly_core.contract import Contract, TensorInfo

    return Contract.model_validate(
        {
            "model_id": "reference",
            "model_version": "0",
            "task": "reference",
            "architecture_type": "dense",
            "parameters": 0,
            "inputs": [TensorInfo(name="frame", shape=["batch", INPUTS])],
            "outputs": [TensorInfo(name="answer", shape=["batch", OUTPUTS])],
            "chain": chain,
            "latency_budget_ms": 1.0,
            "run_id": "check",
            "checkpoint_sha256": "",
        }
    )
