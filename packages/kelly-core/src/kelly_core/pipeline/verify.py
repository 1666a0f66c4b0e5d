"""What `kelly verify` compares with: the trained network on items of its test split, where they are there."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

from kelly_core.errors import KellyError
from kelly_core.verify import Evidence, parity_cases, random_inputs

if TYPE_CHECKING:
    from kelly_core.checkpoint import TrainedModel
    from kelly_core.contract import Contract
    from kelly_core.plugins import PluginHost
    from kelly_core.task import Source
    from kelly_core.workspace import Workspace


class TrainedEvidence:
    """Finds the evidence for contracts, once for each checkpoint.

    Args:
        workspace: Where checkpoints, data and caches lie.
        host: Where models and datasets are found.
        data: Other data than the model was trained on: a folder or `"demo"`.
    """

    def __init__(self, workspace: Workspace, host: PluginHost, data: str | None = None) -> None:
        self.workspace = workspace
        self.host = host
        self.data = data
        self._found: dict[tuple[str, str], Evidence | None] = {}

    def __call__(self, contract: Contract) -> Evidence | None:
        """The trained network of a contract with inputs; None where its checkpoint isn't there.

        Raises:
            DataError, PluginError: Data was named and can't be read.
        """
        name = contract.checkpoint_sha256, contract.interface
        if name not in self._found:
            self._found[name] = self._find(contract)
        return self._found[name]

    def _find(self, contract: Contract) -> Evidence | None:
        checkpoint = self.workspace.checkpoints(contract.model_id) / "best.pt"
        if not checkpoint.is_file() or find_spec("torch") is None:
            return None
        from kelly_core.checkpoint import load_trained
        from kelly_core.contract import Contract
        from kelly_core.export import ExportBundle
        from kelly_core.pipeline.export import EXAMPLES, example_source
        from kelly_core.pipeline.interfaces import bundle_with
        from kelly_core.runtime import ModuleRunner

        try:
            trained = load_trained(checkpoint, self.host)
        except KellyError:
            return None  # the model's package isn't installed: the golden vectors decide
        if trained.sha256 != contract.checkpoint_sha256:
            return None  # trained on since
        source = example_source(trained, self.workspace, self.host, self.data)
        kind = "random inputs" if source is None else _kind(trained, source)
        module = trained.task.export_module(trained.module).eval()
        if contract.interface:
            network = Contract.load(self.workspace.contract(contract.model_id))
            bundle, cases = bundle_with(
                contract.interface,
                trained.task,
                trained.module,
                ExportBundle(module, network, {}, {}),
                source,
                EXAMPLES,
            )
            module, reference = bundle.module, bundle.reference or ModuleRunner.of(module, contract)
        else:
            if source is None:
                single, triple = (random_inputs(contract, batch) for batch in (1, EXAMPLES))
            else:
                single, triple = (trained.task.example_inputs(source, batch) for batch in (1, EXAMPLES))
            cases = parity_cases(contract, single, triple, trained.task.extreme_inputs())
            reference = ModuleRunner.of(module, contract)
        named = {f"{kind}, {name}": case for name, case in cases.items()}
        return Evidence(module, reference, named, kind)


def _kind(trained: TrainedModel, source: Source) -> str:
    made = "synthetic" if trained.meta.get("synthetic_data") else "real"
    return f"{made} inputs" if len(source) else "zeros"
