"""Sets of tables, such as books of portfolios, and their versions."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def words(length: int) -> sa.String:
    """Return the type of short text, sorted by code points on both databases."""
    return sa.String(length).with_variant(sa.VARCHAR(collation="C"), "postgresql")


def upgrade() -> None:
    """Apply it."""
    op.create_table(
        "lake_table_sets",
        sa.Column("name", words(200), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.Column("files", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", "version"),
    )


def downgrade() -> None:
    """Take it back."""
    op.drop_table("lake_table_sets")
