"""Plans: what will run, what is there already, and why.

A key needs the digests of its inputs. Where an input will itself be computed, its digest is not
known yet: such a block *follows*, and runs only if its input comes out different.
"""

import enum
import gc
import json
from collections.abc import Container, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, final

from sqlalchemy import func, select

from plumbline.core.errors import CorruptEntryError, UnhashableError
from plumbline.engine.blocks import Task
from plumbline.engine.cache import Cache, Entry
from plumbline.engine.expectation import Expected, expected_costs
from plumbline.engine.key import Key, KeyMaker
from plumbline.engine.plan_text import plan_text
from plumbline.ledger.costs import past_costs
from plumbline.ledger.database import Database
from plumbline.ledger.models import Artefact, CodeRecord, Run, TaskRecord

_COMPARED = 8  # latest results of a block that a plan compares with
_SHOWN = 20  # groups of blocks that a plan lists when it shows itself


class State(enum.Enum):
    """What is to be done with a block."""

    CACHED = "cached"
    KEPT = "kept"
    RUN = "run"
    FOLLOWS = "follows"


@final
@dataclass(frozen=True)
class Decision:
    """What is to be done with one block, and why.

    Parameters
    ----------
    task : the block.
    state : cached, kept, run or follows.
    reason : one sentence.
    key : its key; None while an input is unknown or if it cannot be cached.
    entry : the stored result, if there is one.
    damage : what is wrong with the stored result, if a file of it has another length.
    """

    task: Task
    state: State
    reason: str
    key: Key | None = None
    entry: Entry | None = None
    damage: CorruptEntryError | None = None


@final
@dataclass(frozen=True)
class Plan:
    """Decisions on every block, producers first.

    Parameters
    ----------
    decisions : one a block.
    costs : number of a block that may be computed -> what it is expected to cost.
    peak_bytes : memory that the run is expected to take, all processes together, where a run says.
    """

    decisions: tuple[Decision, ...]
    costs: Mapping[int, Expected] = field(default_factory=dict)
    peak_bytes: int | None = None

    def count(self, *states: State) -> int:
        """Return how many blocks have one of these states."""
        return sum(d.state in states for d in self.decisions)

    @property
    def is_done(self) -> bool:
        """Return whether nothing is left to compute."""
        return self.count(State.RUN, State.FOLLOWS) == 0

    @property
    def expected_seconds(self) -> float | None:
        """Return the time that past timings suggest for one worker, or None without any."""
        found = [cost.seconds for cost in self.costs.values()]
        known = [seconds for seconds in found if seconds is not None]
        return sum(known) * len(found) / len(known) if known else None

    def node_costs(self) -> list[dict[str, Any]]:
        """Return of each node how many blocks may be computed, and their expected cost.

        ``seconds`` is the sum of its blocks, None where the past tells nothing; ``block_bytes``
        what its largest block takes beside the process's own memory.
        """
        found: dict[str, list[Expected]] = {}
        for number, cost in self.costs.items():
            found.setdefault(self.decisions[number].task.node.name, []).append(cost)
        return [
            {
                "node": name,
                "blocks": len(costs),
                "seconds": sum(c.seconds for c in costs if c.seconds is not None) or None,
                "block_bytes": max(c.n_bytes for c in costs),
                "measured": all(c.is_known for c in costs),
            }
            for name, costs in found.items()
        ]

    def __repr__(self) -> str:
        return plan_text(self, limit=_SHOWN)


@final
class Planner:
    """Decides, block by block, as the outputs of producers become known.

    Parameters
    ----------
    pipeline : its name in the ledger.
    keys : makes keys.
    cache : finds results.
    keep_code : whether results that differ by code alone are kept.
    use_cache : False computes everything again.
    own : keys whose results are used also if the cache is off: what the run made itself.
    """

    def __init__(
        self,
        pipeline: str,
        keys: KeyMaker,
        cache: Cache,
        *,
        keep_code: bool = False,
        use_cache: bool = True,
        own: Container[str] = (),
    ) -> None:
        self._pipeline = pipeline
        self._keys = keys
        self._cache = cache
        self._keep_code = keep_code
        self._use_cache = use_cache
        self._own = own
        self._known: Mapping[tuple[str, str], Sequence[str]] | None = None

    def plan(self, tasks: Sequence[Task]) -> Plan:
        """Decide on every block without computing any."""
        with collection_paused():
            return self._plan(tasks)

    def _plan(self, tasks: Sequence[Task]) -> Plan:
        self._cache.preload(self._pipeline)
        outputs: dict[int, str] = {}
        states: dict[int, str | None] = {}
        decisions = []
        for task in tasks:
            unknown = [n for n in task.needs if n not in outputs]
            if unknown:
                names = ", ".join(dict.fromkeys(tasks[n].node.name for n in unknown))
                decisions.append(Decision(task, State.FOLLOWS, self._why_follows(task, names)))
                continue
            decision = self.decide(task, outputs, states)
            if decision.entry is not None:
                outputs[task.number] = decision.entry.digest
                states[task.number] = decision.entry.state_digest
            decisions.append(decision)
        plan = Plan(tuple(decisions))
        if plan.is_done:
            return plan
        return replace(plan, costs=self._costs(tasks, plan))

    def _costs(self, tasks: Sequence[Task], plan: Plan) -> dict[int, Expected]:
        past = past_costs(self._cache.database, self._pipeline)
        sizes = {d.task.number: d.entry.n_bytes for d in plan.decisions if d.entry is not None}
        expected = expected_costs(tasks, sizes, past)
        return {d.task.number: expected[d.task.number] for d in plan.decisions if d.entry is None}

    def decide(
        self, task: Task, outputs: Mapping[int, str], states: Mapping[int, str | None]
    ) -> Decision:
        """Decide on a block whose inputs are known."""
        state = None if task.before is None else states[task.before]
        try:
            key = self._keys.key_of(task, outputs, state)
        except UnhashableError as error:
            return Decision(task, State.RUN, f"cannot be cached: {error}")
        if not self._use_cache and key.digest not in self._own:
            return Decision(task, State.RUN, "the cache is off", key)
        entry = self._cache.lookup(key.digest)
        if entry is not None:
            return Decision(task, State.CACHED, "nothing changed", key, entry)
        if self._keep_code:
            kept = self._cache.lookup_basis(key.basis)
            if kept is not None:
                return Decision(task, State.KEPT, self._why_kept(kept[1], key), key, kept[0])
        damages = self._cache.damages_of(key.digest)
        if damages:
            return Decision(task, State.RUN, str(damages[0]), key, damage=damages[0])
        return Decision(task, State.RUN, "; ".join(self.explain(task, key)), key)

    def _why_follows(self, task: Task, names: str) -> str:
        """Name the inputs that a block waits for, and whether it runs in any case."""
        if not self._use_cache:
            return f"the cache is off; follows {names}"
        if task.place not in self._latest_parts():
            return f"never computed; follows {names}"
        return f"runs if {names} comes out different"

    def _why_kept(self, made: Mapping[str, Any], key: Key) -> str:
        """Name the code that made a kept result, and what has changed since."""
        changed = differences(made, key, self._cache.database)
        return f"kept, made by code {made['code'][:12]}: {'; '.join(changed)}"

    def explain(self, task: Task, key: Key) -> list[str]:
        """Return how a key differs from that of the nearest of the block's latest results.

        The nearest, not the newest: a variant that was tried in between explains nothing.
        """
        known = self._latest_parts()
        if task.place not in known:
            return ["never computed"]
        before = min(map(json.loads, known[task.place]), key=partial(_distance, key))
        return differences(before, key, self._cache.database) or ["its stored result is gone"]

    def _latest_parts(self) -> Mapping[tuple[str, str], Sequence[str]]:
        """Return what :func:`latest_parts` does, asked of the ledger once."""
        if self._known is None:
            self._known = latest_parts(self._cache.database, self._pipeline)
        return self._known


@contextmanager
def collection_paused() -> Iterator[None]:
    """Look for no garbage meanwhile: of ten thousand blocks that took a third of a plan's time."""
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def latest_parts(database: Database, pipeline: str) -> dict[tuple[str, str], list[str]]:
    """Return the key parts of the results that runs of a pipeline used last, by block."""
    block = (TaskRecord.node, TaskRecord.block)
    last = func.max(Run.number).label("last")
    used = (
        select(*block, TaskRecord.key, last)
        .join(Run, Run.id == TaskRecord.run_id)
        .where(Run.pipeline == pipeline, TaskRecord.key.is_not(None))
        .group_by(*block, TaskRecord.key)
        .subquery()
    )
    place_of_block = (used.c.node, used.c.block)
    newest_first = (used.c.last.desc(), used.c.key)
    place = (
        func.row_number().over(partition_by=place_of_block, order_by=newest_first).label("place")
    )
    parts = select(*place_of_block, Artefact.parts, place)
    parts = parts.join(Artefact, Artefact.key == used.c.key)
    own = parts.subquery()
    query = select(own.c.node, own.c.block, own.c.parts).where(own.c.place <= _COMPARED)
    found: dict[tuple[str, str], list[str]] = {}
    with database.read() as connection:
        for node, name, parts in connection.execute(query.order_by(own.c.place)):
            found.setdefault((node, name), []).append(parts)
    return found


def _distance(key: Key, before: Mapping[str, Any]) -> int:
    """Return how many parts of an earlier key differ, fields of a parameter one by one."""
    after = key.parts
    changed = [name for name in ("stage", "code", "device", "state") if before[name] != after[name]]
    old, new = before["parameters"], after["parameters"]
    for name in {*old, *new}:
        if name not in old or name not in new:
            changed.append(name)
        elif old[name]["digest"] != new[name]["digest"]:
            changed += _changed_fields(old[name], new[name]) or [name]
    old, new = before["inputs"], after["inputs"]
    changed += [name for name in {*old, *new} if old.get(name) != new.get(name)]
    return len(changed)


def differences(before: Mapping[str, Any], key: Key, database: Database) -> list[str]:
    """Return, one sentence each, the parts in which a key differs from an earlier one."""
    after = key.parts
    found = []
    if before["stage"] != after["stage"]:
        found.append(f"another stage: {before['stage']} -> {after['stage']}")
    found += _parameter_differences(before["parameters"], after["parameters"])
    if before["code"] != after["code"]:
        found += _code_differences(before["code"], key, database)
    if before["device"] != after["device"]:
        found.append(f"another processor: {before['device']} -> {after['device']}")
    if list(before["block"]) != list(after["block"]):
        found.append("the block has another extent")
    names = sorted({*before["inputs"], *after["inputs"]})
    reads = json.loads(json.dumps(after["reads"]))  # as the ledger gives them back
    picked = after["picked"]
    for name in names:
        is_other = before["inputs"].get(name) != after["inputs"].get(name)
        is_repicked = before.get("picked", picked).get(name) != picked.get(name)
        if before.get("reads", reads).get(name) != reads.get(name) or (is_other and is_repicked):
            found.append(f"another part of input {name} is read")
        elif is_other:
            found.append(f"input {name} changed")
    if before["state"] != after["state"]:
        found.append("the block before it ended in another state")
    return found


def _parameter_differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    absent = {"digest": "", "value": "absent"}
    found = []
    for name in sorted({*before, *after}):
        old, new = before.get(name, absent), after.get(name, absent)
        if old["digest"] == new["digest"]:
            continue
        fields = _changed_fields(old, new)
        if fields:
            told = ", ".join(f"{n} {old['fields'][n]} -> {new['fields'][n]}" for n in fields)
            found.append(f"parameter {name}: {told}")
        else:
            found.append(f"parameter {name}: {old['value']} -> {new['value']}")
    return found


def _changed_fields(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Return the fields in which two values of one class differ; none if they cannot be told."""
    if old.get("class") is None or old.get("class") != new.get("class"):
        return []
    if old["fields"].keys() != new["fields"].keys():
        return []
    return [name for name in new["fields"] if old["fields"][name] != new["fields"][name]]


def _code_differences(before: str, key: Key, database: Database) -> list[str]:
    query = select(CodeRecord.files, CodeRecord.libraries).where(CodeRecord.digest == before)
    with database.read() as connection:
        row = connection.execute(query).first()
    if row is None:
        return ["code changed"]
    files = [
        f"code of {name} changed"
        for name in sorted({*row[0], *key.code.files})
        if row[0].get(name) != key.code.files.get(name)
    ]
    libraries = [
        f"library {name}: {row[1].get(name, 'absent')} -> {key.code.libraries.get(name, 'absent')}"
        for name in sorted({*row[1], *key.code.libraries})
        if row[1].get(name) != key.code.libraries.get(name)
    ]
    return files + libraries
