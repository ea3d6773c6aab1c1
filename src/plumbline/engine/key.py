"""Keys: the digest of everything that a block's result depends on, and the parts behind it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, is_dataclass
from typing import Any, final

from plumbline.core.digest import digest, digest_bytes
from plumbline.core.errors import UnhashableError
from plumbline.core.processor import device_profile
from plumbline.engine.blocks import Read, Selection, Task
from plumbline.engine.code_digest import CodeDigest, CodeDigests, field_names
from plumbline.engine.pipeline import DataInput, Node

_REPR_LENGTH = 120


@final
@dataclass(frozen=True)
class Key:
    """A key and its parts.

    Parameters
    ----------
    digest : the key.
    basis : the key without code, libraries and processor.
    parts : what went in, readable, for ``explain``.
    code : the code that makes the result.
    inputs : one row an input: (name, dataset_id or None, digest).
    """

    digest: str
    basis: str
    parts: Mapping[str, Any]
    code: CodeDigest
    inputs: tuple[tuple[str, str | None, str], ...]


@final
@dataclass(frozen=True)
class _NodePart:
    code: CodeDigest
    device: str | None
    stage: str
    parameters: Mapping[str, Mapping[str, Any]]
    digest: str


@final
class KeyMaker:
    """Makes the keys of one pipeline; what is the same for all blocks of a node is made once."""

    def __init__(self, codes: CodeDigests) -> None:
        self._codes = codes
        self._nodes: dict[str, _NodePart | UnhashableError] = {}
        self._data: dict[tuple[Any, ...], str] = {}
        self._assets: dict[tuple[str, ...], str] = {}

    def key_of(self, task: Task, outputs: Mapping[int, str], state: str | None) -> Key:
        """Return the key of a task whose producers' outputs are known.

        Parameters
        ----------
        task : the task.
        outputs : task number -> digest of its output.
        state : digest of the end state that a scan continues from.

        Raises
        ------
        UnhashableError
            If a parameter or the code has no digest: the result must not be cached.
        """
        node = self._node_part(task.node)
        axes = task.block.axes
        assets = digest(axes.assets) if task.block.kind == "asset" else ""
        portfolios = digest(axes.portfolios) if task.block.kind == "portfolio" else ""
        geometry = [task.block.kind, axes.first_bar, axes.end_bar, assets, portfolios]
        inputs = [row for read in task.reads for row in self._input_rows(read, outputs)]
        selections = [_selection_part(read) for read in task.reads]
        content = [(name, value) for name, _, value in inputs]
        basis = _digest_text([node.stage, node.digest, geometry, selections, content, state])
        parts = {
            "stage": node.stage,
            "parameters": node.parameters,
            "code": node.code.digest,
            "device": node.device,
            "block": geometry,
            "reads": dict(zip((read.name for read in task.reads), selections, strict=True)),
            "picked": {r.name: self._picked(r.data) for r in task.reads if r.data is not None},
            "inputs": _grouped(inputs),
            "state": state,
        }
        key = _digest_text([basis, node.code.digest, node.device])
        return Key(key, basis, parts, node.code, tuple(inputs))

    def _node_part(self, node: Node) -> _NodePart:
        if node.name not in self._nodes:
            try:
                self._nodes[node.name] = self._make_node_part(node)
            except UnhashableError as error:
                self._nodes[node.name] = error
        part = self._nodes[node.name]
        if isinstance(part, UnhashableError):
            raise part
        return part

    def _make_node_part(self, node: Node) -> _NodePart:
        stage = node.stage
        code = self._codes.of(stage)
        parameters: dict[str, dict[str, Any]] = {}
        cls = type(stage)
        for name in field_names(cls):
            value = getattr(stage, name)
            parameters[name] = {"digest": digest(value), "value": repr(value)[:_REPR_LENGTH]}
            parameters[name] |= _own_parts(value)
        digests = [[name, part["digest"]] for name, part in parameters.items()]
        return _NodePart(
            code=code,
            device=device_profile(frozenset(code.libraries)),
            stage=f"{cls.__module__}.{cls.__qualname__}",
            parameters=parameters,
            digest=_digest_text(digests),
        )

    def _input_rows(
        self, read: Read, outputs: Mapping[int, str]
    ) -> list[tuple[str, str | None, str]]:
        if read.data is None:
            return [(read.name, None, outputs[number]) for number in read.producers]
        return [(read.name, read.data.dataset.dataset_id, self._data_digest(read, read.data))]

    def _picked(self, data: DataInput) -> list[Any]:
        """Return what an input takes of a data set, for ``explain``; its content is in the key."""
        assets = data.assets
        if assets is not None and assets not in self._assets:
            self._assets[assets] = digest(assets)
        return [list(data.fields), None if assets is None else self._assets[assets]]

    def _data_digest(self, read: Read, data: DataInput) -> str:
        selection = read.selection
        first, last = (None, None) if selection.bars is None else selection.bars
        end = None if first is None or last is None else max(first, last - 1)
        assets = data.assets if selection.assets is None else selection.assets
        call = (data.dataset.dataset_id, data.fields, assets, first, end)
        if call not in self._data:
            self._data[call] = data.dataset.digest_of(data.fields, assets, first, end)
        return self._data[call]


def _own_parts(value: Any) -> dict[str, Any]:
    """Return the class and the fields of a parameter that has some, to be compared one by one."""
    if not is_dataclass(value) or isinstance(value, type):
        return {}
    fields = {name: repr(getattr(value, name))[:_REPR_LENGTH] for name in field_names(type(value))}
    return {"class": type(value).__name__, "fields": fields}


def _selection_part(read: Read) -> list[Any]:
    selection = read.selection
    return [
        selection.bars if read.data is None else _span(selection, read.data),
        None if selection.assets is None else digest(selection.assets),
        None if selection.portfolios is None else digest(selection.portfolios),
    ]


def _span(selection: Selection, data: DataInput) -> tuple[int, int]:
    """Return the bars that a task reads of a data set: a panel reaches over all, values or not."""
    first, end = data.dataset.first_bar, data.dataset.last_bar + 1
    if selection.bars is None:
        return first, end
    return max(first, selection.bars[0]), min(end, selection.bars[1])


def _digest_text(parts: list[Any]) -> str:
    """Return the digest of text, whole numbers and None in lists, as JSON: they stay distinct."""
    return digest_bytes(json.dumps(parts).encode())


def _grouped(inputs: Sequence[tuple[str, str | None, str]]) -> dict[str, list[str]]:
    grouped: dict[str, list[str]] = {}
    for name, _, value in inputs:
        grouped.setdefault(name, []).append(value)
    return grouped
