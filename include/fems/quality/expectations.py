"""The package's own expectations: Great Expectations classes over the checks of `fems.quality.checks`.

Importing this module registers them, so that suites which name them can be read:
`import fems.quality.expectations`, then `great_expectations.ExpectationSuite(**json)`.

Each is one pass over the whole table. What only the platform knows (sensors, limits, the partition's grid) comes in as
suite parameters, `{"$PARAMETER": "limits"}`; tables to compare with come in beside the table (`beside`).
"""

from abc import abstractmethod
from typing import Any, ClassVar

import pandas as pd
from great_expectations.core.suite_parameters import SuiteParameterDict
from great_expectations.execution_engine import ExecutionEngine, PandasExecutionEngine
from great_expectations.expectations.expectation import BatchExpectation, render_suite_parameter_string
from great_expectations.expectations.metrics.metric_provider import metric_value
from great_expectations.expectations.metrics.table_metric_provider import TableMetricProvider
from great_expectations.render import LegacyRendererType, RenderedStringTemplateContent
from great_expectations.render.renderer.renderer import renderer

from fems.quality import checks, drift, layout
from fems.quality.table import EXAMPLES, CheckResult, place


class CheckContext:
    """Tables and figures that come with a table and are not part of it.

    It travels in the frame's `attrs`, which pandas copies deeply at every turn: this does not let itself be copied.
    """

    def __init__(self, **items: Any) -> None:
        self.items = items

    def __deepcopy__(self, memo: Any) -> "CheckContext":
        return self


class WholeTable(TableMetricProvider):
    """The table itself, once for all expectations of a suite."""

    metric_name = "table.fems_frame"

    @metric_value(engine=PandasExecutionEngine)
    def _pandas(
        cls,
        execution_engine: PandasExecutionEngine,
        metric_domain_kwargs: dict[str, Any],
        metric_value_kwargs: dict[str, Any],
        metrics: dict[str, Any],
        runtime_configuration: dict[str, Any],
    ) -> pd.DataFrame:
        frame, _, _ = execution_engine.get_compute_domain(metric_domain_kwargs, domain_type="table")
        return frame


class TableExpectation(BatchExpectation):
    """What the package's own expectations have in common: a check, and how its outcome is told."""

    metric_dependencies: ClassVar[tuple[str, ...]] = ("table.fems_frame",)

    @abstractmethod
    def check(self, table: pd.DataFrame, beside: dict[str, Any]) -> CheckResult:
        """Return what breaks the expectation."""

    def allowed(self, result: CheckResult) -> bool:
        """Tell whether so much at fault still meets the expectation."""
        return result.count == 0

    def _validate(
        self,
        metrics: dict[str, Any],
        runtime_configuration: dict[str, Any] | None = None,
        execution_engine: ExecutionEngine | None = None,
    ) -> dict[str, Any]:
        table = metrics["table.fems_frame"]
        beside = table.attrs.get("beside")
        found = self.check(table, beside.items if beside is not None else {})
        rows = [place(table, int(row)) for row in found.rows[:EXAMPLES]]
        examples = [*rows, *found.absent[: EXAMPLES - len(rows)]]
        return {
            "success": self.allowed(found),
            "result": {
                "observed_value": f"{found.count:,} of {found.of:,}",
                "element_count": found.of,
                "unexpected_count": found.count,
                "unexpected_percent": 100 * found.count / found.of if found.of else 0.0,
                "partial_unexpected_list": examples,
            },
        }

    @classmethod
    @renderer(renderer_type=LegacyRendererType.PRESCRIPTIVE)
    @render_suite_parameter_string
    def _prescriptive_renderer(
        cls, configuration: Any = None, result: Any = None, runtime_configuration: Any = None
    ) -> list[RenderedStringTemplateContent]:
        """Say in Data Docs what is expected: the first line of the class's own words, then the note of the suite."""
        notes = configuration.notes if configuration is not None else None
        text = " ".join(
            filter(None, [(cls.__doc__ or "").split("\n")[0], notes if isinstance(notes, str) else ""])
        )
        return [
            RenderedStringTemplateContent(
                content_block_type="string_template",
                string_template={"template": text.replace("$", "$$"), "params": {}},
            )
        ]


class ExpectOneRowPerSensorAndInterval(TableExpectation):
    """Every registered sensor has one row for every interval of the partition, in order, and there is no other row."""

    factory_id: str | SuiteParameterDict
    sensors: list[str] | SuiteParameterDict
    grid: dict[str, Any]

    def check(self, table: pd.DataFrame, beside: dict[str, Any]) -> CheckResult:
        """See `layout.one_row_each`."""
        return layout.one_row_each(table, str(self.factory_id), list(self.sensors), self.grid)


class ExpectColumnsToHaveTypes(TableExpectation):
    """Every column is of its type: time, text or number."""

    types: dict[str, str]

    def check(self, table: pd.DataFrame, beside: dict[str, Any]) -> CheckResult:
        """See `checks.typed`."""
        return checks.typed(table, self.types)


class ExpectValuesWithinLimits(TableExpectation):
    """Every value is within the limits of its sensor, and is finite."""

    limits: dict[str, Any]

    def check(self, table: pd.DataFrame, beside: dict[str, Any]) -> CheckResult:
        """See `checks.within`."""
        return checks.within(table, self.limits)


class ExpectFlagsToAgreeWithValues(TableExpectation):
    """Every row has a flag that there is, and a value is missing where its flag says so and nowhere else."""

    required: str

    def check(self, table: pd.DataFrame, beside: dict[str, Any]) -> CheckResult:
        """See `checks.flagged`."""
        return checks.flagged(table, self.required)


class ExpectValuesWhereCovered(TableExpectation):
    """An hour or a day has a value where enough of it was covered, and nowhere else."""

    required: str
    min_coverage_pct: float | SuiteParameterDict

    def check(self, table: pd.DataFrame, beside: dict[str, Any]) -> CheckResult:
        """See `checks.covered`."""
        return checks.covered(table, self.required, float(self.min_coverage_pct))


class ExpectValuesToBeThere(TableExpectation):
    """At least a share of the rows has a value in the column."""

    column: str
    min_share_pct: float

    def check(self, table: pd.DataFrame, beside: dict[str, Any]) -> CheckResult:
        """See `checks.there`."""
        return checks.there(table, self.column)

    def allowed(self, result: CheckResult) -> bool:
        """See the base class."""
        return result.of > 0 and 100 * (result.of - result.count) >= self.min_share_pct * result.of


class ExpectSensorsToBeMeasured(TableExpectation):
    """Of no sensor more than a share is replaced, filled or missing."""

    max_share_pct: float

    def check(self, table: pd.DataFrame, beside: dict[str, Any]) -> CheckResult:
        """See `checks.measured`."""
        return checks.measured(table, self.max_share_pct)


class ExpectSumsToAgreeWithNative(TableExpectation):
    """An hour's or a day's energy is the sum of its native intervals."""

    grid: dict[str, Any]
    sums: dict[str, Any]

    def check(self, table: pd.DataFrame, beside: dict[str, Any]) -> CheckResult:
        """See `checks.agrees`; without the native rows at hand there is nothing to compare."""
        if "native" not in beside:
            return CheckResult(0)
        return checks.agrees(table, beside["native"], self.grid, self.sums)


class ExpectEquipmentToAddUpToMainMeter(TableExpectation):
    """The machines' energy adds up to the main meter's, where there is one."""

    column: str
    main_meter: str | SuiteParameterDict
    tolerance_pct: float
    min_share_pct: float = 90.0

    def check(self, table: pd.DataFrame, beside: dict[str, Any]) -> CheckResult:
        """See `checks.adds_up`."""
        return checks.adds_up(table, self.column, str(self.main_meter), self.tolerance_pct)

    def allowed(self, result: CheckResult) -> bool:
        """See the base class."""
        return 100 * (result.of - result.count) >= self.min_share_pct * result.of


class ExpectLawsBetweenColumns(TableExpectation):
    """The book's laws between columns hold, but for a share of the rows."""

    laws: dict[str, Any]
    laws_not_applied: list[Any] | SuiteParameterDict
    max_broken_pct: float

    def check(self, table: pd.DataFrame, beside: dict[str, Any]) -> CheckResult:
        """See `checks.lawful`."""
        return checks.lawful(table, self.laws, self.laws_not_applied)

    def allowed(self, result: CheckResult) -> bool:
        """See the base class."""
        return 100 * result.count <= self.max_broken_pct * result.of


class ExpectSensorsToBeHeard(TableExpectation):
    """No sensor is silent at the end of the partition."""

    column: str
    max_silence_hours: float

    def check(self, table: pd.DataFrame, beside: dict[str, Any]) -> CheckResult:
        """See `checks.heard`."""
        return checks.heard(table, self.column, self.max_silence_hours)


class ExpectSensorsToVary(TableExpectation):
    """No sensor says one and the same from beginning to end."""

    column: str
    min_days: float

    def check(self, table: pd.DataFrame, beside: dict[str, Any]) -> CheckResult:
        """See `checks.varying`."""
        return checks.varying(table, self.column, self.min_days)


class ExpectLevelsAsBefore(TableExpectation):
    """Level and spread of every column are those of the last accepted months."""

    max_times: float

    def check(self, table: pd.DataFrame, beside: dict[str, Any]) -> CheckResult:
        """See `drift.moved`; without earlier months there is nothing to compare."""
        return drift.moved(beside.get("profile", {}), beside.get("usual", {}), self.max_times)


class ExpectRhythmAsBefore(TableExpectation):
    """The day has the rhythm of the last accepted months, and not an hour or more later or earlier."""

    min_gain: float

    def check(self, table: pd.DataFrame, beside: dict[str, Any]) -> CheckResult:
        """See `drift.shifted`; without earlier months there is nothing to compare."""
        return drift.shifted(beside.get("profile", {}), beside.get("usual", {}), self.min_gain)


class ExpectQuantilesInOrder(TableExpectation):
    """A lower quantile is not above a higher one."""

    columns: list[str]

    def check(self, table: pd.DataFrame, beside: dict[str, Any]) -> CheckResult:
        """See `checks.in_order`."""
        return checks.in_order(table, self.columns)


class ExpectEquipmentToAddUpToFactory(TableExpectation):
    """The machines' forecasts add up to the factory's."""

    column: str

    def check(self, table: pd.DataFrame, beside: dict[str, Any]) -> CheckResult:
        """See `checks.equals_sum`; without the factory's table there is nothing to compare."""
        return (
            checks.equals_sum(table, beside["factory"], self.column)
            if "factory" in beside
            else CheckResult(0)
        )


class ExpectTotalNearRecent(TableExpectation):
    """The total is not many times what was measured of late, nor a small part of it."""

    column: str
    usual_per_hour: float | SuiteParameterDict
    hours: float | SuiteParameterDict
    max_times: float

    def check(self, table: pd.DataFrame, beside: dict[str, Any]) -> CheckResult:
        """See `checks.near`."""
        return checks.near(table, self.column, float(self.usual_per_hour), float(self.hours), self.max_times)
