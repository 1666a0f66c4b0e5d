// Runs the golden vectors of a model through its self-contained header, frame by frame, as a plugin would.
// Ends with 1 when an answer differs, or when computing a frame allocated memory.

#include KELLY_MODEL_HEADER
#include KELLY_CONTRACT_HEADER

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <vector>

#include "allocations.hpp"

using kelly::KELLY_MODEL::Model;
namespace contract = kelly::KELLY_MODEL::contract;

int main() {
    static Model model;  // large models don't fit on a thread's stack
    static float output[Model::output_size];
    std::vector<double> times;
    times.reserve(1 << 16);

    // Warm-up: the first frames bring weights into the cache. A reset then starts the stream that counts.
    for (const auto& golden : contract::golden)
        for (int t = 0; t < golden.frames; ++t) model.process(golden.input + t * Model::input_size, output);

    bool passed = true;
    const long before = allocations;
    for (const auto& golden : contract::golden) {
        model.reset();
        float worst = 0.0f, largest = 10.0f;
        for (int t = 0; t < golden.frames; ++t) {
            const auto start = std::chrono::steady_clock::now();
            model.process(golden.input + t * Model::input_size, output);
            const std::chrono::duration<double, std::micro> taken = std::chrono::steady_clock::now() - start;
            if (times.size() < times.capacity()) times.push_back(taken.count());
            for (int i = 0; i < Model::output_size; ++i) {
                const float right = golden.output[t * Model::output_size + i];
                worst = std::max(worst, std::fabs(output[i] - right));
                largest = std::max(largest, std::fabs(right));
            }
        }
        const bool close = worst <= 1e-5f * largest;
        std::printf("%s: %s, largest difference %.1e\n", golden.name, close ? "pass" : "FAIL", worst);
        passed = passed && close;
    }
    const long allocated = allocations - before;
    std::sort(times.begin(), times.end());
    std::printf("%zu frames, %.2f us each (p50), %.2f us (p99), %ld allocations\n", times.size(),
                times[times.size() / 2], times[times.size() * 99 / 100], allocated);
    return passed && allocated == 0 ? 0 : 1;
}
