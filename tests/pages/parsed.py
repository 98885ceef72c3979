"""An HTML page, read."""

from html.parser import HTMLParser

VOID = {"meta", "img"}


class Page(HTMLParser):
    """What a page consists of; tags that do not close in order are refused."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data

    def words(self) -> str:
        """The text as it is shown, without line breaks."""
        return " ".join(self.text.split())

    def labels(self) -> list[str]:
        return [str(value) for name, value in self.attributes if name == "aria-label"]
