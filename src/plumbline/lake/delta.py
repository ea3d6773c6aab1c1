"""A dataset as a Delta Lake table, for readers that know nothing of ours."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from plumbline.core.errors import ExportError, MissingExtraError, ParameterError
from plumbline.lake.dataset import Dataset
from plumbline.lake.differences import stored_rows
from plumbline.lake.peaks import of_export
from plumbline.lake.prepared import Progress
from plumbline.lake.store import Store

_ID = "plumbline.dataset_id"
_COLOUR = r"\x1b\[[0-9;]*m"
_TRACE = r"\n +\d+: .*"


def export_delta(store: Store, dataset: Dataset, folder: Path, progress: Progress) -> int | None:
    """Write a dataset as the newest version of a Delta table; return its number.

    Parameters
    ----------
    store : where the dataset is.
    dataset : what to write: bar_close, asset, then one column a field.
    folder : the table's; made if it is not there.
    progress : told of the parts written.

    Returns
    -------
    The number of the table's version; None if its newest holds this dataset already.

    Raises
    ------
    ParameterError
        If the folder holds something that is no Delta table.
    MissingExtraError
        If the library is not installed.
    ExportError
        If the folder cannot be read or written as a Delta table.

    Notes
    -----
    Cost: reading and writing all rows, a part at a time.
    """
    try:
        from deltalake.exceptions import DeltaError
    except ImportError as error:
        raise MissingExtraError("deltalake", "delta") from error
    try:
        return _exported(store, dataset, folder, progress)
    except (DeltaError, OSError) as error:
        raise ExportError(
            f"{folder} cannot be written as a Delta table: {_first_lines(error)}; see that it is a "
            "folder that can be written and has room, or name another"
        ) from error


def _first_lines(error: Exception) -> str:
    """Return what a message says before the frames of the library, as one line without colours."""
    plain = re.sub(_TRACE, "", re.sub(_COLOUR, "", str(error)), flags=re.DOTALL)
    return " ".join(plain.replace("↳", " ").split())


def _exported(store: Store, dataset: Dataset, folder: Path, progress: Progress) -> int | None:
    import pyarrow as pa
    from deltalake import CommitProperties, DeltaTable, write_deltalake

    is_table = DeltaTable.is_deltatable(str(folder))
    if not is_table and folder.exists() and not _is_free(folder):
        raise ParameterError(
            f"{folder} is there and is no Delta table; name a folder that is empty"
        )
    if is_table and _holds(DeltaTable(str(folder)), dataset.dataset_id):
        return None
    store.room.require(of_export(dataset))
    fields = [pa.field(name, pa.float64()) for name in dataset.fields]
    keys = [pa.field("bar_close", pa.timestamp("us", "UTC")), pa.field("asset", pa.string())]
    schema = pa.schema([*keys, *fields])
    batches = pa.RecordBatchReader.from_batches(schema, _batches(store, dataset, schema, progress))
    note = {_ID: dataset.dataset_id, "plumbline.name": dataset.name}
    note["plumbline.version"] = str(dataset.version)
    properties = CommitProperties(custom_metadata=note)
    write_deltalake(
        str(folder),
        batches,
        mode="overwrite",
        schema_mode="overwrite" if is_table else None,
        commit_properties=properties,
    )
    return int(DeltaTable(str(folder)).version())


def _is_free(folder: Path) -> bool:
    """Return whether a table can be made in a folder: it is empty, but for an export cut short."""
    return folder.is_dir() and all(
        path.name.startswith("part-") and path.suffix == ".parquet" for path in folder.iterdir()
    )


def _holds(table: Any, dataset_id: str) -> bool:
    newest = table.history(1)
    return bool(newest) and newest[0].get(_ID) == dataset_id


def _batches(store: Store, dataset: Dataset, schema: Any, progress: Progress) -> Iterator[Any]:
    for done, part in enumerate(dataset.parts):
        progress("export", done, len(dataset.parts))
        rows = stored_rows(store, dataset)(part.number).select(schema.names)
        yield from rows.sort("bar_close", "asset").to_arrow().cast(schema).to_batches()
    progress("export", len(dataset.parts), len(dataset.parts))
