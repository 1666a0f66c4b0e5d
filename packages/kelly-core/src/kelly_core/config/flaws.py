"""What is wrong with a configuration: one line for each flaw, all of them raised at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NoReturn

from kelly_core.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Flaw:
    """One value that can't be used.

    Attributes:
        where: Who gave it: `"configs/emotion.yaml:4"`, `"--epochs"`, `"--set"`; empty when nobody did.
        key: Dotted key, empty for the file as a whole.
        text: What is wrong and what was expected.
        code: Of the error about it.
    """

    where: str
    key: str
    text: str
    code: str = "config.value"

    def __str__(self) -> str:
        return ": ".join(part for part in (self.where, self.key, self.text) if part)


def refuse(flaws: Sequence[Flaw], hint: str | None = None) -> NoReturn:
    """Raise one `ConfigError` that shows every flaw on a line of its own and has the first one's code.

    Raises:
        ConfigError: Always.
    """
    if len(flaws) == 1:
        flaw = flaws[0]
        raise ConfigError(
            str(Flaw("", flaw.key, flaw.text)), where=flaw.where or None, hint=hint, code=flaw.code
        )
    lines = "".join(f"\n  {flaw}" for flaw in flaws)
    raise ConfigError(f"{len(flaws)} settings can't be used:{lines}", hint=hint, code=flaws[0].code)


def dotted(path: Sequence[str | int]) -> str:
    """A path as people write it.

    >>> dotted(("features", "n_mels")), dotted(("hidden_layers", 0))
    ('features.n_mels', 'hidden_layers[0]')
    """
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).lstrip(".")
