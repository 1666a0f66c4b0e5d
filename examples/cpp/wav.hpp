// Reads mono or stereo WAV files of 16-bit integers or 32-bit floats; channels are mixed.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

struct Sound {
    int rate = 0;
    std::vector<float> samples;
    std::string problem;  // why it couldn't be read; empty where it could
};

inline Sound read_wav(const char* path) {
    Sound sound;
    std::ifstream file(path, std::ios::binary);
    const std::vector<char> bytes{std::istreambuf_iterator<char>(file), {}};
    if (bytes.size() < 12 || std::memcmp(&bytes[0], "RIFF", 4) != 0 || std::memcmp(&bytes[8], "WAVE", 4) != 0) {
        sound.problem = "not a WAV file";
        return sound;
    }
    const auto number = [&](std::size_t at, auto value) {  // the file and the machine are little-endian
        std::memcpy(&value, &bytes[at], sizeof value);
        return value;
    };
    std::uint16_t format = 0, channels = 0, bits = 0;
    for (std::size_t at = 12; at + 8 <= bytes.size();) {
        const std::size_t start = at + 8, size = number(at + 4, std::uint32_t{});
        const std::size_t end = std::min(start + size, bytes.size());
        if (std::memcmp(&bytes[at], "fmt ", 4) == 0 && end >= start + 16) {
            format = number(start, std::uint16_t{});
            channels = number(start + 2, std::uint16_t{});
            sound.rate = static_cast<int>(number(start + 4, std::uint32_t{}));
            bits = number(start + 14, std::uint16_t{});
        } else if (std::memcmp(&bytes[at], "data", 4) == 0 && channels > 0) {
            const bool integers = format == 1 && bits == 16, floats = format == 3 && bits == 32;
            if (!integers && !floats) break;
            const std::size_t width = bits / 8u, frame = width * channels;
            for (std::size_t i = start; i + frame <= end; i += frame) {
                float sum = 0.0f;
                for (std::size_t c = 0; c < channels; ++c)
                    sum += integers ? float(number(i + c * width, std::int16_t{})) / 32768.0f
                                    : number(i + c * width, float{});
                sound.samples.push_back(sum / float(channels));
            }
            return sound;
        }
        at = start + size + (size & 1u);
    }
    sound.problem = "it holds neither 16-bit integers nor 32-bit floats";
    return sound;
}
