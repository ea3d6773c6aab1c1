"""Blocks given up, where runs came from, runs that stay, and breakers of remote sources."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def words(length: int) -> sa.String:
    """Return the type of short text, sorted by code points on both databases."""
    return sa.String(length).with_variant(sa.VARCHAR(collation="C"), "postgresql")


def upgrade() -> None:
    """Apply it."""
    op.create_table(
        "lake_breakers",
        sa.Column("source", words(200), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("last_error", sa.Text(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("source"),
    )
    op.create_table(
        "dead_letters",
        sa.Column("run_id", words(32), nullable=False),
        sa.Column("node", words(200), nullable=False),
        sa.Column("block", words(64), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("kind", words(200), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("trace", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["run_id"],
            ["runs.id"],
        ),
        sa.PrimaryKeyConstraint("run_id", "node", "block"),
    )
    op.create_table(
        "kept_runs",
        sa.Column("run_id", words(32), nullable=False),
        sa.Column("since", sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["run_id"],
            ["runs.id"],
        ),
        sa.PrimaryKeyConstraint("run_id"),
    )
    op.create_table(
        "run_origins",
        sa.Column("run_id", words(32), nullable=False),
        sa.Column("base", sa.Text(), nullable=False),
        sa.Column("retried", words(32), nullable=True),
        sa.ForeignKeyConstraint(
            ["retried"],
            ["runs.id"],
        ),
        sa.ForeignKeyConstraint(
            ["run_id"],
            ["runs.id"],
        ),
        sa.PrimaryKeyConstraint("run_id"),
    )


def downgrade() -> None:
    """Take it back."""
    op.drop_table("run_origins")
    op.drop_table("kept_runs")
    op.drop_table("dead_letters")
    op.drop_table("lake_breakers")
