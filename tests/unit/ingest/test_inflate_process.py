"""Inflating in a process of its own answers as the thread does, and never leaves a process behind."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import signal
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import BinaryIO

import pytest
import zstandard

from compliance.errors import ComplianceError, FormatError, IntegrityError, LimitError, SourceError
from compliance.formats.examine import PackageExaminer
from compliance.ingest import layers
from compliance.ingest.compression import Inflater
from compliance.ingest.file_part import FilePart
from compliance.ingest.inflate import OUTPUT
from compliance.ingest.inflate_process import InflateProcess
from compliance.ingest.inflate_worker import SLOTS
from compliance.ingest.read import Reading, read_tree
from compliance.ingest.source import open_source, parse_reference

CONTENT = hashlib.shake_128(b"noise").digest(3 * 2**20) + bytes(2**20)
FORMS = {
    "gzip": gzip.compress(CONTENT, 1),
    "two gzip members": gzip.compress(CONTENT[:1000], 1) + gzip.compress(CONTENT[1000:], 1),
    "zstd": zstandard.ZstdCompressor().compress(CONTENT),
    "plain": CONTENT,
    "gzip and more": gzip.compress(CONTENT, 1) + b"more",
    "nothing": b"",
}
SAMPLE = Path(__file__).parents[3] / "examples/images/ordinary"


@pytest.fixture
def process() -> Iterator[InflateProcess]:
    with closing(InflateProcess()) as started:
        assert started.answers()
        yield started


def told(
    stored: BinaryIO, process: InflateProcess | None, *, limit: int = 2**40, ratio: int = 1040
) -> tuple[object, ...]:
    """Everything that reading to the end tells, or the error."""
    inflater = Inflater(stored, limit=limit, ratio=ratio, where="layer 1", process=process)
    with closing(inflater):
        try:
            head = inflater.peek(10)
            parts = [inflater.read(700_001), inflater.skip(300_000), inflater.read(2**21), inflater.read(2**23)]
            inflater.finish(None, None)
        except ComplianceError as error:
            return type(error), str(error), error.code
        return head, parts, inflater.trailing, inflater.inflated_size, inflater.stored_digest, inflater.compression


def in_file(stored: bytes, folder: Path) -> FilePart:
    """The same bytes amid others in a file."""
    path = folder / "stored"
    path.write_bytes(b"before" + stored + b"after")
    return FilePart(path.open("rb"), 6, len(stored), owns=True)


@pytest.mark.parametrize("form", FORMS)
def test_it_tells_what_the_thread_tells(process: InflateProcess, form: str, tmp_path: Path) -> None:
    expected = told(io.BytesIO(FORMS[form]), None)
    assert told(io.BytesIO(FORMS[form]), process) == expected
    with in_file(FORMS[form], tmp_path) as part:
        assert told(part, process) == expected
    with FilePart(io.BytesIO(FORMS[form]), 0, len(FORMS[form])) as part:
        assert told(part, process) == expected


def test_one_process_inflates_one_stream_after_another(process: InflateProcess, tmp_path: Path) -> None:
    for form in (*FORMS, *FORMS):
        expected = told(io.BytesIO(FORMS[form]), None)
        assert told(io.BytesIO(FORMS[form]), process) == expected
        with in_file(FORMS[form], tmp_path) as part:
            assert told(part, process) == expected


def test_progress_counts_every_stored_byte_once(process: InflateProcess, tmp_path: Path) -> None:
    stored = FORMS["gzip and more"]
    heard = []
    for stream, by in ((io.BytesIO(stored), None), (io.BytesIO(stored), process), (in_file(stored, tmp_path), process)):
        counts: list[int] = []
        inflater = Inflater(stream, limit=2**40, where="layer 1", process=by, progress=counts.append)
        with stream, closing(inflater):
            inflater.finish(None, None)
        heard.append(sum(counts))
    assert heard == [len(stored)] * 3


def test_a_file_that_was_cut_off_meanwhile_is_damaged(process: InflateProcess, tmp_path: Path) -> None:
    with in_file(FORMS["gzip"], tmp_path) as part:
        os.truncate(tmp_path / "stored", 2**20)
        assert told(part, process)[0] is FormatError


def test_a_file_that_can_not_be_read_is_one_clear_error(
    process: InflateProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with in_file(FORMS["gzip"], tmp_path) as part, (tmp_path / "other").open("wb") as other:
        monkeypatch.setattr(part, "fileno", other.fileno)
        answer = told(part, process)
    assert answer[0] is SourceError
    assert "the layer can't be read: Bad file descriptor [layer 1]" in str(answer[1])
    assert told(io.BytesIO(FORMS["zstd"]), process) == told(io.BytesIO(FORMS["zstd"]), None)


@pytest.mark.parametrize(
    ("stored", "limit", "ratio", "error"),
    [
        (FORMS["gzip"][:-5], 2**40, 1040, FormatError),
        (FORMS["gzip"][: 2**20], 2**40, 1040, FormatError),
        (FORMS["gzip"][: 2**20] + bytes(2**20), 2**40, 1040, FormatError),
        (FORMS["zstd"][:20] + b"\xff" * 2**20, 2**40, 1040, FormatError),
        (FORMS["gzip"], 2**20, 1040, LimitError),
        (gzip.compress(bytes(2**27), 1), 2**40, 10, LimitError),
    ],
)
def test_it_refuses_what_the_thread_refuses_in_the_same_words(
    process: InflateProcess, stored: bytes, limit: int, ratio: int, error: type[Exception], tmp_path: Path
) -> None:
    answer = told(io.BytesIO(stored), process, limit=limit, ratio=ratio)
    with in_file(stored, tmp_path) as part:
        assert told(part, process, limit=limit, ratio=ratio) == answer
    assert answer[0] is error
    assert answer == told(io.BytesIO(stored), None, limit=limit, ratio=ratio)
    assert told(io.BytesIO(FORMS["zstd"]), process) == told(io.BytesIO(FORMS["zstd"]), None)


def test_both_digests_are_compared(process: InflateProcess) -> None:
    digest, diff_id = (f"sha256:{hashlib.sha256(content).hexdigest()}" for content in (FORMS["gzip"], CONTENT))
    for wanted in ((digest, diff_id), (diff_id, diff_id), (digest, digest)):
        with closing(Inflater(io.BytesIO(FORMS["gzip"]), limit=2**40, where="layer 1", process=process)) as inflater:
            if wanted == (digest, diff_id):
                inflater.finish(*wanted)
            else:
                with pytest.raises(IntegrityError):
                    inflater.finish(*wanted)


class Failing(io.BytesIO):
    """Fails in the middle, as a connection does."""

    def read(self, size: int | None = -1) -> bytes:
        if self.tell() > 2**20:
            raise SourceError("the connection broke", code="network")
        return super().read(size)


def test_what_the_source_raises_is_raised_here(process: InflateProcess) -> None:
    assert told(Failing(FORMS["gzip"]), process)[0] is SourceError


def test_a_stream_left_in_the_middle_ends_the_process(process: InflateProcess) -> None:
    with closing(Inflater(io.BytesIO(FORMS["gzip"]), limit=2**40, where="layer 1", process=process)) as inflater:
        inflater.read(10)
    assert not process.answers()
    with pytest.raises(ProcessLookupError):
        os.kill(process.pid, 0)


def test_a_process_that_dies_is_one_clear_error(process: InflateProcess) -> None:
    more_than_the_ring = 2 * SLOTS * OUTPUT  # so that it can't have come to its end before it dies
    with closing(
        Inflater(io.BytesIO(bytes(more_than_the_ring)), limit=2**40, where="layer 1", process=process)
    ) as inflater:
        inflater.read(10)
        os.kill(process.pid, signal.SIGKILL)
        with pytest.raises(SourceError, match=r"inflating process ended.*layer 1"):
            inflater.read(2**40)


def test_layers_read_by_the_process_and_by_the_thread_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    trees = []
    for worth in (0, 2**60):
        monkeypatch.setattr(layers, "WORTH_A_PROCESS", worth)
        with closing(open_source(parse_reference(f"oci-dir:{SAMPLE}"))) as source:
            _, tree = read_tree(source, source.image(None), Reading(requests=(), examiner=PackageExaminer()))
        trees.append(dict(tree.entries))
    assert trees[0] == trees[1]
    assert len(trees[0]) > 1000
