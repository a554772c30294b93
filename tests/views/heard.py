"""What an agent says of a wearer, as it is heard over a broker."""

from diastole.edge.records import SECOND_NS, Decision, Grade, NormalStatus, Reading, Reason

NOON_NS = 1_800_014_400 * SECOND_NS
"""2027-01-15 12:00 UTC."""


def reading(
    time_ns: int = NOON_NS,
    *,
    decision: Decision = Decision.CALM,
    reason: Reason | None = None,
    p_stress: float | None = 0.31,
    simulated: bool = False,
    utc_offset_min: int = 0,
) -> Reading:
    return Reading(
        device="strap",
        time_ns=time_ns,
        window_s=60,
        source="rr",
        grade=Grade.BEATS,
        beats=66,
        coverage=0.98,
        features={"hr_mean_bpm": 66.0, "rmssd_ms": 41.0},
        activity_mg=3,
        still_min=6,
        exertion=False,
        asleep=False,
        inputs={},
        normal_status=NormalStatus.PROVISIONAL,
        normal_have=5,
        normal_need=12,
        normal_hr_low_bpm=58,
        normal_hr_high_bpm=70,
        normal_rmssd_low_ms=30,
        normal_rmssd_high_ms=50,
        utc_offset_min=utc_offset_min,
        simulated=simulated,
        p_stress=p_stress,
        decision=decision,
        reason=reason,
        able=True,
        model="m",
        feature_schema="hrv-1",
        input_schema="inputs-1",
    )
