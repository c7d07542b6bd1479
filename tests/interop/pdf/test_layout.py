"""Nothing that an image says leaves the page, as poppler sees the pages."""

import os
import shutil
import subprocess
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from reports import assessment_json, pdf
from tests.builders.assessment import assessment
from tests.builders.hostile_document import hostile

WORD = "{http://www.w3.org/1999/xhtml}word"
PAGE = "{http://www.w3.org/1999/xhtml}page"
MARGIN = 18 / 25.4 * 72  # of the pages, in points
HEAD, FOOT = 10 / 25.4 * 72, 8 / 25.4 * 72


def pages_of(content: bytes, folder: Path) -> list[ElementTree.Element]:
    program = shutil.which("pdftotext")
    if program is None:
        reason = "pdftotext is not installed (Debian: poppler-utils)"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    (folder / "report.pdf").write_bytes(content)
    out = folder / "words.xml"
    subprocess.run([program, "-bbox", str(folder / "report.pdf"), str(out)], check=True)
    return list(ElementTree.fromstring(out.read_bytes()).iter(PAGE))  # noqa: S314  poppler's own


@pytest.mark.parametrize("spoil", [False, True], ids=["ordinary", "hostile"])
def test_every_word_is_within_the_margins(spoil: bool, tmp_path: Path) -> None:
    document = assessment_json.document(assessment())
    pages = pages_of(pdf.render(hostile(document) if spoil else document), tmp_path)
    assert 5 < len(pages) <= 60
    for number, page in enumerate(pages, 1):
        width, height = float(page.get("width", 0)), float(page.get("height", 0))
        words = list(page.iter(WORD))
        assert words, f"page {number} is empty"
        side = 0 if number == 1 else MARGIN - 1
        for word in words:
            left, right = float(word.get("xMin", -1)), float(word.get("xMax", 1e6))
            top, bottom = float(word.get("yMin", -1)), float(word.get("yMax", 1e6))
            assert side <= left <= right <= width - side, (number, word.text)
            assert HEAD <= top <= bottom <= height - FOOT, (number, word.text)
