"""A coming maximum demand over the contract power, as the forecast tells it."""

from datetime import datetime
from typing import Any


def coming(summary: dict[str, Any], now: datetime, least_chance: float) -> dict[str, Any] | None:
    """Return what to tell of a forecast's maximum demand, None where it stays under the contract or is over.

    Args:
        summary: a forecast's; `demand` holds kw, at (ISO 8601), contract_kw and chance_over_contract (0 to 1).
        now: tz-aware; what lies before it cannot be helped any more.
        least_chance: 0 to 1; from this chance on it is told even where the expected demand is under the contract.

    Returns:
        kw, at, contract_kw, chance_pct (None where the forecast gives no chance).
    """
    demand = summary.get("demand") or {}
    kw, at, contract = demand.get("kw"), demand.get("at"), demand.get("contract_kw")
    if kw is None or at is None or contract is None or datetime.fromisoformat(at) < now:
        return None
    chance = demand.get("chance_over_contract")
    if kw <= contract and (chance is None or chance < least_chance):
        return None
    return {
        "kw": float(kw),
        "at": at,
        "contract_kw": float(contract),
        "chance_pct": None if chance is None else 100 * float(chance),
    }
