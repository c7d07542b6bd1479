"""Secrets in the files of one layer, looked for while they stream by."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compliance.model.filesystem import FileSecrets

if TYPE_CHECKING:
    from compliance.formats.literals import Hit
    from compliance.formats.secrets import FileRules, Scan, SecretReader, SecretSearch

_SMALL = 2**14
"""Bytes of a file below which calling the search costs more than what it does: such files are searched together."""
_TOGETHER = 2**18
"""Bytes of small files that wait at most, each counted as `_BESIDE` more: there may be millions of empty ones."""
_BESIDE = 2**7


class LayerSecrets:
    """Takes files as they come, small ones from one thread only, larger ones from any."""

    def __init__(self, search: SecretSearch, layer: int) -> None:
        """`layer` is the index of the layer."""
        self._search = search
        self._layer = layer
        self._waiting: list[tuple[bytes, FileRules]] = []
        self._paths: list[str] = []
        self._bytes = 0
        self._found: list[FileSecrets] = []

    def add(self, path: str, content: bytes, rules: FileRules, hits: list[Hit] | None) -> None:
        """A whole file; `rules` are those for its path, `hits` are its literals where they are known already."""
        if hits is not None or len(content) >= _SMALL:
            self._note(path, self._search.search(content, rules, hits))
            return
        self._waiting.append((content, rules))
        self._paths.append(path)
        self._bytes += len(content) + _BESIDE
        if self._bytes >= _TOGETHER:
            self._together()

    def reader(self, rules: FileRules) -> SecretReader:
        """For a file that comes in pieces; at its end it is handed to `read`."""
        return self._search.reader(rules)

    def read(self, path: str, reader: SecretReader) -> None:
        """The end of a file that came in pieces."""
        self._note(path, reader.scan())

    def found(self) -> tuple[FileSecrets, ...]:
        """All of it, in an order that does not depend on which thread was first; nothing may be added after."""
        self._together()
        return tuple(sorted(self._found, key=_place))

    def _together(self) -> None:
        for number, scan in self._search.among(self._waiting):
            self._note(self._paths[number], scan)
        self._waiting.clear()
        self._paths.clear()
        self._bytes = 0

    def _note(self, path: str, scan: Scan) -> None:
        if scan:
            self._found.append(FileSecrets(path=path, layer=self._layer, found=scan.found, unsearched=scan.unsearched))


def _place(secrets: FileSecrets) -> tuple[str, list[tuple[int, str, str]]]:
    """Not ambiguous even for two files of one name."""
    return secrets.path, [(one.offset, one.rule, one.sha256 or "") for one in secrets.found]
