"""The contract: one generated JSON file per trained model that every consumer reads."""

from kelly_core.contract.artifacts import ArtifactInfo, LatencyInfo
from kelly_core.contract.chain import ChainInfo, ChainState, ChainTensor
from kelly_core.contract.contract import CONTRACT_VERSION, SCHEMA_FILE, UPGRADE, Contract, is_newer, json_schema
from kelly_core.contract.golden import GoldenVector, OtherInterface
from kelly_core.contract.host import HostStep, Turn, Votes
from kelly_core.contract.tensors import BATCH, Pooling, StateInfo, TableInfo, TensorInfo

__all__ = [
    "BATCH",
    "CONTRACT_VERSION",
    "SCHEMA_FILE",
    "UPGRADE",
    "ArtifactInfo",
    "ChainInfo",
    "ChainState",
    "ChainTensor",
    "Contract",
    "GoldenVector",
    "HostStep",
    "LatencyInfo",
    "OtherInterface",
    "Pooling",
    "StateInfo",
    "TableInfo",
    "TensorInfo",
    "Turn",
    "Votes",
    "is_newer",
    "json_schema",
]
