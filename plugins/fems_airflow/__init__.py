"""What the Dags share and only Airflow knows: assets, retries, the forms of their params."""
