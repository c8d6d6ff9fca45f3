"""A coming maximum demand over the contract power, as the forecast tells it."""

from datetime import datetime

from fems.contracts.forecast import DemandSummary
from fems.contracts.monitoring import ComingPeak


def coming(demand: DemandSummary | None, now: datetime, least_chance: float) -> ComingPeak | None:
    """Return what to tell of a forecast's maximum demand, None where it stays under the contract or is over.

    Args:
        demand: of the newest forecast; None where it has none.
        now: tz-aware; what lies before it cannot be helped any more.
        least_chance: 0 to 1; from this chance on it is told even where the expected demand is under the contract.
    """
    if demand is None or demand.contract_kw is None or demand.at < now:
        return None
    chance = demand.chance_over_contract
    if demand.kw <= demand.contract_kw and (chance is None or chance < least_chance):
        return None
    return ComingPeak(
        kw=demand.kw,
        at=demand.at,
        contract_kw=demand.contract_kw,
        chance_pct=None if chance is None else 100 * chance,
    )
