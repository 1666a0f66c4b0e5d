"""Read sound files: any format libsndfile knows becomes mono float32 at one rate, or one clear error.

Samples are float32 with full scale at ±1, rates are in Hz, times in seconds.
"""

from __future__ import annotations

import hashlib
import os
import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from kelly_core.errors import DataError

SHORTEST_S = 0.05
LONGEST_S = 3600.0
READABLE = frozenset({".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff", ".au", ".caf", ".w64"})
"""Suffixes, in lower case, that libsndfile decodes."""
CONVERTIBLE = frozenset({".m4a", ".aac", ".mp4", ".wma", ".webm", ".mka"})
"""Suffixes of sound that only `kelly data import` can read, with a decoder of the system."""

_STREAMED = {0, 0xFFFFFFFF}  # a WAV written to a pipe can't know its length
_MAGIC = {
    b"RIFF": "a WAV file",
    b"fLaC": "a FLAC file",
    b"OggS": "an Ogg file",
    b"ID3": "an MP3 file",
    b"%PDF": "a PDF document",
    b"PK\x03\x04": "a ZIP archive",
    b"\x1f\x8b": "a gzip archive",
    b"<": "HTML or XML text",
    b"{": "JSON text",
    b"version https://git-lfs": "a Git LFS pointer; fetch the real file with `git lfs pull`",
}


@dataclass(frozen=True, slots=True)
class AudioInfo:
    """What a file's header says.

    Attributes:
        frames: Samples per channel.
        sample_rate: In Hz.
        channels: How many.
        format, subtype: libsndfile's names (`"WAV"`, `"PCM_24"`).
    """

    frames: int
    sample_rate: int
    channels: int
    format: str
    subtype: str

    @property
    def seconds(self) -> float:
        return self.frames / self.sample_rate


def audio_info(path: str | Path) -> AudioInfo:
    """Read a file's header; no sample is decoded.

    Raises:
        DataError: The file is missing, empty, no audio, has rate 0 Hz, or an unusable length.
    """
    name = os.fspath(path)
    try:
        with soundfile.SoundFile(name) as file:
            info = AudioInfo(file.frames, file.samplerate, file.channels, file.format, file.subtype)
    except (soundfile.SoundFileError, OSError, RuntimeError) as error:
        raise _cannot_open(name, error) from None
    _check_header(name, info)
    return info


def read_audio(path: str | Path, sample_rate: int = 16_000) -> NDArray[np.float32]:
    """Decode a file, mix its channels to one and resample.

    Args:
        path: WAV, FLAC, OGG, MP3, AIFF and whatever else libsndfile decodes, any bit depth and channel count.
        sample_rate: Rate of the result in Hz (soxr, high quality).

    Returns:
        (samples,) mono signal, full scale ±1; louder float files keep their level.

    Raises:
        DataError: The file is missing, empty, truncated, no audio, has rate 0 Hz, holds NaN or infinity,
            or is shorter than 50 ms or longer than an hour.
    """
    name = os.fspath(path)
    info = audio_info(name)
    _check_wav_length(name)
    try:
        samples, rate = soundfile.read(name, dtype="float32", always_2d=True)  # (samples, channels)
    except (soundfile.SoundFileError, OSError, RuntimeError) as error:
        raise DataError(
            f"stops decoding part way ({_reason(error)}); it is truncated or damaged",
            where=name,
            hint=_REPLACE,
            code="data.sound",
        ) from None
    if len(samples) < info.frames and info.format != "MP3":  # an MP3's length is an estimate
        raise _truncated(name, f"{len(samples)} of {info.frames} samples decode")
    mono = samples[:, 0] if samples.shape[1] == 1 else samples.mean(axis=1, dtype=np.float32)
    bad = len(mono) - int(np.count_nonzero(np.isfinite(mono)))
    if bad:
        raise DataError(
            f"{bad} of {len(mono)} samples are NaN or infinite", where=name, hint=_REPLACE, code="data.sound"
        )
    if len(mono) < SHORTEST_S * rate:
        raise _too_short(name, len(mono) / rate)
    if rate != sample_rate:
        mono = soxr.resample(mono, rate, sample_rate, quality="HQ")
    return np.ascontiguousarray(mono, dtype=np.float32)


def content_hash(samples: NDArray[np.float32]) -> str:
    """SHA-256 of decoded sound, the same for one recording in WAV, FLAC or float WAV.

    Samples are quantised to 24 bits, so that what a lossless format keeps is all that counts.

    Args:
        samples: (samples,) as `read_audio` gives them.
    """
    quantised = np.rint(samples * np.float32(2**23)).astype("<i4")
    return hashlib.sha256(quantised.tobytes()).hexdigest()


_REPLACE = "replace or delete the file"


def _check_header(name: str, info: AudioInfo) -> None:
    if info.sample_rate <= 0:
        raise DataError("its header says 0 Hz", where=name, hint=_REPLACE, code="data.sound")
    if info.frames == 0:
        raise DataError("holds no samples", where=name, hint=_REPLACE, code="data.sound")
    if info.seconds < SHORTEST_S and info.format != "MP3":
        raise _too_short(name, info.seconds)
    if info.seconds > LONGEST_S:
        raise DataError(
            f"lasts {info.seconds / 3600:.1f} h; at most 1 h is read",
            where=name,
            hint="cut it into shorter files",
            code="data.sound",
        )


def _check_wav_length(name: str) -> None:
    """A WAV that was cut off still opens in libsndfile, so compare its header with its size."""
    size = Path(name).stat().st_size
    with Path(name).open("rb") as file:
        head = file.read(12)
        if head[:4] != b"RIFF" or head[8:] != b"WAVE":
            return
        while len(chunk := file.read(8)) == 8:
            kind, length = struct.unpack("<4sI", chunk)
            if kind == b"data":
                left = size - file.tell()
                if length not in _STREAMED and length > left:
                    raise _truncated(name, f"the header promises {length} bytes of sound, {left} are there")
                return
            file.seek(length + length % 2, os.SEEK_CUR)


def _cannot_open(name: str, error: Exception) -> DataError:
    path = Path(name)
    if path.is_dir():
        return DataError("is a folder, not a sound file", where=name, code="data.sound")
    try:
        with path.open("rb") as file:
            head = file.read(64)
    except FileNotFoundError:
        return DataError(
            "the file is missing",
            where=name,
            hint="check the path, or remove it from the list",
            code="data.sound",
        )
    except OSError as refused:
        return DataError(
            f"can't be read: {refused.strerror or refused}",
            where=name,
            hint="check permissions",
            code="data.sound",
        )
    message, hint = _undecodable(head, path.suffix.lower(), _reason(error))
    return DataError(message, where=name, hint=hint, code="data.sound")


def _undecodable(head: bytes, suffix: str, reason: str) -> tuple[str, str]:
    """Message and hint for a file that libsndfile refuses, from its first bytes."""
    if not head:
        return "is empty (0 bytes)", _REPLACE
    if head[:4] == b"RIFF" and head[12:16] == b"fmt " and head[24:28] == b"\0\0\0\0":
        return "its header says 0 Hz", _REPLACE
    if head[4:8] == b"ftyp" or suffix in CONVERTIBLE:
        hint = "convert it with `kelly data import`, which uses ffmpeg where it is installed"
        return f"is MPEG-4 or another format that isn't read directly ({suffix})", hint
    found = next((what for magic, what in _MAGIC.items() if head.startswith(magic)), None)
    if found is None and head.isascii():
        found = "text"
    content = f"; it begins like {found}" if found else ""
    return f"is not sound that can be decoded ({suffix or 'no suffix'}): {reason}{content}", _REPLACE


def _reason(error: Exception) -> str:
    """The decoder's own words, without the path that soundfile puts before them."""
    text = str(getattr(error, "error_string", None) or error)
    return text.rstrip(". ") or type(error).__name__


def _truncated(name: str, detail: str) -> DataError:
    return DataError(f"is truncated: {detail}", where=name, hint="copy or download it again", code="data.sound")


def _too_short(name: str, seconds: float) -> DataError:
    return DataError(
        f"lasts {1000 * seconds:.0f} ms; at least {1000 * SHORTEST_S:.0f} ms are needed",
        where=name,
        hint=_REPLACE,
        code="data.sound",
    )
