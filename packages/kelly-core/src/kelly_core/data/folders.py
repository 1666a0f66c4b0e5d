"""Make the data root's folders, and the link to them from a workspace."""

from __future__ import annotations

from pathlib import Path

from kelly_core.errors import DataError
from kelly_core.workspace import DATA_FOLDERS


def make_data_root(root: Path) -> list[Path]:
    """Make what is missing of `raw/*`, `processed/`, `downloads/` and `cache/`; the folders that are new.

    Raises:
        DataError: A folder can't be made.
    """
    made = []
    for name in DATA_FOLDERS:
        folder = root / name
        if not folder.is_dir():
            try:
                folder.mkdir(parents=True)
            except OSError as error:
                raise DataError(
                    f"the folder can't be made: {error.strerror or error}",
                    where=str(folder),
                    hint="check the path, permissions, and that the disk is connected",
                    code="data.write",
                ) from None
            made.append(folder)
    return made


def link_data_root(link: Path, root: Path) -> bool:
    """Make `link` a symbolic link to `root`; whether that was needed.

    Raises:
        DataError: Something else stands in its place.
    """
    if link.is_symlink() and link.resolve() == root.resolve():
        return False
    if link.is_dir() and not link.is_symlink() and not any(path.is_file() for path in link.rglob("*")):
        for folder in sorted(link.rglob("*"), reverse=True):  # only folders, all empty
            folder.rmdir()
        link.rmdir()
    if link.is_symlink() or link.exists():
        raise DataError(
            f"can't become a link to {root}: there is something else already",
            where=str(link),
            hint="move it away, or leave --link off and set KELLY_DATA_ROOT",
            code="data.exists",
        )
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(root, target_is_directory=True)
    return True
