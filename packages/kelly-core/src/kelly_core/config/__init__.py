"""Configuration: strict pydantic models, YAML with positions, precedence with origins."""

from kelly_core.config.base import (
    CheckpointConfig,
    EarlyStoppingConfig,
    OptimizerConfig,
    ScheduleConfig,
    SplitConfig,
    StrictModel,
    TrainConfig,
    setting,
)

__all__ = [
    "CheckpointConfig",
    "EarlyStoppingConfig",
    "OptimizerConfig",
    "ScheduleConfig",
    "SplitConfig",
    "StrictModel",
    "TrainConfig",
    "setting",
]
