"""`make containers`: the image and docker-compose.yaml in a container engine, from raw files to a forecast.

Builds the image from the Dockerfile, brings the file up in the order that it asks for, has Airflow in it run ingest,
training and forecast of a small simulated plant, restarts each container in the middle of a stage, attacks what runs,
does a part again with Celery's workers, and takes everything down. A base image that cannot be pulled is made here with
mmdebstrap; of images that cannot be pulled the stand-ins of `standins/` take the place. What was run on what is printed
at the end.
"""

import argparse
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

from attacks import attack
from engine import PATIENCE, PORTS, ROOT, STATE, Engine, Failure, engine_name
from images import COMPOSE_FILE, build

FACTORY, OTHER, MONTHS = "2160", "1120", 9
RESTARTS = {
    "ingest": ("minio", "postgres", "scheduler"),
    "train": ("mlflow", "api-server"),
    "forecast": ("dag-processor", "triggerer"),
}
"""Which containers are restarted in the middle of which stage."""


class Trial:
    """One run of everything."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.services: dict[str, dict[str, Any]] = {}
        self.begun = time.monotonic()

    def say(self, text: str) -> None:
        """Print a line with the seconds since the beginning, and keep it."""
        line = f"{time.monotonic() - self.begun:6.0f} s  {text}"
        print(line, flush=True)
        with (STATE / "steps").open("a") as file:
            file.write(line + "\n")

    def up(self, workers: int = 0) -> None:
        """Start each service when those that it waits for are healthy or have ended well, as the file says."""
        chosen = [name for name, spec in self.services.items() if workers or not spec.get("profiles")]
        profile = ["--profile", "workers"] if workers else []
        order = TopologicalSorter(
            {name: set(self.services[name].get("depends_on", {})) & set(chosen) for name in chosen}
        )
        for name in order.static_order():
            scale = ["--scale", f"worker={workers}"] if name == "worker" else []
            self.engine.compose(*profile, "up", "--detach", "--no-build", "--no-deps", *scale, name)
            self.wait_for(name)

    def wait_for(self, name: str) -> None:
        """Wait until a service's containers are healthy, or have ended with 0."""
        containers = self.engine.containers(name)
        if not containers:
            raise Failure(f"{name}: compose made no container")
        begun = time.monotonic()
        if self.services[name]["restart"] == "no":
            for container in containers:
                code = self.engine.run("wait", container).strip()
                if code != "0":
                    raise Failure(f"{name} ended with {code}: {self._logs(container)}")
            self.say(f"{name}: done after {time.monotonic() - begun:.0f} s")
            return
        while not all(self.engine.healthy(container) for container in containers):
            state = self.engine.run("inspect", "--format", "{{.State.Status}}", containers[0]).strip()
            if time.monotonic() - begun > PATIENCE or state == "exited":
                raise Failure(f"{name} is not healthy ({state}): {self._logs(containers[0])}")
            time.sleep(1)
        self.say(f"{name}: {len(containers)} healthy after {time.monotonic() - begun:.0f} s")

    def _logs(self, container: str) -> str:
        done = subprocess.run(
            [self.engine.name, "logs", "--tail", "15", container], capture_output=True, text=True, check=False
        )
        return f"{done.stdout}{done.stderr}".strip()

    def as_operator(self, command: str) -> str:
        """Run a command at the shell of a new container of the image, with an operator's accounts; what it printed."""
        secrets = STATE / "secrets"
        keys = json.loads((secrets / "store_keys_all").read_text())["operator"]
        network = self.engine.run(
            "inspect", "--format", "{{range $name, $_ := .NetworkSettings.Networks}}{{$name}} {{end}}",
            self.engine.containers("minio")[0],
        ).split()[0]  # fmt: skip
        environment = {
            "FEMS_S3_ENDPOINT": "http://minio:9000",
            "FEMS_S3_ACCESS_KEY": keys["access_key"],
            "FEMS_S3_SECRET_KEY": keys["secret_key"],
            "FEMS_MLFLOW_URI": "http://mlflow:5000",
            "MLFLOW_TRACKING_USERNAME": "platform",
            "MLFLOW_TRACKING_PASSWORD": (secrets / "mlflow_platform_password").read_text().strip(),
        }
        self.engine.environment |= environment  # by name alone: no key stands in a command line
        given = [word for key in environment for word in ("--env", key)]
        image = self.services["api-server"]["image"]
        return self.engine.run("run", "--rm", "--network", network, *given, image, "bash", "-ceu", command)

    def land(self, factory: str, months: int) -> None:
        """Write a simulated factory's raw files and land them."""
        words = self.as_operator(
            f"fems simulate /tmp/plant {factory} --months {months} --workers 1 && fems land /tmp/plant"
        ).strip()
        self.say(f"landed {factory}, {months} months: {words.splitlines()[-1] if words else 'nothing said'}")

    def stage(self, dag_id: str, conf: dict[str, Any], restart: Sequence[str] = ()) -> None:
        """Have Airflow run a Dag; restart containers while it runs, as fast as the engine does it."""
        api = self._api()
        _until(f"Dag {dag_id}", lambda: api.dag(dag_id))
        api.unpause(dag_id)
        begun = time.monotonic()
        run_id = api.trigger(dag_id, conf)
        mapped = {"ingest": "ingest_factories", "train": "train_factory", "forecast": "forecast_factory"}[
            dag_id
        ]
        _until(
            f"{mapped} to run",
            lambda: any(
                i["state"] in ("running", "success")
                for i in api.task_instances(dag_id, run_id, task_id=mapped)
            ),
        )
        states = {}
        for name in restart:
            states[name] = _answer(lambda: api.run(dag_id, run_id)["state"]) or "not to be asked"
            for container in self.engine.containers(name):
                self.engine.run("restart", "--time", "5", container)
        for name, state in states.items():
            self.wait_for(name)
            self.say(f"{name}: restarted while {dag_id} was {state}")
        run = _until(
            f"{dag_id} to end",
            lambda: _ended(_answer(lambda: api.run(dag_id, run_id))),
            patience=PATIENCE * 2,
        )
        instances = api.task_instances(dag_id, run_id)
        tries = {
            f"{i['task_id']} {i['rendered_map_index'] or ''}".strip(): i["try_number"] for i in instances
        }
        self.say(f"{dag_id}: {run['state']} after {time.monotonic() - begun:.0f} s; tries {tries}")
        if run["state"] != "success":
            raise Failure(f"{dag_id} {run_id} failed: {tries}")
        self._log_is_there(dag_id, run_id)

    def _log_is_there(self, dag_id: str, run_id: str) -> None:
        """See that logs of a run's tasks come to the object store, with the key that Airflow has.

        Not each: Airflow stores a task's log after its end, and a container that is restarted just then does not.
        """
        from minio import Minio

        key = json.loads((STATE / "secrets" / "airflow_connections").read_text())["fems_logs"]
        store = Minio(
            f"127.0.0.1:{PORTS['FEMS_MINIO_PORT']}", access_key=key["login"], secret_key=key["password"], secure=False
        )  # fmt: skip
        prefix = f"tasks/dag_id={dag_id}/run_id={run_id}/"
        _until(
            f"a log of {dag_id} in the object store",
            lambda: list(store.list_objects("logs", prefix=prefix, recursive=True)),
            patience=60,
        )

    def _api(self) -> Any:
        from embedded.airflow_api import AirflowApi

        password = (STATE / "secrets" / "airflow_admin_password").read_text()
        return AirflowApi(f"http://127.0.0.1:{PORTS['FEMS_AIRFLOW_PORT']}", "admin", password)

    def status(self) -> None:
        """Say what the platform says of the factory."""
        (status,) = json.loads(self.as_operator(f"fems status --json {FACTORY}")).values()
        rows, forecast = status["rows"], status["forecast"]
        if (
            rows["read"] != rows["published"] + rows["quarantined"] + rows["duplicate"]
            or not forecast["rows"]
        ):
            raise Failure(f"what was published does not add up: {status}")
        self.say(f"{FACTORY}: {rows}; forecast of {forecast['rows']} rows, {forecast['kwh']:.0f} kWh")

    def attacked(self) -> None:
        """Try what should not go in."""
        held, allowed = attack(self.engine, self.services)
        self.say(f"attacks: {held} held off; {allowed} tries that should go in do")

    def down(self) -> None:
        """Take down containers, network and volumes of this project."""
        self.engine.compose("--profile", "workers", "down", "--volumes", check=False)
        for name in self.services:  # podman-compose leaves the second of two that --scale made
            for container in self.engine.containers(name):
                self.engine.run("rm", "--force", container, check=False)
        self.say("down")


def _ended(run: dict[str, Any] | None) -> dict[str, Any] | None:
    return run if run and run["state"] in ("success", "failed") else None


def _answer(ask: Callable[[], Any]) -> Any:
    """Return what is answered, None where a restarting service answers nothing."""
    from fems.errors import FemsError

    try:
        return ask()
    except FemsError:
        return None


def _until(what: str, ready: Callable[[], Any], patience: float = PATIENCE) -> Any:
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        if result := _answer(ready):
            return result
        time.sleep(2)
    raise Failure(f"waited {patience:.0f} s for {what}")


def trial(engine: Engine, workers: int) -> None:
    """Do all of it; whatever was started is taken down.

    Raises:
        Failure: something did not work; says what.
    """
    import yaml

    from embedded import container_secrets

    container_secrets.write(STATE / "secrets")
    engine.environment["FEMS_SECRETS"] = str(STATE / "secrets")
    it = Trial(engine)
    it.services = yaml.safe_load(COMPOSE_FILE.read_text())["services"]
    build(engine, it.services, it.say)
    try:
        it.down()  # what an earlier run that was cut short left
        it.up()
        it.land(FACTORY, MONTHS)
        it.stage("ingest", {"factories": [FACTORY]}, RESTARTS["ingest"])
        it.stage("train", {"factories": [FACTORY], "epochs": 2}, RESTARTS["train"])
        it.stage("forecast", {"factories": [FACTORY]}, RESTARTS["forecast"])
        it.status()
        it.attacked()
        if workers:
            engine.environment |= {"FEMS_EXECUTOR": "CeleryExecutor", "FEMS_PARALLELISM": str(2 * workers)}
            it.engine.compose("down", check=False)
            it.say(f"down, the volumes stay; up again with {workers} workers")
            it.up(workers)
            it.land(OTHER, MONTHS)
            it.stage("ingest", {"factories": [OTHER]}, ("worker", "valkey"))
        it.say("green")
    except (Failure, subprocess.SubprocessError) as error:
        it.say(f"RED: {error}")
        raise Failure(str(error)) from error
    finally:
        it.down()


def main() -> int:
    """Run it; 1 if something did not work, 2 if nothing could be tried."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="only say whether there is an engine")
    parser.add_argument("--uv", type=Path, default=ROOT / ".venv" / "uv" / "bin" / "uv")
    parser.add_argument(
        "--workers", type=int, default=2, help="Celery's, in the second part; 0 leaves it out"
    )
    arguments = parser.parse_args()
    try:
        name = engine_name()
    except Failure as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    if arguments.check:
        return 0
    # Ended from outside, it takes down what it started all the same.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(143))
    STATE.mkdir(mode=0o700, parents=True, exist_ok=True)
    for left in ("log", "steps"):
        (STATE / left).unlink(missing_ok=True)
    try:
        trial(Engine(name, arguments.uv), arguments.workers)
    except Failure as error:
        print(f"error: {error}\nlog: {STATE / 'log'}", file=sys.stderr)
        return 1
    print(f"steps: {STATE / 'steps'}, log: {STATE / 'log'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
