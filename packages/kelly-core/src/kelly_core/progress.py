"""How long work reports its progress without knowing who watches."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol, TypeVar

T = TypeVar("T")


class Progress(Protocol):
    """Anything that can follow an iteration; the command shows a bar, a test shows nothing."""

    def track(self, work: Iterable[T], description: str, total: int | None = None) -> Iterator[T]:
        """Yield from `work`, showing how far it is."""
        ...

    def say(self, message: str) -> None:
        """Show one line."""
        ...


class Silent:
    """Follows nothing."""

    def track(self, work: Iterable[T], description: str, total: int | None = None) -> Iterator[T]:
        """Yield from `work`."""
        yield from work

    def say(self, message: str) -> None:
        """Drop the line."""
