"""RPM headers: tagged values, as they lie in the package database (rpm's doc/manual/format.md, "Header")."""

from __future__ import annotations

import struct
from enum import IntEnum

from compliance.errors import FormatError

_ENTRIES_MAX = 0xFFFF
_DATA_MAX = 256 * 2**20
_COUNT_MAX = 4 * 2**20
_ENTRY = struct.Struct(">iIiI")
_INTEGERS = {2: ("B", 1), 3: (">%dH", 2), 4: (">%dI", 4), 5: (">%dQ", 8)}
_STRING, _BINARY, _STRINGS, _TRANSLATED = 6, 7, 8, 9


class Tag(IntEnum):
    """The tags that an inventory needs (rpm's include/rpm/rpmtag.h)."""

    NAME = 1000
    VERSION = 1001
    RELEASE = 1002
    EPOCH = 1003
    VENDOR = 1011
    LICENSE = 1014
    PACKAGER = 1015
    URL = 1020
    ARCH = 1022
    OLD_FILE_NAMES = 1027
    FILE_MODES = 1030
    FILE_DIGESTS = 1035
    SOURCE_RPM = 1044
    PROVIDE_NAME = 1047
    REQUIRE_NAME = 1049
    DIR_INDEXES = 1116
    BASE_NAMES = 1117
    DIR_NAMES = 1118
    FILE_DIGEST_ALGORITHM = 5011


class RpmHeader:
    """One header, decoded when asked. Texts are UTF-8 with surrogateescape, as paths are."""

    def __init__(self, blob: bytes) -> None:
        """`blob` starts with the number of entries. Raises FormatError when the sizes do not fit."""
        if len(blob) < 8:
            raise FormatError("an RPM header of less than 8 bytes", code="rpm-header-invalid")
        entries, size = struct.unpack_from(">II", blob)
        start = 8 + entries * _ENTRY.size
        if entries > _ENTRIES_MAX or size > _DATA_MAX or start + size > len(blob):
            raise FormatError("an RPM header that is longer than its record", code="rpm-header-invalid")
        self._data = blob[start : start + size]
        self._entries: dict[int, tuple[int, int, int]] = {}
        for tag, kind, offset, count in _ENTRY.iter_unpack(blob[8:start]):
            self._entries.setdefault(tag, (kind, offset, count))

    def text(self, tag: Tag) -> str:
        """The first text of `tag`; "" when it is absent or no text."""
        found = self.texts(tag, 1)
        return found[0] if found else ""

    def texts(self, tag: Tag, limit: int = _COUNT_MAX) -> list[str]:
        """All texts of `tag`, at most `limit`."""
        kind, offset, count = self._entries.get(tag, (0, 0, 0))
        if kind not in (_STRING, _STRINGS, _TRANSLATED) or not 0 <= offset < len(self._data):
            return []
        wanted = min(1 if kind == _STRING else count, limit)
        pieces = self._data[offset:].split(b"\0", wanted)[:wanted]
        return [piece.decode("utf-8", "surrogateescape") for piece in pieces]

    def integers(self, tag: Tag) -> tuple[int, ...]:
        """All numbers of `tag`; none when it is absent, not of an integer type, or reaches beyond the data."""
        kind, offset, count = self._entries.get(tag, (0, 0, 0))
        if kind not in _INTEGERS or count > _COUNT_MAX:
            return ()
        form, width = _INTEGERS[kind]
        if offset < 0 or offset + count * width > len(self._data):
            return ()
        if kind == 2:
            return tuple(self._data[offset : offset + count])
        return struct.unpack_from(form % count, self._data, offset)
