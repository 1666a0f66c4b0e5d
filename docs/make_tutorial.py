"""Runs the commands of docs/tutorial/quickstart.md and writes what they print, and the picture, into docs/."""  # noqa: INP001 - a script

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

DOCS = Path(__file__).resolve().parent
PAGE = DOCS / "tutorial" / "quickstart.md"
PICTURE = DOCS / "images" / "tutorial-confusion.png"
# A block of commands, and the place behind it for what it prints.
BLOCK = re.compile(
    r"^```(?P<language>sh|python)\n(?P<code>.*?)^```\n\n<!-- printed -->\n.*?<!-- end -->",
    re.MULTILINE | re.DOTALL,
)


def main() -> None:
    """One script for the whole page, so that `cd` holds for what follows; a line of its own ends each block."""
    text = PAGE.read_text(encoding="utf-8")
    found = list(BLOCK.finditer(text))
    with tempfile.TemporaryDirectory() as folder:
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        mine = {"HOME": folder, "PATH": path, "COLUMNS": "110", "NO_COLOR": "1", "OMP_NUM_THREADS": "1"}
        env = {key: value for key, value in os.environ.items() if not key.startswith("KELLY_")} | mine
        code = "\n".join(f"{_shell(block)}\necho '<<end of block>>'" for block in found)
        command = ["bash", "-c", f"set -eu\nexec 2>&1\n{code}"]
        done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(done.stdout)
        (picture,) = Path(folder).glob("first-model/logs/training/*/figures/confusion.png")
        shutil.copy(picture, PICTURE)
        printed = done.stdout.replace(folder, "~").split("<<end of block>>\n")
    for block, output in zip(found, printed, strict=False):
        head = block[0].partition("<!-- printed -->")[0]
        shown = f"{head}<!-- printed -->\n```text\n{_tidy(output)}\n```\n<!-- end -->"
        text = text.replace(block[0], shown)
    PAGE.write_text(text, encoding="utf-8")


def _shell(block: re.Match[str]) -> str:
    return f"python - <<'END'\n{block['code']}END" if block["language"] == "python" else block["code"]


def _tidy(output: str) -> str:
    """Without progress and spaces at the end of lines."""
    lines = [line.rstrip() for line in output.splitlines()]
    return "\n".join(line for line in lines if not re.fullmatch(r"[\w-]+: (\d+/\d+|\d+ to do)", line)).strip()


if __name__ == "__main__":
    main()
