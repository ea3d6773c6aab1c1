"""Write the migration from the tables as they are to the code's: make migration name=WORDS."""

import re
import sys
import tempfile
from pathlib import Path
from typing import Any, Literal

from alembic.autogenerate import produce_migrations, render_python_code
from alembic.runtime.migration import MigrationContext
from sqlalchemy import String

import plumbline.lake.tables  # it declares tables, as the next does
import plumbline.ledger.models  # noqa: F401  # the same
from plumbline.ledger.database import Base, open_database
from plumbline.ledger.schema import FOLDER, revisions

TEXT = '''"""{title}."""

import sqlalchemy as sa
from alembic import op

revision = "{revision}"
down_revision = {before}


{helper}def upgrade() -> None:
    """Apply it."""
    {upgrade}


def downgrade() -> None:
    """Take it back."""
    {downgrade}
'''

WORDS = '''def words(length: int) -> sa.String:
    """Return the type of short text, sorted by code points on both databases."""
    return sa.String(length).with_variant(sa.VARCHAR(collation="C"), "postgresql")


'''


def rendered(kind: str, item: Any, _context: Any) -> str | Literal[False]:
    """Return how a migration writes the type of short text; of anything else alembic knows."""
    if kind == "type" and isinstance(item, String) and "postgresql" in item._variant_mapping:
        return f"words({item.length})"
    return False


def main() -> None:
    """Write the file, or say that nothing differs."""
    name = "_".join(re.findall(r"[a-z0-9]+", " ".join(sys.argv[1:]).lower()))
    if not name:
        raise SystemExit("say what it does: make migration name='add timings'")
    numbers = revisions()
    with tempfile.TemporaryDirectory() as folder:
        database = open_database(Path(folder) / "empty.db")
        if numbers:
            database.create_tables()
        with database.read() as connection:
            context = MigrationContext.configure(connection, opts={"compare_type": True})
            found = produce_migrations(context, Base.metadata)
    if found.upgrade_ops is None or found.upgrade_ops.is_empty():
        raise SystemExit("the tables are as the code declares them; nothing is written")
    revision = f"{len(numbers) + 1:04d}"
    steps = [
        re.sub(
            r"^ *# ###.*\n?",
            "",
            render_python_code(ops, render_as_batch=True, render_item=rendered),
            flags=re.MULTILINE,
        )
        for ops in (found.upgrade_ops, found.downgrade_ops)
        if ops is not None
    ]
    words = {
        "title": name.replace("_", " ").capitalize(),
        "revision": revision,
        "before": f'"{numbers[-1]}"' if numbers else None,
        "helper": WORDS if "words(" in steps[0] + steps[1] else "",
        "upgrade": steps[0].strip(),
        "downgrade": steps[1].strip(),
    }
    path = FOLDER / "versions" / f"{revision}_{name}.py"
    path.write_text(TEXT.format(**words), encoding="utf-8")
    print(f"wrote {path}; read it, give its sentence, and run: pytest tests/ledger/test_schema.py")


if __name__ == "__main__":
    main()
