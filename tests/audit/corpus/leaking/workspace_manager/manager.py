"""A language server's diagnostics are kept for each document that was ever opened, because closing a document goes past their map."""

from dataclasses import dataclass, field


@dataclass
class DocumentManager:
    texts: dict[str, str] = field(default_factory=dict)  # clean: the caller closes in a finally
    diagnostics: dict[str, list[str]] = field(default_factory=dict)  # leaks SS001: close() does not know of it

    def open(self, uri: str, text: str) -> None:
        self.texts[uri] = text

    def close(self, uri: str) -> None:
        self.texts.pop(uri, None)

    def report(self, uri: str, problems: list[str]) -> None:
        self.diagnostics[uri] = problems


documents = DocumentManager()
