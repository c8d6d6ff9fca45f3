"""The `fems` command: the flows and views from the shell, no Airflow needed."""
