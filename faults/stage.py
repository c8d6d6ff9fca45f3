"""One stage of one factory as a process of its own, which may be killed: `python -m faults.stage STAGE FACTORY`."""

import sys
from datetime import UTC, datetime

from fems.errors import FemsError

STAGES = ("ingest", "train", "forecast", "monitor")
EPOCHS = 1


def run(stage: str, factory_id: str) -> None:
    """Do a stage as its Dag's task does it."""
    from fems.flows.platform import Platform

    platform = Platform.from_environment()
    if stage == "ingest":
        from fems.flows.ingest import ingest_factory

        ingest_factory(platform, factory_id)
    elif stage == "train":
        from fems.flows.train import train_factory

        train_factory(platform, factory_id, epochs=EPOCHS, dag_run="faults")
    elif stage == "forecast":
        from fems.flows.forecast import forecast_factory

        forecast_factory(platform, factory_id)
    else:
        from fems.flows.monitor import monitor_factory

        monitor_factory(platform, factory_id, datetime.now(UTC), "faults")


if __name__ == "__main__":
    try:
        run(sys.argv[1], sys.argv[2])
    except FemsError as error:
        sys.exit(f"{type(error).__name__}: {error}")
