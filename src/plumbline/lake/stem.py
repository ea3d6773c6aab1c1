"""What the name of a file tells: its stem, which is the name of an asset or a field."""

import re
from pathlib import PurePosixPath

STEM = "{stem}"
_ENDINGS = re.compile(
    r"(?<=.)(\.(csv|tsv|txt|parquet|pq|arrow|feather|ipc))?(\.(gz|zip))?$", re.IGNORECASE
)


def filled_stem(template: str, name: str) -> str:
    """Return a template with the stem of a file in the place of ``{stem}``.

    The stem is the file's name without the endings that say its format: one of ``.csv .tsv .txt
    .parquet .pq .arrow .feather .ipc``, and ``.gz`` or ``.zip`` behind it. So
    ``BRK.B.csv.gz`` has the stem ``BRK.B``.

    Parameters
    ----------
    template : text that may hold ``{stem}``.
    name : the file, with ``/`` between its folders.
    """
    return template.replace(STEM, _ENDINGS.sub("", PurePosixPath(name).name, count=1))
