"""A strict reader of HTML: nesting, identifiers, and what elements hold."""

from html.parser import HTMLParser

VOID = {"meta", "link", "br", "input"}


class StrictReader(HTMLParser):
    """Collects elements and text; wrong nesting and repeated identifiers raise."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None], tuple[str, ...]]] = []
        self.texts: list[tuple[str, str]] = []
        self.ids: set[str] = set()
        self.feed(page)
        self.close()
        assert not self.open, f"left open: {self.open}"

    def handle_starttag(self, tag, attrs):
        self._seen(tag, attrs)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self._seen(tag, attrs)

    def handle_endtag(self, tag):
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag, f"</{tag}> closes another element"

    def handle_data(self, data):
        self.texts.append((self.open[-1] if self.open else "", data))

    def _seen(self, tag, attrs):
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), f"{tag} repeats an attribute"
        given = dict(attrs)
        self.elements.append((tag, given, tuple(self.open)))
        if "id" in given:
            assert given["id"] not in self.ids, f"id {given['id']} is used twice"
            self.ids.add(given["id"])

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attrs for name, attrs, _ in self.elements if name == tag]

    def text_in(self, *tags: str) -> str:
        return " ".join(text for tag, text in self.texts if tag in tags)
