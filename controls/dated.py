"""Which checks' answers depend on the date, for whoever re-evaluates results without the image they are about."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Dated:
    """What the answer has to do with the date, and whether a failure is one at every later date as well."""

    why: str
    lasting: bool


DATED: Final[Mapping[str, Dated]] = MappingProxyType(
    {
        "SC-EOL": Dated(why="support of a release ends with time", lasting=True),
        "SP-VULN": Dated(why="a scan ages, and VEX statements hold from their date on", lasting=False),
        "SP-VEX": Dated(why="VEX statements hold from their date on", lasting=False),
        "SP-MALWARE": Dated(why="a scan ages", lasting=True),
        "SP-STIG": Dated(why="a benchmark result ages", lasting=True),
        "SP-SECRET": Dated(why="tokens expire", lasting=False),
    }
)
"""Every shipped check that looks at the date, by its id."""
