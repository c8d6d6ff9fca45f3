"""A container engine and its compose: what `make containers` asks of them."""

import os
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
STATE = ROOT / ".local" / "containers"
PROJECT = "fems-containers"
ENGINES = ("podman", "docker")
PORTS = {
    "FEMS_AIRFLOW_PORT": 18480,
    "FEMS_MLFLOW_PORT": 15400,
    "FEMS_MINIO_PORT": 19400,
    "FEMS_MINIO_CONSOLE_PORT": 19401,
}
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
