"""A process that writes the same chunk of a store again and again, with a number in each row."""

import sys
from pathlib import Path

from tests.store.durable_history import Place, marked
from tests.store.made import chunk_of


def main() -> None:
    """Serve ``FOLDER FRAMES SERVER NUMBER FIRST LAST ROUNDS``; no server is written as ``-``."""
    folder, frames, server, number, first, last, rounds = sys.argv[1:]
    place = Place(Path(folder), None if server == "-" else server, Path(frames))
    tables = place.tables()
    names = sorted(tables["snapshots"]["portfolio"].unique())[int(first) : int(last)]
    chunk = marked(chunk_of(tables, names, salt=number), int(number))
    store = place.open()
    print("ready", flush=True)
    sys.stdin.readline()
    for _ in range(int(rounds)):
        store.write(chunk, f"writer {number}")
    store.close()
