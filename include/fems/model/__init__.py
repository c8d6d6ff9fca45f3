"""The models: one step ahead (the study's protocol), a month ahead (the forecast), and their baselines.

Tables in, tables out. Nothing here knows of the lake, of Airflow or of MLflow; clock and seed are arguments.
"""
