"""Find a model's folder of weights: named by the user, below the data root, or in the hub's cache."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path

from kelly_core.errors import CheckpointError
from kelly_core.workspace import Workspace
from kelly_pretrained.origins import Origin, require_libraries

SAFE, PICKLED = "model.safetensors", "pytorch_model.bin"
NEEDED = (
    ("config.json",),
    (SAFE, PICKLED, f"{SAFE}.index.json", f"{PICKLED}.index.json"),
    ("preprocessor_config.json", "processor_config.json"),
    ("tokenizer.json", "vocab.json"),
)
"""Files of a published model; of each group, one has to be there."""


def find_weights(
    origin: Origin, workspace: Workspace, given: Path | None = None, *, download: bool = False
) -> Path:
    """The folder that holds the model's weights.

    In this order: `given`; `<name>` in `KELLY_PRETRAINED`, or where that isn't set in `<data root>/pretrained`;
    the hub's cache. A folder that is there decides, usable or not: nothing is passed over silently.

    Args:
        origin: Which model.
        workspace: Relative to which the data root lies.
        given: What the user named, by `--weights`.
        download: Fetch what is nowhere else into the hub's cache.

    Raises:
        CheckpointError: It is nowhere, or can't be fetched; says where it was looked for, and how to get it.
    """
    if given is not None:
        return given
    local = workspace.pretrained(origin.name)
    if local.is_dir():
        return local
    cached = cached_folder(origin)
    if cached is not None:
        return cached
    if download:
        return fetch(origin)
    raise CheckpointError(
        f"the weights of {origin.name!r} aren't here: no folder {local}, and no {origin.repo} in the hub's "
        f"cache {cache_place()}",
        where=f"weights of {origin.name}",
        hint=f"fetch them, about {origin.megabytes} MB: `kelly predict {origin.name} FILE --download`, or "
        f"`hf download {origin.repo} --exclude '*.h5' --exclude '*.msgpack' --local-dir '{local}'`; or "
        "name a folder that has them: --weights DIR",
        code="checkpoint.weights",
    )


def missing_files(folder: Path) -> list[str]:
    """What a folder of weights lacks, one text for each group of files of which one is needed."""
    return [" or ".join(group[:2]) for group in NEEDED if not any((folder / name).is_file() for name in group)]


def cached_folder(origin: Origin) -> Path | None:
    """The model's folder in the hub's cache, if all of it is there; nothing is fetched."""
    if find_spec("huggingface_hub") is None:
        return None
    from huggingface_hub import try_to_load_from_cache

    config = try_to_load_from_cache(origin.repo, "config.json")
    if not isinstance(config, str):
        return None
    folder = Path(config).parent
    return None if missing_files(folder) else folder


def cache_place() -> str:
    """Where the hub keeps its cache."""
    if find_spec("huggingface_hub") is None:
        return os.environ.get("HF_HUB_CACHE") or "~/.cache/huggingface/hub"
    from huggingface_hub import constants

    return str(constants.HF_HUB_CACHE)


def fetch(origin: Origin) -> Path:
    """Download the model into the hub's cache, which goes on where an earlier attempt stopped.

    Raises:
        CheckpointError: The hub can't be reached, or doesn't have what is needed.
        MissingExtraError: The library that fetches it isn't installed.
    """
    require_libraries(origin)
    from huggingface_hub import snapshot_download

    try:
        folder = Path(snapshot_download(origin.repo, allow_patterns=["*.json", "*.txt", SAFE]))
        if not (folder / SAFE).is_file():
            folder = Path(snapshot_download(origin.repo, allow_patterns=["*.json", "*.txt", PICKLED]))
    except Exception as error:
        raise CheckpointError(
            f"{origin.repo} can't be downloaded: {shortly(error)}",
            where=f"weights of {origin.name}",
            hint="check the network, then run the command again: it goes on where it stopped; or bring the "
            "folder from another machine and name it by --weights",
            code="checkpoint.download",
        ) from error
    lacking = missing_files(folder)
    if lacking:
        raise CheckpointError(
            f"{origin.repo} has no {', no '.join(lacking)}", where=str(folder), code="checkpoint.download"
        )
    return folder


def shortly(error: BaseException) -> str:
    """The first line of what a library said."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
