"""From chord symbols to notes: a bass and close upper voices that move as little as they can."""

from kelly_harmony.voicing.lead import BASS, UPPER, Segment, segments, voice_chords, voicings

__all__ = ["BASS", "UPPER", "Segment", "segments", "voice_chords", "voicings"]
