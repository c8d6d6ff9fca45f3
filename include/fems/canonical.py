"""Canonical JSON: the same content is the same bytes, and so the same fingerprint."""

import hashlib
import json
from typing import Any


def to_json(value: Any, indent: int | None = 1) -> bytes:
    """Serialise with sorted keys, so that the same content is the same bytes; in one line if `indent` is None."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, indent=indent).encode()


def fingerprint(content: Any, length: int = 16) -> str:
    """Return the first hexadecimal digits of the SHA-256 of a content's JSON; what JSON lacks counts as its text."""
    text = json.dumps(content, sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:length]
