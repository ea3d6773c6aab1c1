"""Content-addressed files: named by the digest of their bytes, written once, checked when read."""

import io
import json
import os
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np
from blake3 import blake3

from plumbline.core.errors import CorruptEntryError
from plumbline.core.panel import Panel
from plumbline.engine.stage import Value

Manifest = Mapping[str, Any]  # kind, then where each part of a value lies


@final
@dataclass(frozen=True)
class Stored:
    """A value on disk.

    Parameters
    ----------
    digest : digest of the output, equal for equal values.
    state_digest : digest of a scan's end state, or None.
    manifest : parts by name, as digests of files.
    n_bytes : size of the files together.
    """

    digest: str
    state_digest: str | None
    manifest: Manifest
    n_bytes: int


@final
class ObjectStore:
    """A folder of immutable files, ``ab/abcdef….suffix``; many processes may write at once.

    A file is written beside its place, flushed to disk, then renamed: it is there whole or not
    at all. Bytes are checked against the name once in each process that reads them.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._checked: set[str] = set()

    def put(self, content: Any, suffix: str) -> str:
        """Write bytes unless they are there; return their name."""
        name = f"{blake3(content).hexdigest()}{suffix}"
        path = self.path(name)
        if path.exists() and path.stat().st_size == len(content):
            return name
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{uuid.uuid4().hex}.part")
        try:
            with temporary.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
        _sync_folder(path.parent)
        return name

    def path(self, name: str) -> Path:
        """Return where a file lies or would lie."""
        return self.root / name[:2] / name

    def check(self, name: str) -> Path:
        """Return the path of a file whose bytes were compared with its name.

        Raises
        ------
        CorruptEntryError
            If the file is missing or its bytes differ.
        """
        path = self.path(name)
        if name in self._checked and path.exists():
            return path
        if not path.exists():
            raise CorruptEntryError(name, str(path), "the file is missing")
        hasher = blake3()
        hasher.update_mmap(path)
        if hasher.hexdigest() != name.partition(".")[0]:
            raise CorruptEntryError(name, str(path), "its bytes differ from its digest")
        self._checked.add(name)
        return path

    def drop(self, name: str) -> None:
        """Remove a damaged file, so that it can be written again."""
        self._checked.discard(name)
        self.path(name).unlink(missing_ok=True)

    def write(self, value: Value, state: Mapping[str, np.ndarray] | None = None) -> Stored:
        """Write a panel or tables, with the end state of a scan."""
        manifest: dict[str, Any] = (
            self._write_panel(value) if isinstance(value, Panel) else self._write_tables(value)
        )
        digest = _digest(manifest)
        state_digest = None
        if state is not None:
            manifest["state"] = {name: self._put_array(state[name]) for name in sorted(state)}
            state_digest = _digest(manifest["state"])
        n_bytes = sum(self.path(name).stat().st_size for name in names_in(manifest))
        return Stored(digest, state_digest, manifest, n_bytes)

    def read(self, manifest: Manifest) -> Value:
        """Read a value: panels are memory-mapped.

        Raises
        ------
        CorruptEntryError
            If a file is missing or damaged.
        """
        if manifest["kind"] == "tables":
            import polars as pl

            tables = manifest["tables"]
            return {
                key: pl.read_parquet(self.check(name), memory_map=False)
                for key, name in tables.items()
            }
        return Panel(
            {key: self._map(name) for key, name in manifest["fields"].items()},
            self._map(manifest["bars"]),
            json.loads(self.check(manifest["assets"]).read_bytes()),
            known_at=self._map(manifest["known_at"]),
            first_bar=manifest["first_bar"],
        )

    def read_state(self, manifest: Manifest) -> dict[str, np.ndarray]:
        """Read the end state of a scan."""
        return {key: self._map(name) for key, name in manifest["state"].items()}

    def _map(self, name: str) -> np.ndarray:
        array: np.ndarray = np.load(self.check(name), mmap_mode="r", allow_pickle=False)
        return array

    def _write_panel(self, panel: Panel) -> dict[str, Any]:
        return {
            "kind": "panel",
            "first_bar": panel.first_bar,
            "bars": self._put_array(panel.bars),
            "known_at": self._put_array(panel.known_at),
            "assets": self.put(json.dumps(list(panel.assets)).encode(), ".json"),
            "fields": {name: self._put_array(panel[name]) for name in sorted(panel)},
        }

    def _write_tables(self, tables: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "kind": "tables",
            "tables": {name: self._put_table(tables[name]) for name in sorted(tables)},
        }

    def _put_table(self, table: Any) -> str:
        import polars.selectors as cs

        buffer = io.BytesIO()
        canonical = table.with_columns(cs.float().fill_nan(float("nan"))).rechunk()
        canonical.write_parquet(buffer, compression="zstd", statistics=False)
        return self.put(buffer.getbuffer(), ".parquet")

    def _put_array(self, array: np.ndarray) -> str:
        array = np.ascontiguousarray(array)
        if array.dtype.kind == "f":
            missing = np.isnan(array)
            if missing.any():  # one NaN, whatever bits arithmetic left in it
                array = np.where(missing, np.nan, array)
        buffer = io.BytesIO()
        np.lib.format.write_array(buffer, array, allow_pickle=False)
        return self.put(buffer.getbuffer(), ".npy")


def names_in(manifest: Manifest) -> list[str]:
    """Return the names of the files of a stored value."""
    if manifest["kind"] == "tables":
        names = list(manifest["tables"].values())
    else:
        names = [manifest["bars"], manifest["known_at"], manifest["assets"]]
        names += manifest["fields"].values()
    return [*names, *manifest.get("state", {}).values()]


def _digest(manifest: Manifest) -> str:
    return str(blake3(json.dumps(manifest, sort_keys=True).encode()).hexdigest())


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
