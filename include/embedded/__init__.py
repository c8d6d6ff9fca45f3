"""The real services on one machine, from Python wheels: MinIO, PostgreSQL, MLflow and Airflow."""
