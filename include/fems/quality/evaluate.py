"""Evaluate a table against its suite, with Great Expectations' own API."""

import json
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from fems.canonical import fingerprint
from fems.contracts.evaluation import Finding, TableEvaluation
from fems.contracts.grains import GRAINS
from fems.errors import ConfigError, QualityFailed
from fems.quality.parameters import SuiteParameters
from fems.quality.table import TableView

if TYPE_CHECKING:
    from fems.quality.gx import CheckContext

OWN = "fems"
"""The folder, beside GX's own suites, of those that name this package's expectations."""

COMMON = "common"
"""`common_hour` and so on hold for every feed; a feed's own suite, `meter_hour`, adds to it."""


@dataclass(frozen=True)
class Evaluation:
    """The result of a suite on one table.

    Attributes:
        record: what is stored of it.
        result: Great Expectations' own, for Data Docs.
    """

    record: TableEvaluation
    result: Any = field(repr=False, compare=False)

    def failed(self, severity: str) -> list[Finding]:
        """Return the findings of one severity."""
        return _of_severity(self.record.findings, severity)

    def require(self, what: str, refused: str = "not published") -> None:
        """Refuse a table with a critical finding.

        Args:
            what: names the table.
            refused: what does not happen to it.

        Raises:
            QualityFailed: names the table, the expectation, the rows and examples.
        """
        critical = self.failed("critical")
        if critical:
            more = f" (and {len(critical) - 1} more)" if len(critical) > 1 else ""
            raise QualityFailed(f"{what}: {refused}. Suite {self.record.suite}: {critical[0]}{more}")


@dataclass(frozen=True)
class _Suite:
    """A suite as far as its parameters are known: Great Expectations' own, and what is left out of it."""

    suite: Any
    left_out: tuple[str, ...]
    version: str


class Evaluator:
    """Great Expectations, set up once for many tables."""

    def __init__(self, suites_dir: Path) -> None:
        # while it is imported it logs hundreds of lines, each of which a task of Airflow would send on
        logging.getLogger("great_expectations").setLevel(logging.WARNING)
        import fems.quality.expectations  # noqa: F401 - registers the package's own
        from fems.quality.gx import Context

        self._dir = suites_dir
        self._context = Context()
        self._texts: dict[str, list[dict[str, object]]] = {}
        self._suites: dict[tuple[str, frozenset[str]], _Suite] = {}

    def names(self) -> list[str]:
        """Return the suites that have a file."""
        return sorted({path.stem for path in [*self._dir.glob("*.json"), *(self._dir / OWN).glob("*.json")]})

    def _paths(self, name: str) -> list[Path]:
        """Return the files of a suite: what holds for every feed, then what the feed adds.

        Raises:
            ConfigError: there is none.
        """
        feed, _, grain = name.rpartition("_")
        names = [f"{COMMON}_{grain}", name] if feed and grain in GRAINS else [name]
        paths = [folder / f"{each}.json" for each in names for folder in (self._dir, self._dir / OWN)]
        files = [path for path in paths if path.is_file()]
        if not files:
            known = ", ".join(self.names()) or "none"
            raise ConfigError(f"{self._dir / name}.json: there is no such suite (there are: {known})")
        return files

    def _expectations(self, name: str) -> list[dict[str, object]]:
        """Return a suite's expectations, as its files have them."""
        if name not in self._texts:
            expectations: list[dict[str, object]] = []
            for path in self._paths(name):
                try:
                    expectations += json.loads(path.read_text(encoding="utf-8"))["expectations"]
                except OSError as error:
                    raise ConfigError(f"{path}: cannot be read ({error.strerror})") from error
                except (ValueError, KeyError, TypeError) as error:
                    raise ConfigError(f"{path}: is not a suite in JSON: {error}") from error
            self._texts[name] = expectations
        return self._texts[name]

    def _suite(self, name: str, known: frozenset[str]) -> _Suite:
        """Return the suite as far as its parameters are known.

        Raises:
            ConfigError: the suite is missing or wrong.
        """
        if (name, known) not in self._suites:
            expectations = self._expectations(name)
            kept = [each for each in expectations if _parameters(each.get("kwargs")) <= known]
            left_out = tuple(str(each.get("type")) for each in expectations if each not in kept)
            try:
                suite = self._context.suite(name, kept)
            except ValueError as error:
                raise ConfigError(
                    f"{self._dir / name}.json: is not a suite that Great Expectations accepts: {error}"
                ) from error
            self._suites[name, known] = _Suite(suite, left_out, fingerprint(expectations))
        return self._suites[name, known]

    def evaluate(
        self,
        table: pd.DataFrame | TableView,
        suite: str,
        parameters: SuiteParameters | None = None,
        context: "CheckContext | None" = None,
    ) -> Evaluation:
        """Evaluate a table.

        Args:
            table: as published.
            suite: its name: FEED_GRAIN, or that of a file in the folder of suites, without `.json`.
            parameters: what the suite leaves open. An expectation whose parameter is not known is left out, and the
                result says so.
            context: what comes with the table.

        Raises:
            ConfigError: the suite is missing or wrong.
        """
        from fems.quality.gx import CheckContext

        view = table if isinstance(table, TableView) else TableView(table)
        known = (parameters or SuiteParameters()).to_gx()
        wanted = self._suite(suite, frozenset(known))
        result = self._context.validate(wanted.suite, view, known, context or CheckContext())
        findings = tuple(_finding(outcome) for outcome in result.results if not outcome.success)
        record = TableEvaluation(
            suite=suite,
            version=wanted.version,
            rows=len(view),
            evaluated=len(result.results),
            left_out=wanted.left_out,
            findings=findings,
            critical_failed=len(_of_severity(findings, "critical")),
            warning_failed=len(_of_severity(findings, "warning")),
        )
        return Evaluation(record, result)


def _of_severity(findings: Iterable[Finding], severity: str) -> list[Finding]:
    return [finding for finding in findings if finding.severity == severity]


def _parameters(kwargs: object) -> set[str]:
    """Return the names of the suite parameters in an expectation's arguments."""
    if not isinstance(kwargs, Mapping):
        return set()
    if set(kwargs) == {"$PARAMETER"}:
        return {str(kwargs["$PARAMETER"]).split()[0]}
    return set().union(*(_parameters(each) for each in kwargs.values()))


def _finding(outcome: Any) -> Finding:
    config, detail, error = outcome.expectation_config, outcome.result or {}, outcome.exception_info or {}
    raised = error.get("exception_message") or next(
        (e.get("exception_message") for e in error.values() if isinstance(e, dict)), None
    )
    return Finding(
        expectation=config.type,
        severity=str(getattr(config.severity, "value", config.severity)),
        column=config.kwargs.get("column"),
        unexpected=int(detail.get("unexpected_count") or 0),
        examples=tuple(str(v) for v in (detail.get("partial_unexpected_list") or [])[:3]),
        note=f"could not be evaluated: {raised}" if raised else _note(config),
    )


def _note(config: Any) -> str:
    notes = config.notes or (config.meta or {}).get("notes") or ""
    return notes if isinstance(notes, str) else " ".join(notes)
