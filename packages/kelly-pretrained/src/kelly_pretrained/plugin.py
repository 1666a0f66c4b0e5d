"""What this package brings to Kelly: two models that are only run. Light: nothing heavy is imported here."""

from __future__ import annotations

from kelly_core.hookspecs import hookimpl
from kelly_core.specs import LazyRef, ModelSpec, Pretrained, TensorSpec
from kelly_pretrained.origins import CLAP, INSTALL, MODULES, WHISPER_TINY, Origin

KELLY_API = 1


def _pretrained(origin: Origin, reason: str, module: str) -> Pretrained:
    return Pretrained(
        reason=reason,
        instead="fine-tune it with the transformers library and name the folder by --weights, or train a model "
        "of your own: `kelly plugin new NAME --kind model` writes one to start from",
        source=origin.source,
        licence=origin.licence,
        citation=origin.citation,
        find=LazyRef(f"{module}:find"),
        open_weights=LazyRef(f"{module}:open_weights"),
        modules=MODULES,
        install_hint=INSTALL,
    )


@hookimpl
def kelly_models() -> list[ModelSpec]:
    """Whisper Tiny and CLAP."""
    return [
        ModelSpec(
            name="whisper-tiny",
            model_id="whispertiny",
            task="speech_transcription",
            summary="speech -> words with their times, in some hundred languages",
            predict=LazyRef("kelly_pretrained.predict:whisper_command"),
            aliases=("whisper_tiny", "WhisperTiny"),
            inputs=(TensorSpec("audio", ("samples",), unit="full scale ±1, mono, 16 kHz", low=-1.0, high=1.0),),
            pretrained=_pretrained(
                WHISPER_TINY,
                "its training took 680,000 hours of transcribed speech, which aren't public",
                "kelly_pretrained.whisper",
            ),
        ),
        ModelSpec(
            name="clap",
            model_id="clap",
            task="audio_text_embedding",
            summary="sound and words -> one space, in which what belongs together is near",
            predict=LazyRef("kelly_pretrained.predict:clap_command"),
            aliases=("CLAP",),
            inputs=(TensorSpec("audio", ("samples",), unit="full scale ±1, mono, 48 kHz", low=-1.0, high=1.0),),
            outputs=(TensorSpec("embedding", ("windows", 512), unit="unit length", low=-1.0, high=1.0),),
            pretrained=_pretrained(
                CLAP,
                "its training took 630,000 pairs of sound and text from many owners, and many GPUs at once",
                "kelly_pretrained.clap",
            ),
        ),
    ]
