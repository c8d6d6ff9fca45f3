"""Stages of a factory, each in a process of its own that may be killed, as a worker of Airflow forks its tasks.

`python -m faults.stage` imports all that they need once, then reads a line `STAGE FACTORY` from stdin for each, and
writes its process ID, and when it ended its exit code.
"""

import os
import subprocess
import sys
from datetime import UTC, datetime
from select import select

from fems.errors import FemsError

EPOCHS = 1
DAG_RUN = "faults"


def run(stage: str, factory_id: str) -> None:
    """Do a stage as its Dag's task does it."""
    from fems.flows.platform import Platform

    platform = Platform.from_environment()
    if stage == "ingest":
        from fems.flows.ingest import ingest_factory

        ingest_factory(platform, factory_id)
    elif stage == "train":
        from fems.flows.train import train_factory

        train_factory(platform, factory_id, epochs=EPOCHS, dag_run=DAG_RUN)
    elif stage == "forecast":
        from fems.flows.forecast import forecast_factory

        forecast_factory(platform, factory_id)
    else:
        from fems.flows.monitor import monitor_factory

        monitor_factory(platform, factory_id, datetime.now(UTC), DAG_RUN)


def _warm_up() -> None:
    """Import what the stages import: a fault should meet the work, not the start of Python."""
    import great_expectations  # noqa: F401
    import keras  # noqa: F401
    import mlflow  # noqa: F401

    from fems.flows import forecast, ingest, monitor, train  # noqa: F401
    from fems.report import figures, page, workbook  # noqa: F401


def serve() -> None:
    """Be the process that forks the stages."""
    _warm_up()
    print("ready", flush=True)
    for line in sys.stdin:
        stage, factory_id = line.split()
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                run(stage, factory_id)
                code = 0
            except FemsError as error:
                print(f"  {type(error).__name__}: {error}", file=sys.stderr, flush=True)
            finally:
                os._exit(code)
        print(pid, flush=True)
        _, status = os.waitpid(pid, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


class Worker:
    """The process that forks the stages, as the table's maker sees it: one stage at a time."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "faults.stage"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1,
        )  # fmt: skip
        if self._line(600.0) != "ready":
            raise SystemExit("error: the worker did not start; see above")

    def start(self, stage: str, factory_id: str) -> int:
        """Begin a stage; return its process ID."""
        if self._process.stdin is None:
            raise SystemExit("error: the worker has ended")
        self._process.stdin.write(f"{stage} {factory_id}\n")
        self._process.stdin.flush()
        return int(self._line(60.0) or "0")

    def wait(self, pid: int, seconds: float) -> bool:
        """Wait until the stage ends, and tell whether it ended well; one that takes longer is killed."""
        line = self._line(seconds)
        if not line:
            os.kill(pid, 9)
            line = self._line(60.0)
        return line == "0"

    def stop(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()

    def _line(self, seconds: float) -> str:
        out = self._process.stdout
        if out is None or not select([out], [], [], seconds)[0]:
            return ""
        return out.readline().strip()


if __name__ == "__main__":
    serve()
