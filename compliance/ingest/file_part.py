"""A part of a file as a file of its own."""

from __future__ import annotations

import io
import os
from typing import BinaryIO


class FilePart(io.BufferedIOBase, BinaryIO):
    """`size` bytes of a seekable file, from `offset` on.

    A file on disk is read at places, never from its position: parts of it may be read by several threads at once, and
    by another process that is handed `fileno`. Closing a part leaves the file open unless the part `owns` it.
    """

    def __init__(self, stream: BinaryIO, offset: int, size: int, *, owns: bool = False) -> None:
        """`stream` is not read yet; what was written to it has been flushed."""
        self._stream, self.offset, self.size, self._at = stream, offset, max(size, 0), 0
        self._owns = owns
        try:
            self._file: int | None = stream.fileno()
        except OSError:  # io.UnsupportedOperation: it lies in memory
            self._file = None

    @property
    def shared(self) -> bool:
        """Whether it is a part of a file on disk, which others can read besides."""
        return self._file is not None

    def fileno(self) -> int:
        """The descriptor of the file that this is a part of: its bytes are at `offset` there.

        Raises io.UnsupportedOperation when it lies in memory.
        """
        return self._stream.fileno()

    def readable(self) -> bool:
        """See io.IOBase."""
        return True

    def seekable(self) -> bool:
        """See io.IOBase."""
        return True

    def read(self, size: int | None = -1) -> bytes:
        """See io.BufferedIOBase; fewer bytes than asked for only at the end, or where the file is cut off."""
        left = max(self.size - self._at, 0)
        wanted = left if size is None or size < 0 else min(size, left)
        if self._file is not None:
            data = os.pread(self._file, wanted, self.offset + self._at)
        else:
            self._stream.seek(self.offset + self._at)
            data = self._stream.read(wanted)
        self._at += len(data)
        return data

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """See io.IOBase; places are within the part."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self.size}[whence]
        self._at = max(base + offset, 0)
        return self._at

    def close(self) -> None:
        """See io.IOBase."""
        if self._owns and not self.closed:
            self._stream.close()
        super().close()


def on_disk(stream: BinaryIO) -> FilePart | None:
    """`stream` as the shared part of a file that it is, None where it is nothing of the kind."""
    return stream if isinstance(stream, FilePart) and stream.shared else None
