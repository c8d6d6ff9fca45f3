"""Faults on purpose: services killed, stopped and starved while they are used, and what became of the data."""
