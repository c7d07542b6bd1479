"""Files embedded in a PDF are read back, whoever made it."""

import contextlib
import random
import tracemalloc
import zlib

import pytest

from compliance.errors import ComplianceError, FormatError, LimitError
from reports import assessment_json, pdf, pdf_attachments
from reports.pdf_attachments import embedded_files
from tests.builders.assessment import assessment


@pytest.fixture(scope="module")
def content() -> bytes:
    return pdf.render(assessment_json.document(assessment()), attachments={"a.json": b"{}", "oscal/b.json": b"[]"})


def small_pdf(files: list[tuple[str, bytes]], filter_: str = "/FlateDecode") -> bytes:
    """A PDF of nothing but embedded files, with an old-fashioned cross-reference table."""
    objects = [b"<</Type/Catalog/Pages 2 0 R/Names<</EmbeddedFiles 3 0 R>>>>", b"<</Type/Pages/Kids[]/Count 0>>"]
    names = b" ".join(f"({name}) {4 + 2 * place} 0 R".encode() for place, (name, _) in enumerate(files))
    objects.append(b"<</Names[" + names + b"]>>")
    for place, (name, data) in enumerate(files):
        number = 4 + 2 * place
        objects.append(f"<</Type/Filespec/F({name})/UF({name})/EF<</F {number + 1} 0 R>>>>".encode())
        packed = zlib.compress(data) if filter_ == "/FlateDecode" else data
        head = f"<</Length {len(packed)}/Filter{filter_}>>stream\n" if filter_ else f"<</Length {len(packed)}>>stream\n"
        objects.append(head.encode() + packed + b"\nendstream")
    out = b"%PDF-1.7\n"
    offsets = []
    for number, body in enumerate(objects, 1):
        offsets.append(len(out))
        out += f"{number} 0 obj\n".encode() + body + b"\nendobj\n"
    start = len(out)
    out += f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n".encode()
    out += b"".join(f"{offset:010} 00000 n \n".encode() for offset in offsets)
    return out + f"trailer<</Size {len(objects) + 1}/Root 1 0 R>>\nstartxref\n{start}\n%%EOF\n".encode()


def test_files_come_back_byte_for_byte(content: bytes) -> None:
    files = embedded_files(content)
    assert set(files) == {"a.json", "oscal/b.json", "assessment.json", "findings.csv"}
    assert files["a.json"] == b"{}"


@pytest.mark.parametrize("filter_", ["/FlateDecode", ""])
def test_a_pdf_of_another_maker_is_read(filter_: str) -> None:
    assert embedded_files(small_pdf([("x.txt", b"hello")], filter_)) == {"x.txt": b"hello"}


def test_a_pdf_without_files_has_none() -> None:
    assert embedded_files(small_pdf([])) == {}


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (b"", "Illegal PDF header"),
        (b"%PDF-1.7\n%%EOF\n", "can't read"),
        (small_pdf([("x", b"1"), ("x", b"2")]), "embedded twice"),
        (small_pdf([("x", b"1")], "/LZWDecode"), "filter"),
    ],
)
def test_what_cannot_be_read_is_a_format_error(bad: bytes, message: str) -> None:
    with pytest.raises(FormatError, match=message):
        embedded_files(bad)


def test_a_bomb_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pdf_attachments, "SIZE_MAX", 1_000)
    with pytest.raises(LimitError, match="1000 bytes"):
        embedded_files(small_pdf([("a", b"0" * 600), ("b", b"0" * 600)]))


def bomb(kind: str, size: int) -> bytes:
    """A PDF of which a part that every reader has to unpack is `size` zeros."""
    packed = zlib.compress(b"0 " * (size // 2), 9)
    head = b"%PDF-1.7\n"
    if kind == "ObjStm":
        first = b"1 0 obj\n<</Type/ObjStm/N 1/First 4/Filter/FlateDecode/Length %d>>stream\n" % len(packed)
        body = first + packed + b"\nendstream\nendobj\n"
        # The catalog, object 2, is the first object in object stream 1.
        rows = b"".join((b"\0\0\0\0\0", b"\1" + (len(head)).to_bytes(3) + b"\0", b"\2\0\0\1\0", b"\1%b\0"))
        start = len(head) + len(body)
        rows = rows[:-3] + start.to_bytes(3) + b"\0"
        table = b"3 0 obj\n<</Type/XRef/Size 4/W[1 3 1]/Root 2 0 R/Length %d>>stream\n" % len(rows) + rows
    else:
        body, start = b"", len(head)
        table = b"3 0 obj\n<</Type/XRef/Size 4/W[1 3 1]/Root 2 0 R/Filter/FlateDecode/Length %d>>stream\n" % len(packed)
        table += packed
    return head + body + table + b"\nendstream\nendobj\nstartxref\n%d\n%%%%EOF\n" % start


@pytest.mark.parametrize("kind", ["ObjStm", "XRef"])
def test_a_bomb_in_what_every_reader_unpacks_is_stopped(kind: str) -> None:
    content = bomb(kind, 200 * 2**20)
    assert len(content) < 300_000
    tracemalloc.start()
    try:
        with pytest.raises(LimitError, match="unpacks to more"):
            embedded_files(content)
        assert tracemalloc.get_traced_memory()[1] < 100 * 2**20
    finally:
        tracemalloc.stop()


def test_a_pdf_that_is_too_large_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pdf_attachments, "PDF_SIZE_MAX", 10)
    with pytest.raises(LimitError, match="more than 10 bytes"):
        embedded_files(small_pdf([]))


def test_too_many_files_are_refused() -> None:
    with pytest.raises(LimitError, match="more than 64"):
        embedded_files(small_pdf([(f"f{place}", b"") for place in range(65)]))


def test_damage_never_gives_a_traceback(content: bytes) -> None:
    chance = random.Random(20261101)  # noqa: S311
    for _ in range(60):
        damaged = bytearray(content)
        for _ in range(chance.randint(1, 30)):
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        end = chance.randrange(len(damaged)) if chance.random() < 0.3 else len(damaged)
        with contextlib.suppress(ComplianceError):
            embedded_files(bytes(damaged[:end]))
