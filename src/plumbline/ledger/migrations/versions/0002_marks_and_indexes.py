"""A mark of the project that a database belongs to, and indexes for lists of many runs."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

INDEXES = {
    "runs_by_pipeline": ("runs", ["pipeline", "number"]),
    "runs_by_recipe": ("runs", ["recipe_digest", "number"]),
    "runs_by_state": ("runs", ["state"]),
    "tasks_by_state": ("tasks", ["run_id", "state"]),
}


def words(length: int) -> sa.String:
    """Return the type of short text, sorted by code points on both databases."""
    return sa.String(length).with_variant(sa.VARCHAR(collation="C"), "postgresql")


def upgrade() -> None:
    """Apply it."""
    op.create_table(
        "project",
        sa.Column("id", words(32), nullable=False),
        sa.Column("place", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    for name, (table, columns) in INDEXES.items():
        op.create_index(name, table, columns)
    op.drop_index("ix_runs_pipeline", "runs")  # runs_by_pipeline begins with the same column


def downgrade() -> None:
    """Take it back."""
    op.create_index("ix_runs_pipeline", "runs", ["pipeline"])
    for name, (table, _) in INDEXES.items():
        op.drop_index(name, table)
    op.drop_table("project")
