// Sums of weighted rows. Weights lie (inputs, outputs), so that every inner loop runs along contiguous memory.

template <int Size, int Stride>
inline void add_block(int inputs, const float* x, const float* weights, float* y) noexcept {
    float sum[Size];
    for (int o = 0; o < Size; ++o) sum[o] = y[o];
    for (int i = 0; i < inputs; ++i, weights += Stride) {
        const float value = x[i];
        for (int o = 0; o < Size; ++o) sum[o] += value * weights[o];
    }
    for (int o = 0; o < Size; ++o) y[o] = sum[o];
}

// y[o] += sum over i of x[i] * weights[i * Stride + o], for o below Outputs.
template <int Outputs, int Stride = Outputs>
inline void add_product(int inputs, const float* x, const float* weights, float* y) noexcept {
    constexpr int block = 32;  // half the vector registers of x86-64 without AVX: enough sums to hide an addition
    constexpr int whole = Outputs / block * block;
    for (int o = 0; o < whole; o += block) add_block<block, Stride>(inputs, x, weights + o, y + o);
    if constexpr (Outputs > whole) add_block<Outputs - whole, Stride>(inputs, x, weights + whole, y + whole);
}

inline float sigmoid(float x) noexcept { return 1.0f / (1.0f + std::exp(-x)); }

template <int Inputs, int Outputs>
struct Dense {
    void operator()(const float* x, const float* weights, const float* bias, float* y) const noexcept {
        std::copy_n(bias, Outputs, y);
        add_product<Outputs>(Inputs, x, weights, y);
    }
};

// The last frames of a stream, in a ring.
template <int Past, int Size>
struct History {
    static constexpr int state_size = Past * Size;
    static constexpr int length = Past + 1;
    alignas(64) float frames[length * Size];
    int newest;

    void reset() noexcept {
        std::fill_n(frames, length * Size, 0.0f);
        newest = 0;
    }
    void push(const float* x) noexcept {
        newest = newest + 1 == length ? 0 : newest + 1;
        std::copy_n(x, Size, frames + newest * Size);
    }
    // A frame by its age: `offset` frames after the oldest one.
    int place(int offset) const noexcept {
        const int at = newest + 1 + offset;
        return (at >= length ? at - length : at) * Size;
    }
    const float* operator[](int offset) const noexcept { return frames + place(offset); }
    void save(float* state) const noexcept {
        for (int i = 0; i < Past; ++i) std::copy_n((*this)[i + 1], Size, state + i * Size);
    }
    void load(const float* state) noexcept {
        for (int i = 0; i < Past; ++i) std::copy_n(state + i * Size, Size, frames + place(i + 1));
    }
};

template <int Kernel, int Inputs, int Outputs, int Dilation, int Groups>
struct Conv1d : History<(Kernel - 1) * Dilation, Inputs> {
    void operator()(const float* x, const float* weights, const float* bias, float* y) noexcept {
        constexpr int in = Inputs / Groups, out = Outputs / Groups;
        this->push(x);
        std::copy_n(bias, Outputs, y);
        for (int tap = 0; tap < Kernel; ++tap, weights += in * Outputs) {
            const float* heard = (*this)[tap * Dilation];
            for (int g = 0; g < Groups; ++g)
                add_product<out, Outputs>(in, heard + g * in, weights + g * out, y + g * out);
        }
    }
};

// `Before`: zeros before the first feature.
template <int Kernel, int Width, int Features, int Inputs, int Outputs, int Dilation, int Stride, int Before,
          int FeaturesOut>
struct Conv2d : History<(Kernel - 1) * Dilation, Features * Inputs> {
    void operator()(const float* x, const float* weights, const float* bias, float* y) noexcept {
        this->push(x);
        for (int f = 0; f < FeaturesOut; ++f) std::copy_n(bias, Outputs, y + f * Outputs);
        for (int tap = 0; tap < Kernel; ++tap, weights += Width * Inputs * Outputs) {
            const float* heard = (*this)[tap * Dilation];
            for (int f = 0; f < FeaturesOut; ++f) {
                const int first = f * Stride - Before;  // where the kernel lies, without the zeros
                const int start = first < 0 ? 0 : first;
                const int stop = first + Width > Features ? Features : first + Width;
                add_product<Outputs>((stop - start) * Inputs, heard + start * Inputs,
                                     weights + (start - first) * Inputs * Outputs, y + f * Outputs);
            }
        }
    }
};

template <int Inputs, int Hidden>
struct Gru {
    static constexpr int state_size = Hidden;
    alignas(64) float hidden[Hidden];

    void reset() noexcept { std::fill_n(hidden, Hidden, 0.0f); }
    void save(float* state) const noexcept { std::copy_n(hidden, Hidden, state); }
    void load(const float* state) noexcept { std::copy_n(state, Hidden, hidden); }
    void operator()(const float* x, const float* kernel, const float* recurrent, const float* bias,
                    float* y) noexcept {
        alignas(64) float heard[3 * Hidden], again[3 * Hidden];  // gates z, r, h
        std::copy_n(bias, 3 * Hidden, heard);
        std::copy_n(bias + 3 * Hidden, 3 * Hidden, again);
        add_product<3 * Hidden>(Inputs, x, kernel, heard);
        add_product<3 * Hidden>(Hidden, hidden, recurrent, again);
        for (int i = 0; i < Hidden; ++i) {
            const float update = sigmoid(heard[i] + again[i]);
            const float reset = sigmoid(heard[Hidden + i] + again[Hidden + i]);
            const float next = std::tanh(heard[2 * Hidden + i] + reset * again[2 * Hidden + i]);
            hidden[i] = (1.0f - update) * next + update * hidden[i];
        }
        std::copy_n(hidden, Hidden, y);
    }
};

template <int Inputs, int Hidden>
struct Lstm {
    static constexpr int state_size = 2 * Hidden;
    alignas(64) float hidden[Hidden];
    alignas(64) float cell[Hidden];

    void reset() noexcept {
        std::fill_n(hidden, Hidden, 0.0f);
        std::fill_n(cell, Hidden, 0.0f);
    }
    void save(float* state) const noexcept {
        std::copy_n(hidden, Hidden, state);
        std::copy_n(cell, Hidden, state + Hidden);
    }
    void load(const float* state) noexcept {
        std::copy_n(state, Hidden, hidden);
        std::copy_n(state + Hidden, Hidden, cell);
    }
    void operator()(const float* x, const float* kernel, const float* recurrent, const float* bias,
                    float* y) noexcept {
        alignas(64) float gates[4 * Hidden];  // i, f, g, o
        std::copy_n(bias, 4 * Hidden, gates);
        add_product<4 * Hidden>(Inputs, x, kernel, gates);
        add_product<4 * Hidden>(Hidden, hidden, recurrent, gates);
        for (int i = 0; i < Hidden; ++i) {
            const float kept = sigmoid(gates[Hidden + i]) * cell[i];
            cell[i] = kept + sigmoid(gates[i]) * std::tanh(gates[2 * Hidden + i]);
            hidden[i] = sigmoid(gates[3 * Hidden + i]) * std::tanh(cell[i]);
        }
        std::copy_n(hidden, Hidden, y);
    }
};

// Numbers of a frame one by one, in place.

template <int Channels, int Features>
inline void batchnorm(float* x, const float* mean, const float* scale, const float* shift) noexcept {
    for (int f = 0; f < Features; ++f, x += Channels)
        for (int c = 0; c < Channels; ++c) x[c] = (x[c] - mean[c]) * scale[c] + shift[c];
}

template <int Size>
inline void prelu(float* x, const float* alpha) noexcept {
    for (int i = 0; i < Size; ++i) x[i] = x[i] > 0.0f ? x[i] : alpha[i] * x[i];
}

template <int Size>
inline void relu(float* x) noexcept {
    for (int i = 0; i < Size; ++i) x[i] = x[i] > 0.0f ? x[i] : 0.0f;
}

template <int Size>
inline void elu(float* x) noexcept {
    for (int i = 0; i < Size; ++i) x[i] = x[i] > 0.0f ? x[i] : std::expm1(x[i]);
}

template <int Size>
inline void tanh(float* x) noexcept {
    for (int i = 0; i < Size; ++i) x[i] = std::tanh(x[i]);
}

template <int Size>
inline void sigmoid(float* x) noexcept {
    for (int i = 0; i < Size; ++i) x[i] = sigmoid(x[i]);
}

template <int Size>
inline void softmax(float* x) noexcept {
    const float top = *std::max_element(x, x + Size);
    float sum = 0.0f;
    for (int i = 0; i < Size; ++i) {
        x[i] = std::exp(x[i] - top);
        sum += x[i];
    }
    for (int i = 0; i < Size; ++i) x[i] /= sum;
}
