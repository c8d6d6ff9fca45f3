"""Evaluate a table against its suite, with Great Expectations' own API."""

import json
import logging
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from fems.errors import ConfigError, QualityFailed


@dataclass(frozen=True)
class Finding:
    """An expectation that was not met."""

    expectation: str
    severity: str
    column: str | None
    unexpected: int
    examples: tuple[str, ...]
    note: str

    def __str__(self) -> str:
        what = f"{self.expectation}({self.column})" if self.column else self.expectation
        examples = f", such as {', '.join(self.examples)}" if self.examples else ""
        return f"{what}: {self.unexpected} rows{examples}. {self.note}".strip()


@dataclass(frozen=True)
class Evaluation:
    """The result of a suite on one table."""

    suite: str
    rows: int
    evaluated: int
    findings: tuple[Finding, ...]

    def failed(self, severity: str) -> list[Finding]:
        """Return the findings of one severity."""
        return [f for f in self.findings if f.severity == severity]

    def to_json(self) -> dict[str, Any]:
        """Return a plain structure for storage."""
        return {
            **asdict(self),
            "critical_failed": len(self.failed("critical")),
            "warning_failed": len(self.failed("warning")),
        }

    def require(self, what: str) -> None:
        """Refuse a table with a critical finding.

        Raises:
            QualityFailed: names the table, the expectation, the rows and examples.
        """
        critical = self.failed("critical")
        if critical:
            more = f" (and {len(critical) - 1} more)" if len(critical) > 1 else ""
            raise QualityFailed(f"{what}: not published. Suite {self.suite}: {critical[0]}{more}")


class Evaluator:
    """Great Expectations, set up once for many tables."""

    def __init__(self, suites_dir: Path) -> None:
        import great_expectations as gx
        from great_expectations.data_context.types.base import ProgressBarsConfig

        logging.getLogger("great_expectations").setLevel(logging.WARNING)
        self._dir = suites_dir
        self._context = gx.get_context(mode="ephemeral")
        self._context.variables.progress_bars = ProgressBarsConfig(globally=False)
        self._context.variables.analytics_enabled = False
        asset = self._context.data_sources.add_pandas("tables").add_dataframe_asset("table")
        self._batch = asset.add_batch_definition_whole_dataframe("whole")
        self._suites: dict[str, Any] = {}

    def _suite(self, name: str) -> Any:
        import great_expectations as gx

        if name not in self._suites:
            path = self._dir / f"{name}.json"
            try:
                self._suites[name] = gx.ExpectationSuite(**json.loads(path.read_text(encoding="utf-8")))
            except OSError as error:
                raise ConfigError(f"{path}: cannot be read ({error.strerror})") from error
            except (
                Exception
            ) as error:  # GX raises its own errors, pydantic's and plain TypeErrors for a wrong suite
                raise ConfigError(
                    f"{path}: is not a suite that Great Expectations accepts: {error}"
                ) from error
        return self._suites[name]

    def evaluate(self, table: pd.DataFrame, suite: str) -> Evaluation:
        """Evaluate a table.

        Args:
            table: as published.
            suite: name of a file in the folder of suites, without `.json`.

        Raises:
            ConfigError: the suite is missing or wrong.
        """
        expectations = self._suite(suite)
        batch = self._batch.get_batch(batch_parameters={"dataframe": table})
        result = batch.validate(expectations, result_format="BASIC")
        findings = []
        for outcome in result.results:
            if outcome.success:
                continue
            config = outcome.expectation_config
            detail = outcome.result or {}
            error = outcome.exception_info or {}
            raised = error.get("exception_message") or next(
                (e.get("exception_message") for e in error.values() if isinstance(e, dict)), None
            )
            findings.append(
                Finding(
                    expectation=config.type,
                    severity=str(getattr(config.severity, "value", config.severity)),
                    column=config.kwargs.get("column"),
                    unexpected=int(detail.get("unexpected_count") or 0),
                    examples=tuple(str(v) for v in (detail.get("partial_unexpected_list") or [])[:3]),
                    note=_note(config) if not raised else f"could not be evaluated: {raised}",
                )
            )
        return Evaluation(suite, len(table), len(result.results), tuple(findings))


def _note(config: Any) -> str:
    notes = config.notes or (config.meta or {}).get("notes") or ""
    return notes if isinstance(notes, str) else " ".join(notes)
