"""Where the example recipe lies."""

from pathlib import Path

from plumbline.core.errors import MissingDataError

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
