"""What a source gave when its files were last there."""

import json

from plumbline.core.calendar import Calendar, grid_of
from plumbline.lake import catalogue, versions
from plumbline.lake.cleaning_rules import CleaningRules
from plumbline.lake.fingerprint import ingest_key
from plumbline.lake.lake import Lake
from plumbline.lake.prepared import PreparedDataset
from plumbline.lake.source import Source


def last_read(
    lake: Lake, name: str, source: Source, calendar: Calendar | str, rules: CleaningRules
) -> PreparedDataset | None:
    """Return what the newest ingest gave that read files as a source would; none is read.

    Parameters
    ----------
    lake : opened with the code that reads the source.
    name, source, calendar, rules : as for :meth:`Lake.prepare`.

    Returns
    -------
    The data set; None if no ingest of the name had this source, calendar, rules and code, or if the
    name has come to mean another version since.
    """
    grid = grid_of(calendar)
    with lake.database.read() as connection:
        newest = versions.find_version(connection, name)
        for ingest in versions.list_ingests(connection, name):
            files = json.loads(ingest.source)["digest"]
            if ingest.key != ingest_key(files, source, rules, grid, lake.code):
                continue
            if newest != (ingest.dataset_id, ingest.version):
                return None
            found = catalogue.get_dataset(
                connection, lake.database, ingest.dataset_id, (name, ingest.version)
            )
            if found is None:
                return None
            return PreparedDataset(found, ingest.source, ingest.key, ingest.quality, None)
    return None
