"""What can stop a run, each with what to do about it."""

from __future__ import annotations

import errno
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import torch

from kelly_core.errors import KellyError, TrainingError


class InterruptedRunError(KellyError):
    """The user pressed Ctrl-C; everything is saved."""

    exit_code = 130
    code = "interrupted"


@contextmanager
def explained(last: Path, batch_size: int) -> Iterator[None]:
    """Turn what the machine throws during training into an error that says what to do.

    Args:
        last: The checkpoint a resumed run starts from, named in the message when it exists.
        batch_size: The current one, for the advice.
    """
    kept = f"the last good state is in {last}; " if last.exists() else ""
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise _out_of_memory(error, kept, batch_size) from error
    except MemoryError as error:
        raise _out_of_memory(error, kept, batch_size) from error
    except RuntimeError as error:
        text = str(error).lower()
        if "out of memory" in text or "not enough memory" in text or "can't allocate memory" in text:
            raise _out_of_memory(error, kept, batch_size) from error
        if isinstance(error.__cause__, OSError) or "no space left" in text or "write failed" in text:
            raise _disk(error, kept) from error
        raise
    except FileNotFoundError as error:
        raise TrainingError(
            "a file went away during training",
            where=str(error.filename),
            hint=f"{kept}bring the data back and run the same command with --resume",
        ) from error
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise _disk(error, kept) from error
        raise


def check_finite(loss: float, epoch: int, step: int, learning_rate: float, last: Path) -> None:
    """Raise if a loss is NaN or infinite.

    Raises:
        TrainingError: It is; the message has the place and the next thing to try.
    """
    if not torch.isfinite(torch.tensor(loss)):
        kept = f"the last good state is in {last}" if last.exists() else "nothing was saved yet"
        raise TrainingError(
            f"the loss became {loss}",
            where=f"epoch {epoch}, step {step}",
            hint=f"lower --lr (now {learning_rate:g}) or set optimizer.gradient_clip; {kept}",
        )


def _out_of_memory(error: BaseException, kept: str, batch_size: int) -> TrainingError:
    return TrainingError(
        f"out of memory with batch size {batch_size} ({str(error).splitlines()[0] if str(error) else 'MemoryError'})",
        hint=f"{kept}run again with --batch-size {max(1, batch_size // 2)}",
    )


def _disk(error: BaseException, kept: str) -> TrainingError:
    return TrainingError(
        f"could not write: {str(error).splitlines()[0]}",
        hint=f"{kept}free some space, then run the same command with --resume",
    )


class Interrupts:
    """Ctrl-C asks for a stop at the next step; a second one stops at once."""

    def __init__(self) -> None:
        self.requested = False
        self._previous: object = None

    def __enter__(self) -> Interrupts:
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
