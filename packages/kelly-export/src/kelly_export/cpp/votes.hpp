// A host step of kind `votes`: output[i][j] += weights[s] * rows[s][First + i] * rows[s][Second + j], for all
// rows s; where a column is -1 its factor is 1.

template <int Column>
inline float factor([[maybe_unused]] const float* row, [[maybe_unused]] int at) noexcept {
    if constexpr (Column < 0) return 1.0f;
    else return row[Column + at];
}

template <int Rows, int Width, int Outer, int First, int Inner, int Second>
inline void vote(const float* weights, const float* rows, float* output) noexcept {
    for (int s = 0; s < Rows; ++s, rows += Width)
        for (int i = 0; i < Outer; ++i) {
            const float share = weights[s] * factor<First>(rows, i);
            if (share == 0.0f) continue;  // most rows are zeros with a single one
            for (int j = 0; j < Inner; ++j) output[i * Inner + j] += share * factor<Second>(rows, j);
        }
}
