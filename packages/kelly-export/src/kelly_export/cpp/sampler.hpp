// SplitMix64 (Steele, Lea and Flood, 2014).
class SplitMix64 {
public:
    explicit SplitMix64(std::uint64_t seed) noexcept : state_(seed) {}

    std::uint64_t next_word() noexcept {
        state_ += 0x9E3779B97F4A7C15ULL;
        std::uint64_t z = state_;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
        return z ^ (z >> 31);
    }

    // In [0, 1).
    double next_number() noexcept { return static_cast<double>(next_word() >> 11) * 0x1p-53; }

private:
    std::uint64_t state_;
};

// How tokens are drawn.
struct Taste {
    double temperature = 1.0;  // above 1 more daring, below 1 more careful; 0 takes the likeliest
    int top_k = 0;             // among so many of the likeliest; 0: among all
    double top_p = 1.0;        // among the likeliest that together have this probability
};

// Draws an index of up to Size logits. Nothing is allocated.
template <int Size>
class Sampler {
public:
    // The index, or -1 where nothing is allowed. `number` is random, in [0, 1).
    int draw(const float* logits, const bool* allowed, int size, const Taste& taste, double number) noexcept {
        int count = 0;
        for (int i = 0; i < size; ++i)
            if (allowed[i]) kept_[count++] = i;
        if (count == 0) return -1;
        std::sort(kept_, kept_ + count, [logits](int a, int b) noexcept {
            return logits[a] > logits[b] || (!(logits[a] < logits[b]) && a < b);
        });
        if (taste.temperature <= 0.0) return kept_[0];
        if (taste.top_k > 0) count = std::min(count, taste.top_k);
        const double highest = static_cast<double>(logits[kept_[0]]);
        double sum = 0.0;
        for (int i = 0; i < count; ++i) {
            weights_[i] = std::exp((static_cast<double>(logits[kept_[i]]) - highest) / taste.temperature);
            sum += weights_[i];
        }
        if (taste.top_p < 1.0) {
            const double wanted = taste.top_p * sum;
            count = reaching(wanted, count);
            sum = 0.0;
            for (int i = 0; i < count; ++i) sum += weights_[i];
        }
        const double threshold = number * sum;
        double running = 0.0;
        for (int i = 0; i < count; ++i) {
            running += weights_[i];
            if (running > threshold) return kept_[i];
        }
        return kept_[count - 1];
    }

private:
    // How many of the first weights it takes to reach a sum.
    int reaching(double wanted, int count) const noexcept {
        double running = 0.0;
        for (int i = 0; i < count; ++i) {
            running += weights_[i];
            if (running >= wanted) return i + 1;
        }
        return count;
    }

    int kept_[Size];
    double weights_[Size];
};

struct Token {
    int pitch;     // index; `pitches - 1` is the end
    int duration;  // index; -1 where the melody ends
};

// A token from the outputs of the network: a number for the pitch, then, unless it is the end, one for the duration.
// `pitch_allowed` and `duration_allowed` have `pitches` and `durations` entries, at least one true in each.
class TokenSampler {
public:
    Token draw(const float* pitch, const float* duration, const bool* pitch_allowed, const bool* duration_allowed,
               const Taste& taste, SplitMix64& numbers) noexcept {
        const int drawn = sampler_.draw(pitch, pitch_allowed, pitches, taste, numbers.next_number());
        if (drawn < 0 || drawn == pitches - 1) return {drawn, -1};
        const float* row = duration + drawn * durations;
        return {drawn, sampler_.draw(row, duration_allowed, durations, taste, numbers.next_number())};
    }

private:
    Sampler<(pitches > durations ? pitches : durations)> sampler_;
};
