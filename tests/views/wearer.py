"""Tables of an invented wearer, plain enough to know what a view must say about them."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from diastole.edge.chunks import Bools, Floats
from diastole.edge.schema import FEATURE_NAMES, INPUT_NAMES

Columns = dict[str, NDArray[Any]]
Spans = tuple[tuple[float, float, str, str], ...]

LAB: Spans = (
    (0.0, 300.0, "other", "arrival"),
    (300.0, 1200.0, "rest", "baseline"),
    (1200.0, 2100.0, "stress", "stroop"),
    (2100.0, 2700.0, "rest", "relax"),
    (2700.0, 3300.0, "exercise", "stairs"),
    (3300.0, 3600.0, "recovery", "sitting"),
)
DAY: Spans = (
    (0.0, 9000.0, "light", "desk"),
    (9000.0, 10800.0, "stress", "exam"),
    (10800.0, 32400.0, "light", "desk"),
    (32400.0, 35100.0, "exercise", "running"),
    (35100.0, 50400.0, "rest", "home"),
    (50400.0, 77400.0, "sleep", "sleeping"),
    (77400.0, 86400.0, "light", "morning"),
)
_LEVEL = {"stress": (88.0, 22.0), "exercise": (128.0, 9.0), "sleep": (54.0, 62.0)}
_MOVING = {"exercise": 160.0, "light": 18.0, "sleep": 3.0}


def lab_hour() -> tuple[Columns, Columns]:
    """Give an hour with rest, stress and stairs, five minutes of it off the wrist."""
    return _session(LAB, away=(2300.0, 2600.0), calibrated_s=360.0)


def day() -> tuple[Columns, Columns]:
    """Give 24 h with an exam, a run, a night and forty minutes off the wrist."""
    return _session(DAY, away=(41000.0, 43400.0), calibrated_s=600.0)


def _session(
    spans: Spans, away: tuple[float, float], calibrated_s: float
) -> tuple[Columns, Columns]:
    rng = np.random.default_rng(7)
    t_s = np.arange(5.0, spans[-1][1] + 1, 5.0)
    t_s = t_s[(t_s < away[0]) | (t_s > away[1])]
    label = _label_at(spans, t_s)
    hr = _smooth(np.array([_LEVEL.get(name, (66.0, 38.0))[0] for name in label]), 24)
    rmssd = _smooth(np.array([_LEVEL.get(name, (66.0, 38.0))[1] for name in label]), 24)
    hr = hr * np.exp(_smooth(rng.normal(0, 0.12, len(t_s)), 12))
    rmssd = rmssd * np.exp(_smooth(rng.normal(0, 0.5, len(t_s)), 12))
    activity = np.array([_MOVING.get(name, 7.0) for name in label])
    activity = activity * np.exp(_smooth(rng.normal(0, 1.4, len(t_s)), 6))
    coverage = np.clip(1 - activity / 250 - np.abs(_smooth(rng.normal(0, 0.5, len(t_s)), 10)), 0, 1)
    readings = _readings(t_s, label, hr, rmssd, activity, coverage, calibrated_s)
    return readings, _beats(rng, t_s, hr, coverage)


def _readings(
    t_s: Floats,
    label: NDArray[np.str_],
    hr: Floats,
    rmssd: Floats,
    activity: Floats,
    coverage: Floats,
    calibrated_s: float,
) -> Columns:
    n = len(t_s)
    columns: Columns = {name: np.full(n, np.nan) for name in (*FEATURE_NAMES, *INPUT_NAMES)}
    variable = coverage > 0.55
    normal = np.where(t_s > calibrated_s, 1.0, np.nan)
    columns |= {"hr_mean_bpm": np.where(coverage > 0.3, hr, np.nan), "t_s": t_s}
    columns |= {"rmssd_ms": np.where(variable, rmssd, np.nan), "window_s": np.full(n, 60.0)}
    exertion, asleep = label == "exercise", label == "sleep"
    p = np.where(~exertion & ~asleep & (coverage > 0.3), 1 / (1 + np.exp(-(hr - 75) / 5)), np.nan)
    p = np.where(t_s > calibrated_s, p, np.nan)
    reason = _reason(p, exertion, asleep, coverage)
    decision = np.where(reason != "", "undecided", np.where(p > 0.5, "stress", "calm"))
    return columns | {
        **{name: np.full(n, text) for name, text in _SAME.items()},
        "time": np.strings.add(np.datetime_as_string(_clock(t_s), "ms"), "+00:00"),
        "beats": (hr * coverage).astype(np.int64),
        "coverage": coverage,
        "source": np.where(coverage > 0.3, "ppg", np.where(coverage > 0.1, "device", "none")),
        "grade": np.where(variable, "beats", "heart_rate"),
        "p_stress": p,
        "decision": decision,
        "reason": reason,
        "able": decision != "undecided",
        "normal_status": np.where(t_s > calibrated_s, "provisional", "calibrating"),
        "normal_have": np.minimum(12, t_s / calibrated_s * 12).astype(np.int64),
        "normal_need": np.full(n, 12),
        "normal_hr_low_bpm": 61 * normal,
        "normal_hr_high_bpm": 71 * normal,
        "normal_rmssd_low_ms": 30 * normal,
        "normal_rmssd_high_ms": 46 * normal,
        "activity_mg": activity,
        "still_min": np.where(activity < 35, 5.0, 0.0),
        "exertion": exertion,
        "asleep": asleep,
        "simulated": np.ones(n, np.bool_),
        "label": label,
    }


_SAME = {"session": "lab/S01", "subject": "s01", "device": "wrist", "model": "3f2a9c01d4e5"}


def _clock(t_s: Floats) -> NDArray[np.datetime64]:
    return np.datetime64("2024-05-03T07:30:00", "ms") + (t_s * 1000).astype("timedelta64[ms]")


def _label_at(spans: Spans, t_s: Floats) -> NDArray[np.str_]:
    starts = np.array([span[0] for span in spans])
    names = np.array([span[2] for span in spans])
    return names[np.searchsorted(starts, t_s, "left") - 1]


def _smooth(values: Floats, hops: int) -> Floats:
    padded = np.pad(values, hops, mode="edge")
    return np.convolve(padded, np.ones(hops) / hops, "same")[hops:-hops]


def _reason(p: Floats, exertion: Bools, asleep: Bools, coverage: Floats) -> NDArray[np.str_]:
    return np.select(
        [asleep, exertion, coverage < 0.3, np.isnan(p), np.abs(p - 0.5) < 0.05],
        ["asleep", "exertion", "too_few_beats", "calibrating", "uncertain"],
        "",
    )


def _beats(rng: np.random.Generator, t_s: Floats, hr: Floats, coverage: Floats) -> Columns:
    rr = np.repeat(60000 / hr, 8)  # enough to fill each hop, cut below
    rr = rr + rng.normal(0, 25, len(rr))
    end = np.cumsum(rr) / 1000
    inside = end < t_s[-1]
    end, rr = end[inside], rr[inside]
    hop = np.searchsorted(t_s, end).clip(0, len(t_s) - 1)
    worn = np.abs(t_s[hop] - end) < 5
    end, rr, hop = end[worn], rr[worn], hop[worn]
    rr = 60000 / hr[hop] + rng.normal(0, 25, len(rr))
    bad = rng.random(len(rr)) > 0.4 + 0.6 * coverage[hop]
    kinds = np.array(["moving", "low_quality", "artefact", "beside_artefact", "out_of_range"])
    reason = np.where(bad, kinds[rng.choice(5, len(rr), p=[0.3, 0.3, 0.2, 0.15, 0.05])], "")
    rr = np.where(bad, rr * rng.choice([0.5, 0.8, 1.3, 2.1], len(rr)), rr)
    return {
        "t_s": end,
        "rr_ms": rr,
        "kind": np.full(len(rr), "ppg"),
        "device": np.full(len(rr), "wrist"),
        "accepted": ~bad,
        "reason": reason,
    }
