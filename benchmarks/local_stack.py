"""Local stacks that are measured: their ports, the environment of their commands, what their object store takes."""

import os
from pathlib import Path

import psutil  # type: ignore[import-untyped]

from embedded.config import Config
from embedded.ports import free_ports
from embedded.processes import descendants
from embedded.stack import Stack


def free_config(state: Path) -> Config:
    """Return the configuration of a stack in a folder of its own, on ports that are free."""
    airflow, mlflow, minio = free_ports(3)
    return Config.of(state, airflow_port=airflow, mlflow_port=mlflow, minio_port=minio)


def clean_environment() -> dict[str, str]:
    """Return this process's environment without what names a stack or sets one up."""
    return {key: value for key, value in os.environ.items() if not key.startswith(("FEMS_", "AIRFLOW"))}


def gateway_core_seconds(stack: Stack) -> float:
    """Return what a stack's gateway has taken of the cores since it was started."""
    gateway = psutil.Process(stack.supervisor.states()["minio"]["pid"])
    times = [process.cpu_times() for process in (gateway, *descendants(gateway))]
    return sum(each.user + each.system for each in times)
