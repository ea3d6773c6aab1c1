"""From a task and its producers' results to the small message that a worker needs."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from plumbline.engine.blocks import Read, Task
from plumbline.engine.cache import Entry
from plumbline.engine.work import DataPiece, Load, Piece, Work


def work_of(
    task: Task,
    tasks: Sequence[Task],
    entries: Mapping[int, Entry],
    objects: Path,
    target: Path | None = None,
) -> Work:
    """Return the work of a task.

    Parameters
    ----------
    task : the block to compute.
    tasks : all tasks of the pipeline.
    entries : task number -> its result, for every producer of the task.
    objects : folder of stored files; the lake lies beside it.
    target : folder to store the output in, if another.
    """
    return Work(
        number=task.number,
        place=task.place,
        stage=task.node.stage,
        block=task.block,
        loads=tuple(_load(read, tasks, entries, objects) for read in task.reads),
        objects=objects,
        target=target or objects,
        state=None if task.before is None else entries[task.before].manifest,
        seconds=task.node.stage.resources.seconds,
        memory_bytes=task.node.stage.resources.memory_bytes,
    )


def _load(read: Read, tasks: Sequence[Task], entries: Mapping[int, Entry], objects: Path) -> Load:
    if read.data is not None:
        data = read.data
        piece = DataPiece(objects.parent, data.dataset.dataset_id, data.fields, data.assets)
        return Load(read.name, read.selection, data=piece)
    pieces = tuple(Piece(tasks[n].block.kind, entries[n].manifest) for n in read.producers)
    return Load(read.name, read.selection, pieces)
