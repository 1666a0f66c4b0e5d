// The tune so far and where it stands: what the network is told before the next token. Nothing is allocated, locked
// or thrown. It takes 34 bytes for every token of the capacity, so make it a member or a static. One object follows
// one stream.
template <int Capacity = 2048>
class Tune {
public:
    Tune() noexcept { reset({}, {}); }

    // Forget the tune and begin another.
    //   start: ticks from the bar line before it to its first token; more than 0 is an upbeat
    void reset(const Key& key, const Metre& metre, std::int64_t start = 0) noexcept {
        memory_.reset();
        key_ = key;
        metre_ = metre;
        start_ = onset_ = std::max<std::int64_t>(0, start);
        metre_begins_ = first_bar_ = 0;
        last_pitch_ = no_pitch;
        last_duration_ = no_duration;
    }

    // Another metre, whose first bar begins at this tick. It counts at once: call it before the first token that
    // begins there or later.
    void change_metre(const Metre& metre, std::int64_t tick) noexcept {
        tick = std::max(tick, metre_begins_);
        const std::int64_t length = bar_ticks();
        first_bar_ += (tick - metre_begins_ + length - 1) / length;
        metre_begins_ = tick;
        metre_ = metre;
    }

    // Take a token (indices) as the next one. False, and nothing happens, where it is none.
    bool hear(int pitch, int duration) noexcept {
        if (!is_token(pitch, duration)) return false;
        memory_.add(pitch, duration, onset_, place(), bar_ticks());
        last_pitch_ = pitch;
        last_duration_ = duration;
        onset_ += duration_ticks[duration];
        return true;
    }

    // What the network is told before the next token: `frame_size` numbers.
    void write(float* frame) const noexcept {
        std::fill_n(frame, frame_size, 0.0f);
        write_token(frame + last_first, last_pitch_, last_duration_);
        write_place(frame + place_first);
        Proposal said[sources];
        memory_.candidates(onset_, bar_ticks(), said);
        float* numbers = frame + proposals_first;
        for (const Proposal& one : said) {
            write_token(numbers, one.pitch, one.duration);
            numbers[token_size + detail::run_classes[one.run]] = 1.0f;
            numbers[proposal_size - 1] = one.pitch == said[0].pitch ? 1.0f : 0.0f;
            numbers += proposal_size;
        }
    }

    // Where the next token begins: ticks since the first bar line.
    std::int64_t onset() const noexcept { return onset_; }

    // From there to the next bar line; 0 on one.
    int to_bar_line() const noexcept { return place() == 0 ? 0 : bar_ticks() - place(); }

    int bar_ticks() const noexcept { return metre_.ticks(); }
    const Key& key() const noexcept { return key_; }
    const Metre& metre() const noexcept { return metre_; }
    const Memory<Capacity>& memory() const noexcept { return memory_; }

private:
    int place() const noexcept { return static_cast<int>((onset_ - metre_begins_) % bar_ticks()); }

    static void write_token(float* numbers, int pitch, int duration) noexcept {
        numbers[pitch] = 1.0f;
        numbers[pitches + 1 + duration] = 1.0f;
    }

    void write_place(float* numbers) const noexcept {
        // After an upbeat bars count from the first whole one; the upbeat is -1.
        const std::int64_t bar = first_bar_ + (onset_ - metre_begins_) / bar_ticks() - (start_ > 0 ? 1 : 0);
        const auto one = [numbers](detail::Part part, std::int64_t index) noexcept {
            numbers[part.first + std::min<std::int64_t>(index, part.size - 1)] = 1.0f;
        };
        one(detail::sixteenth, place() / (ticks_per_quarter / 4));
        one(detail::tick, place() % ticks_per_quarter);
        one(detail::bar, (bar + detail::bar.size) % detail::bar.size);
        one(detail::phrase, std::max<std::int64_t>(0, bar) / detail::bar.size);
        one(detail::metre, metre_kind());
        if (bar < 0) one(detail::upbeat, 0);
        one(detail::tonic, key_.major_tonic());
        if (key_.minor) one(detail::minor, 0);
    }

    // Place among the metres that have an input of their own; one behind the last for others.
    int metre_kind() const noexcept {
        int kind = 0;
        for (const auto& [numerator, denominator] : detail::metres) {
            if (numerator == metre_.numerator && denominator == metre_.denominator) break;
            ++kind;
        }
        return kind;
    }

    Memory<Capacity> memory_;
    Key key_;
    Metre metre_;
    std::int64_t start_, onset_, metre_begins_, first_bar_;
    int last_pitch_, last_duration_;
};
