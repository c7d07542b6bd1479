"""An HTML page taken apart, for tests: its tags in order, its attributes, its text."""

from __future__ import annotations

from html.parser import HTMLParser


class TakenApart(HTMLParser):
    """`tags` are the elements in order; `attributes` (element, name, value); `text` what is no script and no style."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.scripts: list[str] = []
        self.styles: list[str] = []
        self._text: list[str] = []
        self._inside = ""
        self.feed(page)
        self.close()

    @property
    def text(self) -> str:
        """All of it in one line."""
        return "".join(self._text)

    def values(self, name: str) -> list[str]:
        """The values of all attributes of that name."""
        return [value for _, attribute, value in self.attributes if attribute == name]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag in ("script", "style"):
            self._inside = tag
            (self.scripts if tag == "script" else self.styles).append("")

    def handle_endtag(self, tag: str) -> None:
        self.tags.append(f"/{tag}")
        if tag == self._inside:
            self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside:
            (self.scripts if self._inside == "script" else self.styles)[-1] += data
        else:
            self._text.append(data)
