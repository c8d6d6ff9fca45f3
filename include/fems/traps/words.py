"""What a state means and why a trap is in it, in words that plant people read: English and Korean."""

from typing import Literal

from fems.contracts.traps import TrapState

Language = Literal["en", "ko"]

STATE_WORDS: dict[TrapState, tuple[str, str]] = {
    TrapState.ok: ("ok", "정상"),
    TrapState.suspected_leak: ("suspected leak", "누설 의심"),
    TrapState.blow_through: ("blow-through", "생증기 분출"),
    TrapState.flooded: ("flooded", "응축수 정체"),
    TrapState.blocked: ("blocked, or its supply is shut", "막힘 또는 공급 차단"),
    TrapState.blocked_or_flooded: ("blocked or flooded", "막힘 또는 응축수 정체"),
    TrapState.cold_or_shut: ("cold or shut", "냉각 또는 차단"),
    TrapState.line_off: ("line off", "배관 정지"),
    TrapState.sensor_fault: ("sensor fault", "센서 이상"),
    TrapState.learning: ("learning", "학습 중"),
    TrapState.not_observable: ("not observable", "판단 불가"),
}
"""English and Korean."""

VERDICT_WORDS = {
    "confirmed": ("confirmed", "확인됨"),
    "false_alarm": ("false alarm", "오경보"),
    "repaired": ("repaired", "정비됨"),
}
"""People's word on an event, English and Korean."""

CONFIRM = (
    "Confirm by ultrasound before replacing.",
    "교체 전에 초음파로 확인하십시오.",
)
BLOCKED_RISK = (
    "No steam is lost; the risk is water hammer, wet steam and slow heating. See whether its valve is open.",
    "증기 손실은 없으나 수격, 습증기, 가열 지연의 위험이 있습니다. 밸브가 열려 있는지 확인하십시오.",
)
LEAK_NOT_OBSERVABLE = (
    "its sensor is at the inlet, or its position is not known: leaks can't be observed",
    "센서가 입구에 있거나 위치를 알 수 없어 누설을 관찰할 수 없음",
)

_REASONS: dict[str, tuple[str, str]] = {
    "usual": ("as usual for this trap and its line", "평소와 같음"),
    "no_data": ("under a quarter of the day was measured", "측정값이 하루의 4분의 1 미만"),
    "planned_stop": ("a planned stop", "계획 정지"),
    "line_off": ("no trap of the line was hot", "같은 배관의 트랩이 모두 식어 있음"),
    "off_or_blocked": (
        "no neighbour and no meter: off and blocked can't be told apart",
        "비교할 트랩이나 계측기가 없어 정지와 막힘을 구분할 수 없음",
    ),
    "flat": ("the reading stood still for hours", "값이 몇 시간 동안 변하지 않음"),
    "sensors_contradict": ("its two sensors contradict each other", "두 센서의 값이 서로 모순됨"),
    "came_off": (
        "the reading fell faster than a pipe can cool: the sensor may have come off",
        "배관이 식을 수 있는 속도보다 빨리 떨어짐: 센서 이탈 가능",
    ),
    "not_warmed": (
        "it stayed cold when its line was heated, colder than metal on a hot line: the sensor may be off the pipe",
        "배관이 데워져도 배관에 붙은 금속보다 차가움: 센서 이탈 가능",
    ),
    "jumped": (
        "its level jumped within one reading, as when it is clamped anew; if nobody did that, look at the trap",
        "한 측정 간격 안에 값이 옮겨짐: 센서를 다시 부착한 경우와 같음. 그런 작업이 없었다면 트랩을 확인하십시오",
    ),
    "too_hot": (
        "hotter than the steam, its own past and its line allow",
        "증기, 과거 값, 같은 배관에 비해 지나치게 높음",
    ),
    "broken_lately": (
        "the sensor was at fault in the last days: today's reading proves nothing",
        "최근 센서 이상이 있어 오늘 값으로 판단할 수 없음",
    ),
    "rose_to_steam": (
        "hotter than what was learned, yet not than the steam: it may have been flooded before; learning anew",
        "학습한 값보다 높지만 증기보다는 낮음: 이전에 응축수가 정체되었을 수 있어 다시 학습함",
    ),
    "cold": (
        "hot in {hot:.0f} % of {hours:.0f} h with steam on the line",
        "배관에 증기가 있던 {hours:.0f}시간 중 {hot:.0f} %만 뜨거움",
    ),
    "cold_not_expected": (
        "cold while the line is hot; whether it should be hot is not known",
        "배관은 뜨거우나 트랩은 식어 있음; 가동 여부를 알 수 없음",
    ),
    "cold_outlet": (
        "inlet and outlet cold in {hours:.0f} h with steam on the line; a shut valve looks the same",
        "배관에 증기가 있던 {hours:.0f}시간 동안 입구와 출구가 모두 차가움; 밸브 차단도 같은 모습",
    ),
    "inlet_fell": (
        "{main:+.1f} K against its own past and its line",
        "과거 값과 같은 배관 대비 {main:+.1f} K",
    ),
    "outlet_rose": (
        "outlet {outlet:+.1f} K against its own past and its line, the inlet holds",
        "출구가 과거 값과 같은 배관 대비 {outlet:+.1f} K, 입구는 유지",
    ),
    "outlet_rose_much": (
        "outlet {outlet:+.1f} K against its own past and its line, the inlet holds",
        "출구가 과거 값과 같은 배관 대비 {outlet:+.1f} K, 입구는 유지",
    ),
    "too_few_days": ("fewer than 10 good days are known", "정상 상태로 기록된 날이 10일 미만"),
    "no_flow": ("under an hour of settled flow", "안정된 흐름이 1시간 미만"),
    "leak_not_observable": LEAK_NOT_OBSERVABLE,
}


def reason(cause: str, language: Language, *, main: float, outlet: float, hot: float, hours: float) -> str:
    """Return why a trap is in its state.

    Args:
        cause: one of `fems.traps.evidence.CAUSES`.
        language: en or ko.
        main: shift of the main sensor, degrees.
        outlet: shift of the outlet.
        hot: share of the hours with steam in which it was hot, 0..1.
        hours: with steam on the line.
    """
    text = _REASONS[cause][language == "ko"]
    return text.format(main=main, outlet=outlet, hot=100 * hot, hours=hours)
