// Reads the notes, metres, tempos and key of standard MIDI files of type 0 and 1; writes notes as type 0.
#pragma once

#include <algorithm>
#include <cctype>
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <initializer_list>
#include <iterator>
#include <map>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace midi {

struct Note {
    std::int64_t onset, end;  // ticks of the file
    int pitch, velocity, channel, track;
};

struct MetreChange {
    std::int64_t tick;
    int numerator, denominator;
};

struct TempoChange {
    std::int64_t tick;
    std::uint32_t microseconds;  // of a quarter note
};

struct File {
    int ticks_per_quarter = 480;
    std::vector<Note> notes;           // track after track, by onset
    std::vector<MetreChange> metres;   // by tick, the first at 0
    std::vector<TempoChange> tempos;   // by tick, the first at 0
    std::vector<std::string> names;    // of the tracks
    bool has_key = false, minor = false;
    int fifths = 0;
    std::string problem;  // why it couldn't be read; empty where it could
};

// The bytes of a file or of a part of it. Reading past the end gives zeros, and `ok` is false from then on.
class Bytes {
public:
    Bytes(const std::uint8_t* begin, const std::uint8_t* end) : at_(begin), end_(end) {}

    bool ok = true;
    bool done() const { return at_ == end_; }

    std::uint32_t number(int size) {
        std::uint32_t value = 0;
        for (; size > 0; --size) value = value << 8 | byte();
        return value;
    }

    std::uint8_t byte() {
        if (done()) ok = false;
        return ok ? *at_++ : std::uint8_t{0};
    }

    std::uint32_t variable() {  // seven bits a byte, four bytes at most
        std::uint32_t value = 0;
        for (int i = 0; i < 4; ++i) {
            const std::uint8_t next = byte();
            value = value << 7 | (next & 0x7Fu);
            if (next < 0x80) return value;
        }
        ok = false;
        return 0;
    }

    Bytes part(std::uint32_t size) {
        if (size > static_cast<std::size_t>(end_ - at_)) ok = false;
        const Bytes taken(at_, ok ? at_ + size : at_);
        if (ok) at_ += size;
        return taken;
    }

    std::string text() const { return {at_, end_}; }

private:
    const std::uint8_t *at_, *end_;
};

// One change for each tick, the last that the file names, by tick.
template <typename Change>
void in_order(std::vector<Change>& changes) {
    std::stable_sort(changes.begin(), changes.end(), [](auto& a, auto& b) { return a.tick < b.tick; });
    std::vector<Change> kept;
    for (const Change& change : changes) {
        if (!kept.empty() && kept.back().tick == change.tick) kept.pop_back();
        kept.push_back(change);
    }
    changes = std::move(kept);
}

using Signature = std::tuple<std::int64_t, int, bool>;  // tick, sharps, minor

inline void read_meta(int kind, Bytes body, std::int64_t tick, File& file, std::vector<Signature>& keys) {
    const std::string text = body.text();
    const auto value = [&](std::size_t i) { return static_cast<std::uint8_t>(text[i]); };
    if (kind == 0x03 && file.names.back().empty()) file.names.back() = text;
    if (kind == 0x51 && text.size() == 3 && (value(0) || value(1) || value(2)))
        file.tempos.push_back({tick, std::uint32_t{value(0)} << 16 | std::uint32_t{value(1)} << 8 | value(2)});
    if (kind == 0x58 && text.size() >= 2 && value(0) && value(1) <= 7)
        file.metres.push_back({tick, value(0), 1 << value(1)});
    if (kind == 0x59 && text.size() == 2 && value(1) <= 1 && (value(0) <= 7 || value(0) >= 249))
        keys.emplace_back(tick, static_cast<std::int8_t>(value(0)), value(1) == 1);
}

// A note-off ends the oldest open note of its channel and pitch; a note without one ends with its track. False where
// the track makes no sense.
inline bool read_track(Bytes bytes, File& file, std::vector<Signature>& keys) {
    std::map<int, std::vector<std::size_t>> open;  // places in `notes`, by channel and pitch
    const int track = static_cast<int>(file.names.size());
    file.names.emplace_back();
    std::int64_t tick = 0;
    int running = 0;
    bool ended = false;
    while (bytes.ok && !ended && !bytes.done()) {
        tick += bytes.variable();
        int first = bytes.byte();
        const int status = first < 0x80 ? running : first;
        if (status == 0xFF) {
            const int kind = bytes.byte();
            read_meta(kind, bytes.part(bytes.variable()), tick, file, keys);
            ended = kind == 0x2F;
        } else if (status == 0xF0 || status == 0xF7) {
            bytes.part(bytes.variable());
        } else if (status < 0x80 || status > 0xF0) {
            return false;
        }
        running = status < 0xF0 ? status : 0;
        if (status >= 0xF0) continue;
        if (first >= 0x80) first = bytes.byte();
        const int second = status < 0xC0 || status >= 0xE0 ? bytes.byte() : 0;
        if (first > 0x7F || second > 0x7F) return false;
        if (status >= 0xA0 || !bytes.ok) continue;
        auto& sounding = open[(status & 15) << 7 | first];
        if (status >= 0x90 && second > 0) {
            sounding.push_back(file.notes.size());
            file.notes.push_back({tick, -1, first, second, status & 15, track});
        } else if (!sounding.empty()) {
            file.notes[sounding.front()].end = tick;
            sounding.erase(sounding.begin());
        }
    }
    for (Note& note : file.notes)
        if (note.end < 0) note.end = tick;
    return bytes.ok;
}

inline File read(const char* path) {
    File file;
    std::ifstream stream(path, std::ios::binary);
    const auto failed = [&](std::string why) {
        file.problem = std::move(why);
        return file;
    };
    if (!stream) return failed("it can't be read");
    const std::vector<char> data{std::istreambuf_iterator<char>(stream), {}};
    const auto* begin = reinterpret_cast<const std::uint8_t*>(data.data());
    Bytes bytes(begin, begin + data.size());
    if (bytes.number(4) != 0x4D546864) return failed("it isn't a MIDI file");  // "MThd"
    Bytes header = bytes.part(bytes.number(4));
    const std::uint32_t type = header.number(2);
    header.number(2);  // how many tracks; those that there are count
    file.ticks_per_quarter = static_cast<int>(header.number(2));
    if (!bytes.ok || !header.ok) return failed("its header is incomplete");
    if (type > 1) return failed("its tracks don't play together; save it as type 0 or 1");
    if (file.ticks_per_quarter == 0 || file.ticks_per_quarter > 0x7FFF)
        return failed("its ticks aren't parts of a quarter note; save it again from a sequencer");
    file.metres.push_back({0, 4, 4});
    file.tempos.push_back({0, 500'000});
    std::vector<Signature> keys;
    while (!bytes.done()) {
        const bool notes = bytes.number(4) == 0x4D54726B;  // "MTrk"
        const Bytes chunk = bytes.part(bytes.number(4));
        if (!bytes.ok && !notes) break;  // what stands behind the last track
        if (!bytes.ok) return failed("it is cut off");
        if (notes && !read_track(chunk, file, keys))
            return failed("its track " + std::to_string(file.names.size()) + " is damaged");
    }
    in_order(file.metres);
    in_order(file.tempos);
    if (!keys.empty()) {
        std::int64_t tick = 0;
        std::tie(tick, file.fifths, file.minor) = *std::min_element(keys.begin(), keys.end());
        file.has_key = true;
    }
    return file;
}

// Notes of the part (a channel of a track, no drums) that carries the melody, by onset, then the highest first: the
// part whose track is named for it; else, of those with at least half as many onsets as the busiest one, the highest
// on average. Empty where there is no note.
inline std::vector<Note> melody(const File& file) {
    std::map<std::pair<int, int>, std::vector<Note>> parts;
    for (const Note& note : file.notes)
        if (note.channel != 9) parts[{note.track, note.channel}].push_back(note);
    const auto named = [&](int track) {
        std::string name = file.names[static_cast<std::size_t>(track)];
        for (char& letter : name) letter = static_cast<char>(std::tolower(static_cast<unsigned char>(letter)));
        for (const char* word : {"melod", "lead", "vocal", "voice", "solo", "tune"})
            if (name.find(word) != std::string::npos) return true;
        return false;
    };
    std::map<std::pair<int, int>, int> onsets;
    int busiest = 0;
    for (auto& [key, notes] : parts) {
        std::stable_sort(notes.begin(), notes.end(), [](const Note& a, const Note& b) {
            return a.onset != b.onset ? a.onset < b.onset : a.pitch > b.pitch;
        });
        int& count = onsets[key];
        for (std::size_t i = 0; i < notes.size(); ++i) count += i == 0 || notes[i].onset != notes[i - 1].onset;
        busiest = std::max(busiest, count);
    }
    std::pair<bool, double> highest{false, -1.0};
    std::vector<Note> chosen;
    for (const auto& [key, notes] : parts) {
        double sum = 0.0;
        for (const Note& note : notes) sum += note.pitch;
        const std::pair<bool, double> rank{named(key.first), sum / static_cast<double>(notes.size())};
        if ((!rank.first && 2 * onsets[key] < busiest) || rank <= highest) continue;
        highest = rank;
        chosen = notes;
    }
    return chosen;
}

// Writes notes with the key, metres and tempos of a file. False where that fails.
inline bool write(const char* path, const File& from, const std::vector<Note>& notes) {
    std::vector<std::tuple<std::int64_t, int, std::string>> events;  // at one tick: changes, note-offs, note-ons
    const auto add = [&](std::int64_t tick, int order, std::initializer_list<int> bytes) {
        std::string text;
        for (int byte : bytes) text += static_cast<char>(byte);
        events.emplace_back(tick, order, std::move(text));
    };
    if (from.has_key) add(0, 0, {0xFF, 0x59, 2, from.fifths, from.minor});
    for (const auto& [tick, numerator, denominator] : from.metres) {
        int power = 0;
        while (1 << power < denominator) ++power;
        add(tick, 0, {0xFF, 0x58, 4, numerator, power, 24, 8});
    }
    for (const auto& [tick, time] : from.tempos) {
        const int number = static_cast<int>(time);
        add(tick, 0, {0xFF, 0x51, 3, number >> 16, number >> 8 & 255, number & 255});
    }
    for (const Note& note : notes) {
        add(note.onset, 2, {0x90 | note.channel, note.pitch, note.velocity});
        add(note.end, 1, {0x80 | note.channel, note.pitch, 64});
    }
    std::stable_sort(events.begin(), events.end(), [](const auto& a, const auto& b) {
        return std::tie(std::get<0>(a), std::get<1>(a)) < std::tie(std::get<0>(b), std::get<1>(b));
    });
    std::string track;
    std::int64_t now = 0;
    const auto delta = [&](std::int64_t tick) {
        const std::int64_t ticks = tick - now;
        for (int shift = 21; shift > 0; shift -= 7)
            if (ticks >> shift) track += static_cast<char>((ticks >> shift & 0x7F) | 0x80);
        track += static_cast<char>(ticks & 0x7F);
        now = tick;
    };
    for (const auto& [tick, order, text] : events) {
        delta(tick);
        track += text;
    }
    track += std::string("\0\xFF\x2F\0", 4);
    std::string data("MThd\0\0\0\6\0\0\0\1", 12);
    data += static_cast<char>(from.ticks_per_quarter >> 8);
    data += static_cast<char>(from.ticks_per_quarter & 255);
    data += "MTrk";
    for (int shift = 24; shift >= 0; shift -= 8) data += static_cast<char>(track.size() >> shift & 255);
    std::ofstream stream(path, std::ios::binary);
    stream << data << track << std::flush;
    return static_cast<bool>(stream);
}

}  // namespace midi
