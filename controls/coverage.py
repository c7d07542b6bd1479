"""How far checks of an image reach into each framework: from the image alone, with other evidence, or not at all."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Final

from compliance.formats.strict_yaml import read_section
from compliance.model.control import Control, ControlLibrary, Framework, LeftOut

FILE: Final = "coverage.yaml"
_SCHEMA = 1

_ATTESTED: Final = (
    "about this image, attested by a signer who is trusted for it; one given as a file speaks only against it"
)

NEEDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "DR-SBOM": "an SBOM attestation that lies with the image",
        "DR-BASE": "the base image named in an annotation or label, and its manifest",
        "DR-BASELINE": "an earlier image to compare with",
        "SP-SIG": "a signature over this digest, and a key or an identity that is trusted for it",
        "SP-PROV": "build provenance about this digest, and a signer who is trusted for it",
        "SP-SBOM": "an SBOM attestation that lies with the image",
        "SP-SBOMSIG": "an SBOM attestation about this digest, and a signer who is trusted for it",
        "SP-BASE": "a list of approved base images",
        "SP-VULN": f"a vulnerability scan {_ATTESTED}",
        "SP-VEX": "VEX statements, attested by a signer who is trusted for them",
        "SP-MALWARE": f"a malware scan {_ATTESTED}",
        "SP-STIG": f"a result of a STIG or SCAP benchmark {_ATTESTED}",
        "SP-TEST": f"test results {_ATTESTED}",
    }
)
"""Checks that say nothing of an image that comes alone, and what each needs besides."""


class Reach(StrEnum):
    """How far checks reach a control.

    IMAGE: the image's own bytes can speak for or against it. OTHERS: only with evidence that others made, or that
    the user names. NONE: no check of this version bears on it.
    """

    IMAGE = "image"
    OTHERS = "other-evidence"
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class CoveredControl:
    """A control with the checks that bear on it: those the image answers, those that need more, those not there."""

    control: Control
    from_image: tuple[str, ...]
    from_others: tuple[str, ...]
    missing: tuple[str, ...]

    @property
    def reach(self) -> Reach:
        """How far they reach."""
        if self.from_image:
            return Reach.IMAGE
        return Reach.OTHERS if self.from_others else Reach.NONE


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameworkCoverage:
    """A framework's controls on which checks bear, and what was left out of it."""

    framework: Framework
    controls: tuple[CoveredControl, ...]
    left_out: tuple[LeftOut, ...]

    def count(self, reach: Reach) -> int:
        """How many controls are reached so."""
        return sum(control.reach is reach for control in self.controls)


def coverage_of(library: ControlLibrary, checks: Collection[str]) -> tuple[FrameworkCoverage, ...]:
    """How far `checks` (ids of those that this run has) reach into each framework of `library`."""
    absent = left_out()
    return tuple(
        FrameworkCoverage(
            framework=framework,
            controls=tuple(_covered(control, checks) for control in framework.controls),
            left_out=absent.get(framework.id, ()),
        )
        for framework in library.frameworks
    )


def _covered(control: Control, checks: Collection[str]) -> CoveredControl:
    ids = [mapped.check for mapped in control.checks]
    return CoveredControl(
        control=control,
        from_image=tuple(check for check in ids if check in checks and check not in NEEDS),
        from_others=tuple(check for check in ids if check in checks and check in NEEDS),
        missing=tuple(check for check in ids if check not in checks),
    )


@cache
def left_out() -> Mapping[str, tuple[LeftOut, ...]]:
    """By framework, the parts of it on which no check bears."""
    top = read_section(FILE, (files("controls") / FILE).read_bytes())
    top.only("schema", "left_out")
    top.number("schema", _SCHEMA, _SCHEMA)
    frameworks = top.section("left_out")
    return {
        name: tuple(LeftOut(what=part.text("what"), why=part.sentence("why")) for part in frameworks.sections(name))
        for name in frameworks.values
    }
