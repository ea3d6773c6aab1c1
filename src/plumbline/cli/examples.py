"""Where the examples lie."""

from pathlib import Path

from plumbline.core.errors import MissingDataError

_BOOK = ("portfolios", "trades", "cash_flows", "instruments")
_EXAMPLE = Path("examples") / "us_equity.yaml"


def example_recipe(given: Path | None) -> Path:
    """Return the recipe given, else the repository's: from the working folder or this checkout.

    Raises
    ------
    MissingDataError
        If there is none; the wheel carries no data.
    """
    checkout = Path(__file__).resolve().parents[3]
    candidates = [given] if given is not None else [Path.cwd() / _EXAMPLE, checkout / _EXAMPLE]
    for path in candidates:
        if path.is_file():
            return path
    tried = ", ".join(str(path) for path in candidates)
    raise MissingDataError(
        f"no example recipe at {tried}; clone the repository, whose examples folder holds the "
        "data, or name a recipe with --recipe"
    )


def example_book(recipe: Path) -> tuple[Path, dict[str, Path]]:
    """Return the nightly recipe beside an example recipe, and the files of its book.

    Raises
    ------
    MissingDataError
        If one of them is not there.
    """
    folder = recipe.resolve().parent / "portfolios"
    files = {table: folder / f"{table}.csv" for table in _BOOK}
    nightly = folder.with_suffix(".yaml")
    missing = [str(path) for path in (nightly, *files.values()) if not path.is_file()]
    if missing:
        raise MissingDataError(
            f"no sample portfolios beside {recipe}: {', '.join(missing)}; clone the repository, "
            "whose examples folder holds them"
        )
    return nightly, files
