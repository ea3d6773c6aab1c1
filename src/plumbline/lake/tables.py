"""The catalogue's tables: what a lake holds, in which files, under which names."""

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
)

from plumbline.ledger.columns import words
from plumbline.ledger.database import Base

_ID = String(64)

datasets = Table(  # content of a dataset: names, extent, grid
    "lake_datasets",
    Base.metadata,
    Column("dataset_id", _ID, primary_key=True),
    Column("calendar", String(40), nullable=False),
    Column("frequency", String(8), nullable=False),
    Column("fields", Text, nullable=False),
    Column("assets", Text, nullable=False),
    Column("first_bar", BigInteger, nullable=False),
    Column("last_bar", BigInteger, nullable=False),
    Column("n_rows", BigInteger, nullable=False),
    Column("session_closes", LargeBinary),
)
parts = Table(  # content of a part, and the digests of its patches as one matrix
    "lake_parts",
    Base.metadata,
    Column("part_id", _ID, primary_key=True),
    Column("number", Integer, nullable=False),
    Column("fields", Text, nullable=False),
    Column("assets", Text, nullable=False),
    Column("first_bar", BigInteger, nullable=False),
    Column("last_bar", BigInteger, nullable=False),
    Column("n_rows", BigInteger, nullable=False),
    Column("digests", LargeBinary, nullable=False),
)
dataset_parts = Table(  # which parts make a dataset, in order of time
    "lake_dataset_parts",
    Base.metadata,
    Column("dataset_id", ForeignKey(datasets.c.dataset_id), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("part_id", ForeignKey(parts.c.part_id), nullable=False, index=True),
)
segments = Table(  # Parquet files
    "lake_segments",
    Base.metadata,
    Column("digest", _ID, primary_key=True),
    Column("first_close", BigInteger, nullable=False),
    Column("last_close", BigInteger, nullable=False),
    Column("n_rows", BigInteger, nullable=False),
    Column("n_bytes", BigInteger, nullable=False),
)
part_segments = Table(  # which files hold a part; compaction changes that, and no id
    "lake_part_segments",
    Base.metadata,
    Column("part_id", ForeignKey(parts.c.part_id), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("digest", ForeignKey(segments.c.digest), nullable=False, index=True),
)
versions = Table(  # what a name meant, from when
    "lake_versions",
    Base.metadata,
    Column("name", words(200), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("dataset_id", ForeignKey(datasets.c.dataset_id), nullable=False, index=True),
    Column("created", DateTime(timezone=True), nullable=False),
    Column("source", Text, nullable=False),
    Index("lake_versions_by_time", "name", "created"),
)
ingests = Table(  # which source, read by which rules and code, gave which version of a name
    "lake_ingests",
    Base.metadata,
    Column("name", words(200), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("key", _ID, primary_key=True, index=True),
    Column("dataset_id", ForeignKey(datasets.c.dataset_id), nullable=False, index=True),
    Column("position", Integer, nullable=False),
    Column("created", DateTime(timezone=True), nullable=False),
    Column("source", Text, nullable=False),
    Column("quality", LargeBinary, nullable=False),
    Index("lake_ingests_by_name", "name", "position"),
    Index("lake_ingests_by_position", "position"),
)
files = Table(  # states of source files when their contents were digested
    "lake_files",
    Base.metadata,
    Column("path", Text, primary_key=True),
    Column("size", BigInteger, nullable=False),
    Column("changed_ns", BigInteger, nullable=False),
    Column("seen_ns", BigInteger, nullable=False),
    Column("inode", BigInteger, nullable=False),
    Column("digest", _ID, nullable=False),
)
breakers = Table(  # the last state of the breaker of each remote source
    "lake_breakers",
    Base.metadata,
    Column("source", words(200), primary_key=True),
    Column("state", String(10), nullable=False),
    Column("failures", Integer, nullable=False),
    Column("last_error", Text, nullable=False),
    Column("since", DateTime(timezone=True), nullable=False),
)
table_sets = Table(  # versions of named sets of tables, each table a Parquet file
    "lake_table_sets",
    Base.metadata,
    Column("name", words(200), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("digest", _ID, nullable=False),
    Column("created", DateTime(timezone=True), nullable=False),
    Column("files", Text, nullable=False),
    Column("note", Text, nullable=False),
)
