"""The demo: files of a simulated plant and of a real factory, through Airflow to next month's forecast.

The last month is kept back at first. What is there without it trains the models, which forecast it; then it is landed,
and `monitor` puts beside each forecast what was measured. So the track record is a real one.
"""

import json
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from rich.console import Console

from embedded import dagruns
from embedded.credentials import write_private
from embedded.demo_files import RawFiles
from embedded.progress import Progress, Step
from embedded.stack import Stack
from fems.errors import ConfigError, FemsError, ServiceUnavailable

if TYPE_CHECKING:
    from fems.flows.platform import Platform

# Seconds in which a Dag file has to be seen by Airflow, and a model's partition has to start its forecast.
PATIENCE = 180


class DagRunFailed(FemsError):
    """A Dag run of the demo failed. Names the task, its log file and the errors in it."""


@dataclass
class Demo:
    """One run of the demo."""

    stack: Stack
    console: Console
    factories: Sequence[str] = ()
    months: int = 14
    epochs: int = 20
    runs: list[dict[str, Any]] = field(default_factory=list)
    instances: list[dict[str, Any]] = field(default_factory=list)

    def run(self) -> dict[str, Any]:
        """Do all steps and return the summary, which is also written to demo/summary.json.

        Raises:
            FemsError: a step failed; says which and what to do.
        """
        start = time.monotonic()
        self.progress = Progress(self.console)
        with self.progress.step("start the services") as step:
            self.stack.up(report=lambda title, seconds: step.say(f"{title} {seconds:.1f} s"))
        platform = self._platform()
        files = RawFiles(platform, self.stack.config.state / "plant", self._choose(platform), self.months)
        with self.progress.step("simulate the plant") as step:
            files.simulate(step)
        with self.progress.step("land raw files") as step:
            landed = files.land(step)
        self.api = self.stack.airflow()
        with self.progress.step("Airflow reads the Dags"):
            self._unpause("ingest", "traps", "train", "forecast")
        self._through("ingest", {"factories": landed})
        new = [key for key in landed if not platform.lake.forecasts.folders(key)]
        if new:
            trained = self._through("train", {"factories": new, "epochs": self.epochs})
            with self.progress.step("Dag forecast") as step:
                self._forecasts(new, trained["queued_at"], step)
        else:
            self.console.print("  train and forecast: every factory has a model and a forecast; skipped")
        if files.keeps_back:
            with self.progress.step("land the last month") as step:
                files.land(step, last_month=True)
            self._through("ingest", {"factories": landed}, "Dag ingest, last month")
        self._watch_traps(platform, landed)
        self._unpause("monitor")
        self._through("monitor", {"factories": landed})
        waiting = self._without_forecast(landed)
        if waiting:
            self._through("forecast", {"factories": waiting}, "Dag forecast, next month")
        self._unpause("retrain")  # last: a training that the monitor asks for would run beside the demo
        with self.progress.step("collect the results"):
            summary = self._summary(platform, landed, start)
        self._show(summary)
        return summary

    def _platform(self) -> "Platform":
        from fems.flows.platform import Platform
        from fems.settings import settings

        os.environ.update(self.stack.environment())
        settings.cache_clear()
        return Platform.from_environment()

    def _choose(self, platform: "Platform") -> list[str]:
        for factory_id in self.factories:
            platform.plant.factory(factory_id)
        return list(self.factories or platform.plant.factories)

    def _unpause(self, *dag_ids: str) -> None:
        """Wait until Airflow has read the Dags, and let them run."""
        deadline = time.monotonic() + PATIENCE
        missing = set(dag_ids)
        while missing := {dag_id for dag_id in missing if self.api.dag(dag_id) is None}:
            broken = self.api.import_errors()
            if broken:
                told = "; ".join(f"{name}: {error}" for name, error in broken.items())
                raise ConfigError(f"Airflow can't import a Dag file: {told}")
            if time.monotonic() > deadline:
                raise ServiceUnavailable(
                    f"Airflow has not read the Dags {', '.join(sorted(missing))} "
                    f"from {self.stack.config.dags}: see `python -m embedded logs dag-processor`"
                )
            time.sleep(1)
        for dag_id in dag_ids:
            self.api.unpause(dag_id)

    def _through(self, dag_id: str, conf: dict[str, Any], title: str = "") -> dict[str, Any]:
        """Start a Dag run, wait for its end and return it."""
        with self.progress.step(title or f"Dag {dag_id}") as step:
            run_id = self.api.trigger(dag_id, conf)
            while True:
                run = self.api.run(dag_id, run_id)
                instances = self.api.task_instances(dag_id, run_id)
                ahead = self.api.runs(dag_id, state="running") if run["state"] == "queued" else []
                if ahead:  # a run of the schedule's own, which began when the Dag was unpaused
                    before = ahead[0]["dag_run_id"]
                    told = dagruns.progress_text(self.api.task_instances(dag_id, before))
                    step.say(f"behind {before}: {told}")
                else:
                    step.say(dagruns.progress_text(instances))
                if run["state"] in ("success", "failed"):
                    self._keep(run, instances)
                    return run
                time.sleep(2)

    def _forecasts(self, factories: Sequence[str], since: str, step: Step) -> None:
        """Wait for the runs that the models' partitions start: one a factory, newer than the training."""
        deadline = time.monotonic() + PATIENCE
        while True:
            runs = self.api.runs("forecast", run_after_gte=since)
            by_factory = {(run["partition_key"] or "").partition("|")[0]: run for run in runs}
            states = {key: by_factory[key]["state"] for key in factories if key in by_factory}
            ended = [key for key, state in states.items() if state in ("success", "failed")]
            step.say(f"{len(ended)}/{len(factories)} factories")
            if len(ended) == len(factories):
                break
            if len(states) < len(factories) and time.monotonic() > deadline:
                absent = ", ".join(key for key in factories if key not in states)
                raise ServiceUnavailable(
                    f"no run of the Dag forecast was started for {absent} within {PATIENCE} s "
                    f"of their training: look at the asset's events in {self.stack.config.airflow_url}/assets"
                )
            if set(states) == set(factories):
                deadline = float("inf")
            time.sleep(2)
        for key in factories:
            run = by_factory[key]
            self._keep(run, self.api.task_instances("forecast", run["dag_run_id"]))

    def _keep(self, run: dict[str, Any], instances: list[dict[str, Any]]) -> None:
        self.runs.append(run)
        for instance in instances:
            if instance["map_index"] >= 0 and instance["state"] == "success" and _did_something(instance):
                result = self.api.returned(instance)
                instance["our_seconds"] = result["seconds"]
                each = result.get("factories", {}).values()  # of a task that takes a group of them
                instance["asked"] = [one["request"] for one in each if one.get("request")]
        self.instances.extend(instances)
        if run["state"] == "failed":
            told = dagruns.failures(instances, self.stack.config.task_logs)
            raise DagRunFailed(
                "\n".join([f"run {run['dag_run_id']} of the Dag {run['dag_id']} failed", *told])
            )

    def _watch_traps(self, platform: "Platform", factories: Sequence[str]) -> None:
        """Judge the steam traps of the factories that have some; the others need no run."""
        from fems.flows.traps import factories_with_readings

        chosen = factories_with_readings(platform, factories)
        if chosen:
            self._through("traps", {"factories": chosen})
        else:
            self.console.print("  traps: no factory here has steam traps with published data; skipped")

    def _without_forecast(self, factories: Sequence[str]) -> list[str]:
        """Return the factories with no finished forecast that began after their data was last published."""
        published = self._last_ingest()
        forecast = self._last_success("forecast", "forecast_factory")
        return [key for key in factories if forecast.get(key, "") <= published.get(key, "")]

    def _last_success(self, dag_id: str, task_id: str) -> dict[str, str]:
        """Return when a mapped task last succeeded for each factory, whose ID its name begins with."""
        found = self.api.task_instances(dag_id, "~", task_id=task_id, state="success")
        last: dict[str, str] = {}
        for instance in found:
            factory = dagruns.name_of(instance).partition(" ")[0]
            last[factory] = max(last.get(factory, ""), instance["end_date"])
        return last

    def _last_ingest(self) -> dict[str, str]:
        """Return when something of each factory was last published; a task has several factories."""
        last: dict[str, str] = {}
        found = self.api.task_instances("ingest", "~", task_id="ingest_factories", state="success")
        for instance in filter(_did_something, found):
            for factory, result in self.api.returned(instance)["factories"].items():
                if result["partitions"]:
                    last[factory] = max(last.get(factory, ""), instance["end_date"])
        return last

    def _summary(self, platform: "Platform", factories: Sequence[str], start: float) -> dict[str, Any]:
        from fems.views.status import factory_status

        statuses = {key: factory_status(key, platform) for key in factories}
        seconds = time.monotonic() - start
        now = datetime.now(UTC)
        summary = {
            "seconds": round(seconds, 1),
            "steps": self.progress.seconds,
            "factories": {key: status.model_dump(mode="json") for key, status in statuses.items()},
            "dag_runs": [
                {
                    "dag_id": run["dag_id"],
                    "run_id": run["dag_run_id"],
                    "state": run["state"],
                    "seconds": round(dagruns.merged_seconds([dagruns.interval(run, now, "queued_at")]), 1),
                }
                for run in self.runs
            ],
            "airflow_overhead": dagruns.overhead(self.runs, self.instances, seconds, now),
        }
        path = self.stack.config.state / "demo" / "summary.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_private(path, json.dumps(summary, indent=2, ensure_ascii=False, default=str) + "\n")
        return summary

    def _show(self, summary: dict[str, Any]) -> None:
        from fems.cli.tables import forecast_table, heldout_table, measured_table, rows_table
        from fems.contracts.status import FactoryStatus

        statuses = {key: FactoryStatus.model_validate(each) for key, each in summary["factories"].items()}
        self.console.print(rows_table(statuses))
        self.console.print(forecast_table(statuses))
        self.console.print(heldout_table(statuses))
        self.console.print(measured_table(statuses))
        for instance in self.instances:
            for asked in instance.get("asked", []):
                self.console.print(
                    f"the monitor asks for training of {asked['factory_id']}: {asked['reason']}"
                )
        cost = summary["airflow_overhead"]
        self.console.print(
            f"{summary['seconds']:.0f} s in all; Airflow's own share: {cost['seconds']:.0f} s "
            f"({100 * cost['share']:.1f} %), in which a Dag run was on and none of our code ran"
        )
        self.console.print(f"summary: {self.stack.config.state / 'demo' / 'summary.json'}")
        root, first = self.stack.config.airflow_url, next(iter(summary["factories"]))
        self.console.print(
            f"behind Airflow's login: the plant {root}/fems/, and a factory such as {root}/fems/factory/{first}, which "
            "leads to its report, its data and its steam traps"
        )
        from fems.tracking.rest import models_page

        self.console.print(f"every model with its figures: {models_page(self.stack.config.mlflow_url)}")


def _did_something(instance: dict[str, Any]) -> bool:
    """Tell whether a mapped task had anything to do, and so returned something."""
    return dagruns.name_of(instance).strip() != dagruns.NOTHING


def run(
    stack: Stack,
    console: Console,
    factories: str,
    months: int,
    epochs: int,
    show: Callable[[Stack], None],
) -> None:
    """Run the demo and print where everything is.

    Raises:
        FemsError: a step failed.
    """
    chosen = [word.strip() for word in factories.split(",") if word.strip()]
    Demo(stack, console, chosen, months, epochs).run()
    show(stack)
