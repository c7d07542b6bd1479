"""The registry of formats."""

import json
import subprocess
import sys

import pytest

from compliance.errors import UsageError
from reports import assessment_json
from reports.exporter import FORMATS, find
from tests.builders.assessment import assessment


@pytest.mark.parametrize("name", [name for name in FORMATS if name != "pdf"])
def test_every_format_renders_the_same_bytes_twice(name: str) -> None:
    document = assessment_json.document(assessment())
    content = FORMATS[name].render(document)
    assert content
    assert FORMATS[name].render(document) == content


def test_file_names_and_names_are_unique() -> None:
    assert len({one.file_name for one in FORMATS.values()}) == len(FORMATS)
    assert all(name == one.name for name, one in FORMATS.items())


def test_an_unknown_format_lists_those_that_exist() -> None:
    with pytest.raises(UsageError, match="markdown"):
        find("docx")


def test_listing_the_formats_imports_no_renderer() -> None:
    program = (
        "import sys; import reports.exporter; "
        "print(sorted(n for n in sys.modules if n.split('.')[0] in ('weasyprint', 'rich', 'jinja2', 'fontTools')))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_lone_surrogate_in_a_document_is_escaped_text_in_every_format() -> None:
    """Python's JSON reader lets them through; no encoding can hold them."""
    shape = assessment_json.document(assessment())
    shape["subject"]["reference"] = "dir:/a\ud800b"
    shape["checks"][0]["observations"][0]["summary"] = "It is \udcff and \ud800."
    shape["inventory"]["byType"] = {"de\ud800b": 1}
    content = json.dumps(shape).encode()
    assert b"\\ud800" in content
    read = assessment_json.parse(content)
    for name, form in FORMATS.items():
        if name != "pdf":
            form.render(read).decode()
    assert b"\\\\ud800" in FORMATS["json"].render(read)
    assert FORMATS["pdf"].render(read).startswith(b"%PDF")
