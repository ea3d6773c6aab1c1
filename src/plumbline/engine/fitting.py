"""Running within a limit of memory: how many workers fit, and what to do if not even one does."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

from plumbline.core.errors import MemoryLimitError
from plumbline.core.sizes import shown_bytes
from plumbline.engine.executor import Executor
from plumbline.engine.expectation import Expected, bars_of
from plumbline.engine.plan import Plan
from plumbline.engine.stage import TimeBlocks


@final
@dataclass(frozen=True)
class Footing:
    """What a run stands on before its first block.

    Parameters
    ----------
    process_bytes : memory of this process, and of each worker that is started beside it.
    blocks : number of a block that is to be computed -> what it is expected to cost.
    """

    process_bytes: int
    blocks: Mapping[int, Expected]

    def peak_bytes(self, workers: int) -> int:
        """Return the most that a run is expected to take; 0 workers compute in this process."""
        largest = sorted((e.n_bytes for e in self.blocks.values()), reverse=True)
        return self.process_bytes * (1 + workers) + sum(largest[: max(1, workers)])


def fitted(executor: Executor, plan: Plan, footing: Footing, limit: int) -> Executor:
    """Return an executor that keeps to a limit of memory, with fewer workers if need be.

    Parameters
    ----------
    executor, plan, footing : what is to run.
    limit : bytes that all processes may take together.

    Raises
    ------
    MemoryLimitError
        If the largest block does not fit; it says what would.
    """
    largest = max(footing.blocks, key=lambda number: footing.blocks[number].n_bytes)
    needed = footing.blocks[largest].n_bytes
    most = executor.workers_for(len(footing.blocks))
    for workers in range(most, 0, -1):
        budget = limit - footing.process_bytes * (1 + workers)
        if budget >= needed:
            return executor.within(workers, budget)
    if most == 0 and footing.process_bytes + needed <= limit:
        return executor
    raise MemoryLimitError(_advice(plan, footing, largest, limit, is_serial=most == 0))


def _advice(plan: Plan, footing: Footing, number: int, limit: int, *, is_serial: bool) -> str:
    task = plan.decisions[number].task
    cost = footing.blocks[number]
    alone = footing.process_bytes + cost.n_bytes
    needed = alone if is_serial else alone + footing.process_bytes
    source = "by past runs" if cost.is_known else "by what it reads and writes"
    text = (
        f"the run needs about {shown_bytes(needed)} and may take {shown_bytes(limit)}: "
        f"{task.place[0]} [{task.place[1]}] takes {shown_bytes(cost.n_bytes)} {source}, "
        f"{'this process' if is_serial else 'each of two processes'} "
        f"{shown_bytes(footing.process_bytes)}"
    )
    return "; ".join([text, *_ways_out(plan, footing, number, limit, needed, is_serial=is_serial)])


def _ways_out(
    plan: Plan, footing: Footing, number: int, limit: int, needed: int, *, is_serial: bool
) -> list[str]:
    task, cost = plan.decisions[number].task, footing.blocks[number]
    alone = footing.process_bytes + cost.n_bytes
    found = [f"say --memory {-(-needed // 10**7) * 10}MB"]
    if not is_serial and alone <= limit:
        found.append(f"use the executor serial, which needs {shown_bytes(alone)}")
    room = limit - footing.process_bytes * (1 if is_serial else 2)
    bars = bars_of(task.block.label)
    fits = bars * room // max(1, cost.n_bytes)
    if isinstance(task.node.stage.partition, TimeBlocks) and 0 < fits < bars:
        found.append(f"set block_bars of the recipe to {fits} or less")
    elif bars == 1:
        found.append("use fewer assets or a shorter history: this block is not cut into bars")
    return found
