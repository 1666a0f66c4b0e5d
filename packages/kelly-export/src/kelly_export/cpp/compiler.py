"""The machine's C++ compiler: finding it, making shared libraries of headers."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import sys
import tempfile
from functools import lru_cache
from pathlib import Path

from kelly_core.errors import ContractError, MissingExtraError

FLAGS = ("-std=c++17", "-O3", "-Wall", "-Wextra", "-Wpedantic", "-Werror")
SHARED = ("-shared", "-fPIC", "-fvisibility=hidden")
"""Hidden, or a library would take over the weights of another one that the process has loaded."""
TIME_LIMIT = 300
"""Longest time a compiler may take, s."""


def compilers() -> list[str]:
    """Compilers on the path, the one that `CXX` names first."""
    wanted = dict.fromkeys([os.environ.get("CXX", ""), "c++", "g++", "clang++"])
    return [found for name in wanted if name and (found := shutil.which(name))]


def why_not() -> str:
    """Why no header can be run here; empty where one can."""
    if sys.platform == "win32":
        return "headers are compiled and run on Linux and macOS only"
    return "" if compilers() else "there is no C++ compiler here (CXX, c++, g++ or clang++)"


@lru_cache(maxsize=8)
def shared_library(header: str, program: str) -> ctypes.CDLL:
    """Compile a program that includes `model.hpp`, and load it.

    Args:
        header: Text of `model.hpp`.
        program: The program's text, with its functions `extern "C"`.

    Raises:
        MissingExtraError: There is no compiler.
        ContractError: The compiler doesn't take it; has its first complaint.
    """
    reason = why_not()
    if reason:
        raise MissingExtraError(
            reason, hint="install g++ or clang++, or set CXX", code="missing-extra.compiler"
        )
    with tempfile.TemporaryDirectory(prefix="kelly-cpp-") as name:
        folder = Path(name)
        (folder / "model.hpp").write_text(header, encoding="utf-8")
        (folder / "program.cpp").write_text(program, encoding="utf-8")
        library = folder / "program.so"
        command = [compilers()[0], *FLAGS, *SHARED, "program.cpp", "-o", str(library)]
        try:
            done = subprocess.run(
                command, cwd=folder, capture_output=True, text=True, check=False, timeout=TIME_LIMIT
            )
        except subprocess.TimeoutExpired:
            raise ContractError(
                f"compiling it took more than {TIME_LIMIT} s",
                hint="use another format for so large a network",
                code="contract.unusable",
            ) from None
        if done.returncode:
            complaints = [line for line in done.stderr.splitlines() if "error" in line] or [done.stderr]
            raise ContractError(
                f"it doesn't compile: {complaints[0]}", hint="export the model again", code="contract.unusable"
            )
        return ctypes.CDLL(str(library))  # stays loaded when the file goes
