"""A licence is named when its text is certainly that, and not otherwise."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compliance.formats.license_text import license_of_text

COMMON = Path("/usr/share/common-licenses")
MIT = """Copyright (c) 2020 Somebody

Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated
documentation files (the "Software"), to deal in the Software without restriction, including …
THE SOFTWARE IS PROVIDED "AS IS"
"""
BSD = """Copyright 2020 Somebody
Redistribution and use in source and binary forms, with or without modification, are permitted provided that …
1. Redistributions of source code must retain …
"""


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Apache-2.0", "Apache-2.0"),
        ("GPL-2", "GPL-2.0-only"),
        ("GPL-3", "GPL-3.0-only"),
        ("LGPL-2.1", "LGPL-2.1-only"),
        ("LGPL-3", "LGPL-3.0-only"),
        ("MPL-2.0", "MPL-2.0"),
        ("CC0-1.0", "CC0-1.0"),
        ("GPL-1", None),
        ("Artistic", None),
        ("GFDL-1.3", None),
    ],
)
def test_debians_copies_of_licences_are_told_apart(name: str, expected: str | None) -> None:
    if not (COMMON / name).is_file():
        pytest.skip(f"no {COMMON / name} on this machine")
    assert license_of_text((COMMON / name).read_text()) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (MIT, "MIT"),
        (MIT.replace("\n", "\n * "), "MIT"),
        (BSD, "BSD-2-Clause"),
        (
            BSD + "may not be used to endorse or promote products derived from this software without specific prior "
            "written permission",
            "BSD-3-Clause",
        ),
        (BSD + "All advertising materials mentioning features or use of this software must", None),
        (MIT + "x" * 10_000, None),
        ("This product includes software under the Apache License, Version 2.0, January 2004", None),
        ("see LICENSE", None),
        ("", None),
    ],
)
def test_short_licences_are_told_by_their_grant(text: str, expected: str | None) -> None:
    assert license_of_text(text) == expected


@given(st.text())
def test_any_text_is_some_answer(text: str) -> None:
    assert license_of_text(text) in (None, "Unlicense")
