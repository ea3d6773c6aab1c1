"""What an ingest gave, told to people and programs."""

from typing import TYPE_CHECKING, Any

from plumbline.cli import console
from plumbline.cli.source_words import note_how_to_say
from plumbline.core.wording import counted

if TYPE_CHECKING:
    from plumbline.lake.prepared import Ingested


def tell_ingested(done: "Ingested", *, as_json: bool) -> None:
    """Warn of what may not be meant, and print what is stored and what cleaning found."""
    from plumbline.lake.quality import holes, large_losses, summarise, unadjusted

    dataset = done.dataset
    warnings = [
        text for told in (large_losses, holes, unadjusted) for text in told(done.quality, dataset)
    ]
    note_how_to_say(warnings)
    for text in warnings:
        console.note(f"warning: {text}")
    data: dict[str, Any] = {
        "name": dataset.name,
        "version": dataset.version,
        "dataset_id": dataset.dataset_id,
        "created": done.created,
        "rows": dataset.n_rows,
        "assets": len(dataset.assets),
        "fields": list(dataset.fields),
        "healed": done.healed,
        "calendar": f"{dataset.calendar_name} {dataset.frequency}",
        "quality": summarise(done.quality).to_dicts(),
        "warnings": warnings,
    }
    console.emit(data, lambda: _text(data), as_json=as_json)


def _text(data: dict[str, Any]) -> str:
    state = "stored" if data["created"] else "was there already"
    if data["healed"]:
        state += f", {counted(data['healed'], 'damaged file')} of it written again"
    head = (
        f"{data['name']} version {data['version']} {state}: {data['rows']} rows, "
        f"{data['assets']} assets, fields {', '.join(data['fields'])}, "
        f"calendar {data['calendar']}\n"
        f"id {data['dataset_id']}"
    )
    if not data["quality"]:
        return f"{head}\nquality: cleaning found nothing in {data['name']}"
    return f"{head}\nquality report:\n{console.table(data['quality'])}"
