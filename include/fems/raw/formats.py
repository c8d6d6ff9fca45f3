"""What files come in: gzip is opened here, Excel workbooks and Parquet files are told by their first bytes."""

import zlib

from fems.errors import UndecodableObject

LARGEST = 512 << 20
"""Bytes to which an object may unfold."""
_RATIO, _ALWAYS_ALLOWED = 200, 64 << 20  # a small file of one repeated line is no bomb
_GZIP = b"\x1f\x8b"
ZIP, PARQUET = b"PK\x03\x04", b"PAR1"
"""First bytes of a workbook (.xlsx is a ZIP archive) and of a Parquet file."""


def _allowed(packed: int) -> int:
    return min(LARGEST, max(_ALWAYS_ALLOWED, _RATIO * packed))


def refuse_bomb(what: str, unpacked: int, packed: int) -> None:
    """Refuse what unfolds to far more than it is.

    Raises:
        UndecodableObject: it does.
    """
    if unpacked > _allowed(packed):
        raise UndecodableObject(
            f"{what} of {packed:,} bytes unfolds to more than {_allowed(packed):,} bytes: refused"
        )


def unzipped(data: bytes) -> bytes:
    """Open a gzip-compressed object, of one or several members; return anything else as it is.

    Raises:
        UndecodableObject: broken, cut short, gzip within gzip, or unfolding to more than is sound.
    """
    if not data.startswith(_GZIP):
        return data
    parts: list[bytes] = []
    size, rest = 0, data
    while rest.startswith(_GZIP):
        member = zlib.decompressobj(wbits=31)
        try:
            part = member.decompress(rest, _allowed(len(data)) - size + 1)
        except zlib.error as error:
            raise UndecodableObject(f"the gzip object is broken: {error}") from error
        size += len(part)
        refuse_bomb("the gzip object", size, len(data))
        if not member.eof:
            raise UndecodableObject("the gzip object is cut short")
        parts.append(part)
        rest = member.unused_data.lstrip(b"\0")
    if rest:
        raise UndecodableObject("the gzip object has other bytes behind its end")
    unfolded = parts[0] if len(parts) == 1 else b"".join(parts)
    if unfolded.startswith(_GZIP):
        raise UndecodableObject("the object is gzip within gzip")
    return unfolded


def is_container(data: bytes) -> bool:
    """Whether these are the bytes of an Excel workbook or a Parquet file."""
    return data.startswith((ZIP, PARQUET))
