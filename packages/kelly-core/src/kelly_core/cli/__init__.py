"""The `kelly` command: the entry point, and how errors reach people."""

from __future__ import annotations

import io
import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kelly_core.errors import KellyError


def main() -> None:
    """Run `kelly` with the process's arguments and exit.

    Exit codes: 0 success, 1 our or the machine's failure, 2 the user's mistake, 130 Ctrl-C.
    """
    for stream in (sys.stdout, sys.stderr):
        # A terminal without these characters shows '?' instead of ending the command.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    code = run(sys.argv[1:])
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader left (`kelly list | head`); Python's own last flush must find somewhere to write.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(code)


def run(args: list[str]) -> int:
    """Run one command line and return its exit code; nothing escapes but what `--debug` asks for.

    Args:
        args: Arguments after the program's name.
    """
    from kelly_core.errors import KellyError

    debug = as_json = False
    try:
        from kelly_core.cli import app

        debug, as_json = app.wants("--debug", args), app.wants("--json", args)
        app.build().main(args=args, prog_name="kelly")
    except SystemExit as stop:
        return _exit_code(stop.code)
    except KellyError as error:
        return _report(error, debug=debug, as_json=as_json)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    except Exception as error:  # noqa: BLE001 - the last fence before the user
        return _report_internal(error, debug=debug, as_json=as_json)
    return 0


def _report(error: KellyError, *, debug: bool, as_json: bool) -> int:
    from kelly_core.cli import console

    if debug:
        console.show_traceback(error)
    console.show_error(error)
    if as_json and os.environ.get("LOCAL_RANK", "0") == "0":  # of several processes one speaks
        console.print_json({"error": error.as_dict()})
    return error.exit_code


def _report_internal(error: Exception, *, debug: bool, as_json: bool) -> int:
    from kelly_core.cli import console
    from kelly_core.errors import KellyError

    if debug:
        console.show_traceback(error)
    said = " ".join(str(error).split())
    what = f"{type(error).__name__}: {said}" if said else type(error).__name__
    advice = "" if debug else " (run again with --debug for the traceback)"
    internal = KellyError(f"internal error: {what}{advice}", code="internal")
    return _report(internal, debug=False, as_json=as_json)


def _exit_code(code: object) -> int:
    if code is None:
        return 0
    if isinstance(code, int):
        return code
    print(code, file=sys.stderr)
    return 1
