"""The flows: lake and stages put together once, for Airflow and the shell alike."""
