// What tests/test_melody_tokens_cpp.py calls: the header's functions, and how often they allocated.
#include "model.hpp"
#include <cstdlib>
#include <new>
namespace t = kelly::melodytransformer::tokens;
static long allocations = 0;
void* operator new(std::size_t size) {
    ++allocations;
    if (void* memory = std::malloc(size)) return memory;
    throw std::bad_alloc();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

// Rows of pitch, duration, onset, place, bar; the last is the end. `out` has pitch, duration and run by source.
template <int Capacity>
static void remembered(const long long* rows, int count, int* out) {
    static t::Memory<Capacity> memory;
    memory.reset();
    for (int i = 0; i < count; ++i, rows += 5) {
        t::Proposal said[t::sources];
        memory.candidates(rows[2], int(rows[4]), said);
        for (const auto& one : said) {
            *out++ = one.pitch;
            *out++ = one.duration;
            *out++ = one.run;
        }
        if (i + 1 < count) memory.add(int(rows[0]), int(rows[1]), rows[2], int(rows[3]), int(rows[4]));
    }
}

static t::Tune<4096> tune;
#pragma GCC visibility push(default)
extern "C" {
long allocated() { return allocations; }
int frame_size() { return t::frame_size; }
void remember(const long long* rows, int count, int* out) { remembered<4096>(rows, count, out); }
void remember_little(const long long* rows, int count, int* out) { remembered<SMALL>(rows, count, out); }
void begin(int fifths, bool minor, int numerator, int denominator, long long start) {
    tune.reset({fifths, minor}, {numerator, denominator}, start);
}
void change_metre(long long tick, int numerator, int denominator) {
    tune.change_metre({numerator, denominator}, tick);
}
bool hear(int pitch, int duration) { return tune.hear(pitch, duration); }
void write(float* frame) { tune.write(frame); }
long long onset() { return tune.onset(); }
int to_bar_line() { return tune.to_bar_line(); }
int note_tokens(int pitch, long long ticks, long long next, int* out) {
    int count = 0;
    t::note_tokens(pitch, ticks, next, [&](int index, int duration) {
        out[count++] = index;
        out[count++] = duration;
    });
    return count / 2;
}
void pitches_of(int fifths, bool minor, int* out) {
    const t::Key key{fifths, minor};
    *out++ = key.shift();
    for (int pitch = 0; pitch < 128; ++pitch) *out++ = t::pitch_index(pitch, key.shift());
    for (int index = 0; index < t::rest; ++index) *out++ = t::midi_pitch(index, key.shift());
}
int estimated(const double* lasting) {
    const t::Key key = t::estimate_key(lasting);
    return 2 * key.fifths + (key.minor ? 1 : 0);
}
}
#pragma GCC visibility pop
