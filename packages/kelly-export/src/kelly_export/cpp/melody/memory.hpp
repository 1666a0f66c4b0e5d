// What a source proposes as the next token, and how many tokens before the two places agree; `no_pitch`,
// `no_duration` and 0 where it says nothing.
struct Proposal {
    int pitch = no_pitch;
    int duration = no_duration;
    int run = 0;
};

// What this melody did before, token by token. It holds the last `Capacity` tokens: one that is older is proposed
// no more, and all else is as if nothing had been forgotten.
template <int Capacity>
class Memory {
    static_assert(Capacity > 0, "a memory holds at least one token");

public:
    Memory() noexcept { reset(); }

    void reset() noexcept {
        count_ = 0;
        last_degree_ = -1;
        std::fill_n(lag_runs_, lags, 0);
        for (auto& runs : runs_) runs[0] = 0;
    }

    // Tokens that it holds.
    int count() const noexcept { return count_; }

    // Hear a token: indices; where it begins, in ticks; ticks since its bar line, and the length of its bar.
    void add(int pitch, int duration, std::int64_t onset, int place, int bar) noexcept {
        for (int lag = 0; lag < lags; ++lag) {
            const int before = begun(onset - std::int64_t{lag_bars[lag]} * bar);
            const bool same = before >= 0 && pitch_[before] == pitch && duration_[before] == duration;
            lag_runs_[lag] = same ? std::min(lag_runs_[lag] + 1, longest_run) : 0;
        }
        const int degree = pitch >= rest ? -1 : degree_of(pitch);
        const int step = degree < 0 || last_degree_ < 0 ? no_step : degree - last_degree_;
        last_degree_ = degree;
        hear(exact, pitch * durations + duration);
        hear(steps, (step + step_offset) * durations + duration);
        hear(rhythm, place * durations + duration);
        pitch_[count_] = static_cast<std::uint8_t>(pitch);
        duration_[count_] = static_cast<std::uint8_t>(duration);
        onset_[count_] = onset;
        if (++count_ > Capacity) forget();
    }

    // What the sources say about the token that begins at `onset`, where the last one heard ends.
    void candidates(std::int64_t onset, int bar, Proposal (&said)[sources]) const noexcept {
        std::fill_n(said, sources, Proposal{});
        const int best = longest(exact);
        if (best >= 0) {
            said[0] = after(exact, best);
            const int other = longest(exact, codes_[exact][best]);
            if (other >= 0) said[1] = after(exact, other);
        }
        const int moved = longest(steps), beaten = longest(rhythm);
        if (moved >= 0) {
            said[2] = after(steps, moved);
            said[2].pitch = moved_pitch(moved);
        }
        if (beaten >= 0) {
            said[3] = after(rhythm, beaten);
            said[3].pitch = no_pitch;
        }
        for (int lag = 0; lag < lags; ++lag) {
            const int before = begun(onset - std::int64_t{lag_bars[lag]} * bar);
            if (before >= 0) said[4 + lag] = {pitch_[before], duration_[before], lag_runs_[lag]};
        }
    }

private:
    enum View { exact, steps, rhythm, views };
    static constexpr int no_step = 99, step_offset = 100;

    static int degree_of(int pitch) noexcept {
        const int relative = pitch + lowest_pitch;
        return 7 * (relative / 12) + detail::scale_steps[relative % 12];
    }

    // A token in the eyes of a view. `runs_[view][i]` is how many tokens before place i are those before the end,
    // so a token makes each the run of the place before and one more, or 0.
    void hear(View view, std::int32_t code) noexcept {
        std::int32_t *runs = runs_[view], *codes = codes_[view];
        for (int i = count_; i > 0; --i) runs[i] = codes[i - 1] == code ? runs[i - 1] + 1 : 0;
        codes[count_] = code;
    }

    // The place of the token behind the longest run, the latest of equals, none of those with the code `but`; -1
    // where nothing agrees.
    int longest(View view, std::int32_t but = -1) const noexcept {
        int place = -1;
        std::int32_t run = 0;
        for (int i = count_ - 1; i >= 0; --i)
            if (runs_[view][i] > run && codes_[view][i] != but) {
                place = i;
                run = runs_[view][i];
            }
        return place;
    }

    Proposal after(View view, int place) const noexcept {
        return {pitch_[place], duration_[place], std::min<int>(runs_[view][place], longest_run)};
    }

    // The step that led to a token, taken from the last pitch.
    int moved_pitch(int place) const noexcept {
        if (pitch_[place] == rest) return rest;
        const int step = codes_[steps][place] / durations - step_offset;
        if (step == no_step || last_degree_ < 0 || last_degree_ + step < 0) return no_pitch;
        const int degree = last_degree_ + step;
        const int index = 12 * (degree / 7) + detail::scale_semitones[degree % 7] - lowest_pitch;
        return index >= 0 && index < rest ? index : no_pitch;
    }

    // The place of the token that begins at this tick; -1 where none does.
    int begun(std::int64_t onset) const noexcept {
        const std::int64_t* found = std::lower_bound(onset_, onset_ + count_, onset);
        return found < onset_ + count_ && *found == onset ? static_cast<int>(found - onset_) : -1;
    }

    // The oldest token.
    void forget() noexcept {
        count_ = Capacity;
        drop_first(pitch_);
        drop_first(duration_);
        drop_first(onset_);
        for (int view = 0; view < views; ++view) {
            drop_first(codes_[view]);
            drop_first(runs_[view]);
        }
    }

    template <typename Number>
    static void drop_first(Number (&numbers)[Capacity + 1]) noexcept {
        std::copy(numbers + 1, numbers + Capacity + 1, numbers);
    }

    // One more than it holds: a token is heard before the oldest is forgotten.
    std::uint8_t pitch_[Capacity + 1]{}, duration_[Capacity + 1]{};
    std::int64_t onset_[Capacity + 1]{};
    std::int32_t codes_[views][Capacity + 1]{}, runs_[views][Capacity + 1]{};
    int lag_runs_[lags];
    int count_, last_degree_;
};
