"""The text of a file that may be packed: plain, in gzip, or alone in a zip archive."""

import hashlib
import io
import lzma
import re
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from isal import igzip_lib, isal_zlib

LARGEST = 1 << 30  # bytes of text in one file; a month of bars of a second has 0.4e9
RATIO = 200  # text over packed bytes; text of prices packs to a third or a tenth
_SUM = re.compile(r"[0-9a-fA-F]{64}(?=\s|$)")
_ALWAYS = 1 << 20  # bytes of text that are unpacked at any ratio
_GZIP = 31  # how the library is told that a header of gzip comes first
_GZIP_MARK = b"\x1f\x8b"
_ENCRYPTED = 0x1


def unpacked(path: Path, name: str, problems: list[str]) -> bytes | None:
    """Return the bytes of a plain, ``.gz`` or ``.zip`` file, unpacked, or None.

    Parameters
    ----------
    path : the file; its ending says how it is packed.
    name : how messages call it.
    problems : list that problems are appended to: what cannot be unpacked, an archive that does
        not hold one ``.csv`` alone, more text than 200 times the file or a gigabyte, and bytes that
        are not those whose SHA-256 a file beside it states, named as it is and ``.CHECKSUM``.
    """
    ending = path.suffix.lower()
    try:
        data = path.read_bytes()
        _refuse_other_sum(data, path)
        if ending == ".gz":
            return gunzipped(data)
        return _only_member(data, path, name, problems) if ending == ".zip" else data
    except (OSError, zlib.error, ValueError, zipfile.BadZipFile) as error:
        problems.append(f"{name}: cannot be read: {error}")
        return None


def _refuse_other_sum(data: bytes, path: Path) -> None:
    """Refuse bytes that are not those which the exchange's own file of a checksum states."""
    stated = path.with_name(f"{path.name}.CHECKSUM")
    if not stated.exists():
        return
    found = _SUM.match(stated.read_text("utf-8", errors="replace"))
    if found is None:
        raise ValueError(f"{stated.name} beside it states no SHA-256; fetch both again")
    made = hashlib.sha256(data).hexdigest()
    if made != found[0].lower():
        raise ValueError(
            f"its SHA-256 is {made[:12]}…, {stated.name} states {found[0][:12].lower()}…; fetch "
            "both again"
        )


def gunzipped(data: bytes) -> bytes:
    """Return what bytes of gzip hold, all members of them.

    Raises
    ------
    ValueError
        If they are cut off, damaged, no gzip, or hold more than :func:`allowed`.
    """
    most = allowed(len(data))
    parts: list[bytes] = []
    rest, size = data, 0
    while rest:
        if not rest.startswith(_GZIP_MARK):
            where = "behind its gzip" if parts else "in it"
            raise ValueError(f"the file is no gzip: other bytes stand {where}; fetch it again")
        unpacker = isal_zlib.decompressobj(_GZIP)
        try:
            parts.append(unpacker.decompress(rest, most - size + 1))
        except igzip_lib.IsalError as error:  # type: ignore[misc]  # its stub gives it no base
            raise ValueError(f"the file is damaged: {error}; fetch it again") from error
        size += len(parts[-1])
        if size > most:
            raise ValueError(_too_large(len(data), most))
        if not unpacker.eof:
            raise ValueError("the file is cut off: its gzip has no end; fetch it again")
        rest = unpacker.unused_data.lstrip(b"\0")  # some writers fill their last block
    return parts[0] if len(parts) == 1 else b"".join(parts)


def allowed(n_bytes: int) -> int:
    """Return the bytes of text that a packed file of some bytes may hold."""
    return min(LARGEST, max(_ALWAYS, RATIO * n_bytes))


def _too_large(n_bytes: int, most: int) -> str:
    return (
        f"{n_bytes} packed bytes hold more than {most} of text; allowed are {RATIO} times as many "
        f"and {LARGEST} in all; if the file is right, unpack it and read the text"
    )


def _only_member(data: bytes, path: Path, name: str, problems: list[str]) -> bytes | None:
    """Return the one file of an archive; append why it is not read."""
    if not zipfile.is_zipfile(io.BytesIO(data)):
        whole = data.startswith(b"PK\x03\x04")
        what = "is cut off: it has no list of its files" if whole else "holds no zip archive"
        problems.append(f"{name}: the file {what}; fetch it again")
        return None
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        wrong = _member_problems(archive.infolist(), path, len(data))
        if wrong:
            problems.extend(f"{name}: {problem}" for problem in wrong)
            return None
        try:
            with archive.open(archive.infolist()[0]) as member:  # in one go it would be unbounded
                return member.read(allowed(len(data)) + 1)
        except (NotImplementedError, RuntimeError, lzma.LZMAError) as error:  # what zip lacks
            problems.append(f"{name}: cannot be unpacked: {error}")
            return None


def _member_problems(members: Sequence[zipfile.ZipInfo], path: Path, n_bytes: int) -> list[str]:
    names = [member.filename for member in members]
    problems = [
        f"the archive holds {inner!r}, a path that leads out of it; it is not unpacked"
        for inner in names
        if _leads_out(inner)
    ]
    if len(members) != 1 or not names[0].lower().endswith(".csv"):
        held = ", ".join(map(repr, names[:5])) or "nothing"
        more = f", … ({len(names)} in all)" if len(names) > 5 else ""
        problems.append(
            f"the archive must hold one .csv file and nothing else; it holds {held}{more}"
        )
        return problems
    (member,) = members
    if member.flag_bits & _ENCRYPTED:
        problems.append(f"{member.filename!r} in the archive is encrypted; unpack it yourself")
    if member.file_size > allowed(n_bytes):
        problems.append(_too_large(n_bytes, allowed(n_bytes)))
    if not problems and PurePosixPath(member.filename).stem.lower() != path.stem.lower():
        problems.append(
            f"the archive holds {member.filename!r}, the file of another name; name both alike"
        )
    return problems


def _leads_out(inner: str) -> bool:
    place = PurePosixPath(inner.replace("\\", "/"))
    return place.is_absolute() or ".." in place.parts or ":" in "".join(place.parts[:1])
