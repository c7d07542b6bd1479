"""A file that the user named, read whole and bounded."""

from __future__ import annotations

from pathlib import Path

from compliance.errors import UsageError

FILE_SIZE_MAX = 4 * 2**20


def read_file(
    path: Path, what: str, limit: int = FILE_SIZE_MAX, *, name: str | None = None, hint: str | None = None
) -> bytes:
    """The content of the file that the user knows as `name` (its path, if nothing else). Raises UsageError."""
    where = str(path) if name is None else name
    try:
        with path.open("rb") as stream:
            content = stream.read(limit + 1)
    except OSError as error:
        raise UsageError(f"can't read the {what}: {error.strerror}", code="not-found", where=where, hint=hint) from None
    if len(content) > limit:
        raise UsageError(f"the {what} is larger than {limit} bytes", code="limit-exceeded", where=where)
    return content
