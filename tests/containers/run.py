"""`make containers`: the image and docker-compose.yaml in a container engine, from raw files to a forecast.

Builds the image from the Dockerfile, brings the file up in the order that it asks for, has Airflow in it run ingest,
training and forecast of a small simulated plant, restarts each container in the middle of a stage, does a part again
with Celery's workers, and takes everything down. A base image that cannot be pulled is made here with mmdebstrap; of
images that cannot be pulled the stand-ins of `standins/` take the place. What was run on what is printed at the end.
"""

import argparse
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
STATE = ROOT / ".local" / "containers"
PROJECT = "fems-containers"
COMPOSE_FILE = ROOT / "docker-compose.yaml"
BASE_PACKAGES = "python3,python3-pip,python3-venv,ca-certificates,netbase,tzdata"
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
ENGINES = ("podman", "docker")
PORTS = {
    "FEMS_AIRFLOW_PORT": 18480,
    "FEMS_MLFLOW_PORT": 15400,
    "FEMS_MINIO_PORT": 19400,
    "FEMS_MINIO_CONSOLE_PORT": 19401,
}
FACTORY, OTHER, MONTHS = "2160", "1120", 3
RESTARTS = {
    "ingest": ("minio", "postgres", "scheduler"),
    "train": ("mlflow", "api-server"),
    "forecast": ("dag-processor", "triggerer"),
}
"""Which containers are restarted in the middle of which stage."""
PATIENCE = 900.0


class Failure(Exception):
    """What went wrong, in a line or two."""


class Engine:
    """podman or docker, and the compose that goes with it."""

    def __init__(self, name: str, uv: Path) -> None:
        self.name = name
        self._compose = (
            [str(uv), "tool", "run", "--quiet", "--from", "podman-compose==1.6.0", "podman-compose"]
            if name == "podman"
            else ["docker", "compose"]
        )
        self.environment = {**os.environ, **{key: str(port) for key, port in PORTS.items()}}
        self.files: list[str] = []

    def run(self, *words: str, check: bool = True, timeout: float = PATIENCE) -> str:
        """Run a command of the engine; return what it printed."""
        return self._call([self.name, *words], check, timeout)

    def compose(self, *words: str, check: bool = True) -> str:
        """Run a command of compose on the project."""
        files = [word for file in self.files for word in ("--file", file)]
        return self._call([*self._compose, "--project-name", PROJECT, *files, *words], check, PATIENCE)

    def _call(self, command: list[str], check: bool, timeout: float) -> str:
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=timeout, cwd=ROOT, env=self.environment
        )  # fmt: skip
        with (STATE / "log").open("a") as log:
            log.write(f"$ {' '.join(command)}\n{done.stdout}{done.stderr}\n")
        if check and done.returncode:
            raise Failure(f"`{' '.join(command)}` ended with {done.returncode}: {done.stderr.strip()[-600:]}")
        return done.stdout if done.returncode == 0 else ""

    def can_pull(self, image: str) -> bool:
        """Tell whether an image is here, or a registry hands it over."""
        try:
            if self.run("image", "inspect", image, check=False):
                return True
            return bool(self.run("pull", "--quiet", image, check=False, timeout=600))
        except subprocess.TimeoutExpired:
            return False

    def containers(self, service: str) -> list[str]:
        """Return the IDs of a service's containers."""
        labels = {"project": PROJECT, "service": service}
        filters = [f"--filter=label=com.docker.compose.{key}={value}" for key, value in labels.items()]
        return self.run("ps", "--all", "--quiet", *filters).split()

    def healthy(self, container: str) -> bool:
        """Run the health check that the compose file gives a container (podman), or read what docker found."""
        if self.name == "podman":
            done = subprocess.run(
                [self.name, "healthcheck", "run", container], capture_output=True, check=False, timeout=120
            )
            return done.returncode == 0
        return self.run("inspect", "--format", "{{.State.Health.Status}}", container).strip() == "healthy"


def engine_name() -> str:
    """Return the engine of this machine.

    Raises:
        Failure: there is none, or it does not answer.
    """
    name = next((name for name in ENGINES if shutil.which(name)), None)
    if name is None:
        raise Failure(
            "make containers needs a container engine (`sudo apt install podman runc`): nothing was tried"
        )
    done = subprocess.run([name, "info"], capture_output=True, text=True, check=False, timeout=60)
    if done.returncode:
        raise Failure(f"{name} does not work here: {done.stderr.strip()[-300:]}; nothing was tried")
    return name


class Trial:
    """One run of everything."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.services: dict[str, dict[str, Any]] = {}
        self.on: dict[str, str] = {}
        self.begun = time.monotonic()

    def say(self, text: str) -> None:
        """Print a line with the seconds since the beginning, and keep it."""
        line = f"{time.monotonic() - self.begun:6.0f} s  {text}"
        print(line, flush=True)
        with (STATE / "steps").open("a") as file:
            file.write(line + "\n")

    def build(self) -> None:
        """Build the image from the Dockerfile, and stand-ins for the images that cannot be had."""
        import yaml

        engine = self.engine
        self.services = yaml.safe_load(COMPOSE_FILE.read_text())["services"]
        ours = self.services["api-server"]["image"]
        base = re.findall(r"^ARG BASE=(\S+)", (ROOT / "Dockerfile").read_text(), re.MULTILINE)[0]
        if engine.can_pull(base):
            self.on["base"] = base
        else:
            base = self._made_base()
            self.on["base"] = f"{base} (Debian 12 with its Python, made here: no registry is reached)"
        self.say(f"base image: {self.on['base']}")
        network = ["--format", "docker", "--network", "host"] if engine.name == "podman" else []
        options = [*network, "--build-arg", f"BASE={base}", "--tag", ours]
        engine.run("build", *options, ".", timeout=3600)
        if not os.environ.get("SKIPN"):
            natives = engine.run("run", "--rm", "--network", "none", ours, "python", "natives.py")
        if not os.environ.get("SKIPN"):
            self.say(f"image {ours}: {natives.strip().splitlines()[-1]}")
        override: dict[str, Any] = {}
        for service, spec in self.services.items():
            image = spec["image"]
            if image == ours:
                override[service] = {"build": None}
                continue
            target = "minio" if "minio" in image else "postgres"
            if not engine.can_pull(image):
                standin = f"localhost/fems-standin-{target}:latest"
                engine.run(
                    "build", "--target", target, "--build-arg", f"IMAGE={ours}", "--tag", standin,
                    "tests/containers/standins",
                )  # fmt: skip
                override[service] = {"image": standin}
                image = f"{standin} (a stand-in for {image})"
            self.on[service] = image
        names = {name: spec for name, spec in override.items() if "image" in spec}
        path = STATE / "override.yaml"
        path.write_text(yaml.safe_dump({"services": names}))
        engine.files = [str(COMPOSE_FILE), str(path)]
        for service, image in self.on.items():
            if service != "base":
                self.say(f"{service}: {image}")

    def _made_base(self) -> str:
        """Make a base image as python:slim is one, from Debian's packages."""
        if not shutil.which("mmdebstrap"):
            raise Failure(
                "the base image cannot be pulled, and mmdebstrap (`sudo apt install mmdebstrap`) is not here"
            )
        name, archive = "localhost/fems-base:bookworm", STATE / "base.tar"
        if self.engine.run("image", "inspect", name, check=False):
            return name
        hooks = [
            'rm -f "$1"/usr/lib/python3.11/EXTERNALLY-MANAGED',
            'ln -s /usr/bin/python3 "$1"/usr/local/bin/python',
            *([f"copy-in {CERTIFICATES} {CERTIFICATES.parent}"] if CERTIFICATES.exists() else []),
        ]
        subprocess.run(
            ["mmdebstrap", "--quiet", "--variant=minbase", f"--include={BASE_PACKAGES}",
             *(f"--customize-hook={hook}" for hook in hooks), "bookworm", archive],
            check=True,
        )  # fmt: skip
        paths = "/usr/local/bin:/usr/local/sbin:/usr/bin:/usr/sbin:/bin:/sbin"
        changes = [f"ENV PATH={paths}", "ENV LANG=C.UTF-8"]
        changes += [f"ENV {name}={CERTIFICATES}" for name in ("SSL_CERT_FILE", "PIP_CERT")]
        self.engine.run(
            "import", *(word for change in changes for word in ("--change", change)), str(archive), name
        )
        archive.unlink()
        return name

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

    def land(self, factory: str, months: int) -> None:
        """Write a simulated factory's raw files and land them, in a container of the image, as an operator would."""
        keys = json.loads((STATE / "secrets" / "store_keys_all").read_text())["operator"]
        network = self.engine.run(
            "inspect", "--format", "{{range $name, $_ := .NetworkSettings.Networks}}{{$name}} {{end}}",
            self.engine.containers("minio")[0],
        ).split()[0]  # fmt: skip
        environment = {
            "FEMS_S3_ENDPOINT": "http://minio:9000",
            "FEMS_S3_ACCESS_KEY": keys["access_key"],
            "FEMS_S3_SECRET_KEY": keys["secret_key"],
        }
        self.engine.environment |= environment  # by name alone: no key stands in a command line
        given = [word for key in environment for word in ("--env", key)]
        command = f"fems simulate /tmp/plant {factory} --months {months} --workers 1 && fems land /tmp/plant"
        image = self.services["api-server"]["image"]
        words = self.engine.run(
            "run", "--rm", "--network", network, *given, image, "bash", "-ceu", command
        ).strip()
        self.say(f"landed {factory}, {months} months: {words.splitlines()[-1] if words else 'nothing said'}")

    def stage(self, dag_id: str, conf: dict[str, Any], restart: Sequence[str] = ()) -> None:
        """Have Airflow run a Dag; restart containers one after another while it runs."""
        api = self._api()
        _until(f"Dag {dag_id}", lambda: api.dag(dag_id))
        api.unpause(dag_id)
        begun = time.monotonic()
        run_id = api.trigger(dag_id, conf)
        mapped = {"ingest": "ingest_factory", "train": "train_factory", "forecast": "forecast_factory"}[
            dag_id
        ]
        _until(
            f"{mapped} to run",
            lambda: any(
                i["state"] in ("running", "success")
                for i in api.task_instances(dag_id, run_id, task_id=mapped)
            ),
        )
        for name in restart:
            for container in self.engine.containers(name):
                self.engine.run("restart", "--time", "5", container)
            during = _answer(lambda: api.run(dag_id, run_id)["state"])
            self.wait_for(name)
            self.say(f"{name}: restarted while {dag_id} was {during or 'not to be asked'}")
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
        self._log_is_there(dag_id, run_id, mapped)

    def _log_is_there(self, dag_id: str, run_id: str, task_id: str) -> None:
        """See that the log of a task that ended is in the object store, with the key that Airflow has."""
        from minio import Minio

        key = json.loads((STATE / "secrets" / "airflow_connections").read_text())["fems_logs"]
        store = Minio(
            f"127.0.0.1:{PORTS['FEMS_MINIO_PORT']}", access_key=key["login"], secret_key=key["password"], secure=False
        )  # fmt: skip
        prefix = f"tasks/dag_id={dag_id}/run_id={run_id}/task_id={task_id}/"
        if not list(store.list_objects("logs", prefix=prefix, recursive=True)):
            raise Failure(f"the log of {task_id} is not in the object store")

    def _api(self) -> Any:
        from embedded.airflow_api import AirflowApi

        password = (STATE / "secrets" / "airflow_admin_password").read_text()
        return AirflowApi(f"http://127.0.0.1:{PORTS['FEMS_AIRFLOW_PORT']}", "admin", password)

    def status(self) -> None:
        """Say what the platform says of the factory, from within."""
        words = [
            "exec", self.engine.containers("api-server")[0], "bash", "-c",
            "FEMS_S3_ACCESS_KEY=fems-pages"
            " FEMS_S3_SECRET_KEY=$(python -c \"import json; print(json.load(open('/run/secrets/store_keys_pages'))"
            "['pages']['secret_key'])\") fems status --json " + FACTORY,
        ]  # fmt: skip
        (status,) = json.loads(self.engine.run(*words)).values()
        rows, forecast = status["rows"], status["forecast"]
        if (
            rows["read"] != rows["published"] + rows["quarantined"] + rows["duplicate"]
            or not forecast["rows"]
        ):
            raise Failure(f"what was published does not add up: {status}")
        self.say(f"{FACTORY}: {rows}; forecast of {forecast['rows']} rows, {forecast['kwh']:.0f} kWh")

    def down(self) -> None:
        """Take down containers, network and volumes of this project."""
        self.engine.compose("--profile", "workers", "down", "--volumes", check=False)
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
    from embedded import container_secrets

    container_secrets.write(STATE / "secrets")
    engine.environment["FEMS_SECRETS"] = str(STATE / "secrets")
    it = Trial(engine)
    it.build()
    try:
        it.down()  # what an earlier run that was cut short left
        it.up()
        it.land(FACTORY, MONTHS)
        it.stage("ingest", {"factories": [FACTORY]}, RESTARTS["ingest"])
        it.stage("train", {"factories": [FACTORY], "epochs": 2}, RESTARTS["train"])
        it.stage("forecast", {"factories": [FACTORY]}, RESTARTS["forecast"])
        it.status()
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
