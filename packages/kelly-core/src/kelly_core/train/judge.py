"""Which epoch is the best, when to stop early, when a plateau lowers the rate."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

from kelly_core.config import TrainConfig
from kelly_core.train.optim import Plateau
from kelly_core.train.plan import Fitted


class Judge:
    """Looks at each validated epoch.

    Args:
        config: `early_stopping` and `schedule`.
        monitor: Key of the metric that decides, e.g. `"val_uar"`.
        mode: Whether more or less of it is better.

    Attributes:
        fitted: The best epoch so far.
        plateau: Its factor multiplies the learning rate.
    """

    def __init__(self, config: TrainConfig, monitor: str, mode: Literal["min", "max"]) -> None:
        self._config, self._monitor = config, monitor
        self._sign = 1.0 if mode == "max" else -1.0
        self._reference: float | None = None  # what a change is measured against
        self._waited = 0
        self.plateau = Plateau(config.schedule)
        self.fitted = Fitted()

    def look(self, epoch: int, metrics: Mapping[str, float], weights: Callable[[], Mapping[str, Any]]) -> bool:
        """Whether this epoch is the best so far, ties going to the later.

        Args:
            epoch: Number of finished epochs.
            metrics: Those of this epoch.
            weights: Gives a copy of the weights that were validated.
        """
        value = self._sign * metrics[self._monitor]
        best = not self.fitted.metrics or value >= self._sign * self.fitted.metrics[self._monitor]
        if best:
            self.fitted = Fitted(epoch, dict(weights()), dict(metrics))
        # Small gains add up: they are measured against the last value that counted, not the last best.
        improved = self._reference is None or value - self._reference > self._config.early_stopping.min_delta
        if improved:
            self._reference = value
        self._waited = 0 if improved else self._waited + 1
        patience = self._config.early_stopping.patience
        self.fitted.stopped_early = bool(patience) and self._waited >= patience
        if self._config.schedule.name == "plateau":
            self.plateau.update(improved)
        return best

    def state_dict(self) -> dict[str, Any]:
        """What a resume needs."""
        return {
            "fitted": vars(self.fitted),
            "reference": self._reference,
            "waited": self._waited,
            "plateau": self.plateau.state_dict(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from a captured state."""
        self.fitted = Fitted(**state["fitted"])
        self._reference, self._waited = state["reference"], state["waited"]
        self.plateau.load_state_dict(state["plateau"])
