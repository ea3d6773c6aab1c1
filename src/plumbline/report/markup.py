"""HTML from small functions: text is escaped unless it was made here."""

import html
import json
from collections.abc import Iterable
from typing import Final, final

_VOID: Final = frozenset({"meta", "link", "br", "input", "line", "circle", "rect", "path"})


@final
class Html(str):
    """Markup that is safe to place as it is; every other string is escaped."""

    __slots__ = ()


def tag(name: str, /, *children: str, **attributes: str) -> Html:
    """Return one element; attribute ``class_`` is ``class`` and ``aria_label`` ``aria-label``."""
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{html.escape(value)}"'
        for key, value in attributes.items()
    )
    if name in _VOID:
        return Html(
            f"<{name}{written}>"
            if name in {"meta", "link", "br", "input"}
            else f"<{name}{written}/>"
        )
    return Html(f"<{name}{written}>{join(children)}</{name}>")


def join(children: Iterable[str], between: str = "") -> Html:
    """Return the parts side by side, escaping those that are plain text."""
    parts = (child if isinstance(child, Html) else html.escape(child) for child in children)
    return Html(html.escape(between).join(parts))


def json_block(record: object, **attributes: str) -> Html:
    """Return a data element that a script reads; no text in it can end the element."""
    text = json.dumps(record, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    safe = text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
    return tag("script", Html(safe), type="application/json", **attributes)
