"""The part of the factor-research page on where its numbers come from."""

from collections.abc import Mapping

from plumbline.report.markup import Html, tag
from plumbline.report.study import DataOrigin, Provenance, StudyResults
from plumbline.stages.run_code import KeptBlocks, kept_text

_NO_RUN = (
    "Computed in memory: no run, data set or recipe is recorded for it. A study of a recipe "
    "records them."
)
_STATES = {"computed": "computed", "cached": "from the cache", "kept": "kept from other code"}


def kept_notice(results: StudyResults) -> Html:
    """Return the notice that results were kept from other code; empty if none were."""
    kept = results.provenance.kept if results.provenance else ()
    if not kept:
        return Html()
    where = tag("a", "Provenance", href="#provenance")
    return tag("p", f"{kept_text(kept)}. Which code that is: see ", where, ".", class_="notice")


def provenance_footer(source: Provenance | None, twin: str) -> Html:
    """Return run, data, code and versions, and the digests of the tables.

    Parameters
    ----------
    source : None for an evaluation that is no run.
    twin : name of the file with the JSON twin, or an empty text.
    """
    place = f", {twin} beside it," if twin else ""
    told = f"The JSON twin of this page{place} holds every table at full precision."
    if source is None:
        shown = [tag("p", f"{_NO_RUN} {told}")]
    else:
        shown = [*_provenance(source), tag("p", told)]
    return tag("footer", tag("h2", "Provenance"), *shown, id="provenance")


def _provenance(source: Provenance) -> list[Html]:
    facts = {
        "Run": source.run_id,
        "Owner": source.owner,
        "Started": source.started,
        "Finished": source.finished,
        **{f"Data {origin.name}": _data_text(origin) for origin in source.data},
        "Recipe digest": source.recipe_digest,
        "Blocks": _blocks_text(source.blocks),
        **{f"Kept {found.node}": _reasons_text(found) for found in source.kept},
        "Versions": ", ".join(f"{name} {version}" for name, version in source.versions.items()),
        "Machine": source.machine,
    }
    codes = {node: ", ".join(digests) for node, digests in source.codes.items()}
    return [
        _facts(facts),
        _folded("Digests of the code that made the results, by node", codes),
        _folded("Digests of the tables", source.table_digests),
    ]


def _data_text(origin: DataOrigin) -> str:
    counts = origin.cleaning
    cleaned = ", ".join(f"{n:,} {effect}" for effect, n in counts.items())
    return (
        f"{origin.dataset} version {origin.version}, {origin.n_rows:,} rows, {origin.span}; rows "
        f"by cleaning: {cleaned}; id {origin.dataset_id}"
    )


def _blocks_text(blocks: Mapping[str, int]) -> str:
    told = {words: blocks.get(state, 0) for state, words in _STATES.items()}
    return ", ".join(f"{n:,} {words}" for words, n in told.items())


def _reasons_text(found: KeptBlocks) -> str:
    count = f"{found.n_blocks:,} block" + ("" if found.n_blocks == 1 else "s")
    return f"{count}: {'; '.join(found.reasons)}"


def _facts(facts: Mapping[str, str]) -> Html:
    terms = [tag("div", tag("dt", key), tag("dd", text)) for key, text in facts.items()]
    return tag("dl", *terms, class_="facts-list")


def _folded(title: str, facts: Mapping[str, str]) -> Html:
    return tag("details", tag("summary", title), _facts(facts)) if facts else Html()
