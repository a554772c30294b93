"""Random signals that wander: noise of a given spectrum, oscillators that are not quite steady."""

import numpy as np

from diastole.edge.chunks import Floats


def wander(
    rng: np.random.Generator, n: int, rate_hz: float, band_hz: tuple[float, float], slope: float
) -> Floats:
    """Return ``n`` samples of noise of unit variance, power as 1/f**slope within ``band_hz``.

    Where the signal is too short to hold a cycle of the band it is flat: all 0.
    """
    spectrum = np.fft.rfft(rng.standard_normal(n))
    f = np.fft.rfftfreq(n, 1 / rate_hz)
    low, high = band_hz
    inside = (f >= low) & (f <= high)
    shape = np.where(inside, np.maximum(f, low) ** (-slope / 2), 0.0)
    power = 2 * float((shape**2).sum()) / n
    if power == 0:
        return np.zeros(n)
    noise: Floats = np.fft.irfft(spectrum * shape, n) / np.sqrt(power)
    return noise


def coarse_wander(
    rng: np.random.Generator, n: int, rate_hz: float, band_hz: tuple[float, float], slope: float
) -> Floats:
    """Return :func:`wander` made at 1 Hz and drawn straight between: for slow bands, cheaply."""
    seconds = int(n / rate_hz) + 2
    slow = wander(rng, seconds, 1.0, band_hz, slope)
    return np.interp(np.arange(n) / rate_hz, np.arange(seconds), slow)


def oscillation(rng: np.random.Generator, cycles_hz: Floats, rate_hz: float) -> Floats:
    """Return a sine of unit amplitude on average, whose amplitude swells and fades by a fifth."""
    phase = 2 * np.pi * (rng.random() + np.cumsum(cycles_hz) / rate_hz)
    swell = coarse_wander(rng, len(cycles_hz), rate_hz, (0.003, 0.05), 1.0)
    wave: Floats = np.sin(phase) * np.exp(0.2 * np.clip(swell, -2, 2))
    return wave
