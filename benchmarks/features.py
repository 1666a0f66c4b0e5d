"""Times the log-mel front end against librosa and torchaudio on the same clips, one thread, interleaved.

    python benchmarks/features.py [--seconds 3] [--clips 40] [--rounds 5]

Every clip goes through all of them in turn before the next clip does, so that a change of the machine's
load meets all alike. A round over the clips comes first and isn't counted.
"""

from __future__ import annotations

import argparse
import time

import librosa
import numpy as np
import torch
from threadpoolctl import threadpool_limits
from torchaudio.transforms import MelSpectrogram

from kelly_core.features.audio import LogMel

try:
    import audioflux
except ImportError:  # optional: one more to compare with where somebody installed it
    audioflux = None

SAMPLE_RATE = 16_000
GEOMETRY = {"n_fft": 1024, "hop_length": 256, "n_mels": 64}


def contestants() -> dict:
    """Name to function from `(samples,)` float32 to power mel, or to dB for the last one."""
    torch.set_num_threads(1)
    front = LogMel()
    transform = MelSpectrogram(SAMPLE_RATE, **GEOMETRY, norm="slaney", mel_scale="slaney", pad_mode="constant")

    def with_torchaudio(samples):
        with torch.inference_mode():
            return transform(torch.from_numpy(samples)).numpy()

    found = {
        "kelly": front.mel_power,
        "torchaudio": with_torchaudio,
        "librosa": lambda samples: librosa.feature.melspectrogram(y=samples, sr=SAMPLE_RATE, **GEOMETRY),
    }
    found.update(with_audioflux())
    found["kelly, in dB"] = front
    return found


def with_audioflux() -> dict:
    """Audioflux where it is installed; its framing isn't centred, so its numbers aren't compared."""
    if audioflux is None:
        return {}
    kinds = audioflux.type
    bands = audioflux.BFT(
        num=GEOMETRY["n_mels"],
        samplate=SAMPLE_RATE,
        radix2_exp=10,
        slide_length=GEOMETRY["hop_length"],
        low_fre=0.0,
        high_fre=8000.0,
        data_type=kinds.SpectralDataType.POWER,
        scale_type=kinds.SpectralFilterBankScaleType.MEL,
        normal_type=kinds.SpectralFilterBankNormalType.AREA,
    )
    return {"audioflux": lambda samples: bands.bft(samples, result_type=1)}


def clips(count: int, seconds: float) -> list[np.ndarray]:
    """Decaying harmonic notes over a little noise, seeded."""
    rng = np.random.default_rng(0)
    at = np.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    made = []
    for _ in range(count):
        pitch = rng.uniform(100.0, 600.0)
        tone = sum(np.sin(2 * np.pi * pitch * k * at) / k for k in range(1, 8))
        made.append((0.1 * tone * np.exp(-at) + 1e-3 * rng.standard_normal(len(at))).astype(np.float32))
    return made


def measure(functions: dict, signals: list[np.ndarray], rounds: int) -> dict[str, np.ndarray]:
    """Milliseconds of every call by name."""
    times = {name: [] for name in functions}
    for turn in range(rounds + 1):
        for signal in signals:
            for name, function in functions.items():
                start = time.perf_counter()
                function(signal)
                if turn:
                    times[name].append(1e3 * (time.perf_counter() - start))
    return {name: np.array(values) for name, values in times.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=3.0, help="length of a clip, s")
    parser.add_argument("--clips", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()

    functions, signals = contestants(), clips(options.clips, options.seconds)
    ours = functions["kelly"](signals[0])
    for name in ("torchaudio", "librosa"):
        other = functions[name](signals[0])
        audible = other > 1e-10 * other.max(axis=0)
        worst = np.max(np.abs(ours - other)[audible] / other[audible])
        print(f"largest relative difference in power from {name}: {worst:.1e}")

    with threadpool_limits(1):
        times = measure(functions, signals, options.rounds)
    base = np.median(times["kelly"])
    print(f"\n{options.clips} clips of {options.seconds:g} s, {options.rounds} rounds, one thread\n")
    print(f"{'':14}{'p50 ms':>9}{'p99 ms':>9}{'min ms':>9}{'p50 / kelly':>13}")
    for name, values in times.items():
        middle, late = np.percentile(values, [50, 99])
        print(f"{name:14}{middle:9.3f}{late:9.3f}{values.min():9.3f}{middle / base:13.2f}")


if __name__ == "__main__":
    main()
