"""What a file holds that was taken for another kind, told by its first bytes."""

import codecs
import os
from pathlib import Path

_GZIP, _ZIP, _PARQUET = b"\x1f\x8b", b"PK\x03\x04", b"PAR1"


def as_polars_reads(path: Path) -> Path | bytes:
    """Return a file as polars takes it: its path, or its bytes if the path is no UTF-8 text."""
    try:
        os.fspath(path).encode()
    except UnicodeEncodeError:
        return path.read_bytes()
    return path


def why_no_text(head: bytes) -> str:
    """Return what bytes hold that are no delimited text and what to do about it, or nothing."""
    if head.startswith(_GZIP):
        return "holds gzip, not text; end its name with .gz, as in .csv.gz, or unpack it"
    if head.startswith(_ZIP):
        return "holds a zip archive, not text; unpack it (gzip is read, with a name as in .csv.gz)"
    if head.startswith(_PARQUET):
        return "holds Parquet, not text; say source: parquet"
    return ""


def why_no_parquet(head: bytes) -> str:
    """Return what bytes hold that are no Parquet and what to do about it, or nothing."""
    if head.startswith((_GZIP, _ZIP)):
        return "holds a packed file, not Parquet; unpack it, or say source: csv for text in gzip"
    if head and not head.startswith(_PARQUET) and _is_text(head):
        return "holds text, not Parquet; say source: csv"
    return ""


def _is_text(head: bytes) -> bool:
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)  # which may end within a character
    except UnicodeDecodeError:
        return False
    return b"\0" not in head
