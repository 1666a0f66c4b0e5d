// A host step of kind `turn`: groups of `Cycle` times `Inner` numbers go round by the place of the 1 in `by`,
// divided by `Per`; the other way round where `Back`.

template <int Groups, int Cycle, int Inner, int Places, int Per, bool Back>
inline void turn(const float* by, float* part) noexcept {
    const int shift = static_cast<int>(std::max_element(by, by + Places) - by) / Per;
    const int first = (Back && shift ? Cycle - shift : shift) * Inner;
    for (int g = 0; g < Groups; ++g, part += Cycle * Inner)
        std::rotate(part, part + first, part + Cycle * Inner);
}
