"""What can stop a run, each with what to do about it."""

from __future__ import annotations

import errno
import math
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Self

import torch

from kelly_core.errors import KellyError, TrainingError

FULL_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
OUT_OF_MEMORY = ("out of memory", "not enough memory", "can't allocate memory")
# What torch's checkpoint writer says, since the system's own error is lost on the way through C++.
WRITE_FAILED = ("no space left", "write failed", "failed writing", "inline_container")
LOST_PEER = ("closed by peer", "reset by peer", "gloo", "nccl", "broken pipe")


class InterruptedRunError(KellyError):
    """The user pressed Ctrl-C; everything is saved."""

    exit_code = 130
    code = "interrupted"


class LossError(TrainingError):
    """The loss isn't finite. With several processes, all of them raise it at the same step."""

    code = "training.loss"


@contextmanager
def explained(last: Path | None, batch_size: int, processes: int = 1) -> Iterator[None]:
    """Turn what the machine throws during training into an error that says what to do.

    Args:
        last: The checkpoint a resumed run starts from, named in the message when it exists.
        batch_size: The current one, for the advice.
        processes: How many share the work.

    Raises:
        TrainingError: Memory or disk ran out, a file went away, another process ended.
    """
    try:
        yield
    except MemoryError as error:
        raise _out_of_memory(error, batch_size) from error
    except RuntimeError as error:
        text = str(error).lower()
        if isinstance(error, torch.OutOfMemoryError) or any(words in text for words in OUT_OF_MEMORY):
            raise _out_of_memory(error, batch_size) from error
        if any(words in text for words in WRITE_FAILED):
            raise _full_disk(error, last) from error
        if processes > 1 and any(words in text for words in LOST_PEER):
            raise TrainingError(
                f"another of the {processes} processes ended",
                hint="its own message says why",
                code="training.peer",
            ) from error
        raise
    except OSError as error:
        if error.errno in FULL_DISK:
            raise _full_disk(error, last) from error
        if error.filename is None:
            raise
        gone = isinstance(error, FileNotFoundError)
        raise TrainingError(
            "the file went away during training" if gone else f"the file can't be used: {error.strerror}",
            where=str(error.filename),
            hint=f"{_kept(last)}bring it back and run the same command with --resume",
            code="training.file",
        ) from error


def check_finite(
    value: float, what: str, place: str, *, learning_rate: float, clip: float, last: Path | None
) -> None:
    """Raise if a loss is NaN or infinite.

    Args:
        value: The loss.
        what: Its name, `"loss"` or `"validation loss"`.
        place: Epoch and step.
        learning_rate: The current one, for the advice.
        clip: The configured largest gradient norm, 0 for none.
        last: The checkpoint that a resumed run starts from.

    Raises:
        LossError: It is; the message has the place and the next thing to try.
    """
    if math.isfinite(value):
        return
    clipping = "set optimizer.gradient_clip" if not clip else f"optimizer.gradient_clip (now {clip:g})"
    raise LossError(
        f"the {what} became {value}",
        where=place,
        hint=f"{_kept(last)}start again with a lower --lr (now {learning_rate:g}) or {clipping}",
    )


def _kept(last: Path | None) -> str:
    return f"the last good state is in {last}; " if last is not None and last.exists() else ""


def _out_of_memory(error: BaseException, batch_size: int) -> TrainingError:
    said = str(error).splitlines()[0] if str(error) else type(error).__name__
    if batch_size == 1:
        hint = "choose a smaller network, or another --device"
    else:
        hint = f"start again with --batch-size {batch_size // 2}"
    return TrainingError(
        f"out of memory with batches of {batch_size} ({said})", hint=hint, code="training.memory"
    )


def _full_disk(error: BaseException, last: Path | None) -> TrainingError:
    folder = last.parent if last is not None else None
    return TrainingError(
        f"could not write: {str(error).splitlines()[0]}",
        where=str(folder) if folder else None,
        hint=f"{_kept(last)}free some space, then run the same command with --resume",
        code="training.disk",
    )


class Interrupts:
    """Ctrl-C asks for a stop at the next step; a second one stops at once."""

    def __init__(self) -> None:
        self.requested = False
        self._previous: object = None

    def __enter__(self) -> Self:
        try:
            self._previous = signal.signal(signal.SIGINT, self._handle)
        except ValueError:  # not the main thread: nothing to catch there
            self._previous = None
        return self

    def __exit__(self, *_: object) -> None:
        if self._previous is not None:
            signal.signal(signal.SIGINT, self._previous)  # type: ignore[arg-type]

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.requested:
            raise KeyboardInterrupt
        self.requested = True
