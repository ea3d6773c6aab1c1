"""The recipe that a run was made by, as the ledger keeps it."""

import yaml

from plumbline.core.errors import MissingDataError
from plumbline.engine.project import Project
from plumbline.ledger.queries import get_run, origin_of_run
from plumbline.stages.recipe import Recipe, load_recipe


def recipe_of_run(project: Project, run_id: str) -> Recipe:
    """Return the resolved recipe of a run, with its paths as they were.

    Raises
    ------
    MissingDataError
        If the ledger does not say where the recipe lay, or holds none.
    RecipeError
        If this version of Plumbline cannot read it.
    """
    run = get_run(project.database, run_id)
    origin = origin_of_run(project.database, run["id"])
    document = yaml.safe_load(run["recipe"])
    if origin is None or not isinstance(document, dict):
        raise MissingDataError(
            f"run {run['id']} does not say where its recipe lay; type: plumbline run RECIPE, which "
            "computes what is missing"
        )
    return load_recipe(document, base=project.root / origin["base"])
