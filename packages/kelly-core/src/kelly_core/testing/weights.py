"""Rules about models that are only run: how they look for weights, and what they make of a bad folder."""

from __future__ import annotations

from pathlib import Path

from kelly_core.errors import KellyError
from kelly_core.testing.rules import BrokenRuleError, NotApplicableError, rule
from kelly_core.testing.subject import Subject

TRAINED_HERE = "it is trained, not only run"


@rule(
    "model",
    why="a user without the weights must read how to get them, and nothing large is fetched unasked",
    mend="return the folder that is there, or raise a KellyError with a hint; download only when told to",
)
def missing_weights_are_errors_of_ours(subject: Subject) -> str:
    """Looking for weights gives a folder that is there, or an error of Kelly's that says how to get them."""
    if subject.pretrained is None:
        raise NotApplicableError(TRAINED_HERE)
    find = subject.pretrained.find.resolve()
    try:
        found = find(subject.workspace)
    except KellyError as error:
        if not error.hint:
            raise BrokenRuleError(f"it doesn't say how to get them: {error.message}") from error
        return "not here; it says how to get them"
    except Exception as error:
        raise BrokenRuleError(f"it raised {type(error).__name__}: {error}") from error
    if not isinstance(found, Path) or not found.is_dir():
        raise BrokenRuleError(f"it gave {found!r}, which is no folder that is there")
    return str(found)


@rule(
    "model",
    why="a user who names a wrong folder must read what is wrong, not a traceback of the model's library",
    mend="check the folder's files before opening them, and turn what the library raises into a KellyError",
)
def unusable_weights_are_errors_of_ours(subject: Subject) -> None:
    """Opening a folder that holds no weights of the model ends with an error of Kelly's."""
    if subject.pretrained is None:
        raise NotApplicableError(TRAINED_HERE)
    open_weights = subject.pretrained.open_weights.resolve()
    empty, junk = subject.empty_folder("no-weights"), subject.empty_folder("junk-weights")
    for name in ("config.json", "preprocessor_config.json", "tokenizer.json"):
        (junk / name).write_text("{}")
    (junk / "model.safetensors").write_bytes(b"no weights at all")
    for folder in (empty, junk, empty / "missing"):
        try:
            open_weights(folder)
        except KellyError:
            continue
        except Exception as error:
            raise BrokenRuleError(f"{folder.name}: it raised {type(error).__name__}: {error}") from error
        raise BrokenRuleError(f"{folder.name}: it was opened as if it held weights")
