"""The first tables: what is there of them stays, as older projects have them and no number."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def words(length: int) -> sa.String:
    """Return the type of short text, sorted by code points on both databases."""
    return sa.String(length).with_variant(sa.VARCHAR(collation="C"), "postgresql")


def bytes_type() -> sa.Integer:
    """Return the type of numbers of bytes."""
    return sa.Integer().with_variant(sa.BigInteger(), "postgresql")


def upgrade() -> None:
    """Apply it; there is no way back from the first."""
    op.create_table(
        "codes",
        sa.Column("digest", words(64), nullable=False),
        sa.Column("files", sa.JSON(), nullable=False),
        sa.Column("libraries", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("digest"),
        if_not_exists=True,
    )
    op.create_table(
        "runs",
        sa.Column("id", words(32), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("pipeline", words(200), nullable=False),
        sa.Column("state", words(16), nullable=False),
        sa.Column("owner", words(200), nullable=False),
        sa.Column("started", sa.DateTime(), nullable=False),
        sa.Column("finished", sa.DateTime(), nullable=True),
        sa.Column("recipe", sa.Text(), nullable=False),
        sa.Column("recipe_digest", words(64), nullable=False),
        sa.Column("executor", words(200), nullable=False),
        sa.Column("machine", sa.JSON(), nullable=False),
        sa.Column("process", words(200), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("number"),
        if_not_exists=True,
    )
    op.create_index("ix_runs_pipeline", "runs", ["pipeline"], if_not_exists=True)
    op.create_index("ix_runs_started", "runs", ["started"], if_not_exists=True)
    op.create_table(
        "source_files",
        sa.Column("content", words(64), nullable=False),
        sa.Column("python", words(16), nullable=False),
        sa.Column("syntax", words(64), nullable=False),
        sa.Column("imports", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("content", "python"),
        if_not_exists=True,
    )
    op.create_table(
        "artefacts",
        sa.Column("key", words(64), nullable=False),
        sa.Column("basis", words(64), nullable=False),
        sa.Column("digest", words(64), nullable=False),
        sa.Column("manifest", sa.Text(), nullable=False),
        sa.Column("n_bytes", bytes_type(), nullable=False),
        sa.Column("pipeline", words(200), nullable=False),
        sa.Column("node", words(200), nullable=False),
        sa.Column("block", words(64), nullable=False),
        sa.Column("parts", sa.Text(), nullable=False),
        sa.Column("run_id", words(32), nullable=False),
        sa.Column("created", sa.DateTime(), nullable=False),
        sa.Column("used", sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["run_id"],
            ["runs.id"],
        ),
        sa.PrimaryKeyConstraint("key"),
        if_not_exists=True,
    )
    op.create_index(
        "artefacts_by_place", "artefacts", ["pipeline", "node", "block"], if_not_exists=True
    )
    op.create_index("ix_artefacts_basis", "artefacts", ["basis"], if_not_exists=True)
    op.create_index("ix_artefacts_digest", "artefacts", ["digest"], if_not_exists=True)
    op.create_table(
        "failures",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("run_id", words(32), nullable=False),
        sa.Column("node", words(200), nullable=False),
        sa.Column("block", words(64), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("kind", words(200), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("trace", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["run_id"],
            ["runs.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        if_not_exists=True,
    )
    op.create_index("ix_failures_run_id", "failures", ["run_id"], if_not_exists=True)
    op.create_table(
        "findings",
        sa.Column("run_id", words(32), nullable=False),
        sa.Column("code", words(64), nullable=False),
        sa.ForeignKeyConstraint(
            ["run_id"],
            ["runs.id"],
        ),
        sa.PrimaryKeyConstraint("run_id"),
        if_not_exists=True,
    )
    op.create_table(
        "metrics",
        sa.Column("run_id", words(32), nullable=False),
        sa.Column("name", words(200), nullable=False),
        sa.Column("subject", words(200), nullable=False),
        sa.Column("value", sa.Float(), nullable=True),
        sa.ForeignKeyConstraint(
            ["run_id"],
            ["runs.id"],
        ),
        sa.PrimaryKeyConstraint("run_id", "name", "subject"),
        if_not_exists=True,
    )
    op.create_table(
        "tasks",
        sa.Column("run_id", words(32), nullable=False),
        sa.Column("node", words(200), nullable=False),
        sa.Column("block", words(64), nullable=False),
        sa.Column("key", words(64), nullable=True),
        sa.Column("state", words(16), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("finished", sa.DateTime(), nullable=False),
        sa.Column("seconds", sa.Float(), nullable=True),
        sa.Column("peak_bytes", bytes_type(), nullable=True),
        sa.Column("worker", words(200), nullable=True),
        sa.ForeignKeyConstraint(
            ["run_id"],
            ["runs.id"],
        ),
        sa.PrimaryKeyConstraint("run_id", "node", "block"),
        if_not_exists=True,
    )
    op.create_index("ix_tasks_key", "tasks", ["key"], if_not_exists=True)
    op.create_index("tasks_by_place", "tasks", ["node", "block"], if_not_exists=True)
    op.create_table(
        "warnings",
        sa.Column("run_id", words(32), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("part", words(200), nullable=False),
        sa.Column("subject", words(200), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["run_id"],
            ["runs.id"],
        ),
        sa.PrimaryKeyConstraint("run_id", "position"),
        if_not_exists=True,
    )
    op.create_table(
        "lineage",
        sa.Column("key", words(64), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("name", words(200), nullable=False),
        sa.Column("dataset_id", words(64), nullable=True),
        sa.Column("digest", words(64), nullable=False),
        sa.ForeignKeyConstraint(["key"], ["artefacts.key"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("key", "position"),
        if_not_exists=True,
    )
    op.create_index("ix_lineage_digest", "lineage", ["digest"], if_not_exists=True)
    _lake_tables()


def _lake_tables() -> None:
    op.create_table(
        "lake_datasets",
        sa.Column("dataset_id", sa.String(length=64), nullable=False),
        sa.Column("calendar", sa.String(length=40), nullable=False),
        sa.Column("frequency", sa.String(length=8), nullable=False),
        sa.Column("fields", sa.Text(), nullable=False),
        sa.Column("assets", sa.Text(), nullable=False),
        sa.Column("first_bar", sa.BigInteger(), nullable=False),
        sa.Column("last_bar", sa.BigInteger(), nullable=False),
        sa.Column("n_rows", sa.BigInteger(), nullable=False),
        sa.Column("session_closes", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("dataset_id"),
        if_not_exists=True,
    )
    op.create_table(
        "lake_parts",
        sa.Column("part_id", sa.String(length=64), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("fields", sa.Text(), nullable=False),
        sa.Column("assets", sa.Text(), nullable=False),
        sa.Column("first_bar", sa.BigInteger(), nullable=False),
        sa.Column("last_bar", sa.BigInteger(), nullable=False),
        sa.Column("n_rows", sa.BigInteger(), nullable=False),
        sa.Column("digests", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("part_id"),
        if_not_exists=True,
    )
    op.create_table(
        "lake_dataset_parts",
        sa.Column("dataset_id", sa.String(length=64), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("part_id", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["dataset_id"], ["lake_datasets.dataset_id"]),
        sa.ForeignKeyConstraint(["part_id"], ["lake_parts.part_id"]),
        sa.PrimaryKeyConstraint("dataset_id", "position"),
        if_not_exists=True,
    )
    op.create_index(
        "ix_lake_dataset_parts_part_id", "lake_dataset_parts", ["part_id"], if_not_exists=True
    )
    op.create_table(
        "lake_files",
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("changed_ns", sa.BigInteger(), nullable=False),
        sa.Column("seen_ns", sa.BigInteger(), nullable=False),
        sa.Column("inode", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("path"),
        if_not_exists=True,
    )
    op.create_table(
        "lake_segments",
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("first_close", sa.BigInteger(), nullable=False),
        sa.Column("last_close", sa.BigInteger(), nullable=False),
        sa.Column("n_rows", sa.BigInteger(), nullable=False),
        sa.Column("n_bytes", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("digest"),
        if_not_exists=True,
    )
    op.create_table(
        "lake_part_segments",
        sa.Column("part_id", sa.String(length=64), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["part_id"], ["lake_parts.part_id"]),
        sa.ForeignKeyConstraint(["digest"], ["lake_segments.digest"]),
        sa.PrimaryKeyConstraint("part_id", "position"),
        if_not_exists=True,
    )
    op.create_index(
        "ix_lake_part_segments_digest", "lake_part_segments", ["digest"], if_not_exists=True
    )
    op.create_table(
        "lake_ingests",
        sa.Column("name", words(200), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("dataset_id", sa.String(length=64), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("quality", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["dataset_id"], ["lake_datasets.dataset_id"]),
        sa.PrimaryKeyConstraint("name", "version", "key"),
        if_not_exists=True,
    )
    for name, columns in {
        "ix_lake_ingests_dataset_id": ["dataset_id"],
        "ix_lake_ingests_key": ["key"],
        "lake_ingests_by_name": ["name", "position"],
        "lake_ingests_by_position": ["position"],
    }.items():
        op.create_index(name, "lake_ingests", columns, if_not_exists=True)
    op.create_table(
        "lake_versions",
        sa.Column("name", words(200), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("dataset_id", sa.String(length=64), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["dataset_id"], ["lake_datasets.dataset_id"]),
        sa.PrimaryKeyConstraint("name", "version"),
        if_not_exists=True,
    )
    op.create_index(
        "ix_lake_versions_dataset_id", "lake_versions", ["dataset_id"], if_not_exists=True
    )
    op.create_index(
        "lake_versions_by_time", "lake_versions", ["name", "created"], if_not_exists=True
    )
