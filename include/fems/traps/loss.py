"""What lost steam is worth: heat, fuel, money and CO2."""

from dataclasses import dataclass

import pandas as pd

from fems import steam
from fems.contracts.trap_views import UsualLoss
from fems.registry.steam_traps import Steam
from fems.traps.words import Language

_KJ_PER_KWH = 3600.0
_MJ_PER_KWH = 3.6
_USUAL_DAYS = 7


@dataclass(frozen=True)
class Worth:
    """What an amount of lost steam is worth; None where the registry does not say enough.

    Attributes:
        steam_kg: lost.
        heat_kwh: that the boiler put into it: its enthalpy above the feed water's.
        fuel_kwh: burnt for that.
        cost: of the fuel, in `currency`.
        tco2e: of the fuel.
    """

    steam_kg: float
    heat_kwh: float | None = None
    fuel_kwh: float | None = None
    cost: float | None = None
    currency: str | None = None
    tco2e: float | None = None


def worth(steam_kg: float, pressure_bar_g: float, given: Steam | None) -> Worth:
    """Return what some lost steam is worth at a factory.

    heat = m (h_g - h_feed) by IAPWS-IF97; fuel = heat / boiler efficiency, on the calorific value that the
    efficiency is on; cost and CO2 by the fuel's price and factor.

    Args:
        steam_kg: lost.
        pressure_bar_g: of the line that it left.
        given: the factory's boiler and fuel; without it there is no heat and no money.
    """
    if given is None or given.feed_water_c is None:
        return Worth(steam_kg)
    vapour = float(steam.vapour_kj_kg(steam.absolute(pressure_bar_g)))
    heat = steam_kg * (vapour - steam.feed_water_kj_kg(given.feed_water_c.value)) / _KJ_PER_KWH
    if given.boiler_efficiency is None:
        return Worth(steam_kg, heat)
    fuel = heat / given.boiler_efficiency.value
    price, factor = given.price, given.emission
    return Worth(
        steam_kg,
        heat,
        fuel,
        None if price is None else fuel * _MJ_PER_KWH * price.per_mj,
        None if price is None else price.currency,
        None if factor is None else fuel * _MJ_PER_KWH / 1e3 * factor.kgco2e_per_gj / 1e3,
    )


_FORMULA = {
    "en": (
        "Steam: 0.41189 x 0.6 x d2 [mm] x p [bar a] (Napier) x 0.25 / 0.55 / 1.0 (low / likely / high), "
        "a quarter of it for a leak, half where condensate returns; only hours with steam on the line. "
        "Heat: steam x (h_g - h_feed), IAPWS-IF97."
    ),
    "ko": (
        "증기: 0.41189 x 0.6 x d2 [mm] x p [bar a] (Napier) x 0.25 / 0.55 / 1.0 (최소 / 예상 / 최대), "
        "누설은 그 4분의 1, 응축수를 회수하면 절반; 배관에 증기가 있던 시간만. "
        "열량: 증기 x (h_g - h_feed), IAPWS-IF97."
    ),
}
_NO_STEAM = {
    "en": "The factory has no `steam` in factories.yaml: no heat, no money.",
    "ko": "factories.yaml에 이 공장의 `steam`이 없어 열량과 비용은 계산하지 않음.",
}
_FACTORS = {"en": "Factors", "ko": "적용 값"}
_LABELS_KO = {"boiler efficiency": "보일러 효율", "feed water": "급수"}


def explanation(given: Steam | None, language: Language = "en") -> str:
    """Return the formula and the factors of the loss, each with its year and source, for people.

    Args:
        given: the factory's boiler and fuel.
        language: en or ko.
    """
    formula = _FORMULA[language]
    if given is None:
        return f"{formula} {_NO_STEAM[language]}"
    names = _LABELS_KO if language == "ko" else {}
    parts = [f"{names.get(label, label)} {value} ({source})" for label, value, source in given.quoted()]
    return f"{formula} {_FACTORS[language]}: {'; '.join(parts)}." if parts else formula


def usual_loss(days: pd.DataFrame, event_id: str | None) -> UsualLoss:
    """Return what an event loses on a usual day: the mean of its last seven days whose loss is known.

    Args:
        days: the table `trap_day`.
        event_id: whose; None has no loss.
    """
    mine = days[(days["event_id"] == event_id) & days["steam_kg"].notna()].tail(_USUAL_DAYS)

    def mean(name: str) -> float | None:
        value = float(mine[name].astype(float).mean())
        return None if value != value else value

    return {
        "kg_a_day": mean("steam_kg"),
        "kg_a_day_low": mean("steam_kg_low"),
        "kg_a_day_high": mean("steam_kg_high"),
        "fuel_kwh_a_day": mean("fuel_kwh"),
        "cost_a_day": mean("cost"),
    }
