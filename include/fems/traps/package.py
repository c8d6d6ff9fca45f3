"""The tables of steam traps as resources of a factory's Frictionless Data Package."""

import pyarrow as pa

from fems.contracts.data_package import Resource, TableField
from fems.contracts.traps import TrapManifest, TrapState
from fems.traps.tables import TRAP_DAY, TRAP_EVENTS

_DESCRIPTIONS = {
    "day": "Local day.",
    "factory_id": "The factory.",
    "trap_id": "The trap: the ID of its sensor, of a pair the inlet's.",
    "state": "How the trap was on the day.",
    "kind": "What the newest evidence of the event says.",
    "start": "First day of the evidence.",
    "detected": "The day whose evening knew of it.",
    "end": "First day without the fault; empty while the event is open.",
    "closed": "The day on which the end was known.",
    "closing": "What closed it: a repair, three good days, or another fault in its place.",
    "confidence": "How sure the state is, 0 to 1.",
    "reason": "Why, in English.",
    "reason_ko": "Why, in Korean.",
    "event_id": "The trap and the day of detection.",
    "steam_hours": "Hours with settled steam on the line.",
    "measured_pct": "Share of the day that was measured, %.",
    "main_c": "Median of the main sensor in settled steam, degrees Celsius.",
    "main_usual_c": "Its baseline.",
    "outlet_c": "Median of the sensor at the outlet or on the body, degrees Celsius.",
    "outlet_usual_c": "Its baseline.",
    "severity_c": "Largest shift of a temperature, degrees.",
    "loss_kg_h": "Steam lost, likely, kg/h.",
    "loss_kg_h_low": "Low end of the band.",
    "loss_kg_h_high": "High end of the band.",
    "steam_kg": "Steam lost, likely, kg.",
    "steam_kg_low": "Low end of the band.",
    "steam_kg_high": "High end of the band.",
    "heat_kwh": "Heat in the likely loss, kWh.",
    "fuel_kwh": "Fuel burnt for it, kWh.",
    "cost": "Price of that fuel.",
    "currency": "Of the cost.",
    "tco2e": "Emission of that fuel, tonnes of CO2 equivalent.",
}


def trap_resources(manifest: TrapManifest) -> list[Resource]:
    """Return the description of each published table of a factory's traps.

    Args:
        manifest: of the tables.
    """
    factory_id, part = manifest.factory_id, f"part-{manifest.fingerprint}.parquet"
    found = [
        _resource(
            f"trap-day-{month}",
            f"trap_day/factory={factory_id}/month={month}/{part}",
            TRAP_DAY,
            ["trap_id", "day"],
            manifest,
        )
        for month in manifest.months
    ]
    path = f"trap_events/factory={factory_id}/{part}"
    # An empty table has no row that a reader could check.
    events = [_resource("trap-events", path, TRAP_EVENTS, ["event_id"], manifest)]
    return [*found, *(events if manifest.rows.trap_events else [])]


def _resource(name: str, path: str, schema: pa.Schema, key: list[str], manifest: TrapManifest) -> Resource:
    return {
        "name": name,
        "title": name.replace("-", " "),
        "path": path,
        "type": "table",
        "format": "parquet",
        "mediatype": "application/vnd.apache.parquet",
        "fems": {"fingerprint": manifest.fingerprint, "code_version": manifest.inputs.code_version},
        "schema": {"fields": [_field(one) for one in schema], "primaryKey": key},
    }


def _field(field: pa.Field) -> TableField:
    kind = (
        "date" if pa.types.is_date(field.type) else "number" if pa.types.is_floating(field.type) else "string"
    )
    described: TableField = {"name": field.name, "type": kind, "description": _DESCRIPTIONS[field.name]}
    if field.name == "state":
        described["constraints"] = {"enum": [str(state) for state in TrapState]}
    return described
