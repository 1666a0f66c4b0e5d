// Samples to log-mel frames, as they arrive. Frame t is centred on sample t * hop_length; before and after the
// sound there is silence. A frame is complete `look_ahead` samples after its centre. Nothing is allocated,
// locked or thrown; one object follows one stream.
class LogMel {
public:
    static constexpr int look_ahead = n_fft / 2;

    LogMel() noexcept { reset(); }

    // Forget the stream and start another one.
    void reset() noexcept {
        std::fill_n(heard_, 2 * n_fft, 0.0f);
        filled_ = look_ahead;
    }

    // Take mono samples, -1 to 1, and call `frame(const float* mel)` with n_mels decibels for every frame that
    // they complete.
    template <typename Frame>
    void push(const float* samples, int count, Frame&& frame) noexcept {
        while (count > 0) {
            const int taken = std::min(count, 2 * n_fft - filled_);
            std::copy_n(samples, taken, heard_ + filled_);
            samples += taken;
            count -= taken;
            filled_ += taken;
            advance(frame);
        }
    }

    // Give the last frames, as if silence followed, and start over.
    template <typename Frame>
    void finish(Frame&& frame) noexcept {
        const int rest = std::min(look_ahead, 2 * n_fft - filled_);
        std::fill_n(heard_ + filled_, rest, 0.0f);
        filled_ += rest;
        advance(frame);
        std::fill_n(heard_ + filled_, look_ahead - rest, 0.0f);
        filled_ += look_ahead - rest;
        advance(frame);
        reset();
    }

    // Mel power, n_mels numbers, of n_fft samples; no padding.
    void power(const float* samples, float* mel) noexcept {
        for (int i = 0; i < half; ++i) {
            real_[i] = samples[2 * i] * detail::window[2 * i];
            imag_[i] = samples[2 * i + 1] * detail::window[2 * i + 1];
        }
        transform();
        spectrum();
        const float* weight = detail::weights;
        for (int band = 0; band < n_mels; ++band) {
            const float* bin = bins_ + detail::first[band];
            const int count = detail::count[band];
            float even = 0.0f, odd = 0.0f;  // two sums: neither waits for the other
            int i = 0;
            for (; i + 1 < count; i += 2) {
                even += weight[i] * bin[i];
                odd += weight[i + 1] * bin[i + 1];
            }
            if (i < count) even += weight[i] * bin[i];
            weight += count;
            mel[band] = even + odd;
        }
    }

private:
    static constexpr int half = n_fft / 2;
    static constexpr float decibels = 4.342944819f;  // 10 / log(10)

    template <typename Frame>
    void advance(Frame&& frame) noexcept {
        int start = 0;
        for (; filled_ - start >= n_fft; start += hop_length) {
            power(heard_ + start, mel_);
            for (int band = 0; band < n_mels; ++band)
                mel_[band] = decibels * std::log(std::max(mel_[band], power_floor));
            frame(static_cast<const float*>(mel_));
        }
        std::copy(heard_ + start, heard_ + filled_, heard_);
        filled_ -= start;
    }

    // Fourier transform of `half` complex numbers, in order (Stockham), by radix 4 and a last pass of radix 2
    // where it takes one: every pass runs from one pair of arrays into the other.
    void transform() noexcept {
        float *xr = real_, *xi = imag_, *yr = other_real_, *yi = other_imag_;
        int size = half, stride = 1;
        for (; size >= 4; size /= 4, stride *= 4) {
            for (int p = 0; p < size / 4; ++p) fours(size / 4, stride, p, xr, xi, yr, yi);
            std::swap(xr, yr);
            std::swap(xi, yi);
        }
        if (size == 2) {
            for (int q = 0; q < stride; ++q) {
                const float r = xr[q + stride], i = xi[q + stride];
                yr[q] = xr[q] + r;
                yi[q] = xi[q] + i;
                yr[q + stride] = xr[q] - r;
                yi[q + stride] = xi[q] - i;
            }
            std::swap(xr, yr);
            std::swap(xi, yi);
        }
        even_ = xr;
        odd_ = xi;
    }

    // `__restrict`, which every compiler knows: without it the loop isn't vectorised.
    static void fours(int quarter, int stride, int p, const float* __restrict xr, const float* __restrict xi,
                      float* __restrict yr, float* __restrict yi) noexcept {
        const int turn = 2 * p * stride, step = stride * quarter;
        const float c1 = detail::cosine[turn], s1 = detail::sine[turn];
        const float c2 = detail::cosine[2 * turn], s2 = detail::sine[2 * turn];
        const float c3 = detail::cosine[3 * turn], s3 = detail::sine[3 * turn];
        xr += stride * p;
        xi += stride * p;
        yr += stride * 4 * p;
        yi += stride * 4 * p;
        for (int q = 0; q < stride; ++q) {
            const float ar = xr[q], ai = xi[q], br = xr[q + step], bi = xi[q + step];
            const float cr = xr[q + 2 * step], ci = xi[q + 2 * step];
            const float dr = xr[q + 3 * step], di = xi[q + 3 * step];
            const float evens_r = ar + cr, evens_i = ai + ci, odds_r = br + dr, odds_i = bi + di;
            const float apart_r = ar - cr, apart_i = ai - ci, across_r = bi - di, across_i = dr - br;
            const float second_r = apart_r + across_r, second_i = apart_i + across_i;
            const float third_r = evens_r - odds_r, third_i = evens_i - odds_i;
            const float fourth_r = apart_r - across_r, fourth_i = apart_i - across_i;
            yr[q] = evens_r + odds_r;
            yi[q] = evens_i + odds_i;
            yr[q + stride] = second_r * c1 + second_i * s1;
            yi[q + stride] = second_i * c1 - second_r * s1;
            yr[q + 2 * stride] = third_r * c2 + third_i * s2;
            yi[q + 2 * stride] = third_i * c2 - third_r * s2;
            yr[q + 3 * stride] = fourth_r * c3 + fourth_i * s3;
            yi[q + 3 * stride] = fourth_i * c3 - fourth_r * s3;
        }
    }

    // Power of each bin of the real signal, whose even and odd samples were the two parts transformed.
    void spectrum() noexcept {
        bins_[0] = (even_[0] + odd_[0]) * (even_[0] + odd_[0]);
        bins_[half] = (even_[0] - odd_[0]) * (even_[0] - odd_[0]);
        for (int k = 1; k < half; ++k) {
            const float er = 0.5f * (even_[k] + even_[half - k]), ei = 0.5f * (odd_[k] - odd_[half - k]);
            const float our = 0.5f * (odd_[k] + odd_[half - k]), oi = 0.5f * (even_[half - k] - even_[k]);
            const float c = detail::cosine[k], s = detail::sine[k];
            const float re = er + c * our + s * oi, im = ei + c * oi - s * our;
            bins_[k] = re * re + im * im;
        }
    }

    alignas(64) float heard_[2 * n_fft];
    alignas(64) float real_[half], imag_[half], other_real_[half], other_imag_[half];
    alignas(64) float bins_[half + 1];
    alignas(64) float mel_[n_mels];
    const float* even_;
    const float* odd_;
    int filled_;
};
