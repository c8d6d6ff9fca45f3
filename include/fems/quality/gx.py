"""Great Expectations, as far as this package touches it: a base class of expectations, a suite, a validation.

Great Expectations ships no types, so everything that is untyped stands here.

Expectations that Great Expectations ships are validated by its own `Validator`, the one behind `Batch.validate`, with
the frame as its batch. What is left out is the way through data source, asset and batch definition, which fetches the
batch twice and hashes every cell of it each time. The package's own need no graph of metrics, since the table is all
they ask for: they are called as the validator would call them (`metrics_validate`). The result is a suite's as ever.
"""

import traceback
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import great_expectations as gx
import pandas as pd
from great_expectations.core import ExpectationSuiteValidationResult, ExpectationValidationResult
from great_expectations.core.batch import Batch
from great_expectations.core.result_format import ResultFormat
from great_expectations.core.suite_parameters import parse_suite_parameter
from great_expectations.data_context.types.base import ProgressBarsConfig
from great_expectations.execution_engine import PandasExecutionEngine
from great_expectations.execution_engine.pandas_batch_data import PandasBatchData
from great_expectations.expectations.expectation import BatchExpectation, render_suite_parameter_string
from great_expectations.render import LegacyRendererType, RenderedStringTemplateContent
from great_expectations.render.renderer.renderer import renderer
from great_expectations.validator.exception_info import ExceptionInfo
from great_expectations.validator.metric_configuration import MetricConfiguration
from great_expectations.validator.validation_statistics import calc_validation_statistics
from great_expectations.validator.validator import ValidationDependencies, Validator

from fems.contracts.evaluation import Profile
from fems.quality.table import EXAMPLES, CheckResult, TableView

_METRIC = MetricConfiguration("table.fems_view", {}, {})
"""Stands for the table where Great Expectations asks for metrics."""

_PARAMETER = "$PARAMETER"

_OF_COLUMNS = frozenset(
    [
        "expect_column_to_exist",
        "expect_table_column_count_to_be_between",
        "expect_table_column_count_to_equal",
        "expect_table_columns_to_match_ordered_list",
        "expect_table_columns_to_match_set",
    ]
)
"""What Great Expectations ships that asks for a table's columns and nothing else."""


@dataclass(frozen=True)
class CheckContext:
    """Tables and figures that come with a table and are not part of it.

    Attributes:
        native: the native rows of the same partition.
        profile: of the partition's hours.
        baseline: profile of the last accepted months.
        factory: the sum of a forecast by machine.
    """

    native: TableView | None = None
    profile: Profile = field(default_factory=dict)
    baseline: Profile = field(default_factory=dict)
    factory: pd.DataFrame | None = None


class _Attached:
    """A table and its context, with the results of checks that two expectations share."""

    def __init__(self, view: TableView, context: CheckContext) -> None:
        self.view, self.context = view, context
        self.results: dict[tuple[str, str], CheckResult] = {}


class TableExpectation(BatchExpectation):  # type: ignore[misc]
    """What the package's own expectations have in common: a check of the whole table, and how its result is shown."""

    @abstractmethod
    def check(self, table: TableView, context: CheckContext) -> CheckResult:
        """Return what breaks the expectation."""

    def allowed(self, result: CheckResult) -> bool:
        """Tell whether so much at fault still meets the expectation."""
        return result.count == 0

    def check_key(self) -> str | None:
        """Return under which name the check's result may be used again by another expectation of this class.

        None where it may not: two severities of one rule need one check only if the threshold is not part of it.
        """
        return None

    def filled_in(self, parameters: dict[str, object]) -> "TableExpectation":
        """Return the expectation with the values of its suite parameters, `{"$PARAMETER": name}`."""
        values = {name: _value(getattr(self, name), parameters) for name in self.__fields__}
        filled: TableExpectation = self.copy(update={k: v for k, v in values.items() if v is not None})
        return filled

    def validate_table(self, attached: _Attached) -> ExpectationValidationResult:
        """Return Great Expectations' own result; what cannot be evaluated is not met."""
        try:
            return self.metrics_validate({_METRIC.id: attached})
        except Exception as error:
            info = ExceptionInfo(exception_traceback=traceback.format_exc(), exception_message=str(error))
            return ExpectationValidationResult(
                success=False, exception_info=info, expectation_config=self.configuration
            )

    def get_validation_dependencies(
        self, execution_engine: object = None, runtime_configuration: dict[str, object] | None = None
    ) -> ValidationDependencies:
        """Return what a check needs of Great Expectations: the table, and nothing that it would have to work out."""
        return ValidationDependencies({_METRIC.metric_name: _METRIC}, {"result_format": ResultFormat.BASIC})

    def _validate(
        self,
        metrics: dict[str, _Attached],
        runtime_configuration: dict[str, object] | None = None,
        execution_engine: object = None,
    ) -> dict[str, object]:
        attached, key = metrics[_METRIC.metric_name], self.check_key()
        name = (type(self).__name__, key or "")
        result = attached.results.get(name) if key else None
        if result is None:
            result = attached.results[name] = self.check(attached.view, attached.context)
        rows = [attached.view.describe_row(int(row)) for row in result.rows[:EXAMPLES]]
        return {
            "success": self.allowed(result),
            "result": {
                "observed_value": f"{result.count:,} of {result.of:,}",
                "element_count": result.of,
                "unexpected_count": result.count,
                "unexpected_percent": 100 * result.count / result.of if result.of else 0.0,
                "partial_unexpected_list": [*rows, *result.messages[: EXAMPLES - len(rows)]],
            },
        }

    @classmethod
    @renderer(renderer_type=LegacyRendererType.PRESCRIPTIVE)  # type: ignore[untyped-decorator]
    @render_suite_parameter_string  # type: ignore[untyped-decorator]
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


def _value(given: object, parameters: dict[str, object]) -> object:
    """Return the value of a field that names a suite parameter, or reckons with one; None for any other field."""
    if not isinstance(given, dict) or set(given) != {_PARAMETER}:
        return None
    name = given[_PARAMETER]
    return parameters[name] if name in parameters else parse_suite_parameter(name, parameters)


class Context:
    """Great Expectations' own context: in memory, silent, and set up once for many validations."""

    def __init__(self) -> None:
        self._context = gx.get_context(mode="ephemeral")
        self._context.variables.progress_bars = ProgressBarsConfig(globally=False)
        self._context.variables.analytics_enabled = False
        self._of_columns: dict[str, Any] = {}

    @staticmethod
    def suite(name: str, expectations: Sequence[dict[str, object]]) -> Any:
        """Return Great Expectations' own suite.

        Raises:
            ValueError: an expectation is unknown or wrong.
        """
        try:
            return gx.ExpectationSuite(name=name, expectations=list(expectations))
        except Exception as error:  # it raises its own errors, pydantic's and plain TypeErrors
            raise ValueError(str(error)) from error

    def validate(
        self, suite: Any, view: TableView, parameters: dict[str, object], context: CheckContext
    ) -> Any:
        """Validate a table.

        Args:
            suite: see `suite`.
            view: the table.
            parameters: of the suite.
            context: what comes with the table.

        Returns:
            Great Expectations' own result of the suite.
        """
        attached = _Attached(view, context)
        own = [
            each.filled_in(parameters) for each in suite.expectations if isinstance(each, TableExpectation)
        ]
        shipped = [
            each.configuration for each in suite.expectations if not isinstance(each, TableExpectation)
        ]
        results = self._run(shipped, view.frame, parameters)
        results += [each.validate_table(attached) for each in own]
        statistics = calc_validation_statistics(results)
        return ExpectationSuiteValidationResult(
            results=results,
            success=statistics.success,
            suite_name=suite.name,
            statistics={
                "evaluated_expectations": statistics.evaluated_expectations,
                "successful_expectations": statistics.successful_expectations,
                "unsuccessful_expectations": statistics.unsuccessful_expectations,
                "success_percent": statistics.success_percent,
            },
            meta={"great_expectations_version": gx.__version__},
        )

    def _run(
        self, configurations: list[Any], frame: pd.DataFrame, parameters: dict[str, object]
    ) -> list[Any]:
        """Validate what Great Expectations ships; what asks for columns alone, once for all tables that have them."""
        results, others = [], []
        for each in configurations:
            if each.type not in _OF_COLUMNS:
                others.append(each)
                continue
            named = {name: _value(given, parameters) for name, given in each.kwargs.items()}
            key = repr((each.type, each.severity, each.notes, each.kwargs, named, list(frame.columns)))
            if key not in self._of_columns:
                self._of_columns[key] = self._validated([each], frame, parameters)[0]
            results.append(self._of_columns[key])
        return results + (self._validated(others, frame, parameters) if others else [])

    def _validated(
        self, configurations: list[Any], frame: pd.DataFrame, parameters: dict[str, object]
    ) -> list[Any]:
        """Validate by Great Expectations' own validator."""
        engine = PandasExecutionEngine()
        batch = Batch(data=PandasBatchData(engine, frame))
        validator = Validator(execution_engine=engine, batches=[batch], data_context=self._context)
        wanted = validator.process_expectations_for_validation(configurations, parameters)
        results: list[Any] = validator.graph_validate(wanted, {"result_format": ResultFormat.BASIC.value})
        return results
