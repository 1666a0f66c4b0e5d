// A melody that is heard and written on: the tune, the network with its state, and the drawing of tokens. After
// construction nothing is allocated, locked or thrown. It is large, so make it a member or a static. One object
// follows one stream; a copy of it goes on by itself.
//   Network:  `Model` of the network's header, or another runtime behind the same `reset`, `process`, `input_size`
//             and `output_size`
//   Capacity: tokens that are remembered, see tokens::Memory
template <typename Network, int Capacity = 2048>
class Composer {
    static_assert(Network::input_size == tokens::frame_size, "another network's frames");
    static_assert(Network::output_size == output_size, "another network's outputs");

public:
    Composer() noexcept { reset({}, {}, 0); }

    // Forget the melody and begin another.
    //   seed:  of the random numbers: the same seed, the same phrase
    //   start: ticks from the bar line before it to its first token; more than 0 is an upbeat
    void reset(const tokens::Key& key, const tokens::Metre& metre, std::uint64_t seed,
               std::int64_t start = 0) noexcept {
        tune_.reset(key, metre, start);
        network_.reset();
        numbers_ = sampling::SplitMix64(seed);
        for (int pitch = 0; pitch < tokens::pitches; ++pitch) {
            const int sounding = pitch + tokens::lowest_pitch - key.shift();
            pitch_allowed_[pitch] = pitch == tokens::rest || (sounding >= 0 && sounding <= 127);
        }
    }

    // How tokens are drawn from now on.
    void set_taste(const sampling::Taste& taste) noexcept { taste_ = taste; }

    // Another metre, whose first bar begins at this tick; before the first token that begins there or later.
    void change_metre(const tokens::Metre& metre, std::int64_t tick) noexcept { tune_.change_metre(metre, tick); }

    // Take a token (indices) as the next one. False, and nothing happens, where it is none.
    bool hear(int pitch, int duration) noexcept {
        if (!tokens::is_token(pitch, duration)) return false;
        tell();
        return tune_.hear(pitch, duration);
    }

    // Take a note and the silence behind it: a MIDI pitch; how long it sounds, and how long it is until the next
    // one begins, in ticks. See tokens::note_tokens.
    void hear_note(int midi_pitch, std::int64_t ticks, std::int64_t next) noexcept {
        const int pitch = tokens::pitch_index(midi_pitch, tune_.key().shift());
        tokens::note_tokens(pitch, ticks, next, [this](int index, int duration) { hear(index, duration); });
    }

    // Write the next token and hear it. Where the melody ends its pitch is `tokens::end` and its duration -1, and
    // the next thing is a reset.
    sampling::Token next() noexcept { return write(tokens::longest_duration, true); }

    // The same, within so many ticks, at least 1, and without an end: to fill bars exactly.
    sampling::Token next(std::int64_t room) noexcept { return write(std::max<std::int64_t>(1, room), false); }

    // Where the melody stands.
    const tokens::Tune<Capacity>& tune() const noexcept { return tune_; }

private:
    void tell() noexcept {
        tune_.write(frame_);
        network_.process(frame_, logits_);
    }

    sampling::Token write(std::int64_t room, bool may_end) noexcept {
        tell();
        pitch_allowed_[tokens::end] = may_end;
        for (int i = 0; i < tokens::durations; ++i) duration_allowed_[i] = tokens::duration_ticks[i] <= room;
        const sampling::Token token = sampler_.draw(logits_ + pitch_first, logits_ + duration_first, pitch_allowed_,
                                                    duration_allowed_, taste_, numbers_);
        tune_.hear(token.pitch, token.duration);
        return token;
    }

    tokens::Tune<Capacity> tune_;
    Network network_;
    sampling::TokenSampler sampler_;
    sampling::SplitMix64 numbers_{0};
    sampling::Taste taste_;
    bool pitch_allowed_[tokens::pitches]{}, duration_allowed_[tokens::durations]{};
    alignas(64) float frame_[tokens::frame_size]{};
    alignas(64) float logits_[output_size]{};
};
