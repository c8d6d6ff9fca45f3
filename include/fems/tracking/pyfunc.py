"""The model as MLflow serves it: this file is logged as its code, the bundle as its artifact. No pickle."""

from typing import Any

# MLflow runs this file to get the model; nothing else imports it, so the slow import costs nobody anything.
import mlflow  # noqa: TID253
import pandas as pd


class FactoryForecast(mlflow.pyfunc.PythonModel):  # type: ignore[misc]  # MLflow is not typed
    """Month-ahead forecast from an hour table."""

    def load_context(self, context: Any) -> None:
        """Read the bundle."""
        from pathlib import Path

        from fems.model import bundle

        self.bundle = bundle.load(Path(context.artifacts["bundle"]), one_step=False)

    def predict(
        self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> pd.DataFrame:
        """Forecast from the end of an hour table.

        Args:
            context: MLflow's.
            model_input: the published hour table of this factory, long format; timestamps as ISO 8601 text
                with their offset, or tz-aware.
            params: horizon_minutes, 42,300 unless given.

        Returns:
            Long format: timestamp (ISO 8601 text), factory_id, sensor_id, used_kwh.

        Raises:
            DataError: the table cannot be used.
            TooLittleHistory: it holds too few days.
        """
        from fems.contracts.horizon import HORIZON_MINUTES

        zone = self.bundle.month_ahead.trained_until.tz
        times = pd.to_datetime(model_input["timestamp"], utc=True).dt.tz_convert(zone)
        history = self.bundle.history(model_input.assign(timestamp=times))
        hours = int((params or {}).get("horizon_minutes", HORIZON_MINUTES)) // 60
        forecast = self.bundle.month_ahead.predict(history, history.end, hours)
        long = forecast.reset_index().melt("timestamp", var_name="sensor_id", value_name="used_kwh")
        long["timestamp"] = long["timestamp"].map(pd.Timestamp.isoformat)
        long.insert(1, "factory_id", self.bundle.factory_id)
        return long


mlflow.models.set_model(FactoryForecast())
