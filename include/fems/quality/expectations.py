"""The package's own expectations: Great Expectations classes over the checks of `fems.quality.checks`.

Importing this module registers them, so that suites which name them can be read:
`import fems.quality.expectations`, then `great_expectations.ExpectationSuite(**json)`.

Each is one pass over the whole table. What only the platform knows (sensors, columns, limits, the table's intervals)
comes in as suite parameters, `{"$PARAMETER": "limits"}`; tables to compare with come in as the check's context.
"""

from typing import TYPE_CHECKING, Any, TypeAlias

from fems.quality import baseline, checks
from fems.quality.grid import Grid, misplaced_rows
from fems.quality.gx import CheckContext, TableExpectation
from fems.quality.table import CheckResult, TableView
from fems.registry.rules import Consistency

# In a suite's file a parameter stands as {"$PARAMETER": name}; it is filled in before a check runs.
if TYPE_CHECKING:
    Text: TypeAlias = str
    Number: TypeAlias = float
    Names: TypeAlias = list[str]
    Pairs: TypeAlias = list[tuple[str, str]]
else:
    Text, Number, Names = str | dict, float | dict, list[str] | dict
    Pairs = list[tuple[str, str]] | dict
Record = dict[str, Any]
"""A parameter that is a dictionary itself: JSON, as Great Expectations hands it on."""


class ExpectOneRowPerSensorAndInterval(TableExpectation):
    """Every registered sensor has one row for every interval of the partition, in order, and there is no other row."""

    factory_id: Text
    sensors: Names
    grid: Record

    def check(self, table: TableView, context: CheckContext) -> CheckResult:
        """See `grid.misplaced_rows`."""
        return misplaced_rows(table, self.factory_id, self.sensors, Grid(**self.grid))


class ExpectColumnsToHaveTypes(TableExpectation):
    """Every column is of its type: time, text or number."""

    types: Record

    def check(self, table: TableView, context: CheckContext) -> CheckResult:
        """See `checks.wrong_types`."""
        return checks.wrong_types(table, self.types)


class ExpectValuesWithinLimits(TableExpectation):
    """Every value is within the limits of its sensor, and is finite."""

    limits: Record

    def check(self, table: TableView, context: CheckContext) -> CheckResult:
        """See `checks.outside_limits`."""
        return checks.outside_limits(table, self.limits)


class ExpectFlagsToAgreeWithValues(TableExpectation):
    """Every row has a known flag, and a value is missing where its flag says so and nowhere else."""

    main_column: Text

    def check(self, table: TableView, context: CheckContext) -> CheckResult:
        """See `checks.wrong_flags`."""
        return checks.wrong_flags(table, self.main_column)


class ExpectValuesWhereCovered(TableExpectation):
    """An hour or a day has a value where enough of it was covered, and nowhere else."""

    main_column: Text
    min_coverage_pct: Number

    def check(self, table: TableView, context: CheckContext) -> CheckResult:
        """See `checks.wrong_coverage`."""
        return checks.wrong_coverage(table, self.main_column, self.min_coverage_pct)


class ExpectValuesToBePresent(TableExpectation):
    """At least a share of the rows has a value in the column."""

    column: Text
    min_share_pct: float

    def check(self, table: TableView, context: CheckContext) -> CheckResult:
        """See `checks.missing_values`."""
        return checks.missing_values(table, self.column)

    def check_key(self) -> str:
        """See the base class."""
        return self.column

    def allowed(self, result: CheckResult) -> bool:
        """See the base class."""
        return result.of > 0 and 100 * (result.of - result.count) >= self.min_share_pct * result.of


class ExpectSensorsToBeMeasured(TableExpectation):
    """Of no sensor more than a share is replaced, filled or missing."""

    max_share_pct: Number

    def check(self, table: TableView, context: CheckContext) -> CheckResult:
        """See `checks.estimated_sensors`."""
        return checks.estimated_sensors(table, self.max_share_pct)


class ExpectSumsToAgreeWithNative(TableExpectation):
    """An hour's or a day's quantity is the sum of its native intervals."""

    grid: Record
    sums: Record

    def check(self, table: TableView, context: CheckContext) -> CheckResult:
        """See `checks.wrong_sums`; without the native rows at hand there is nothing to compare."""
        if context.native is None:
            return CheckResult(0)
        return checks.wrong_sums(table, context.native, Grid(**self.grid), self.sums)


class ExpectEquipmentToAddUpToMainMeter(TableExpectation):
    """The machines' energy adds up to the main meter's, where there is one."""

    column: Text
    main_meter: Text
    parts: Names
    tolerance_pct: float
    min_share_pct: float = 90.0

    def check(self, table: TableView, context: CheckContext) -> CheckResult:
        """See `checks.main_meter_gaps`."""
        return checks.main_meter_gaps(table, self.column, self.main_meter, self.parts, self.tolerance_pct)

    def allowed(self, result: CheckResult) -> bool:
        """See the base class."""
        return 100 * (result.of - result.count) >= self.min_share_pct * result.of


class ExpectSubmetersWithinTheirMeter(TableExpectation):
    """The meters behind another one measure no more than it does."""

    column: Text
    meter_tree: Record
    tolerance_pct: float
    min_share_pct: float = 99.0

    def check(self, table: TableView, context: CheckContext) -> CheckResult:
        """See `checks.negative_remainders`."""
        return checks.negative_remainders(table, self.column, self.meter_tree, self.tolerance_pct)

    def allowed(self, result: CheckResult) -> bool:
        """See the base class."""
        return 100 * (result.of - result.count) >= self.min_share_pct * result.of


class ExpectLawsBetweenColumns(TableExpectation):
    """The book's laws between columns hold, but for a share of the rows."""

    laws: Record
    laws_not_applied: Pairs
    max_broken_pct: float

    def check(self, table: TableView, context: CheckContext) -> CheckResult:
        """See `checks.broken_laws`."""
        laws = {name: Consistency.model_validate(law) for name, law in self.laws.items()}
        return checks.broken_laws(table, laws, self.laws_not_applied)

    def check_key(self) -> str:
        """See the base class."""
        return "laws"

    def allowed(self, result: CheckResult) -> bool:
        """See the base class."""
        return 100 * result.count <= self.max_broken_pct * result.of


class ExpectSensorsToReport(TableExpectation):
    """No sensor is silent at the end of the partition."""

    column: Text
    max_silence_hours: float

    def check(self, table: TableView, context: CheckContext) -> CheckResult:
        """See `checks.silent_sensors`."""
        return checks.silent_sensors(table, self.column, self.max_silence_hours)


class ExpectSensorsToVary(TableExpectation):
    """No sensor shows one and the same value from beginning to end."""

    column: Text
    min_days: float

    def check(self, table: TableView, context: CheckContext) -> CheckResult:
        """See `checks.constant_sensors`."""
        return checks.constant_sensors(table, self.column, self.min_days)


class ExpectLevelsAsBefore(TableExpectation):
    """Level and spread of every column are those of the last accepted months."""

    max_times: Number

    def check(self, table: TableView, context: CheckContext) -> CheckResult:
        """See `baseline.level_changes`; without earlier months there is nothing to compare."""
        return baseline.level_changes(context.profile, context.baseline, self.max_times)


class ExpectRhythmAsBefore(TableExpectation):
    """The day has the rhythm of the last accepted months, and not an hour or more later or earlier."""

    min_gain: Number

    def check(self, table: TableView, context: CheckContext) -> CheckResult:
        """See `baseline.clock_shifts`; without earlier months there is nothing to compare."""
        return baseline.clock_shifts(context.profile, context.baseline, self.min_gain)


class ExpectQuantilesInOrder(TableExpectation):
    """A lower quantile is not above a higher one."""

    columns: list[str]

    def check(self, table: TableView, context: CheckContext) -> CheckResult:
        """See `checks.crossed_quantiles`."""
        return checks.crossed_quantiles(table, self.columns)


class ExpectEquipmentToAddUpToFactory(TableExpectation):
    """The machines' forecasts add up to the factory's."""

    column: Text

    def check(self, table: TableView, context: CheckContext) -> CheckResult:
        """See `checks.wrong_totals`; without the factory's table there is nothing to compare."""
        if context.factory is None:
            return CheckResult(0)
        return checks.wrong_totals(table, context.factory, self.column)


class ExpectTotalNearRecent(TableExpectation):
    """The total is not many times what was measured of late, nor a small part of it."""

    column: Text
    usual_per_hour: Number
    hours: Number
    max_times: float

    def check(self, table: TableView, context: CheckContext) -> CheckResult:
        """See `checks.unusual_total`."""
        return checks.unusual_total(table, self.column, self.usual_per_hour, self.hours, self.max_times)
