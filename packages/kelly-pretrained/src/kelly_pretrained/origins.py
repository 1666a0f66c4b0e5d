"""Where the weights of each model come from, who made them, and their licence. Imports nothing heavy."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from kelly_core.errors import MissingExtraError

MODULES = ("torch", "transformers")
INSTALL = "pip install 'kelly-pretrained[inference]'"


@dataclass(frozen=True, slots=True)
class Origin:
    """A model's weights, as published.

    Attributes:
        name: The model's name in Kelly.
        repo: Repository on the Hugging Face hub.
        megabytes: About how much `--download` fetches.
        model_type: What its `config.json` calls the network.
        licence: Licence that the hub states for the weights.
        citation: Who made it.
    """

    name: str
    repo: str
    megabytes: int
    model_type: str
    licence: str
    citation: str

    @property
    def source(self) -> str:
        """Where to find it, for people."""
        return f"{self.repo} on huggingface.co"

    def about(self, folder: Path) -> dict[str, Any]:
        """What the JSON of a prediction says about the model.

        Args:
            folder: The weights in use; those of another make than `repo` have their own licence.
        """
        return {
            "name": self.name,
            "weights": str(folder),
            "published_as": self.repo,
            "licence": self.licence,
            "citation": self.citation,
        }


WHISPER_TINY = Origin(
    name="whisper-tiny",
    repo="openai/whisper-tiny",
    megabytes=155,
    model_type="whisper",
    licence="Apache-2.0",
    citation="Radford et al. (2022), Robust Speech Recognition via Large-Scale Weak Supervision, "
    "arXiv:2212.04356",
)
CLAP = Origin(
    name="clap",
    repo="laion/clap-htsat-unfused",
    megabytes=620,
    model_type="clap",
    licence="Apache-2.0",
    citation="Wu et al. (2023), Large-Scale Contrastive Language-Audio Pretraining with Feature Fusion and "
    "Keyword-to-Caption Augmentation, ICASSP, arXiv:2211.06687",
)


def require_libraries(origin: Origin) -> None:
    """Refuse to go on without the libraries that run the model.

    Raises:
        MissingExtraError: One isn't installed; names the extra.
    """
    missing = [name for name in MODULES if find_spec(name) is None]
    if missing:
        what = f"{origin.name} needs {' and '.join(missing)}, not installed here"
        raise MissingExtraError(what, hint=INSTALL, code="missing-extra.pretrained")
