"""How far a forecast goes unless somebody asks for less."""

HORIZON_MINUTES = 42_300
"""The study's horizon: 705 hours, 29 days and 9 hours, from the origin."""
