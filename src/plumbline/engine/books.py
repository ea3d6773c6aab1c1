"""What a run knows so far of each of its blocks, and the rows that the ledger gets of them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, final

from plumbline.engine.cache import Entry
from plumbline.engine.code_digest import CodeDigest
from plumbline.engine.plan import Decision
from plumbline.engine.work import Outcome
from plumbline.ledger.session import Completion


@final
@dataclass
class Books:
    """What a run knows so far of each task."""

    entries: dict[int, Entry] = field(default_factory=dict)
    outputs: dict[int, str] = field(default_factory=dict)
    end_states: dict[int, str | None] = field(default_factory=dict)
    states: dict[int, str] = field(default_factory=dict)
    attempts: dict[int, int] = field(default_factory=dict)
    problems: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    buffer: list[Completion] = field(default_factory=list)
    codes: dict[str, CodeDigest] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)
    own: set[str] = field(default_factory=set)
    unsaved: float = 0.0
    flushed: float = 0.0

    def settle(self, number: int, entry: Entry, state: str) -> None:
        """Note a task's result."""
        self.entries[number] = entry
        self.outputs[number] = entry.digest
        self.end_states[number] = entry.state_digest
        self.states[number] = state

    def told_problems(self) -> list[str]:
        """Return a sentence for each problem, with the blocks that have it."""
        return [
            f"{node} [{block}]{_and_more(len(rest))}: {what}"
            for what, ((node, block), *rest) in self.problems.items()
        ]

    def reopen(self) -> None:
        """Forget what is known of results, but not which blocks this run computed."""
        self.entries.clear()
        self.outputs.clear()
        self.end_states.clear()
        self.problems.clear()
        self.states = {n: s for n, s in self.states.items() if s == "computed"}


def _and_more(count: int) -> str:
    return f" and {count} more block{'' if count == 1 else 's'}" if count else ""


def artefact_of(pipeline: str, decision: Decision, outcome: Outcome) -> Mapping[str, Any] | None:
    """Return the row of a computed result, or None if it has no key."""
    key = decision.key
    if key is None:
        return None
    node, block = decision.task.place
    return {
        "key": key.digest,
        "basis": key.basis,
        "digest": outcome.stored.digest,
        "manifest": json.dumps(outcome.stored.manifest),
        "n_bytes": outcome.stored.n_bytes,
        "pipeline": pipeline,
        "node": node,
        "block": block,
        "parts": json.dumps(key.parts),
    }


def lineage_of(decision: Decision) -> list[Mapping[str, Any]]:
    """Return the rows of the inputs of a computed result."""
    if decision.key is None:
        return []
    return [
        {
            "key": decision.key.digest,
            "position": position,
            "name": name,
            "dataset_id": dataset_id,
            "digest": digest,
        }
        for position, (name, dataset_id, digest) in enumerate(decision.key.inputs)
    ]
