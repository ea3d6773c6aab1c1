"""Files of days of portfolios, and which figures they hold."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def words(length: int) -> sa.String:
    """Return the type of short text, sorted by code points on both databases."""
    return sa.String(length).with_variant(sa.VARCHAR(collation="C"), "postgresql")


def upgrade() -> None:
    """Apply it."""
    op.create_table(
        "store_files",
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("kind", words(16), nullable=False),
        sa.Column("digest", words(64), nullable=False),
        sa.Column("n_rows", sa.Integer(), nullable=False),
        sa.Column("first_portfolio", words(200), nullable=False),
        sa.Column("last_portfolio", words(200), nullable=False),
        sa.Column("first_date", sa.Date(), nullable=False),
        sa.Column("last_date", sa.Date(), nullable=False),
        sa.Column(
            "n_bytes", sa.Integer().with_variant(sa.BigInteger(), "postgresql"), nullable=False
        ),
        sa.Column("run_id", words(32), nullable=False),
        sa.Column("created", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("number"),
    )
    with op.batch_alter_table("store_files", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_store_files_digest"), ["digest"], unique=False)

    op.create_table(
        "store_layouts",
        sa.Column("digest", words(32), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("columns", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("digest"),
        sa.UniqueConstraint("number"),
    )


def downgrade() -> None:
    """Take it back."""
    op.drop_table("store_layouts")
    with op.batch_alter_table("store_files", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_store_files_digest"))

    op.drop_table("store_files")
