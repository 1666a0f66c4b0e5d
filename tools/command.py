"""How the scripts here end: errors as one clear message, exit codes as those of `kelly`."""

from __future__ import annotations

import sys
from collections.abc import Callable

from kelly_core.cli import console
from kelly_core.errors import KellyError


def finish(main: Callable[[], int]) -> None:
    """Run a script's `main` and leave with its exit code; errors of ours come without a traceback."""
    try:
        code = main()
    except KellyError as error:
        console.show_error(error)
        code = error.exit_code
    except KeyboardInterrupt:
        console.note("interrupted")
        code = 130
    sys.exit(code)
