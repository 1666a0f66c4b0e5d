// A sound file in, an emotion out, block by block as an audio host delivers it: `emotion clip.wav`.

#include KELLY_MODEL_HEADER
#include KELLY_CONTRACT_HEADER
#include KELLY_MEL_HEADER

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

#include "wav.hpp"

namespace model = kelly::KELLY_MODEL;
namespace contract = model::contract;

// What a plugin owns. `process` is the audio thread's: it allocates nothing and waits for nothing.
class EmotionStream {
public:
    static constexpr int classes = static_cast<int>(contract::labels.size());

    void reset() noexcept {
        front_.reset();
        network_.reset();
        frames_ = 0;
    }

    void process(const float* samples, int count) noexcept {
        front_.push(samples, count, [this](const float* mel) { hear(mel); });
    }

    void finish() noexcept {
        front_.finish([this](const float* mel) { hear(mel); });
    }

    // Logits so far: the mean of each frame's first half, and the largest value of each in the second half.
    std::array<float, classes> logits() const noexcept {
        std::array<float, classes> result{};
        for (int i = 0; i < classes; ++i) result[i] = frames_ ? float(sum_[i] / frames_) + top_[i] : 0.0f;
        return result;
    }

private:
    void hear(const float* mel) noexcept {
        float output[model::Model::output_size];
        static_assert(model::Model::output_size == 2 * classes && contract::features::n_mels == model::Model::input_size);
        network_.process(mel, output);
        for (int i = 0; i < classes; ++i) {
            sum_[i] = frames_ ? sum_[i] + output[i] : output[i];
            top_[i] = frames_ ? std::max(top_[i], output[classes + i]) : output[classes + i];
        }
        ++frames_;
    }

    model::mel::LogMel front_;
    model::Model network_;
    std::array<double, classes> sum_{};
    std::array<float, classes> top_{};
    long frames_ = 0;
};

int main(int count, char** arguments) {
    if (count != 2) {
        std::fprintf(stderr, "usage: emotion clip.wav\n");
        return 2;
    }
    const Sound sound = read_wav(arguments[1]);
    if (!sound.problem.empty() || sound.rate != model::mel::sample_rate) {
        const char* wrong = sound.problem.empty() ? "its sample rate isn't the model's" : sound.problem.c_str();
        std::fprintf(stderr, "%s: %s (%d Hz wanted)\n", arguments[1], wrong, model::mel::sample_rate);
        return 2;
    }
    static EmotionStream stream;
    constexpr int block = 480;
    const int samples = static_cast<int>(sound.samples.size());
    for (int at = 0; at < samples; at += block)
        stream.process(sound.samples.data() + at, std::min(block, samples - at));
    stream.finish();

    const auto logits = stream.logits();
    const float top = *std::max_element(logits.begin(), logits.end());
    float total = 0.0f;
    for (float logit : logits) total += std::exp(logit - top);
    for (int i = 0; i < EmotionStream::classes; ++i)
        std::printf("%-10s %.3f  logit %.5f\n", contract::labels[i], std::exp(logits[i] - top) / total, logits[i]);
    return 0;
}
