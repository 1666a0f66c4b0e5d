"""What a network of melodies is told, computed in C++: grid, memory, key and frames equal Python's."""

from __future__ import annotations

import copy
import ctypes
import os
import subprocess
import tarfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kelly_core.contract import Contract, TensorInfo
from kelly_core.errors import FormatError
from kelly_core.features.midi import encode, make_notes, read_bytes, read_midi
from kelly_core.features.midi.keys import MAJOR, MINOR, Key, estimate_key
from kelly_export.cpp import contract as contract_header
from kelly_export.cpp import why_not
from kelly_export.cpp.compiler import compilers, shared_library
from kelly_export.cpp.melody import tokens as header
from kelly_melody.compose import Host
from kelly_melody.data.read import to_melody
from kelly_melody.describe import FEATURES
from kelly_melody.features.inputs import spread_proposals, spread_token, tell
from kelly_melody.features.memory import N_SOURCES, Memory
from kelly_melody.plugin import INPUTS, OUTPUTS
from kelly_melody.tokens import DURATIONS, LOW, REST, Melody, Metre, midi_pitch, pitch_index

needs_compiler = pytest.mark.skipif(bool(why_not()), reason=f"not run here: {why_not()}")
PACK = Path(os.environ.get("KELLY_SHARED", "missing")) / "data" / "nottingham.tar.xz"
SMALL = 4
WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Wconversion", "-Werror"]
PROGRAM = f"#define SMALL {SMALL}\n" + (Path(__file__).parent / "melody_tokens.cpp").read_text()
COMPOSING = """
#include "melodytransformer_composer.hpp"
namespace m = kelly::melodytransformer;
struct Network {
    static constexpr int input_size = m::tokens::frame_size, output_size = m::output_size;
    void reset() noexcept {}
    void process(const float* input, float* output) noexcept {
        for (int i = 0; i < output_size; ++i) output[i] = input[i % input_size];
    }
};
int main() {
    static m::Composer<Network, 64> composer;
    composer.reset({2, true}, {6, 8}, 7);
    if (composer.hear(m::tokens::end, 0) || composer.hear(0, m::tokens::durations)) return 1;
    composer.hear_note(62, 36, 40);
    if (composer.tune().onset() != 40) return 2;
    for (int room = 32; room > 0;) {
        const auto token = composer.next(room);
        if (token.pitch == m::tokens::end || m::tokens::duration_ticks[token.duration] > room) return 3;
        room -= m::tokens::duration_ticks[token.duration];
    }
    return composer.tune().onset() == 72 && composer.tune().to_bar_line() == 0 ? 0 : 4;
}
"""


def made(**changes):
    return Contract(
        model_id="melodytransformer",
        model_version="0.1.0",
        task="melody_generation",
        architecture_type="transformer",
        parameters=1,
        inputs=[TensorInfo.from_spec(spec) for spec in INPUTS],
        outputs=[TensorInfo.from_spec(spec) for spec in OUTPUTS],
        features={**FEATURES, **changes},
        latency_budget_ms=5.0,
        run_id="run",
        checkpoint_sha256="0" * 64,
    )


@pytest.fixture(scope="module")
def library():
    if why_not():
        pytest.skip(f"not run here: {why_not()}")
    found = shared_library(header.render(made()), PROGRAM)
    found.begin.argtypes = (ctypes.c_int, ctypes.c_bool, ctypes.c_int, ctypes.c_int, ctypes.c_longlong)
    found.change_metre.argtypes = (ctypes.c_longlong, ctypes.c_int, ctypes.c_int)
    found.note_tokens.argtypes = (ctypes.c_int, ctypes.c_longlong, ctypes.c_longlong, ctypes.c_void_p)
    found.onset.restype, found.hear.restype = ctypes.c_longlong, ctypes.c_bool
    return found


def pointer(array):
    return ctypes.c_void_p(array.ctypes.data)


METRES = st.builds(Metre, st.sampled_from([1, 2, 3, 4, 5, 6, 7, 9, 12, 64]), st.sampled_from([1, 2, 4, 8, 16]))
FEW = st.tuples(st.sampled_from([48, 50, 52, 53, REST]), st.sampled_from([5, 11, 18]))
ANY = st.tuples(st.integers(0, REST), st.integers(0, len(DURATIONS) - 1))
KEYS = st.builds(Key, st.integers(-7, 7), st.booleans())


@st.composite
def melodies(draw):
    """Melodies that repeat much or little, with an upbeat or none and changes of metre anywhere."""
    rows = np.array(draw(st.lists(draw(st.sampled_from([FEW, ANY])), min_size=1, max_size=80)))
    changes = sorted(draw(st.lists(st.integers(1, 2000), max_size=3)))
    metres = ((0, draw(METRES)), *((tick, draw(METRES)) for tick in changes))
    return Melody(rows[:, 0], rows[:, 1], draw(st.sampled_from([0, 0, 5, 72])), draw(KEYS), metres)


LONG = Melody(np.tile([48, 50, 52, REST], 20), np.full(80, 18))
"""It repeats more than the longest run that is told."""


def placed(melody):
    """Onset, place and length of the bar of each token and of the end."""
    host, rows = Host(melody.key, melody.metres, melody.start), []
    for pitch, duration in [*zip(melody.pitch.tolist(), melody.duration.tolist(), strict=True), (None, None)]:
        rows.append((host.onset, -host.to_bar_line() % host.metre.ticks, host.metre.ticks))
        if pitch is not None:
            host.hear(pitch, duration)
    return rows


def reference(melody, capacity=None):
    """(tokens + 1, sources, 3); with a capacity, of a memory that forgets what is older."""
    memory, found = Memory(), []
    for at, (onset, place, bar) in enumerate(placed(melody)):
        seen = copy.deepcopy(memory) if capacity else memory
        if capacity and at > capacity:
            seen._runs[:, : at - capacity] = 0
        said, runs = seen.candidates(onset, bar)
        found.append(np.concatenate([said, runs[:, None]], axis=1))
        if at < len(melody):
            memory.add(int(melody.pitch[at]), int(melody.duration[at]), onset, place, bar)
            memory._at = {tick: i for tick, i in memory._at.items() if not capacity or i > at - capacity}
    return np.stack(found)


def remembered(function, melody):
    tokens = np.zeros((len(melody) + 1, 2), np.int64)
    tokens[:-1, 0], tokens[:-1, 1] = melody.pitch, melody.duration
    rows = np.concatenate([tokens, np.array(placed(melody))], axis=1)
    out = np.zeros((len(rows), N_SOURCES, 3), np.int32)
    function(pointer(rows), len(rows), pointer(out))
    return out


def frames(library, melody):
    changes = list(melody.metres)
    metre = changes.pop(0)[1]
    library.begin(melody.key.fifths, melody.key.minor, metre.numerator, metre.denominator, melody.start)
    out = np.zeros((len(melody) + 1, library.frame_size()), np.float32)
    for at, frame in enumerate(out):
        while changes and changes[0][0] <= library.onset():
            tick, metre = changes.pop(0)
            library.change_metre(tick, metre.numerator, metre.denominator)
        library.write(pointer(frame))
        if at < len(melody):
            assert library.hear(int(melody.pitch[at]), int(melody.duration[at]))
    return out


def expected_frames(melody):
    told = tell(melody)
    parts = spread_token(told.last), told.place, spread_proposals(told.proposals)
    return np.concatenate([part.reshape(len(part), -1) for part in parts], axis=1)


@settings(max_examples=60, deadline=None)
@given(melody=melodies())
@example(melody=LONG)
def test_the_memory_says_what_python_says(library, melody):
    np.testing.assert_array_equal(remembered(library.remember, melody), reference(melody))


@settings(max_examples=60, deadline=None)
@given(melody=melodies())
@example(melody=LONG)
def test_a_full_memory_forgets_the_oldest_and_nothing_else(library, melody):
    np.testing.assert_array_equal(remembered(library.remember_little, melody), reference(melody, SMALL))


@settings(max_examples=60, deadline=None)
@given(melody=melodies())
@example(melody=LONG)
def test_frames_are_what_python_tells(library, melody):
    np.testing.assert_array_equal(frames(library, melody), expected_frames(melody))
    host = Host(
        melody.key,
        melody.metres,
        melody.start,
    )
    for token in zip(melody.pitch.tolist(), melody.duration.tolist(), strict=True):
        host.hear(*token)
    assert (library.onset(), library.to_bar_line()) == (host.onset, host.to_bar_line())


@pytest.mark.skipif(not PACK.is_file(), reason="KELLY_SHARED names no folder with nottingham.tar.xz")
def test_real_tunes_are_told_alike(library, tmp_path):
    count = 0
    with tarfile.open(PACK) as archive:
        for member in archive:
            if "/melody/" in member.name and member.name.endswith(".mid"):
                archive.extract(member, tmp_path, filter="data")
                melody = to_melody(read_midi(tmp_path / member.name))
                np.testing.assert_array_equal(remembered(library.remember, melody), reference(melody))
                np.testing.assert_array_equal(frames(library, melody), expected_frames(melody))
                count += 1
            if count == 25:
                break
    assert count == 25


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 127), st.integers(1, 1500), st.integers(1, 1500)), min_size=1, max_size=8
    ),
    KEYS,
)
@example([(60, 25, 27), (62, 24, 27), (64, 100, 100), (65, 30, 24), (67, 24, 24 + 1000)], Key())
def test_notes_become_the_tokens_that_reading_a_file_gives(library, rows, key):
    pitch, length, gap = np.array(rows).T
    onset = np.concatenate([[0], np.cumsum(gap)[:-1]])
    notes = make_notes(pitch, onset, length, ticks_per_beat=24)
    melody = to_melody(read_bytes(encode(notes, ticks_per_beat=24)), key)
    gap[-1] = length[-1]
    found = []
    for at, ticks in enumerate(length):
        out = np.zeros((200, 2), np.int32)
        count = library.note_tokens(pitch_index(pitch[at], key.shift), ticks, gap[at], pointer(out))
        found += out[:count].tolist()
    assert found == np.stack([melody.pitch, melody.duration], axis=1).tolist()


def test_pitches_move_with_every_key(library):
    for key in [Key(fifths, minor) for fifths in range(-7, 8) for minor in (False, True)]:
        out = np.zeros(1 + 128 + REST, np.int32)
        library.pitches_of(key.fifths, key.minor, pointer(out))
        there = [pitch_index(pitch, key.shift) for pitch in range(128)]
        back = [midi_pitch(index, key.shift) for index in range(REST)]
        assert out.tolist() == [key.shift, *there, *back]


@given(st.lists(st.integers(0, 500), min_size=12, max_size=12))
def test_the_estimated_key_fits_best(library, lasting):
    found = library.estimated(pointer(np.array(lasting, np.float64)))
    key = Key(found // 2, bool(found % 2))
    right = estimate_key(lasting)
    assert fit(key, lasting) == pytest.approx(fit(right, lasting), abs=1e-9)  # of equals either may win
    assert abs(key.fifths) < 7


def fit(key, lasting):
    if len(set(lasting)) == 1:
        return 0.0 if key.name == "C major" else -1.0
    return np.corrcoef(np.roll(MINOR if key.minor else MAJOR, key.tonic), lasting)[0, 1]


def test_what_is_no_token_changes_nothing(library):
    library.begin(0, False, 4, 4, 0)
    assert not any([library.hear(REST + 1, 0), library.hear(-1, 0), library.hear(0, -1), library.hear(0, 48)])
    assert library.onset() == 0
    assert library.hear(60 - LOW, 0)


def test_nothing_is_allocated(library):
    melody = Melody(np.arange(84), np.arange(84) % 48, metres=((0, Metre(6, 8)), (500, Metre())))
    frames(library, melody)
    remembered(library.remember_little, melody)
    assert library.allocated() == 0


@needs_compiler
def test_it_compiles_without_a_warning_and_composes(tmp_path):
    names = [path.name for path in contract_header.write(made(), tmp_path)]
    assert names == [f"melodytransformer_{part}.hpp" for part in ("contract", "tokens", "sampler", "composer")]
    (tmp_path / "main.cpp").write_text(COMPOSING)
    for compiler in compilers():
        command = [compiler, "-std=c++17", "-O2", *WARNINGS, "main.cpp", "-o", "main"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert subprocess.run([tmp_path / "main"], check=False).returncode == 0


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"version": "melody-tokens-0"}, "the header computes"),
        ({"version": None}, "the header computes"),
        ({"sources": ["exact"]}, "don't fit"),
        ({"place_sizes": {"bar": 8}}, "don't fit"),
    ],
)
def test_features_that_it_does_not_compute_are_refused_and_nothing_is_written(tmp_path, changes, words):
    with pytest.raises(FormatError, match=words):
        contract_header.write(made(**changes), tmp_path)
    assert not list(tmp_path.iterdir())
