// Runs the golden vectors of a model through RTNeural: layers read from the file, and sizes known at compile time.

#include KELLY_CONTRACT_HEADER

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace contract = kelly::KELLY_MODEL::contract;

template <typename Network>
static bool runs(const char* kind, Network& network) {
    alignas(16) static float input[contract::frame_input_size];  // RTNeural reads whole vector registers
    static float frame[contract::frame_given_size];
    float worst = 0.0f, largest = 10.0f;
    for (const auto& golden : contract::golden) {
        network.reset();
        for (int t = 0; t < golden.frames; ++t) {
            const float* taken = golden.input + t * contract::frame_input_size;
            contract::prepare_frame(taken, input);
            network.forward(input);
            std::copy_n(network.getOutputs(), contract::frame_given_size, frame);
            contract::finish_frame(taken, frame);
            for (int i = 0; i < contract::frame_output_size; ++i) {
                const float right = golden.output[t * contract::frame_output_size + i];
                worst = std::max(worst, std::fabs(frame[i] - right));
                largest = std::max(largest, std::fabs(right));
            }
        }
    }
    const bool close = worst <= 1e-5f * largest;
    std::printf("%s: %s, largest difference %.1e\n", kind, close ? "pass" : "FAIL", worst);
    return close;
}

int main() {
    const auto read = contract::load_rtneural(KELLY_MODEL_FILE);
    if (!read) {
        std::fprintf(stderr, "%s: RTNeural can't read it\n", KELLY_MODEL_FILE);
        return 1;
    }
    static contract::RTNeuralModel fixed;
    contract::load_rtneural(fixed, KELLY_MODEL_FILE);
    const bool both[] = {runs("layers read at run time", *read), runs("sizes known at compile time", fixed)};
    return both[0] && both[1] ? 0 : 1;
}
