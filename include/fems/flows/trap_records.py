"""What people know of steam traps, written down: repairs, planned stops, and their word on an event."""

from datetime import date

from fems.errors import ConfigError
from fems.flows.platform import Platform
from fems.flows.traps import published_traps
from fems.lake.traps import trap_records, write_trap_records
from fems.registry.steam_traps import Repair, Stop
from fems.registry.trap_records import Verdict, Word


def add_repair(platform: Platform, repair: Repair) -> str:
    """Write a repair down; it resets the trap's baseline. Returns the factory.

    Raises:
        ConfigError: no such trap, or it was not there yet.
    """
    factory_id = factory_of(platform, repair.trap_id)
    try:
        platform.plant.factory(factory_id).check_repair(repair)
    except ValueError as error:
        raise ConfigError(str(error)) from error
    records = trap_records(platform.lake, factory_id)
    if repair not in records.repairs:
        write_trap_records(
            platform.lake, factory_id, records.model_copy(update={"repairs": (*records.repairs, repair)})
        )
    return factory_id


def add_stop(platform: Platform, factory_id: str, stop: Stop) -> None:
    """Write a planned stop down: no alarm comes of these days.

    Raises:
        ConfigError: no such factory, line or trap.
    """
    factory = platform.plant.factory(factory_id)
    lines = sorted({trap.line for trap in factory.steam_traps.values() if trap.line})
    if stop.line is not None and stop.line not in lines:
        raise ConfigError(
            f"factory {factory_id} has no steam line {stop.line!r} (there are {', '.join(lines) or 'none'})"
        )
    if stop.trap_id is not None and stop.trap_id not in factory.steam_traps:
        raise ConfigError(f"factory {factory_id} has no steam trap {stop.trap_id!r}")
    records = trap_records(platform.lake, factory_id)
    if stop not in records.stops:
        write_trap_records(
            platform.lake, factory_id, records.model_copy(update={"stops": (*records.stops, stop)})
        )


def add_verdict(platform: Platform, event_id: str, word: Word, day: date, note: str) -> str:
    """Keep a person's word on an event. Returns the factory.

    Raises:
        ConfigError: there is no such event.
    """
    factory_id = factory_of(platform, event_id.rsplit("-", 1)[0])
    tables = published_traps(platform.lake, factory_id)
    known = tables[1]["event_id"].to_pylist() if tables else []
    if event_id not in known:
        raise ConfigError(f"there is no event {event_id!r}; `fems traps events` lists them")
    records = trap_records(platform.lake, factory_id)
    said = Verdict(event_id=event_id, word=word, day=day, note=note)
    write_trap_records(
        platform.lake, factory_id, records.model_copy(update={"verdicts": (*records.verdicts, said)})
    )
    return factory_id


def factory_of(platform: Platform, trap_id: str) -> str:
    """Return the factory that a trap is in.

    Raises:
        ConfigError: no factory has it.
    """
    for factory_id, factory in platform.plant.factories.items():
        if trap_id in factory.steam_traps:
            return factory_id
    raise ConfigError(f"no factory has a steam trap {trap_id!r} in factories.yaml")
