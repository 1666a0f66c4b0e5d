"""Where things lie: the workspace's folders and the data root, with the rules that choose them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

RAW_FOLDERS = ("emotions", "melodies", "chord_progressions", "expression", "grooves", "sounds")
DATA_FOLDERS = (*(f"raw/{name}" for name in RAW_FOLDERS), "processed", "downloads", "cache")


@dataclass(frozen=True, slots=True)
class Workspace:
    """A folder with configs, checkpoints, logs and models: a user's, or that of an installed model.

    Attributes:
        root: The folder.
        user: The user's workspace, which has the data, where `root` is an installed model's; else None.
    """

    root: Path
    user: Path | None = None

    @classmethod
    def locate(cls, folder: str | Path | None = None) -> Workspace:
        """`--workspace`, else `KELLY_WORKSPACE`, else the current directory."""
        return cls(Path(folder or os.environ.get("KELLY_WORKSPACE") or ".").expanduser().resolve())

    @property
    def configs(self) -> Path:
        return self.root / "configs"

    @property
    def models(self) -> Path:
        return self.root / "models"

    @property
    def registry(self) -> Path:
        return self.models / "registry.json"

    @property
    def cards(self) -> Path:
        return self.root / "docs" / "model_cards"

    @property
    def card_template(self) -> Path:
        return self.root / "docs" / "MODEL_CARD_TEMPLATE.md"

    @property
    def runs(self) -> Path:
        return self.root / "logs" / "training"

    def checkpoints(self, model_id: str) -> Path:
        """Folder of `epoch_N.pt`, `best.pt` and `last.pt`."""
        return self.root / "checkpoints" / model_id

    def artifact(self, model_id: str, suffix: str) -> Path:
        """`models/<model_id><suffix>`."""
        return self.models / f"{model_id}{suffix}"

    def contract(self, model_id: str) -> Path:
        return self.artifact(model_id, ".contract.json")

    def data_root(self, configured: str | Path | None = None) -> Path:
        """`KELLY_DATA_ROOT`, else `data_root` of the configuration, else `<workspace>/data`."""
        chosen = os.environ.get("KELLY_DATA_ROOT") or configured
        return Path(chosen).expanduser().resolve() if chosen else (self.user or self.root) / "data"

    def pretrained(self, name: str) -> Path:
        """Folder of weights from elsewhere: `NAME` in `KELLY_PRETRAINED`, else in `<data root>/pretrained`."""
        folder = os.environ.get("KELLY_PRETRAINED")
        return (Path(folder).expanduser().resolve() if folder else self.data_root() / "pretrained") / name

    def relative(self, path: Path) -> str:
        """`path` as shown to people: relative to the workspace when it lies inside."""
        path = Path(path)
        return str(path.relative_to(self.root)) if path.is_relative_to(self.root) else str(path)
