"""Formats that say by themselves what others leave to the mapping."""

from fems.registry.mapping import FileMapping


def in_format(mapping: FileMapping) -> FileMapping:
    """Return the mapping with what its named format fixes: both write the starts of intervals and their offsets."""
    if mapping.format == "table":
        return mapping
    fixed: dict[str, object] = {
        "time_marks": "start",
        "midnight": "next_day",
        "time_format": None,
        "decimal": ".",
        "units": {},
    }
    return mapping.model_copy(update=fixed)
