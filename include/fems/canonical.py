"""Canonical JSON: the same content is the same bytes, and so the same fingerprint."""

import hashlib
import json
from typing import Any


def to_json(value: Any) -> bytes:
    """Serialise with sorted keys, so that the same content is the same bytes."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, indent=1).encode()


def fingerprint(content: Any, length: int = 16) -> str:
    """Return the first hexadecimal digits of the SHA-256 of a content's JSON; what JSON lacks counts as its text."""
    text = json.dumps(content, sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:length]
