"""The tables that a partition is published as."""

GRAINS = ("native", "hour", "day")
ORIGINALS = "originals"
TABLES = (*GRAINS, ORIGINALS)
"""What a partition is published as: a table a grain, and the originals of the values that are others now."""
