"""Tables of the ledger: runs, tasks, attempts that failed, results and what they were made from."""

from datetime import date, datetime
from typing import final

from sqlalchemy import JSON, Date, DateTime, Float, ForeignKey, Index, Integer, Text
from sqlalchemy.orm import Mapped, mapped_column

from plumbline.ledger.columns import large_integer, words
from plumbline.ledger.database import Base

NONDETERMINISTIC = "Nondeterministic"


@final
class Run(Base):
    """One call of ``plumbline run``.

    ``state`` is running, done, failed, interrupted, killed (its process ended without a word), or
    unknown (it runs on another host, and nothing was heard of it for a day). ``number`` counts runs
    in the order they began, whatever a frozen clock says.
    """

    __tablename__ = "runs"
    __table_args__ = (
        Index("runs_by_state", "state"),
        Index("runs_by_pipeline", "pipeline", "number"),
        Index("runs_by_recipe", "recipe_digest", "number"),
    )

    id: Mapped[str] = mapped_column(words(32), primary_key=True)
    number: Mapped[int] = mapped_column(Integer, unique=True)
    pipeline: Mapped[str] = mapped_column(words(200))
    state: Mapped[str] = mapped_column(words(16))
    owner: Mapped[str] = mapped_column(words(200))
    started: Mapped[datetime] = mapped_column(DateTime, index=True)
    finished: Mapped[datetime | None] = mapped_column(DateTime)
    recipe: Mapped[str] = mapped_column(Text)
    recipe_digest: Mapped[str] = mapped_column(words(64))
    executor: Mapped[str] = mapped_column(words(200))
    machine: Mapped[dict[str, object]] = mapped_column(JSON)
    process: Mapped[str] = mapped_column(words(200))


@final
class TaskRecord(Base):
    """What a run did with one block of one stage: computed, cached, kept, failed or blocked."""

    __tablename__ = "tasks"
    __table_args__ = (
        Index("tasks_by_place", "node", "block"),
        Index("tasks_by_state", "run_id", "state"),
    )

    run_id: Mapped[str] = mapped_column(ForeignKey("runs.id"), primary_key=True)
    node: Mapped[str] = mapped_column(words(200), primary_key=True)
    block: Mapped[str] = mapped_column(words(64), primary_key=True)
    key: Mapped[str | None] = mapped_column(words(64), index=True)
    state: Mapped[str] = mapped_column(words(16))
    reason: Mapped[str] = mapped_column(Text)
    finished: Mapped[datetime] = mapped_column(DateTime)
    seconds: Mapped[float | None] = mapped_column(Float)
    peak_bytes: Mapped[int | None] = mapped_column(large_integer())
    worker: Mapped[str | None] = mapped_column(words(200))


@final
class FailureRecord(Base):
    """Something that went wrong with a block, with its cause.

    An attempt that failed; attempt 0 for a stored result that was found damaged, or, with the
    kind ``NONDETERMINISTIC``, for a result that came out different under its key.
    """

    __tablename__ = "failures"

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=True)
    run_id: Mapped[str] = mapped_column(ForeignKey("runs.id"), index=True)
    node: Mapped[str] = mapped_column(words(200))
    block: Mapped[str] = mapped_column(words(64))
    attempt: Mapped[int] = mapped_column(Integer)
    kind: Mapped[str] = mapped_column(words(200))
    message: Mapped[str] = mapped_column(Text)
    trace: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime] = mapped_column(DateTime)


@final
class DeadLetter(Base):
    """A block that a run gave up after its last attempt, with the cause of that attempt."""

    __tablename__ = "dead_letters"

    run_id: Mapped[str] = mapped_column(ForeignKey("runs.id"), primary_key=True)
    node: Mapped[str] = mapped_column(words(200), primary_key=True)
    block: Mapped[str] = mapped_column(words(64), primary_key=True)
    attempts: Mapped[int] = mapped_column(Integer)
    kind: Mapped[str] = mapped_column(words(200))
    message: Mapped[str] = mapped_column(Text)
    trace: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime] = mapped_column(DateTime)


@final
class RunOrigin(Base):
    """Where a run came from: the folder of its recipe, and the run that it tries again.

    ``base`` is the folder that the recipe's paths start from, as seen from the project's if
    it lies there, else absolute.
    """

    __tablename__ = "run_origins"

    run_id: Mapped[str] = mapped_column(ForeignKey("runs.id"), primary_key=True)
    base: Mapped[str] = mapped_column(Text)
    retried: Mapped[str | None] = mapped_column(ForeignKey("runs.id"))


@final
class KeptRun(Base):
    """A run whose results stay, whatever is cleared away."""

    __tablename__ = "kept_runs"

    run_id: Mapped[str] = mapped_column(ForeignKey("runs.id"), primary_key=True)
    since: Mapped[datetime] = mapped_column(DateTime)


@final
class Artefact(Base):
    """A stored result: its key, what the key was made of, and where its bits are.

    ``basis`` is the key without code and libraries: results that share it differ by code alone.
    """

    __tablename__ = "artefacts"
    __table_args__ = (Index("artefacts_by_place", "pipeline", "node", "block"),)

    key: Mapped[str] = mapped_column(words(64), primary_key=True)
    basis: Mapped[str] = mapped_column(words(64), index=True)
    digest: Mapped[str] = mapped_column(words(64), index=True)
    manifest: Mapped[str] = mapped_column(Text)
    n_bytes: Mapped[int] = mapped_column(large_integer())
    pipeline: Mapped[str] = mapped_column(words(200))
    node: Mapped[str] = mapped_column(words(200))
    block: Mapped[str] = mapped_column(words(64))
    parts: Mapped[str] = mapped_column(Text)
    run_id: Mapped[str] = mapped_column(ForeignKey("runs.id"))
    created: Mapped[datetime] = mapped_column(DateTime)
    used: Mapped[datetime] = mapped_column(DateTime)


@final
class Lineage(Base):
    """One input of a stored result: another result by its digest, or patches of a data set."""

    __tablename__ = "lineage"

    key: Mapped[str] = mapped_column(
        ForeignKey("artefacts.key", ondelete="CASCADE"), primary_key=True
    )
    position: Mapped[int] = mapped_column(Integer, primary_key=True)
    name: Mapped[str] = mapped_column(words(200))
    dataset_id: Mapped[str | None] = mapped_column(words(64))
    digest: Mapped[str] = mapped_column(words(64), index=True)


@final
class Metric(Base):
    """One number of a run's results, such as a mean rank IC, for lists and comparisons."""

    __tablename__ = "metrics"

    run_id: Mapped[str] = mapped_column(ForeignKey("runs.id"), primary_key=True)
    name: Mapped[str] = mapped_column(words(200), primary_key=True)
    subject: Mapped[str] = mapped_column(words(200), primary_key=True)
    value: Mapped[float | None] = mapped_column(Float)


@final
class FindingsRecord(Base):
    """The code by which the numbers and warnings of a run were taken from its results."""

    __tablename__ = "findings"

    run_id: Mapped[str] = mapped_column(ForeignKey("runs.id"), primary_key=True)
    code: Mapped[str] = mapped_column(words(64))


@final
class WarningRecord(Base):
    """Something that a run could not compute, and why; ``part`` is the table that lacks it."""

    __tablename__ = "warnings"

    run_id: Mapped[str] = mapped_column(ForeignKey("runs.id"), primary_key=True)
    position: Mapped[int] = mapped_column(Integer, primary_key=True)
    part: Mapped[str] = mapped_column(words(200))
    subject: Mapped[str] = mapped_column(words(200))
    text: Mapped[str] = mapped_column(Text)


@final
class CodeRecord(Base):
    """What a code digest stands for: files and libraries."""

    __tablename__ = "codes"

    digest: Mapped[str] = mapped_column(words(64), primary_key=True)
    files: Mapped[dict[str, str]] = mapped_column(JSON)
    libraries: Mapped[dict[str, str]] = mapped_column(JSON)


@final
class SourceFile(Base):
    """What the code digest read out of one version of a source file."""

    __tablename__ = "source_files"

    content: Mapped[str] = mapped_column(words(64), primary_key=True)
    python: Mapped[str] = mapped_column(words(16), primary_key=True)
    syntax: Mapped[str] = mapped_column(words(64))
    imports: Mapped[str] = mapped_column(Text)


@final
class ProjectMark(Base):
    """Which project a database on a server belongs to: one row at most."""

    __tablename__ = "project"

    id: Mapped[str] = mapped_column(words(32), primary_key=True)
    place: Mapped[str] = mapped_column(Text)


@final
class StoreFile(Base):
    """A Parquet file with days of portfolios, or of correlations, that readers see.

    ``kind`` is days or dates. Of several files that hold the same day the highest number's is it.
    """

    __tablename__ = "store_files"

    number: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    kind: Mapped[str] = mapped_column(words(16))
    digest: Mapped[str] = mapped_column(words(64), index=True)
    n_rows: Mapped[int] = mapped_column(Integer)
    first_portfolio: Mapped[str] = mapped_column(words(200))
    last_portfolio: Mapped[str] = mapped_column(words(200))
    first_date: Mapped[date] = mapped_column(Date)
    last_date: Mapped[date] = mapped_column(Date)
    n_bytes: Mapped[int] = mapped_column(large_integer())
    run_id: Mapped[str] = mapped_column(words(32))
    created: Mapped[datetime] = mapped_column(DateTime)


@final
class StoreLayout(Base):
    """Which figures the arrays of measures of portfolios hold, in order, as JSON."""

    __tablename__ = "store_layouts"

    digest: Mapped[str] = mapped_column(words(32), primary_key=True)
    number: Mapped[int] = mapped_column(Integer, unique=True)
    columns: Mapped[str] = mapped_column(Text)
