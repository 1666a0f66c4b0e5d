"""Rules about exporters, tried on small networks."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

from kelly_core.errors import FormatError, KellyError, ParityError
from kelly_core.testing.rules import BrokenRuleError, NotApplicableError, rule
from kelly_core.testing.subject import Subject

if TYPE_CHECKING:
    from kelly_core.export import ExportBundle

MEND = "compare export and open_runner with the contract: names, order and dtypes of feeds and fetches"


@rule(
    "exporter",
    why="a file must compute what the trained network computes, in one file, for any batch",
    mend=MEND,
)
def small_network_passes_parity(subject: Subject) -> str:
    """Two dense layers written in the format compute the same there, and nothing lies beside the file."""
    _require_modules(subject)
    from kelly_core.testing.reference import dense

    return _written(subject, dense())


@rule(
    "exporter",
    why="a network that remembers must do so in the file, for any number of steps in a call and any batch",
    mend=f"{MEND}; the state comes behind the inputs, what follows it behind the outputs",
)
def state_passes_parity(subject: Subject) -> str:
    """A recurrent network written in the format computes the same there, whole and step by step."""
    _require_modules(subject)
    from kelly_core.testing.reference import recurrent

    return _written(subject, recurrent())


@rule(
    "exporter",
    why="a user who opens a damaged file must read what is wrong, not a traceback of the format's library",
    mend="wrap opening in kelly_core.runtime.opening, or raise a KellyError with `where` and `hint`",
)
def damaged_files_are_errors_of_ours(subject: Subject) -> str:
    """Opening, or only inspecting, a file that holds something else ends with an error of Kelly's."""
    _require_modules(subject)
    from kelly_core.runtime import Runtime
    from kelly_core.testing.reference import dense

    runtime = Runtime.of(subject.exporter)
    path = subject.empty_folder("damaged") / f"damaged{subject.exporter.suffix}"
    path.write_bytes(b"no model at all")
    bundle = dense()
    why_not = runtime.why_not()
    if why_not and runtime.inspect is None:
        raise NotApplicableError(why_not)
    try:
        if not why_not:
            runtime.open(path, bundle.contract)
        elif runtime.inspection(path, bundle.contract, bundle.module).problems:
            return "inspecting it finds it damaged"
    except KellyError as error:
        return f"refused: {error.message}"
    raise BrokenRuleError("it was opened as if it were whole")


def _require_modules(subject: Subject) -> None:
    missing = [name for name in (*subject.exporter.modules, "torch") if find_spec(name) is None]
    if missing:
        raise NotApplicableError(f"{' and '.join(missing)} isn't installed")


def _written(subject: Subject, bundle: ExportBundle) -> str:
    """Export a network through the gate and say what came out."""
    from kelly_core.testing.reference import frames
    from kelly_core.verify import export_verified, parity_cases

    path = subject.empty_folder("exported") / f"reference{subject.exporter.suffix}"
    cases = parity_cases(bundle.contract, frames(bundle, 1), frames(bundle, 3))
    try:
        info, report = export_verified(bundle, subject.exporter, path, cases)
    except FormatError as error:
        if not error.hint:
            raise BrokenRuleError(f"it refuses without saying what to do: {error.message}") from error
        raise NotApplicableError(f"it can't carry the small network: {error.message}") from error
    except ParityError as error:
        raise BrokenRuleError(error.message) from error
    if report.not_run:
        return f"{info.bytes} bytes, not run here: {report.not_run}"
    return f"{info.bytes} bytes, at most {report.max_abs:.1e} apart"
