"""What people are told, in words: what happened, and what to do. Who is told, and how, is the plugin's affair."""

import html
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import Literal

from fems.contracts.outcomes import GroupOutcome, MonitorOutcome, TrainingOutcome
from fems.contracts.traps import LEAKS, FactoryTraps, TrapNews, TrapNotice

Kind = Literal[
    "failed", "quality", "late", "drift", "promotion", "peak", "model", "trap", "trap_closed", "trap_digest"
]

HEADINGS: dict[Kind, str] = {
    "quality": "Data was not published",
    "failed": "A run failed",
    "late": "A run is late",
    "model": "A champion cannot be used; an earlier one forecasts",
    "peak": "A peak over the contract power is coming",
    "drift": "A model no longer fits; training was asked for",
    "promotion": "A new model forecasts",
    "trap": "A steam trap has failed",
    "trap_closed": "A steam trap works again",
    "trap_digest": "Steam traps that wait for a person",
}
"""In the order of a message, the most urgent first."""

_WHAT_TO_DO = {
    "QualityFailed": "The last good data still serves. Land a corrected file beside the bad one, or mend the rule; "
    "then start the Dag ingest.",
    "NeedsAcceptance": "The month that is published still serves. See what the new one lacks; then land the missing "
    "files, or start the Dag ingest with accept.",
    "ConfigError": "Mend the line that it names in include/config/, or the setting; then start the Dag again.",
    "AccessDenied": "Compare FEMS_S3_ACCESS_KEY with the store's; then start the Dag again.",
    "ServiceUnavailable": "A service did not answer, four times. See whether it runs; then start the Dag again.",
    "TooLittleHistory": "It says how much data is needed. Ingest more, or wait.",
    "NoModel": "Start the Dag train for the factory.",
    "UndecodableObject": "Land the file again in a readable form; then start the Dag ingest.",
    "UnknownFormat": "Another version of the package wrote what it names. Do what the line says.",
    "LostRows": "Nothing was published. This is a bug: report it with the key that it names.",
    "SomeFailed": "Each factory that failed is told of by itself. Start the Dag again: it takes up those alone.",
    "SomeRefused": "Each factory that failed is told of by itself, with what to do.",
    "DataError": "Do what the line says; then start the Dag again.",
}
_OTHERWISE = "Open the task's log from the link: its last error says what happened. Then start the Dag again."


_LONGEST_SUBJECT = 200


@dataclass(frozen=True)
class Notice:
    """One thing that a person should know.

    Attributes:
        kind: decides the heading under which it stands.
        about: the factory, or the task where no factory can be told.
        what: what happened, in a line.
        todo: what to do.
    """

    kind: Kind
    about: str
    what: str
    todo: str


@dataclass(frozen=True)
class Message:
    """All that there is to tell at once.

    Attributes:
        subject: one line.
        link: to the run.
        notices: in the order of `HEADINGS`.
    """

    subject: str
    link: str
    notices: tuple[Notice, ...]

    @property
    def text(self) -> str:
        """The message as plain text."""
        lines: list[str] = []
        for kind, together in _grouped(self.notices):
            lines += [HEADINGS[kind], *(f"- {_label(notice)}{notice.what}" for notice in together)]
            lines += [f"  To do: {todo}" for todo in _todos(together)] + [""]
        return "\n".join([*lines, self.link])

    @property
    def html(self) -> str:
        """The message as HTML for a mail."""
        parts: list[str] = []
        for kind, together in _grouped(self.notices):
            items = "".join(
                f"<li><b>{html.escape(_label(notice))}</b>{html.escape(notice.what)}</li>"
                for notice in together
            )
            todo = "".join(f"<p><i>To do:</i> {html.escape(todo)}</p>" for todo in _todos(together))
            parts.append(f"<h3>{html.escape(HEADINGS[kind])}</h3><ul>{items}</ul>{todo}")
        link = html.escape(self.link, quote=True)
        return "".join(parts) + f'<p><a href="{link}">{link}</a></p>'

    def as_dict(self) -> dict[str, object]:
        """The message as a webhook gets it: subject, text, link and the notices one by one."""
        notices = [asdict(notice) for notice in self.notices]
        return {"subject": self.subject, "text": self.text, "link": self.link, "notices": notices}


def compose(notices: Iterable[Notice], link: str) -> Message | None:
    """Group notices into one message; None where there are none."""
    order = list(HEADINGS)
    ordered = tuple(sorted(notices, key=lambda notice: (order.index(notice.kind), notice.about)))
    if not ordered:
        return None
    counts = [f"{HEADINGS[kind].lower()} ({_names(together)})" for kind, together in _grouped(ordered)]
    return Message(_one_line("FEMS: " + "; ".join(counts)), link, ordered)


def of_failure(about: str, error: str | None) -> Notice:
    """Tell of a task that failed.

    Args:
        about: the factory or the task.
        error: `ErrorType: what happened`; None where its process ended without a word.
    """
    if error is None:
        return Notice(
            "failed", about, "its process ended without a word (killed, or out of memory)", _OTHERWISE
        )
    name = error.partition(":")[0].strip()
    kind: Kind = "quality" if name == "QualityFailed" else "failed"
    return Notice(kind, about, error, _WHAT_TO_DO.get(name, _OTHERWISE))


def of_run(dag_id: str, reason: str) -> Notice:
    """Tell of a run that failed as a whole, no single task being to blame."""
    said = {
        "timed_out": "took longer than it may, and was stopped",
        "all_tasks_deadlocked": "came to a standstill: its tasks wait for each other",
    }
    return Notice("failed", dag_id, f"the run {said.get(reason, f'failed ({reason})')}", _OTHERWISE)


def of_deadline(dag_id: str, run_id: str, hours: float) -> Notice:
    """Tell of a run that is not done in time."""
    return Notice(
        "late",
        dag_id,
        f"run {run_id} is not done after {hours:g} h",
        "Open the run from the link: a running task's log shows what it does, a queued one waits for a free slot, and "
        "one that is up for retry says which service does not answer.",
    )


def of_training(result: object) -> list[Notice]:
    """Tell of a promotion; of nothing where the champion stayed.

    Args:
        result: the `TrainingOutcome` that a task passed on, as JSON.
    """
    outcome = TrainingOutcome.model_validate(result)
    if outcome.alias != "champion":
        return []
    todo = "Nothing. `fems rollback FACTORY` gives the place back to the model before."
    return [Notice("promotion", outcome.factory_id, f"v{outcome.version}: {outcome.reason}", todo)]


def of_forecast(result: object) -> list[Notice]:
    """Tell of a champion that could not be used; of nothing where the champion forecast, or a baseline.

    Args:
        result: the figures of a `ForecastOutcome` that a task passed on, as JSON.
    """
    match result:
        case {"factory_id": str(factory_id), "model": {"notice": str(notice)}}:
            todo = "Start the Dag train for the factory, and look who can write to the bucket of MLflow."
            return [Notice("model", factory_id, notice, todo)]
    return []


def of_monitor(result: object) -> list[Notice]:
    """Tell of a request for training, and of a peak that was not told yet.

    Args:
        result: the `MonitorOutcome` that a task passed on, as JSON.
    """
    outcome, notices = MonitorOutcome.model_validate(result), []
    if outcome.request is not None:
        notices.append(
            Notice(
                "drift",
                outcome.factory_id,
                outcome.request.reason,
                "Training starts by itself. See whether the plant changed (new machine, other shifts) or a meter did; "
                "a wrong meter is mended in the data, not in the model.",
            )
        )
    peak = outcome.peak
    if peak is not None:
        chance = f", chance {peak.chance_pct:.0f} %" if peak.chance_pct is not None else ""
        notices.append(
            Notice(
                "peak",
                outcome.factory_id,
                f"{peak.kw:,.0f} kW expected at {peak.at.isoformat()}, contract {peak.contract_kw:,.0f} kW{chance}",
                "Move load away from that quarter of an hour; the forecast's report names the equipment behind it.",
            )
        )
    return notices


def of_group(of_one: Callable[[object], list[Notice]]) -> Callable[[object], list[Notice]]:
    """Return what tells of the `GroupOutcome` that a task passed on: of each factory's result what `of_one` says."""

    def of_all(result: object) -> list[Notice]:
        each = GroupOutcome.model_validate(result).factories.values()
        return [notice for one in each for notice in of_one(one)]

    return of_all


def of_factory_traps(result: object) -> list[Notice]:
    """Tell of a factory's traps.

    Args:
        result: the `FactoryTraps` of a group that a task passed on, as JSON.
    """
    return of_traps(FactoryTraps.model_validate(result).news)


def of_traps(news: TrapNews) -> list[Notice]:
    """Tell of a factory's trap events that opened and closed, and of all that are open."""
    found = [Notice("trap", news.factory_id, _event(event), _trap_todo(event)) for event in news.opened]
    found += [
        Notice(
            "trap_closed",
            news.factory_id,
            f"{_brief(event)}, over on {event.end} ({event.closing})",
            "Say with `fems traps verdict` whether the alarm was right.",
        )
        for event in news.closed
    ]
    waiting = [event for event in news.digest if event not in news.opened]
    if waiting:
        named = "; ".join(_brief(event) for event in waiting)
        todo = "`fems traps worklist --out FILE.xlsx` writes the list, what costs most first."
        found.append(Notice("trap_digest", news.factory_id, named, todo))
    return found


def _brief(event: TrapNotice) -> str:
    return f"{event.trap_id}: {event.kind.replace('_', ' ')} since {event.start}"


def _event(event: TrapNotice) -> str:
    """Say in a line what is known of a trap's fault."""
    loss, low, high = event.loss_kg_h, event.loss_kg_h_low, event.loss_kg_h_high
    lost = "" if loss is None else f"; about {loss:.1f} kg/h of steam ({low:.1f} to {high:.1f})"
    return f"{_brief(event)}, confidence {100 * event.confidence:.0f} %: {event.reason}{lost}"


def _trap_todo(event: TrapNotice) -> str:
    if event.kind in LEAKS:
        return "Confirm by ultrasound before replacing; then `fems traps repaired TRAP DAY NOTE`."
    return "See whether its valve is open, then test the trap. No steam is lost; the risk is water hammer."


def _grouped(notices: Iterable[Notice]) -> list[tuple[Kind, list[Notice]]]:
    listed = list(notices)
    return [(kind, of) for kind in HEADINGS if (of := [notice for notice in listed if notice.kind == kind])]


def _todos(notices: list[Notice]) -> list[str]:
    return list(dict.fromkeys(notice.todo for notice in notices))


def _names(notices: list[Notice]) -> str:
    names = list(dict.fromkeys(notice.about for notice in notices))
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _one_line(text: str) -> str:
    """Return a text as a mail's subject can hold it: what came from a file may hold line breaks, and be long."""
    text = " ".join("".join(each if each.isprintable() else " " for each in text).split())
    return text if len(text) <= _LONGEST_SUBJECT else text[: _LONGEST_SUBJECT - 1] + "…"


def _label(notice: Notice) -> str:
    return f"{notice.about}: " if notice.about else ""
