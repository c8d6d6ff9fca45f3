"""Names and IDs as the registry takes them: they go into pages, workbooks, mails, logs, keys and paths."""

import re
from typing import Annotated

from pydantic import Field

OneLine = Annotated[str, Field(pattern=r"^[^\x00-\x1f\x7f\u0085\u2028\u2029]*$")]
"""A text without line breaks and control characters."""
Id = Annotated[str, Field(pattern=r"^\w[\w.-]{0,63}$")]
"""Letters of any language, digits, `_`, `-` and `.`: what a path and a model's name can hold."""


def one_line(header: str) -> str:
    """Return a header of a file on one line: workbooks break long ones."""
    return re.sub(r"\s*[\r\n]\s*", " ", header).strip()
