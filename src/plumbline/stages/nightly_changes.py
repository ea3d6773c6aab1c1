"""What the inputs of a nightly run have become since its recipe was last run."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, final

import yaml

from plumbline.ledger.queries import newest_run_of
from plumbline.stages.nightly_inputs import NightlyInputs

_BESIDE: Final = ("name", "title", "dates", "on_code_change")
"""Keys of a recipe that change no figure."""


@final
@dataclass(frozen=True)
class Changes:
    """What changed since a run.

    Parameters
    ----------
    run_id, started : the newest run of the recipe, and when it began, UTC.
    found : a phrase for each input that is another: settings, book, data sets.
    """

    run_id: str
    started: datetime
    found: tuple[str, ...]

    def __str__(self) -> str:
        moment = f"{self.started:%Y-%m-%d %H:%M:%S} UTC"
        if not self.found:
            return (
                f"nothing changed since run {self.run_id} of {moment}, which left these out; "
                "earlier changes: plumbline portfolios list, plumbline data log NAME"
            )
        return f"since run {self.run_id} of {moment} changed: {'; '.join(self.found)}"


def changes_since(inputs: NightlyInputs) -> Changes | None:
    """Return which inputs changed since the newest run of a recipe; None if there was none.

    A key is one digest of all that a portfolio-day is made of, so this tells what may have changed
    it, and not which of several did. What other files hold that the recipe names, such as
    scenarios, is not compared.

    Parameters
    ----------
    inputs : of the run that is planned.
    """
    run = newest_run_of(inputs.project.database, inputs.recipe.name)
    if run is None:
        return None
    started = run["started"].replace(tzinfo=UTC)
    found = [*_settings(inputs, run), *_book(inputs, started), *_prices(inputs, started)]
    return Changes(run["id"], started, tuple(found))


def _settings(inputs: NightlyInputs, run: dict[str, Any]) -> list[str]:
    before, after = yaml.safe_load(run["recipe"]), yaml.safe_load(inputs.recipe.text)
    names = sorted((before.keys() | after.keys()).difference(_BESIDE))
    other = [name for name in names if before.get(name) != after.get(name)]
    return [f"the recipe's {', '.join(other)}"] if other else []


def _book(inputs: NightlyInputs, started: datetime) -> list[str]:
    version = inputs.version
    if version.created <= started:
        return []
    return [f"{version.name} (version {version.version} of {version.created:%Y-%m-%d %H:%M:%S})"]


def _prices(inputs: NightlyInputs, started: datetime) -> list[str]:
    specs = inputs.recipe.data
    found = []
    for name in inputs.recipe.resolved["prices"]:
        dataset = specs[name].dataset
        made = [v for v in inputs.project.lake.datasets(dataset) if v["created"] > started]
        if made:
            last = made[-1]
            found.append(
                f"data set {dataset} (version {last['version']} of "
                f"{last['created']:%Y-%m-%d %H:%M:%S}; its values: plumbline data diff {dataset})"
            )
    return found
