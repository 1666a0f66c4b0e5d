"""The one tree of errors. Each has the thing, the place and the next step."""

from __future__ import annotations


class KellyError(Exception):
    """Base of every error Kelly raises on purpose; the command prints it without a traceback.

    Args:
        message: What is wrong, with identifiers quoted by `!r`.
        where: The place: a file, `file:line`, a configuration key, a tensor name.
        hint: What to do next, as an instruction.
        code: A finer code than the class's, beginning with it: `"data.label"`; `kelly explain` knows it.

    Attributes:
        exit_code: 2 for the user's mistake, 1 for ours or the machine's.
        code: Stable short name of the kind of error, by which `kelly explain` and the docs know it.
    """

    exit_code = 1
    code = "failure"

    def __init__(
        self, message: str, *, where: str | None = None, hint: str | None = None, code: str | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.where = where
        self.hint = hint
        if code is not None:
            self.code = code

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        step = f"\n  -> {self.hint}" if self.hint else ""
        return f"{place}{self.message}{step}"

    def as_dict(self) -> dict[str, str | None]:
        """The error in plain values, as `--json` prints it."""
        return {"code": self.code, "message": self.message, "where": self.where, "hint": self.hint}


class UserError(KellyError):
    """Something the user gave can't be used as it stands."""

    exit_code = 2
    code = "usage"


class ConfigError(UserError):
    """A configuration value is unknown, of the wrong type, or out of range."""

    code = "config"


class DataError(UserError):
    """A dataset, an audio file or a MIDI file can't be used."""

    code = "data"


class PluginError(UserError):
    """A plugin that was asked for is missing, broken or ambiguous."""

    code = "plugin"


class InferenceOnlyError(UserError):
    """A model whose weights were trained elsewhere was asked for something that needs training here."""

    code = "inference-only"


class DeviceError(UserError):
    """The device that was asked for is not usable here."""

    code = "device"


class MissingExtraError(UserError):
    """An optional dependency is needed; the hint names the extra that brings it."""

    code = "missing-extra"


class CheckpointError(UserError):
    """A checkpoint is missing, damaged, of another model, or asks for more than tensors."""

    code = "checkpoint"


class RegistryError(UserError):
    """The registry file is invalid, or a change to it isn't allowed."""

    code = "registry"


class ContractError(UserError):
    """An input or an artefact doesn't match the model's contract."""

    code = "contract"


class FormatError(UserError):
    """A file format can't carry this network; the hint names one that can, or the network that fits."""

    code = "format"


class ParityError(KellyError):
    """An exported artefact doesn't compute what the trained model computes."""

    code = "parity"


class TrainingError(KellyError):
    """Training had to stop: the loss isn't finite, memory or disk ran out, data went away."""

    code = "training"


class InstallError(KellyError):
    """The program that installs packages ended with an error."""

    code = "install"
