// A key: sharps, or flats as negative numbers, -7 to 7, of its signature; whether it is minor.
struct Key {
    int fifths = 0;
    bool minor = false;

    // Pitch class, from C, of the tonic of the (relative) major key.
    constexpr int major_tonic() const noexcept { return (7 * fifths % 12 + 12) % 12; }

    // Semitones that move this key to C or a minor, -6 to 5.
    constexpr int shift() const noexcept { return (18 - major_tonic()) % 12 - 6; }
};

// A metre, as written.
struct Metre {
    int numerator = 4;
    int denominator = 4;

    // Length of a bar, at least 1.
    constexpr int ticks() const noexcept {
        return std::max(1, numerator * 4 * ticks_per_quarter / std::max(1, denominator));
    }
};

// Whether these are indices of a note or a rest and its duration; the end isn't a token that is heard.
constexpr bool is_token(int pitch, int duration) noexcept {
    return pitch >= 0 && pitch <= rest && duration >= 0 && duration < durations;
}

// Index of a MIDI pitch in a key with this shift, moved by octaves into the range.
constexpr int pitch_index(int midi_pitch, int shift) noexcept {
    int relative = midi_pitch + shift;
    while (relative < lowest_pitch) relative += 12;
    while (relative >= lowest_pitch + rest) relative -= 12;
    return relative - lowest_pitch;
}

// MIDI pitch of an index below `rest`, moved by octaves where it would leave 0 to 127.
constexpr int midi_pitch(int index, int shift) noexcept {
    const int pitch = index + lowest_pitch - shift;
    return pitch > 127 ? pitch - 12 : pitch;
}

// Calls `take(index)` with durations that add up to a length, longest first.
template <typename Take>
void split(std::int64_t ticks, Take&& take) {
    while (ticks > 0) {
        const int* above = std::upper_bound(duration_ticks, duration_ticks + durations, ticks);
        take(static_cast<int>(above - duration_ticks) - 1);
        ticks -= above[-1];
    }
}

// A note of one voice, and the silence behind it, as tokens: calls `token(pitch, duration)` with the indices of
// each. A length without a duration of its own is a note and rests: nothing is struck twice. A short silence
// belongs to the note, a long one is shortened by what keeps its place in the bar.
//   pitch: index
//   ticks: how long it sounds; it ends where the next one begins
//   next:  ticks from its beginning to the next one's, at least 1
template <typename Token>
void note_tokens(int pitch, std::int64_t ticks, std::int64_t next, Token&& token) {
    next = std::max<std::int64_t>(1, next);
    ticks = std::min(std::max<std::int64_t>(1, ticks), next);
    if (next - ticks <= joined_ticks) ticks = next;
    std::int64_t silence = next - ticks;
    if (silence > longest_rest_ticks) silence = longest_rest_ticks + silence % longest_rest_ticks;
    split(ticks, [&](int duration) {
        token(pitch, duration);
        pitch = rest;
    });
    split(silence, [&](int duration) { token(rest, duration); });
}

// The key whose profile correlates best with how long each of the twelve pitch classes, from C, sounds: Krumhansl,
// Cognitive Foundations of Musical Pitch (1990), chapter 4. C major for silence.
inline Key estimate_key(const double* lasting) noexcept {
    double sum = 0.0;
    for (int i = 0; i < 12; ++i) sum += lasting[i];
    const double mean = sum / 12.0;
    int best = 0;
    double highest = 0.0;
    for (int key = 0; key < 24; ++key) {
        double fit = 0.0;
        for (int i = 0; i < 12; ++i)
            fit += detail::key_profiles[key / 12 * 12 + (i + 12 - key % 12) % 12] * (lasting[i] - mean);
        if (key > 0 && fit <= highest) continue;
        best = key;
        highest = fit;
    }
    const bool minor = best >= 12;
    const int fifths = (7 * (best % 12) + (minor ? 9 : 0)) % 12;  // of the major, or of the relative major
    return {fifths > 6 ? fifths - 12 : fifths, minor};
}
