"""Licence texts become SPDX expressions only where that is certain."""

from __future__ import annotations

import pytest
from cyclonedx.spdx import is_expression
from hypothesis import given
from hypothesis import strategies as st

from compliance.sbom.licenses import licenses_of, spdx_expression


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("mit", "MIT"),
        ("Expat", "MIT"),
        ("GPL-2+", "GPL-2.0-or-later"),
        ("GPLv2", "GPL-2.0-only"),
        ("GPL-2.0+", "GPL-2.0-or-later"),
        ("LGPLv2+", "LGPL-2.0-or-later"),
        ("LGPL-2.1", "LGPL-2.1-only"),
        ("AGPLv3", "AGPL-3.0-only"),
        ("GFDL-1.3+", "GFDL-1.3-or-later"),
        ("GFDL-NIV-1.3+", "GFDL-1.3-no-invariants-or-later"),
        ("GPL-2 with Linux-syscall-note exception", "GPL-2.0-only WITH Linux-syscall-note"),
        ("Apache License, Version 2.0", "Apache-2.0"),
        ("http://www.apache.org/licenses/LICENSE-2.0.txt", "Apache-2.0"),
        ("https://opensource.org/licenses/MIT", "MIT"),
        ("( Apache-2.0 OR MIT ) AND MPL-2.0", "(Apache-2.0 OR MIT) AND MPL-2.0"),
        ("LGPLv2+ and (GPLv2+ or MIT)", "LGPL-2.0-or-later AND (GPL-2.0-or-later OR MIT)"),
        ("zlib and Boost", "Zlib AND BSL-1.0"),
        ("GPL-3.0-or-later WITH GCC-exception-3.1", "GPL-3.0-or-later WITH GCC-exception-3.1"),
        ("GNU General Public License v2 or later (GPLv2+)", "GPL-2.0-or-later"),
        ("LicenseRef-Fedora-Public-Domain", "LicenseRef-Fedora-Public-Domain"),
        ("BSD", None),
        ("GPL", None),
        ("Public Domain", None),
        ("GPLv2+ with exceptions", None),
        ("GPL-2+ with OpenSSL exception", None),
        ("Classpath-exception-2.0", None),
        ("MIT OR", None),
        ("MIT Apache-2.0", None),
        ("(MIT", None),
        ("", None),
        ("(" * 100 + "MIT" + ")" * 100, None),
    ],
)
def test_known_texts(text: str, expected: str | None) -> None:
    assert spdx_expression(text) == expected


def test_same_licence_in_two_spellings_is_one() -> None:
    assert [licence.raw for licence in licenses_of(["MIT", "Expat", "unknown", "", "BSD"])] == ["MIT", "BSD"]


WORDS = st.sampled_from(
    [
        "MIT",
        "GPL-2+",
        "GPLv3",
        "Apache-2.0",
        "(",
        ")",
        "and",
        "OR",
        "with",
        "BSD",
        "Classpath-exception-2.0",
        "LicenseRef-x",
        ",",
    ]
)


@given(st.lists(WORDS, max_size=10).map(" ".join))
def test_every_expression_is_valid_spdx(text: str) -> None:
    expression = spdx_expression(text)
    if expression is not None and "LicenseRef" not in expression:
        assert is_expression(expression)
        assert spdx_expression(expression) == expression


@given(st.text(max_size=100))
def test_any_text_is_read(text: str) -> None:
    spdx_expression(text)
