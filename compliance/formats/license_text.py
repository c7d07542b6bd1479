"""Which well-known licence a text is, by the words that only it has. What is not certain is None."""

from __future__ import annotations

import re

TEXT_MAX = 2**18
"""Characters of a licence file that are looked at: the longest licences have a fifth of that."""

_HEAD = 2000
"""Characters from the start within which a licence names itself."""
_TITLES = (
    ("Apache-2.0", r"^(?:the )?apache license,? version 2\.0,? january 2004\b"),
    ("EPL-2.0", r"^eclipse public license - v ?2\.0\b"),
    ("EPL-1.0", r"^eclipse public license - v ?1\.0\b"),
    ("MPL-2.0", r"^mozilla public license,? version 2\.0\b"),
    ("GPL-3.0-only", r"^gnu general public license version 3, 29 june 2007\b"),
    ("GPL-2.0-only", r"^gnu general public license version 2, june 1991\b"),
    ("LGPL-2.1-only", r"^gnu lesser general public license version 2\.1, february 1999\b"),
    ("LGPL-3.0-only", r"^gnu lesser general public license version 3, 29 june 2007\b"),
    ("AGPL-3.0-only", r"^gnu affero general public license version 3, 19 november 2007\b"),
    ("CC0-1.0", r"^creative commons (?:legal code )?cc0 1\.0 universal\b"),
    ("Unlicense", r"^this is free and unencumbered software released into the public domain\b"),
)
_BLANKS = re.compile(r"[\s*#/;=_-]+")
_MIT = (
    "permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated "
    'documentation files (the "software"), to deal in the software without restriction'
)
_ISC = "permission to use, copy, modify, and/or distribute this software for any purpose with or without fee"
_BSD = "redistribution and use in source and binary forms, with or without modification, are permitted"
_NO_ENDORSEMENT = "used to endorse or promote products derived from this software without specific prior written"
_ADVERTISING = "all advertising materials mentioning features or use of this software"


def license_of_text(text: str) -> str | None:
    """The SPDX identifier of the licence that `text` begins with.

    GNU licences come as "-only": the text does not say whether later versions may be chosen. The short permissive
    licences are told by their grant, wherever the names of their owners end.
    """
    flat = _BLANKS.sub(" ", text[:TEXT_MAX]).strip().lower()
    for identifier, title in _TITLES:
        if re.match(title, flat[:_HEAD]):
            return identifier
    if len(flat) > _HEAD * 3:
        return None  # several texts in one file: which one governs is not said
    if _BSD in flat:
        if _ADVERTISING in flat:
            return None
        return "BSD-3-Clause" if _NO_ENDORSEMENT in flat else "BSD-2-Clause"
    if _MIT in flat:
        return "MIT"
    return "ISC" if _ISC in flat else None
