"""Values as PHP serializes them."""

from __future__ import annotations

import pytest

from compliance.errors import FormatError
from compliance.formats.php_serialized import Value, read_php_serialized


@pytest.mark.parametrize(
    ("content", "value"),
    [
        (b"N;", None),
        (b"b:1;", True),
        (b"i:-7;", -7),
        (b"d:0.5;", 0.5),
        ('s:3:"é;";'.encode(), "é;"),
        (b'a:2:{i:0;s:1:"x";s:1:"k";a:0:{}}', {"0": "x", "k": {}}),
    ],
)
def test_values(content: bytes, value: Value) -> None:
    assert read_php_serialized(content) == value


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"i:1",
        b's:9:"x";',
        b's:1:"xx";',
        b"a:1:{i:0;i:1;",
        b"a:1:{N;i:1;}",
        b"a:1:{" * 100,
        b'O:1:"A":0:{}',
        b"d:..;",
    ],
)
def test_what_is_none_is_refused(content: bytes) -> None:
    with pytest.raises(FormatError):
        read_php_serialized(content)
