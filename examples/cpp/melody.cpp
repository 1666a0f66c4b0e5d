// MIDI notes in, the next notes out, token by token as a plugin would: `melody seed.mid out.mid [bars] [seed]`.
// Ends with 1 when hearing or writing allocated memory, with 2 when it is given what it can't use.

#include KELLY_MODEL_HEADER
#include KELLY_COMPOSER_HEADER

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "allocations.hpp"
#include "midi.hpp"

namespace model = kelly::KELLY_MODEL;
namespace tokens = model::tokens;

// A note, times in ticks of the grid since the first bar line.
struct GridNote {
    int pitch;  // MIDI
    std::int64_t onset, end;
};

// What a plugin owns. Whatever comes after `prepare` is for the thread that gets the notes: it allocates nothing and
// waits for nothing.
class MelodyStream {
public:
    static constexpr int most = 4096;  // tokens of a melody that doesn't end

    // The first frames fetch the weights from memory.
    void prepare() noexcept {
        for (int i = 0; i < 50; ++i) composer_.next(tokens::longest_duration);
    }

    // Another melody, whose metres change at these ticks; the first is that of tick 0.
    void reset(const tokens::Key& key, const midi::MetreChange* metres, std::size_t changes, std::int64_t start,
               std::uint64_t seed) noexcept {
        composer_.reset(key, {metres[0].numerator, metres[0].denominator}, seed, start);
        composer_.set_taste({1.0, 0, 0.95});
        change_ = metres + 1;
        changes_end_ = metres + changes;
        sounding_ = false;
    }

    // A note begins; only now is it known how long the one before it counts.
    void note(const GridNote& note) noexcept {
        if (sounding_) hear(note.onset);
        last_ = note;
        sounding_ = true;
    }

    // No further note is heard.
    void finish() noexcept { hear(std::max(last_.end, last_.onset + 1)); }

    // From now on `next` gives the rest of an unfinished bar and so many bars more; 0 bars: until the melody ends.
    void ask(int bars) noexcept {
        keep_metre();
        const auto& tune = composer_.tune();
        until_ = bars > 0 ? tune.onset() + tune.to_bar_line() + std::int64_t{bars} * tune.bar_ticks() : 0;
        left_ = most;
    }

    // The next note, or a rest, whose pitch is -1. False where all that was asked for is written.
    bool next(GridNote& note) noexcept {
        const auto& tune = composer_.tune();
        note.onset = tune.onset();
        if (until_ > 0 ? note.onset >= until_ : left_-- == 0) return false;
        const auto token = until_ > 0 ? composer_.next(until_ - note.onset) : composer_.next();
        if (token.pitch == tokens::end) return false;
        note.pitch = token.pitch < tokens::rest ? tokens::midi_pitch(token.pitch, tune.key().shift()) : -1;
        note.end = tune.onset();
        keep_metre();
        return true;
    }

private:
    void hear(std::int64_t next) noexcept {
        const int pitch = tokens::pitch_index(last_.pitch, composer_.tune().key().shift());
        tokens::note_tokens(pitch, last_.end - last_.onset, next - last_.onset, [this](int index, int duration) {
            keep_metre();
            composer_.hear(index, duration);
        });
    }

    // The metre in which the next token begins.
    void keep_metre() noexcept {
        for (; change_ != changes_end_ && change_->tick <= composer_.tune().onset(); ++change_)
            composer_.change_metre({change_->numerator, change_->denominator}, change_->tick);
    }

    model::Composer<model::Model> composer_;
    const midi::MetreChange *change_ = nullptr, *changes_end_ = nullptr;
    GridNote last_{0, 0, 0};
    std::int64_t until_ = 0;
    int left_ = 0;
    bool sounding_ = false;
};

// Ticks of a file to those of the grid and back: the nearest, the even one of two.
static std::int64_t to_grid(std::int64_t ticks, const midi::File& file) {
    const double scale = static_cast<double>(tokens::ticks_per_quarter) / file.ticks_per_quarter;
    return static_cast<std::int64_t>(std::nearbyint(static_cast<double>(ticks) * scale));
}
static std::int64_t to_file(std::int64_t ticks, const midi::File& file) {
    const double scaled = static_cast<double>(ticks * file.ticks_per_quarter);
    return static_cast<std::int64_t>(std::nearbyint(scaled / tokens::ticks_per_quarter));
}

// The highest notes on the grid, and how long each pitch class sounds.
static std::vector<GridNote> on_grid(const std::vector<midi::Note>& notes, const midi::File& file,
                                     double (&lasting)[12]) {
    std::vector<GridNote> voice;
    for (const midi::Note& note : notes) {
        const GridNote one{note.pitch, to_grid(note.onset, file), to_grid(note.end, file)};
        if (!voice.empty() && one.onset == voice.back().onset) continue;
        voice.push_back(one);
        lasting[one.pitch % 12] += static_cast<double>(one.end - one.onset);
    }
    return voice;
}

// Metres since the last bar line before the melody; `line` is where that lies.
static std::vector<midi::MetreChange> since_line(const midi::File& file, std::int64_t first, std::int64_t& line) {
    std::vector<midi::MetreChange> metres{{0, 4, 4}};
    for (midi::MetreChange change : file.metres) {
        change.tick = to_grid(change.tick, file);
        if (change.tick <= first) metres[0] = change;
        else metres.push_back(change);
    }
    const std::int64_t length = tokens::Metre{metres[0].numerator, metres[0].denominator}.ticks();
    line = first - (first - metres[0].tick) % length;
    for (midi::MetreChange& change : metres) change.tick -= line;
    metres[0].tick = 0;
    return metres;
}

// A whole number from 0 to `high`; false where the text is none.
static bool number(const char* text, std::uint64_t high, std::uint64_t& value) {
    char* rest = nullptr;
    errno = 0;
    value = std::strtoull(text, &rest, 10);
    return text[0] >= '0' && text[0] <= '9' && *rest == '\0' && errno == 0 && value <= high;
}

static int unusable(const char* what, const char* why) {
    std::fprintf(stderr, "%s: %s\n", what, why);
    return 2;
}

int main(int count, char** arguments) {
    if (count < 3 || count > 5) {
        std::fprintf(stderr, "usage: melody seed.mid out.mid [bars] [seed]\n");
        return 2;
    }
    std::uint64_t bars = 8, seed = 0;
    if (count > 3 && !number(arguments[3], 1024, bars))
        return unusable(arguments[3], "bars are a whole number up to 1024; 0 goes on until the melody ends");
    if (count > 4 && !number(arguments[4], UINT64_MAX, seed))
        return unusable(arguments[4], "a seed is a whole number from 0");
    const midi::File file = midi::read(arguments[1]);
    if (!file.problem.empty()) return unusable(arguments[1], file.problem.c_str());
    const std::vector<midi::Note> notes = midi::melody(file);
    if (notes.empty()) return unusable(arguments[1], "it holds no pitched note; drums have no melody");

    double lasting[12] = {};
    const std::vector<GridNote> voice = on_grid(notes, file, lasting);
    std::int64_t line = 0;
    const std::vector<midi::MetreChange> metres = since_line(file, voice[0].onset, line);
    const tokens::Key key = file.has_key ? tokens::Key{file.fifths, file.minor} : tokens::estimate_key(lasting);

    static MelodyStream stream;
    long allocated = 0;
    const auto counted = [&](auto&& call) {
        const long before = allocations;
        call();
        allocated += allocations - before;
    };
    counted([&] {
        stream.prepare();
        stream.reset(key, metres.data(), metres.size(), voice[0].onset - line, seed);
        for (const GridNote& note : voice) stream.note({note.pitch, note.onset - line, note.end - line});
        stream.finish();
        stream.ask(static_cast<int>(bars));
    });
    std::vector<GridNote> written;
    GridNote note{};
    for (bool more = true; more;) {
        counted([&] { more = stream.next(note); });
        if (more && note.pitch >= 0) written.push_back(note);
    }

    // The bar line in ticks of the file: as far before the first note as it is on the grid.
    const std::int64_t origin = notes[0].onset - to_file(voice[0].onset - line, file);
    std::vector<midi::Note> made;
    for (const GridNote& one : written) {
        const std::int64_t onset = origin + to_file(one.onset, file);
        const std::int64_t end = std::max(onset + 1, origin + to_file(one.end, file));
        made.push_back({onset, end, one.pitch, notes.back().velocity, notes[0].channel, 0});
    }
    if (!midi::write(arguments[2], file, made)) return unusable(arguments[2], "it can't be written");
    std::printf("heard %zu notes in %d %s (%s), wrote %zu, %ld allocations\n", voice.size(), std::abs(key.fifths),
                key.fifths < 0 ? "flats" : "sharps", key.minor ? "minor" : "major", made.size(), allocated);
    return allocated == 0 ? 0 : 1;
}
