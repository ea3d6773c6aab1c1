"""YAML as recipes have it: plain values under keys that are text, and where each key stands."""

import re
from typing import Any

import yaml

Lines = dict[tuple[str, ...], int]

_TEXT = ("tag:yaml.org,2002:str", "tag:yaml.org,2002:merge", "tag:yaml.org,2002:value")
_PLACEHOLDER = re.compile(r"\{\w+\}")
_OPENING = ("[", "{", "'", '"')
_READ_AS = {"int": "a whole number", "float": "a number", "bool": "true or false"} | {
    "null": "nothing",
    "timestamp": "a date",
}


class _Loader(yaml.SafeLoader):
    """YAML with scalars as in version 1.2: ``off`` and the ticker ``ON`` are text, 1e9 a number."""

    def construct_date(self, node: yaml.ScalarNode) -> object:
        """Return a date or a time; its text where the calendar lacks it, as 2024-02-30.

        Who takes the document refuses that text where it stands, among everything else.
        """
        try:
            return self.construct_yaml_timestamp(node)
        except ValueError:
            return self.construct_scalar(node)


_Loader.add_constructor("tag:yaml.org,2002:timestamp", _Loader.construct_date)
_Loader.yaml_implicit_resolvers = {
    first: [pair for pair in pairs if pair[0] != "tag:yaml.org,2002:bool"]
    for first, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:bool", re.compile("^(true|True|TRUE|false|False|FALSE)$"), list("tTfF")
)
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+$"),
    list("-+.0123456789"),
)


def read_yaml(text: str, problems: list[str]) -> tuple[Any, Lines]:
    """Return the value that a text stands for, and the line of every key and item.

    Parameters
    ----------
    text : YAML.
    problems : list that problems are appended to: what is not YAML, keys that stand twice (of
        which YAML keeps the last), keys that are no text. If there are any the value is None.
    """
    lines: Lines = {}
    found: list[str] = []
    value = None
    try:
        _walk(yaml.compose(text, Loader=_Loader), (), lines, found)
        if not found:
            value = yaml.load(text, Loader=_Loader)  # noqa: S506  # a SafeLoader
    except RecursionError:
        found.append("is nested too deeply, or holds itself")
    except yaml.YAMLError as error:
        found.append(f"is not YAML: {_why_no_yaml(error)}")
    problems += found
    return value, lines


def read_value(text: str, problems: list[str]) -> Any:
    """Return the value of a ``key=value``: YAML, or the text itself where it is no YAML.

    So ``%d/%m/%Y``, ``,``, ``|`` and ``{stem}`` can be typed as they are. A text that opens a list,
    a mapping or a quote is meant as YAML, and refused if it is none; one that begins with a word
    in braces opens no mapping.

    Parameters
    ----------
    text : the value as it was typed.
    problems : list that problems are appended to; see :func:`read_yaml`.
    """
    plain = text.strip()
    if plain[:1] in ("|", ">", "#") and "\n" not in plain:  # YAML reads nothing in these
        return plain
    if _PLACEHOLDER.match(plain) or ("{stem}" in plain and plain[:1] not in _OPENING):
        return plain
    try:
        yaml.compose(text, Loader=_Loader)
    except (yaml.YAMLError, RecursionError):
        if plain[:1] not in _OPENING:
            return plain
    return read_yaml(text, problems)[0]


def _walk(node: Any, place: tuple[str, ...], lines: Lines, problems: list[str]) -> None:
    if isinstance(node, yaml.SequenceNode):
        for i, item in enumerate(node.value):
            lines[*place, str(i)] = item.start_mark.line + 1
            _walk(item, (*place, str(i)), lines, problems)
    if not isinstance(node, yaml.MappingNode):
        return
    for key, value in node.value:
        line = key.start_mark.line + 1
        if key.tag not in _TEXT:
            problems.append(f"line {line}: {_no_text(key)}")
            continue
        here = (*place, str(key.value))
        if here in lines:
            problems.append(f"line {line}: {'.'.join(here)} stands twice (line {lines[here]})")
        lines[here] = line
        _walk(value, here, lines, problems)


def _why_no_yaml(error: yaml.YAMLError) -> str:
    """Return what is wrong and where in one line, without the excerpt that needs several."""
    if not isinstance(error, yaml.MarkedYAMLError):
        return " ".join(str(error).split()).replace(' in "<unicode string>",', " at")
    told = [(error.context, error.context_mark), (error.problem, error.problem_mark)]
    return ": ".join(
        text if mark is None else f"{text} in line {mark.line + 1}, column {mark.column + 1}"
        for text, mark in told
        if text is not None
    )


def _no_text(key: Any) -> str:
    if not isinstance(key, yaml.ScalarNode):
        return "a list or mapping stands in the place of a key; keys are text"
    kind = _READ_AS.get(key.tag.rpartition(":")[2], "no text")
    return f"the key {key.value} is read as {kind}; keys are text: write '{key.value}' in quotes"
