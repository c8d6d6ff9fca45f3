"""The matrix: which fault is done to which service, in which stage, and when."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

STAGES = ("ingest", "train", "forecast", "monitor")
SERVICES = (
    "task", "minio", "postgres", "mlflow", "scheduler", "api-server", "dag-processor", "triggerer",
)  # fmt: skip
MOMENTS = {"start": 0.1, "middle": 0.5, "end": 0.9}
"""Of the seconds that a stage takes undisturbed."""
KILL, STOP, FULL = "kill -9", "SIGSTOP", "disk full"

_AIRFLOW = ("scheduler", "api-server", "dag-processor", "triggerer")
_FULL = {("minio", stage) for stage in STAGES} | {("postgres", "ingest")}
"""The disk is everybody's: it is filled once under each stage, and once under a run of Airflow."""


@dataclass(frozen=True)
class Cell:
    """One fault, done once.

    Attributes:
        stage: what runs; one of `STAGES`.
        service: to which it is done; `task` is the stage's own process.
        fault: KILL, STOP or FULL.
        moment: one of `MOMENTS`.
    """

    stage: str
    service: str
    fault: str
    moment: str

    @property
    def by_dag(self) -> bool:
        """Whether Airflow runs the stage: it does where the stage itself does not talk to the service."""
        return self.service in _AIRFLOW or (self.service, self.stage) == ("postgres", "ingest")

    @property
    def key(self) -> str:
        """The cell's name."""
        return " | ".join(asdict(self).values())


def cells(
    stages: Sequence[str] = STAGES,
    services: Sequence[str] = SERVICES,
    moments: Sequence[str] = tuple(MOMENTS),
    faults: Sequence[str] = (KILL, STOP, FULL),
) -> Iterator[Cell]:
    """Yield the matrix, or a part of it, a service after the other."""
    for service in services:
        for stage in stages:
            for fault in faults:
                if fault != FULL or (service, stage) in _FULL:
                    for moment in moments:
                        yield Cell(stage, service, fault, moment)
