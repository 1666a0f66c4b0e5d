"""What `kelly predict` has in common for models that turn files into vectors: `--like`, tables, JSON."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kelly_core.cli import console

if TYPE_CHECKING:
    from kelly_core.infer.embedding import FileEmbedding


def write(path: Path, files: Sequence[Path], done: Sequence[FileEmbedding], *, windows: bool = False) -> None:
    """Write a table of what was found, and say so; nothing where nothing was found.

    Raises:
        UserError: It can't be written.
    """
    from kelly_core.infer.embedding import write_table

    if done:
        rows = write_table(path, files, done, windows=windows)
        console.note(f"wrote {path}: {rows} rows of {len(done[0].embedding)} numbers")


def show_nearest(done: Sequence[FileEmbedding], target: FileEmbedding) -> None:
    """Print the files, those nearest to `target` first."""
    nearest = sorted(((one.similarity(target), str(one.path)) for one in done), key=lambda pair: -pair[0])
    console.table(("file", f"cosine to {target.path}"), [(name, f"{value:.3f}") for value, name in nearest])


def show_sizes(done: Sequence[FileEmbedding]) -> None:
    """Print how much was computed of each file."""
    rows = [
        (str(one.path), f"{one.seconds:.1f} s", str(len(one.windows)), str(len(one.embedding))) for one in done
    ]
    console.table(("file", "length", "windows", "numbers"), rows)


def records(
    done: Sequence[FileEmbedding], target: FileEmbedding | None, *, windows: bool = False
) -> list[dict[str, Any]]:
    """Embeddings, and cosines where a target is given, in plain values."""
    return [
        {
            **one.as_dict(windows=windows),
            **({} if target is None else {"similarity": round(one.similarity(target), 6)}),
        }
        for one in done
    ]
