"""Latency figures in the contract and on the model card."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from kelly_core.cards import load_card_data, save_card_data, write_card
from kelly_core.cards.data import CARD_FILE
from kelly_core.errors import RegistryError
from kelly_core.pipeline.bench.timing import ModelTimes, figures
from kelly_core.pipeline.export import record_exports

if TYPE_CHECKING:
    from kelly_core.contract import Contract
    from kelly_core.workspace import Workspace


def record_latency(workspace: Workspace, contract: Contract, times: ModelTimes, hardware: str) -> None:
    """Keep figures: those of the same runtime, call and hardware are replaced, others stay.

    Args:
        workspace: Where contract, registry and card lie.
        contract: Of the model, as it stands.
        times: What was measured.
        hardware: Name of the processor.

    Raises:
        RegistryError: The registry, or what the run left for its card, can't be read; the contract is written.
    """
    new = figures(times, hardware)
    measured = {(one.runtime, one.what, one.hardware) for one in new}
    kept = [one for one in contract.latency if (one.runtime, one.what, one.hardware) not in measured]
    contract = contract.model_copy(update={"latency": [*kept, *new]})
    contract.save(workspace.contract(contract.model_id))
    try:
        record_exports(workspace, contract.model_id, [])  # the registry holds the contract's checksum
    except RegistryError as error:
        if error.code not in {"registry.missing", "registry.unknown-model"}:
            raise
        return  # a copied model that isn't registered has no card either
    folder = workspace.runs / contract.run_id
    if contract.run_id and (folder / CARD_FILE).is_file():
        from kelly_core.registry import find, load

        entry = find(load(workspace.registry), contract.model_id)
        data = replace(load_card_data(folder), contract=contract, entry=entry)
        save_card_data(folder, data)
        write_card(workspace, data)
