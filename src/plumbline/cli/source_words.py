"""From the words of a command to the source that they name: its kind, its files, its options."""

import dataclasses
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from plumbline.cli import console
from plumbline.core.errors import ParameterError, RecipeError, SourceError

if TYPE_CHECKING:
    from plumbline.lake.cleaning_rules import CleaningRules
    from plumbline.lake.source import Source

_PACKED = (".zip", ".7z", ".bz2", ".rar", ".tar", ".tgz", ".xz", ".zst")
_ENDINGS = {
    "parquet": (".parquet", ".pq"),
    "csv": (".csv", ".tsv", ".txt", ".csv.gz", ".tsv.gz", ".txt.gz"),
    "arrow": (".arrow", ".feather", ".ipc"),
}
_ADVICE = re.compile(
    r" (asset|calendar|columns|conflicts|decimal|delimiter|fields?|form|interval|odd_closes|source"
    r"|time_(?:format|label|zone)): "
)
_HOW_TO_SAY = {
    "calendar": "`calendar: '24/7 1h'` is said here as --calendar '24/7 1h'",
    "form": "`form: wide` is said here as --option form=wide",
    "columns": "`columns: {close: Price}` is said here as --option columns.close=Price",
    "conflicts": "`conflicts: first` is said here as --rule conflicts=first",
    "source": "`source: csv` is said here as --source csv",
}


def named_source(
    files: Sequence[str] | None,
    kind: str | None,
    options: Sequence[str] | None,
    rules: Sequence[str] | None = None,
) -> "tuple[Source, CleaningRules]":
    """Return the source and the cleaning rules that the words of a command name.

    Parameters
    ----------
    files : files, folders or patterns; none of a remote source.
    kind : name of the source; None tells it by the files' endings and names.
    options, rules : ``key=value`` of the source and of the rules.

    Raises
    ------
    ParameterError, RecipeError
        If they name none; every problem is listed.
    """
    from plumbline.lake.cleaning_rules import CleaningRules
    from plumbline.lake.source import sources
    from plumbline.stages.recipe import parse_overrides
    from plumbline.stages.validation import made

    named = list(files or ())
    chosen = kind or _kind_of(named)
    _refuse_bare(options or (), rules or ())
    _refuse_files(chosen, sources[chosen], named)
    given = {"paths": named} if named else {}
    parameters = {**given, **parse_overrides(options or ())}
    cleaning = parse_overrides(rules or ())
    _refuse_wrong((sources[chosen], parameters, "--option"), (CleaningRules, cleaning, "--rule"))
    return made(sources[chosen], parameters, chosen), made(CleaningRules, cleaning, "rules")


def note_how_to_say(texts: Sequence[str], *, fixed: Sequence[str] = ()) -> None:
    """Tell how the keys of recipes that texts advise are said on the command line.

    Parameters
    ----------
    texts : what advises them.
    fixed : keys that the command does not take, as the data set has them already.
    """
    for key in dict.fromkeys(key for text in texts for key in _ADVICE.findall(text)):
        if key in fixed:
            console.note(f"`{key}: …` is said where the data set is made: plumbline ingest")
            continue
        console.note(_HOW_TO_SAY.get(key, f"`{key}: …` is said here as --option {key}=…"))


def _refuse_bare(options: Sequence[str], rules: Sequence[str]) -> None:
    """Refuse what is no ``key=value``, with an example of its own kind."""
    wanted = [("--option", "form=wide", options), ("--rule", "conflicts=first", rules)]
    problems = [
        f"{option} {word!r} must read key=value, such as {example}"
        for option, example, words in wanted
        for word in words
        if not ("=" in word and word.partition("=")[0].strip())
    ]
    if problems:
        raise RecipeError("command line", problems)


def _refuse_wrong(*wanted: tuple[type, Mapping[str, Any], str]) -> None:
    from plumbline.stages.departures import departures
    from plumbline.stages.validation import refusals, schema_of

    problems = [
        f"{' '.join([option, *problem.place])}: {problem.text}"
        for cls, values, option in wanted
        for problem in departures(schema_of(cls), values) or refusals(cls, values, ())
    ]
    if problems:
        raise RecipeError("command line", problems)


def _refuse_files(kind: str, source: type, files: list[str]) -> None:
    """Refuse files of a source that reads none, and a source of files without any."""
    takes_files = "paths" in {field.name for field in dataclasses.fields(source)}
    if takes_files and not files:
        raise ParameterError(f"--source {kind} reads files; name some behind the data set's name")
    if files and not takes_files:
        raise ParameterError(
            f"--source {kind} reads no files, so {', '.join(map(repr, files))} mean nothing; say "
            f"what it reads with --option, as told by docs/sources.md"
        )


def _kind_of(files: list[str]) -> str:
    """Return the source that reads files, told by their endings and names."""
    from plumbline.lake.source import find_files

    if not files:
        raise ParameterError(
            "name files, or a source across a network: --source ccxt or --source sql"
        )
    problems: list[str] = []
    found = {name: _kind_of_one(name, problems) for file in files for name in _names_of(file)}
    if problems:
        find_files([file for file in files if not _is_folder(file)], Path())  # what is not there
        raise ParameterError("\n".join(problems))
    kinds = sorted(set(found.values()))
    if len(kinds) == 1:
        return kinds[0]
    told = "; ".join(f"{k}: {next(n for n in found if found[n] == k)!r}" for k in kinds)
    raise ParameterError(
        f"the files are of several sources ({told}); ingest those of one at a time, or say --source"
    )


def _names_of(file: str) -> list[str]:
    """Return the files that a pattern finds, as they tell more than the pattern does."""
    from plumbline.lake.source import find_files

    try:
        return [str(path) for path in find_files([file], Path())]
    except SourceError:  # said again, with all others, when the files are read
        return [file]


def _is_folder(file: str) -> bool:
    return os.path.isdir(file)  # noqa: PTH112  # of a path, one that may not be looked at raises


def _kind_of_one(file: str, problems: list[str]) -> str:
    """Return the source of a file; append why it cannot be told."""
    from plumbline.lake.archive_source import ArchiveSource, stem_of
    from plumbline.lake.source import sources
    from plumbline.stages.validation import made

    name = Path(file).name.lower()
    if _is_folder(file):
        problems.append(
            f"{file!r} is a folder; give a pattern such as '{file}/*.csv', or say what it holds: "
            "--source binance, mark_price, funding, yahoo or arrow"
        )
        return ""
    if name.endswith((".csv", ".csv.gz", ".zip")):
        for kind in ("funding", "binance"):
            archive = made(sources[kind], {"paths": file}, kind)
            if isinstance(archive, ArchiveSource) and archive.asset_in(stem_of(file)) is not None:
                return kind
    if name.endswith((*_PACKED, ".tar.gz")):
        problems.append(
            f"{file!r} is a packed file; unpack it (gzip is read, with a name as in .csv.gz)"
        )
        return ""
    for kind, endings in _ENDINGS.items():
        if name.endswith(endings):
            return kind
    ending = "".join(Path(file).suffixes[-2:]).lower()
    problems.append(
        f"cannot tell from the ending {ending!r} how to read {file!r}; say --source csv or "
        "--source parquet"
    )
    return ""
