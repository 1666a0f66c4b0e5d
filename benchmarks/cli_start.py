"""Start-up time of the command line against `import typer`, interleaved so that noise hits all alike."""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time

PROGRAMS = {
    "python -c 'import typer'": ["-c", "import typer"],
    "kelly list": ["-c", "from kelly_core.cli import main; main()", "list"],
    "kelly --help": ["-c", "from kelly_core.cli import main; main()", "--help"],
}


def measure(runs: int) -> dict[str, list[float]]:
    """Wall time of each program in seconds, `runs` times each after one warm-up."""
    times: dict[str, list[float]] = {name: [] for name in PROGRAMS}
    for turn in range(runs + 1):
        for name, arguments in PROGRAMS.items():
            start = time.perf_counter()
            subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
            if turn:
                times[name].append(time.perf_counter() - start)
    return times


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=21)
    times = measure(parser.parse_args().runs)
    base = statistics.median(times["python -c 'import typer'"])
    print(f"{'program':28}{'median ms':>12}{'min ms':>10}{'ratio':>8}")
    for name, seconds in times.items():
        middle = statistics.median(seconds)
        print(f"{name:28}{middle * 1e3:12.1f}{min(seconds) * 1e3:10.1f}{middle / base:8.2f}")


if __name__ == "__main__":
    main()
