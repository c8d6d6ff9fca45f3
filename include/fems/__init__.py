"""FEMS Forecast: factory energy from raw meter files to next month's forecast.

The domain package. It knows nothing of Airflow; `dags/` and the `fems` command are two doors to the same flows.
"""

__version__ = "0.6.1"
