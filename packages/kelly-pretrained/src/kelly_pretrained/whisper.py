"""Whisper: what is said in a sound file, and when. Times are in seconds, sound is mono float32 at 16 kHz."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kelly_core.data.audio_files import read_audio
from kelly_core.errors import CheckpointError, UserError
from kelly_core.workspace import Workspace
from kelly_pretrained.loading import load, quiet
from kelly_pretrained.origins import WHISPER_TINY
from kelly_pretrained.weights import find_weights

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

NO_SPEECH = 0.6
"""Probability of the token "no speech" from which a window that is also guessed at is left out."""
SURE = -1.0
"""Mean log-probability of a window's tokens below which they are guessed at. Both are as published."""


@dataclass(frozen=True, slots=True)
class Segment:
    """Words said between two times, in seconds."""

    start: float
    end: float
    text: str


@dataclass(frozen=True)
class Transcript:
    """What is said in a file.

    Attributes:
        path: The file.
        seconds: Its length.
        language: Code of the language (`"en"`).
        detected: Whether the model chose the language, from the first 30 s.
        segments: In order, not overlapping, within the file; none where nothing is said.
    """

    path: Path
    seconds: float
    language: str
    detected: bool
    segments: Sequence[Segment]

    @property
    def text(self) -> str:
        """All words."""
        return " ".join(segment.text for segment in self.segments)

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {
            "file": str(self.path),
            "seconds": round(self.seconds, 3),
            "language": self.language,
            "language_detected": self.detected,
            "text": self.text,
            "segments": [
                {"start": round(one.start, 3), "end": round(one.end, 3), "text": one.text}
                for one in self.segments
            ],
        }


class Whisper:
    """An opened Whisper model.

    Args:
        model: A `transformers.WhisperForConditionalGeneration` in evaluation mode.
        processor: Its `transformers.WhisperProcessor`.
    """

    def __init__(self, model: Any, processor: Any) -> None:
        self.model, self.processor = model, processor

    @property
    def languages(self) -> list[str]:
        """Codes of the languages it knows."""
        known = getattr(self.model.generation_config, "lang_to_id", None) or {"<|en|>": 0}
        return [token.strip("<|>") for token in known]

    @property
    def multilingual(self) -> bool:
        """Whether it can be told a language; a model of English alone can't."""
        return hasattr(self.model.generation_config, "lang_to_id")

    def language(self, name: str) -> str:
        """The code of a language given by code or English name (`"German"` -> `"de"`).

        Raises:
            UserError: The model doesn't know it.
        """
        from transformers.models.whisper.tokenization_whisper import TO_LANGUAGE_CODE

        code = TO_LANGUAGE_CODE.get(name.lower(), name.lower())
        if code in self.languages:
            return code
        names = [word for word, short in TO_LANGUAGE_CODE.items() if short in self.languages]
        near = difflib.get_close_matches(name.lower(), [*names, *self.languages], n=3)
        said = f"did you mean {' or '.join(map(repr, near))}?" if near else "leave it out to have it detected"
        raise UserError(f"the model knows no language {name!r}", where="--language", hint=said)

    def transcribe(self, path: Path, language: str | None = None) -> Transcript:
        """Write down what is said in a file. The same file gives the same words every time.

        Up to 30 s are heard at once; a longer file in windows, each from where the last whole segment ended.

        Args:
            path: Sound of any rate and channel count, up to an hour.
            language: Code from `language`; None has it detected.

        Raises:
            DataError: The file can't be used; says why.
        """
        rate = int(self.processor.feature_extractor.sampling_rate)
        samples = read_audio(path, rate)
        seconds = len(samples) / rate
        code, pieces = self._generate(samples, language)
        detected = language is None and self.multilingual
        return Transcript(Path(path), seconds, code, detected, tidy(pieces, seconds))

    def _generate(
        self, samples: NDArray[np.float32], language: str | None
    ) -> tuple[str, list[tuple[float, float, str]]]:
        """Language and raw segments (start, end, text) of (samples,) at the model's rate."""
        import torch

        extractor, tokenizer = self.processor.feature_extractor, self.processor.tokenizer
        windows = math.ceil(len(samples) / extractor.n_samples)
        features = extractor(
            samples,
            sampling_rate=extractor.sampling_rate,
            padding="max_length",
            max_length=windows * extractor.n_samples,  # silence to the end of the last window
            return_tensors="pt",
        )["input_features"]  # (1, n_mels, frames)
        with torch.inference_mode(), quiet():
            if language is None:
                language = self._detect(features)
            spoken = {"language": language, "task": "transcribe"} if self.multilingual else {}
            found = self.model.generate(
                features,
                return_timestamps=True,
                return_segments=True,
                temperature=0.0,
                logprob_threshold=SURE,
                no_speech_threshold=NO_SPEECH,
                **spoken,
            )
        pieces = [
            (float(one["start"]), float(one["end"]), tokenizer.decode(one["tokens"], skip_special_tokens=True))
            for one in found["segments"][0]
        ]
        return language, pieces

    def _detect(self, features: Any) -> str:
        """Code of the language of the first window of (1, n_mels, frames)."""
        if not self.multilingual:
            return "en"
        window = self.processor.feature_extractor.nb_max_frames
        [token] = self.model.detect_language(features[:, :, :window]).tolist()
        tokens = self.model.generation_config.lang_to_id
        name: str = next(name for name, number in tokens.items() if number == token)
        return name.strip("<|>")


def tidy(pieces: Iterable[tuple[float, float, str]], seconds: float) -> list[Segment]:
    """Segments that say something, in order, without overlap, within the file.

    A file that doesn't fill the last window is padded with silence, and a model may hear words in that.

    Args:
        pieces: Start and end in seconds, and text.
        seconds: Length of the file.

    >>> tidy([(0.0, 2.0, " One"), (1.9, 1.9, " "), (1.9, 9.0, " two."), (7.0, 8.0, " Thanks.")], 5.0)
    [Segment(start=0.0, end=2.0, text='One'), Segment(start=2.0, end=5.0, text='two.')]
    """
    segments: list[Segment] = []
    for start, end, text in pieces:
        earliest = segments[-1].end if segments else 0.0
        if text.strip() and start < seconds:
            begin = min(max(start, earliest), seconds)
            segments.append(Segment(begin, min(max(end, begin), seconds), text.strip()))
    return segments


def find(workspace: Workspace) -> Path:
    """The folder of weights that `kelly predict whisper-tiny` would use; see `weights.find_weights`."""
    return find_weights(WHISPER_TINY, workspace)


def open_weights(folder: Path) -> Whisper:
    """Open Whisper, tiny or larger, as the hub has it.

    Raises:
        CheckpointError: The folder holds no usable Whisper model.
        MissingExtraError: torch or transformers isn't installed.
    """
    model, processor = load(Path(folder), WHISPER_TINY, "WhisperForConditionalGeneration", "WhisperProcessor")
    if getattr(model.generation_config, "no_timestamps_token_id", None) is None:
        raise CheckpointError(
            "generation_config.json is missing or says nothing of times",
            where=str(folder),
            hint=f"fetch {WHISPER_TINY.repo} again, with all of its files",
            code="checkpoint.damaged",
        )
    return Whisper(model, processor)
