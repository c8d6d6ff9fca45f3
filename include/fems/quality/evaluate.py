"""Evaluate a table against its suite, with Great Expectations' own API."""

import json
import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from fems.canonical import fingerprint
from fems.contracts.evaluation import Finding, TableEvaluation
from fems.errors import ConfigError, QualityFailed

OWN = "fems"
"""The folder, beside GX's own suites, of those that name this package's expectations."""


@dataclass(frozen=True)
class Evaluation:
    """The result of a suite on one table.

    Attributes:
        suite: its name.
        version: fingerprint of the suite's text.
        rows: of the table.
        evaluated: how many expectations were.
        left_out: expectations that were not, because what they compare with is not known here.
        findings: what was not met.
        result: Great Expectations' own, for Data Docs.
    """

    suite: str
    version: str
    rows: int
    evaluated: int
    left_out: tuple[str, ...]
    findings: tuple[Finding, ...]
    result: Any = field(repr=False, compare=False)

    def failed(self, severity: str) -> list[Finding]:
        """Return the findings of one severity."""
        return [f for f in self.findings if f.severity == severity]

    def record(self) -> TableEvaluation:
        """Return what is stored of it, without Great Expectations' own result."""
        return TableEvaluation(
            suite=self.suite,
            version=self.version,
            rows=self.rows,
            evaluated=self.evaluated,
            left_out=self.left_out,
            findings=self.findings,
            critical_failed=len(self.failed("critical")),
            warning_failed=len(self.failed("warning")),
        )

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
            raise QualityFailed(f"{what}: {refused}. Suite {self.suite}: {critical[0]}{more}")


class Evaluator:
    """Great Expectations, set up once for many tables."""

    def __init__(self, suites_dir: Path) -> None:
        import great_expectations as gx
        from great_expectations.data_context.types.base import ProgressBarsConfig

        import fems.quality.expectations  # noqa: F401 - registers the package's own

        logging.getLogger("great_expectations").setLevel(logging.WARNING)
        self._dir = suites_dir
        self._context = gx.get_context(mode="ephemeral")
        self._context.variables.progress_bars = ProgressBarsConfig(globally=False)
        self._context.variables.analytics_enabled = False
        asset = self._context.data_sources.add_pandas("tables").add_dataframe_asset("table")
        self._batch = asset.add_batch_definition_whole_dataframe("whole")
        self._texts: dict[str, list[dict[str, Any]]] = {}
        self._suites: dict[tuple[str, frozenset[str]], tuple[Any, tuple[str, ...]]] = {}

    def names(self) -> list[str]:
        """Return the suites that there are."""
        return sorted({path.stem for path in [*self._dir.glob("*.json"), *(self._dir / OWN).glob("*.json")]})

    def _expectations(self, name: str) -> list[dict[str, Any]]:
        """Return a suite's expectations: Great Expectations' own, then this package's."""
        if name not in self._texts:
            paths = [p for p in (self._dir / f"{name}.json", self._dir / OWN / f"{name}.json") if p.is_file()]
            if not paths:
                known = ", ".join(self.names()) or "none"
                raise ConfigError(f"{self._dir / name}.json: there is no such suite (there are: {known})")
            found: list[dict[str, Any]] = []
            for path in paths:
                try:
                    found += json.loads(path.read_text(encoding="utf-8"))["expectations"]
                except OSError as error:
                    raise ConfigError(f"{path}: cannot be read ({error.strerror})") from error
                except (ValueError, KeyError, TypeError) as error:
                    raise ConfigError(f"{path}: is not a suite in JSON: {error}") from error
            self._texts[name] = found
        return self._texts[name]

    def _suite(self, name: str, given: frozenset[str]) -> tuple[Any, tuple[str, ...]]:
        """Return the suite as far as its parameters are given, and what is left out."""
        import great_expectations as gx

        if (name, given) not in self._suites:
            known, left_out = [], []
            for each in self._expectations(name):
                if _parameters(each.get("kwargs", {})) <= given:
                    known.append(each)
                else:
                    left_out.append(str(each.get("type")))
            try:
                suite = gx.ExpectationSuite(name=name, expectations=known)
            except Exception as error:  # GX raises its own errors, pydantic's and plain TypeErrors
                raise ConfigError(
                    f"{self._dir / name}.json: is not a suite that Great Expectations accepts: {error}"
                ) from error
            self._suites[name, given] = (suite, tuple(left_out))
        return self._suites[name, given]

    def evaluate(
        self,
        table: pd.DataFrame,
        suite: str,
        parameters: dict[str, Any] | None = None,
        beside: dict[str, Any] | None = None,
    ) -> Evaluation:
        """Evaluate a table.

        Args:
            table: as published.
            suite: name of a file in the folder of suites, without `.json`.
            parameters: what the suite leaves open (see `fems.quality.parameters`). An expectation whose parameter is
                not given is left out, and the result says so.
            beside: what the package's own expectations compare with: `native` (rows), `usual` and `profile` (see
                `fems.quality.drift`), `factory` (a forecast's sum).

        Raises:
            ConfigError: the suite is missing or wrong.
        """
        from fems.quality.expectations import CheckContext

        given = parameters or {}
        expectations, left_out = self._suite(suite, frozenset(given))
        shown = table.copy(deep=False)
        shown.attrs = {"beside": CheckContext(**(beside or {}))}
        batch = self._batch.get_batch(batch_parameters={"dataframe": shown})
        result = batch.validate(expectations, result_format="BASIC", expectation_parameters=given)
        findings = tuple(_finding(outcome) for outcome in result.results if not outcome.success)
        version = fingerprint(self._expectations(suite))
        return Evaluation(suite, version, len(table), len(result.results), left_out, findings, result)


def _parameters(kwargs: Any) -> set[str]:
    """Return the names of the suite parameters in an expectation's arguments."""
    if isinstance(kwargs, dict):
        if set(kwargs) == {"$PARAMETER"}:
            return {kwargs["$PARAMETER"].split()[0]}
        return set().union(*(_parameters(each) for each in kwargs.values()))
    return set()


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
