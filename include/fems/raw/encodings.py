"""Bytes of a text in any encoding into UTF-8 with lines that end in a newline."""

import codecs

import numpy as np
import pyarrow as pa

from fems.errors import UndecodableObject

_SIGNATURES = {
    b"\x89PNG": "a PNG picture, not a table",
    b"\xff\xd8\xff": "a JPEG picture, not a table",
    b"GIF8": "a GIF picture, not a table",
    b"%PDF": "a PDF document, not a table",
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1": "an old or a protected Excel workbook (.xls): save it as .xlsx",
    b"7z\xbc\xaf\x27\x1c": "a 7z archive, not a table",
    b"Rar!": "a RAR archive, not a table",
    b"\x28\xb5\x2f\xfd": "compressed by zstd: send it as it is, or as gzip",
}
_MARKS = {codecs.BOM_UTF8: "utf-8", codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}
_UTF8 = ("utf-8", "utf-8-sig")
_LONGEST_CHARACTER = 4
LONGEST_LINE = 1 << 20
"""Bytes of a line, at most: what is longer is no row of a table."""


def to_utf8(data: bytes, encodings: tuple[str, ...]) -> bytes:
    r"""Return a text's UTF-8 bytes without a byte order mark, its lines ending in \n or \r\n.

    A mark tells the encoding; so do the zeros of UTF-16, and bytes that are all ASCII. Other bytes are tried in the
    encodings in order. A character that the end of the object cuts is replaced by U+FFFD.

    Raises:
        UndecodableObject: empty, binary, or in none of the encodings; says which.
    """
    if not data or data.isspace():
        raise UndecodableObject("the object is empty")
    for signature, what in _SIGNATURES.items():
        if data.startswith(signature):
            raise UndecodableObject(f"the object is {what}")
    _refuse_endless_line(data)
    plain = b"\0" not in data and (data.isascii() or (encodings[0] in _UTF8 and is_in(data, encodings[0])))
    body = data if plain else _decoded(data, encodings).encode()
    if b"\r" in body and body.count(b"\r") != body.count(b"\r\n"):
        body = body.replace(b"\r\n", b"\n").replace(b"\r", b"\n")  # of an old Mac, or mixed
    return body


def _refuse_endless_line(data: bytes) -> None:
    begin = 0
    while begin + LONGEST_LINE < len(data):
        window = begin, begin + LONGEST_LINE
        end = data.rfind(b"\n", *window)
        end = data.rfind(b"\r", *window) if end < 0 else end
        if end < 0:
            raise UndecodableObject(f"the object has a line of more than {LONGEST_LINE:,} bytes: refused")
        begin = end + 1


def is_in(data: bytes, encoding: str) -> bool:
    """Whether bytes without a mark are text of an encoding."""
    if any(data.startswith(mark) for mark in _MARKS):
        return False
    try:
        if encoding in _UTF8:  # much faster than Python's own
            pa.array([data], pa.large_binary()).cast(pa.large_string())
        else:
            data.decode(encoding)
    except (pa.ArrowInvalid, UnicodeError):
        return False
    return True


def _decoded(data: bytes, encodings: tuple[str, ...]) -> str:
    mark = next((mark for mark in _MARKS if data.startswith(mark)), b"")
    if mark:
        encodings = (_MARKS[mark],)
    elif b"\0" in data:
        encodings = _by_zeros(data) or encodings
    for cut in (False, True):
        for encoding in encodings:
            text = _attempt(data[len(mark) :], encoding, cut)
            if text is not None:
                if "\0" in text:
                    raise UndecodableObject("the object is binary, not text")
                return text
    if b"\0" in data and not mark:
        raise UndecodableObject("the object is binary, not text")
    raise UndecodableObject(f"the object is not text in any of: {', '.join(encodings)}")


def _attempt(data: bytes, encoding: str, cut: bool) -> str | None:
    """Decode; `cut`: also where the last character is not whole. None if it is not in this encoding."""
    try:
        return data.decode(encoding).removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        if cut and 0 < error.start >= len(data) - _LONGEST_CHARACTER + 1 and error.end == len(data):
            return data[: error.start].decode(encoding).removeprefix("\ufeff") + "\ufffd"
    except UnicodeError:
        pass
    return None


def _by_zeros(data: bytes) -> tuple[str, ...]:
    """Tell UTF-16 without a mark: every other byte of its ASCII characters is 0, and no other byte is."""
    head = np.frombuffer(data[:4096], np.uint8)
    even, odd = float((head[::2] == 0).mean()), float((head[1::2] == 0).mean()) if len(head) > 1 else 0.0
    if even == 0 and odd > 0.3:
        return ("utf-16-le",)
    return ("utf-16-be",) if odd == 0 and even > 0.3 else ()
