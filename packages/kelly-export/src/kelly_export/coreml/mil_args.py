"""Arguments of MIL operations as Python's numbers."""

from __future__ import annotations

from typing import Any

import torch

Args = dict[str, Any]
"""Arguments of an operation by name; those left out are missing."""


def ints(value: Any) -> list[int]:
    """A list of whole numbers, such as axes."""
    return [int(one) for one in torch.as_tensor(value).reshape(-1)]


def integer(value: Any) -> int:
    """One whole number."""
    return int(torch.as_tensor(value))


def flag(args: Args, name: str) -> bool:
    """Whether a switch is on; one that is left out is off."""
    return bool(torch.as_tensor(args.get(name, False)).any())


def number(args: Args, name: str, default: float) -> float:
    """A fraction, or what it is when it is left out."""
    return float(torch.as_tensor(args.get(name, default)))
