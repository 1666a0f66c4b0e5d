"""Open a folder of weights with the transformers library, offline, and refuse what isn't the model."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kelly_core.errors import CheckpointError
from kelly_pretrained.origins import Origin, require_libraries
from kelly_pretrained.weights import missing_files, shortly


def load(folder: Path, origin: Origin, model_class: str, processor_class: str) -> tuple[Any, Any]:
    """The network in evaluation mode on the CPU in float32, and what prepares its inputs.

    Only tensors and settings are read: code that a folder brings isn't run.

    Args:
        folder: Files as the library's `save_pretrained` and the hub have them.
        origin: The model that should be in it.
        model_class: Name of the network's class in `transformers`.
        processor_class: Name of the class that holds feature extractor and tokenizer.

    Raises:
        CheckpointError: The folder is missing, incomplete, damaged, or holds another model.
        MissingExtraError: torch or transformers isn't installed.
    """
    require_libraries(origin)
    _check(folder, origin)
    import torch
    import transformers

    try:
        with quiet():
            processor = getattr(transformers, processor_class).from_pretrained(folder, local_files_only=True)
            model, report = getattr(transformers, model_class).from_pretrained(
                folder, local_files_only=True, output_loading_info=True, dtype=torch.float32
            )
    except Exception as error:
        raise CheckpointError(
            f"the weights can't be opened: {shortly(error)}",
            where=str(folder),
            hint=f"the files are damaged or don't belong together; fetch {origin.repo} again",
            code="checkpoint.damaged",
        ) from error
    # The library fills what a file lacks with random numbers and goes on.
    names = {name for name, _ in model.named_parameters()}
    lacking = sorted(names.intersection(report["missing_keys"]))
    if lacking:
        raise CheckpointError(
            f"the weights lack {len(lacking)} of {len(names)} tensors, the first: {lacking[0]!r}",
            where=str(folder),
            hint=f"the files don't belong together; fetch {origin.repo} again",
            code="checkpoint.damaged",
        )
    return model.eval().requires_grad_(False), processor


@contextmanager
def quiet() -> Iterator[None]:
    """Keep the library's remarks and progress bars out of a command's output, and put its settings back."""
    from transformers.utils import logging

    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()


def _check(folder: Path, origin: Origin) -> None:
    """Refuse a folder by its files' names and its `config.json`, before the library is imported."""
    hint = f"name the folder of {origin.repo}, or another {origin.model_type} model as the hub has it"
    if not folder.is_dir():
        raise CheckpointError(
            "there is no such folder of weights", where=str(folder), hint=hint, code="checkpoint.weights"
        )
    lacking = missing_files(folder)
    if lacking:
        raise CheckpointError(
            f"the folder has no {', no '.join(lacking)}",
            where=str(folder),
            hint=hint,
            code="checkpoint.weights",
        )
    path = folder / "config.json"
    try:
        found = json.loads(path.read_text(encoding="utf-8"))["model_type"]
    except (OSError, ValueError, LookupError, TypeError) as error:
        what = f"it isn't the configuration of a model ({type(error).__name__}: {shortly(error)})"
        raise CheckpointError(what, where=str(path), hint=hint, code="checkpoint.weights") from None
    if found != origin.model_type:
        what = f"it is of a {found!r} model, not {origin.model_type!r}"
        raise CheckpointError(what, where=str(path), hint=hint, code="checkpoint.weights")
