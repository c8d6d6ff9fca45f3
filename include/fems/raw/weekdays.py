"""Names of weekdays in written times; the date itself tells which day it is, and the name must agree with it."""

import re
from collections.abc import Iterator
from itertools import islice

_NAMES = (
    "monday mon montag mo lundi lun lunes lunedì maandag ma 월요일 월 月曜日 月 星期一 周一",
    "tuesday tues tue dienstag di mardi mar martes martedì dinsdag 화요일 화 火曜日 火 星期二 周二",
    "wednesday wed mittwoch mi mercredi mer miércoles mié mercoledì woensdag wo 수요일 수 水曜日 水 星期三 周三",
    "thursday thurs thur thu donnerstag do jeudi jeu jueves jue giovedì gio donderdag 목요일 목 木曜日 木 星期四 周四",
    "friday fri freitag fr vendredi ven viernes vie venerdì vrijdag vr 금요일 금 金曜日 金 星期五 周五",
    "saturday sat samstag sonnabend sa samedi sam sábado sáb sabato sab zaterdag za 토요일 토 土曜日 土 星期六 周六",
    "sunday sun sonntag so dimanche dim domingo dom domenica zondag zo 일요일 일 日曜日 日 星期日 星期天 周日",
)
_NUMBER = {name: number for number, names in enumerate(_NAMES) for name in names.split()}
_ANY = "|".join(sorted(_NUMBER, key=len, reverse=True))
_MOST = 3
"""Words of a label that are tried, at most."""
# in brackets first: a bare 월 may be the month of 2026년 1 월 5 일
_BRACKETED = re.compile(rf"\s*[(\[]\s*({_ANY})\.?\s*[)\]],?", re.IGNORECASE)
_BARE = re.compile(rf"(?<!\S)({_ANY})(?:\.,|\.|,)?(?!\S)", re.IGNORECASE)


def without_name(text: str) -> Iterator[tuple[str, int]]:
    """Yield what is left of a written time without a word that may be a weekday, and which one it is (Monday is 0)."""
    for pattern in (_BRACKETED, _BARE):
        for match in islice(pattern.finditer(text), _MOST):
            rest = f"{text[: match.start()].rstrip()} {text[match.end() :].lstrip()}".strip()
            yield rest, _NUMBER[match[1].casefold()]


def falls_on(seconds: int, weekday: int, text: str) -> bool:
    """Tell whether a time is of a weekday; `24:00` is the midnight after it.

    Args:
        seconds: since 1970, as the label writes them.
        weekday: Monday is 0.
        text: the label.
    """
    day = (seconds - ("24:00" in text)) // 86_400
    return (day + 3) % 7 == weekday  # 1 January 1970 was a Thursday
