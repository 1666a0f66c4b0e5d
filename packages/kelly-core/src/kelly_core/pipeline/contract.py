"""The contract of a trained model, made from its task, its checkpoint and what it computes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from kelly_core import __version__
from kelly_core.contract import Contract, GoldenVector
from kelly_core.runtime import ModuleRunner
from kelly_core.verify import from_reset, golden_inputs

if TYPE_CHECKING:
    from torch import nn

    from kelly_core.checkpoint import TrainedModel
    from kelly_core.export import Arrays


def make_contract(trained: TrainedModel, version: str) -> Contract:
    """The contract without artefacts and golden vectors.

    Args:
        trained: The model with its weights.
        version: Version of the model: that of the package which brings it.
    """
    interface = trained.task.interface()
    return Contract(
        model_id=trained.spec.model_id,
        model_version=version,
        task=trained.spec.task,
        architecture_type=str(trained.meta.get("architecture_type", "")),
        parameters=sum(parameter.numel() for parameter in trained.module.parameters()),
        inputs=interface.inputs,
        outputs=interface.outputs,
        state=interface.state,
        pooling=interface.pooling,
        labels=interface.labels,
        features=interface.features,
        window=interface.window,
        tables=trained.task.tables(trained.module),
        latency_budget_ms=trained.spec.latency_budget_ms,
        synthetic_data=bool(trained.meta.get("synthetic_data", False)),
        run_id=str(trained.meta.get("run_id", "")),
        checkpoint_sha256=trained.sha256,
    )


def with_golden(contract: Contract, module: nn.Module, single: Arrays, triple: Arrays) -> Contract:
    """The contract with golden vectors: what the module gives for one item, and for two shortened ones.

    Args:
        contract: Any contract of the module.
        module: What is exported.
        single: Inputs of one item.
        triple: Inputs of three items.
    """
    runner = ModuleRunner.of(module, contract)
    golden = []
    for name, inputs in golden_inputs(contract, single, triple).items():
        given = runner.run(from_reset(contract, inputs))
        golden.append(GoldenVector.of(name, inputs, {info.name: given[info.name] for info in contract.outputs}))
    return contract.model_copy(update={"golden": golden})


def file_metadata(contract: Contract) -> dict[str, str]:
    """What an artefact says about itself, as text: enough to use it when its contract got lost."""
    return {
        "model_id": contract.model_id,
        "model_version": contract.model_version,
        "task": contract.task,
        "kelly_version": __version__,
        "labels": json.dumps(contract.labels, ensure_ascii=False),
        "features": json.dumps(contract.features, ensure_ascii=False),
        "window": json.dumps(contract.window),
        "pooling": contract.pooling.kind,
        "run_id": contract.run_id,
        "checkpoint_sha256": contract.checkpoint_sha256,
        "synthetic_data": json.dumps(contract.synthetic_data),
    }
