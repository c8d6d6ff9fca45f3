"""Reasons in words, Korean and English."""

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Literal, get_args

from fems.calendar import holiday_name
from fems.forecast.days import Reason

Language = Literal["ko", "en"]
LANGUAGES: tuple[Language, ...] = get_args(Language)

WEEKDAYS: dict[Language, tuple[str, ...]] = {
    "ko": ("월요일", "화요일", "수요일", "목요일", "금요일", "토요일", "일요일"),
    "en": ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
}
MONTHS: dict[Language, tuple[str, ...]] = {
    "ko": tuple(f"{month}월" for month in range(1, 13)),
    "en": (
        *("January", "February", "March", "April", "May", "June", "July"),
        *("August", "September", "October", "November", "December"),
    ),
}

_PHRASES: dict[Language, dict[str, str]] = {
    "ko": {
        "weekday": "{weekday} 정상 근무일",
        "saturday": "토요일",
        "sunday": "일요일 휴무",
        "holiday": "{holiday} 휴무",
        "holiday_worked": "{holiday}(공휴일 가동)",
        "before_holiday": "{holiday} 하루 전",
        "after_holiday": "{holiday} 다음 날",
        "bridge": "징검다리 근무일",
        "machine": "{machine} 같은 유형의 날 평균보다 {pct}",
        "level": "최근 4주 생산 수준 {pct}",
        "season": "{month} 계절 수준 {pct}",
    },
    "en": {
        "weekday": "{weekday}, a full working day",
        "saturday": "Saturday",
        "sunday": "Sunday, day of rest",
        "holiday": "{holiday}, day of rest",
        "holiday_worked": "{holiday}, a holiday worked through",
        "before_holiday": "the day before {holiday}",
        "after_holiday": "the day after {holiday}",
        "bridge": "a working day between days off",
        "machine": "{machine} {pct} against the average such day",
        "level": "level of the last four weeks {pct}",
        "season": "{month} season {pct}",
    },
}


def in_words(reasons: Iterable[Reason], language: Language, country: str, machines: Mapping[str, str]) -> str:
    """Return reasons as one line.

    Args:
        reasons: most important first.
        language: ko or en.
        country: whose holidays are named.
        machines: sensor ID -> the machine's name.
    """
    said = []
    for reason in reasons:
        subject, words = reason.subject, {"pct": f"{reason.pct:+.0f}\u00a0%".replace("-", "−")}
        if isinstance(subject, date):
            words["holiday"] = holiday_name(country, subject, language)
        elif reason.code == "weekday":
            words["weekday"] = WEEKDAYS[language][int(subject)]
        elif reason.code == "season":
            words["month"] = MONTHS[language][int(subject) - 1]
        elif reason.code == "machine":
            words["machine"] = machines.get(str(subject), str(subject))
        said.append(_PHRASES[language][reason.code].format(**words))
    return " · ".join(said)
