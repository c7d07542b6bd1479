"""SC-EOL: what the image is built on is still maintained."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from compliance.model.evidence import Evidence
from compliance.model.outcome import (
    Check,
    Failed,
    NotApplicable,
    Observation,
    ObservationKind,
    Outcome,
    Passed,
    Severity,
    Trait,
    Unknown,
)
from controls.end_of_life import end_of_life
from controls.observe import not_wholly_read
from controls.variant import DHI, claims

OPEN_FOR = timedelta(days=180)
"""How long after the table's date a release without an announced end counts as maintained."""
LABEL = f"{DHI}date.end-of-life"
_SUPPORT_END = re.compile(r"(?m)^SUPPORT_END=[\"']?(\d{4}-\d{2}-\d{2})[\"']?\s*$")


@dataclass(frozen=True, slots=True)
class _Found:
    """One release and what is known of its end: `over` None where nothing is."""

    over: bool | None
    observation: Observation


def run(evidence: Evidence) -> Outcome:
    """The distribution, the Go standard library, and the dates that the image states itself."""
    found = [*_distribution(evidence), *_go(evidence), *_label(evidence)]
    ended = [item.observation for item in found if item.over]
    seen = tuple(item.observation for item in found if not item.over)
    if ended:
        return Failed(observations=(*ended, *seen))
    unknown = [item.observation for item in found if item.over is None]
    if unknown:
        return Unknown(reason=unknown[0].summary.removesuffix("."), observations=seen)
    if not evidence.filesystem.wholly_read:
        return not_wholly_read(evidence.filesystem, seen)
    if not found:
        return NotApplicable(reason="the image names no operating system release, and no Go program is in it")
    return Passed(observations=seen)


def _distribution(evidence: Evidence) -> Iterator[_Found]:
    distribution = evidence.inventory.distribution
    if distribution is None:
        return
    version = distribution.version_id or ""
    this = _Release(
        product=distribution.id,
        version=version,
        name=distribution.pretty_name or f"{distribution.id} {version}".strip(),
        method="os-release",
    )
    found = _judge(evidence, this)
    yield (_stated(evidence, this) or found) if found.over is None else found


def _go(evidence: Evidence) -> Iterator[_Found]:
    versions = {
        package.version.removeprefix("go"): package.purl
        for package in evidence.inventory.installed
        if package.type == "golang" and package.name == "stdlib"
    }
    for version, purl in sorted(versions.items()):
        name = f"The Go standard library {version}"
        yield _judge(evidence, _Release(product="go", version=version, name=name, method="Go build info", purl=purl))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Release:
    """A product's version as the image states it; `purl` where it is a package."""

    product: str
    version: str
    name: str
    method: str
    purl: str | None = None

    def found(self, over: bool | None, text: str) -> _Found:
        """What is known of its end, as a sentence."""
        return _Found(
            over,
            Observation(
                summary=f"{self.name}: {text}.",
                kind=ObservationKind.PACKAGE if self.purl else ObservationKind.CONFIG,
                package=self.purl,
                value=self.version or None,
                method=f"{self.method}, end-of-life table of {end_of_life().as_of}",
            ),
        )


def _judge(evidence: Evidence, this: _Release) -> _Found:
    table = end_of_life()
    today = evidence.assessed_at.date()
    product = table.products.get(this.product)
    release = product.release(this.version) if product is not None else None
    if product is None or release is None:
        return this.found(None, "no entry in the end-of-life table")
    end = product.ends[release]
    if end is None:
        known = today <= table.as_of + OPEN_FOR
        text = f"no end was announced for {product.name} {release} by {table.as_of}"
        return this.found(False if known else None, text)
    if today <= end:
        return this.found(False, f"security support of {product.name} {release} ends on {end}")
    extended = product.extended.get(release)
    if extended is not None and today <= extended:
        return this.found(False, f"regular support ended on {end}; {product.extended_by} goes on until {extended}")
    return this.found(True, f"security support of {product.name} {release} ended on {extended or end}")


def _stated(evidence: Evidence, this: _Release) -> _Found | None:
    """The date that os-release itself states (SUPPORT_END), for a distribution that the table does not have."""
    tree = evidence.filesystem
    content = tree.content("etc/os-release") or tree.content("usr/lib/os-release") or b""
    match = _SUPPORT_END.search(content.decode("utf-8", "replace"))
    end = _date(match[1]) if match is not None else None
    if end is None:
        return None
    over = evidence.assessed_at.date() > end
    return this.found(over, f"support {'ended' if over else 'ends'} on {end}, as os-release states")


def _label(evidence: Evidence) -> Iterator[_Found]:
    """The end that a Docker Hardened Image's label claims; a date to come proves nothing, so only a past one counts."""
    text = claims(evidence.image).get(LABEL, "")
    end = _date(text[:10])
    if end is not None and evidence.assessed_at.date() > end:
        summary = f"The label {LABEL} says that the image's support ended on {end}."
        yield _Found(True, Observation(summary=summary, kind=ObservationKind.CONFIG, value=text, method="image config"))


def _date(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


CHECK = Check(
    id="SC-EOL",
    title="OS and language releases are supported",
    trait=Trait.PURPOSE,
    severity=Severity.HIGH,
    rationale="A release that its makers no longer maintain gets no security fixes: new vulnerabilities in it stay "
    "open, and scanners may have no data about them.",
    looks_at="/etc/os-release and the Go versions in the build information of Go programs, against the dates in "
    "knowledge/end-of-life.yaml at the time of the assessment; SUPPORT_END of os-release; the label "
    "com.docker.dhi.date.end-of-life.",
    proves="A pass proves that by a table of the date told the operating system's release and every Go release found "
    "still get security fixes from their makers without payment. Other languages are not in the table: those that a "
    "distribution packages are maintained with it, others are not judged.",
    remediation="Move to a supported release of the base image, and rebuild Go programs with a supported Go.",
    run=run,
    references=("os-release(5)", "endoflife.date"),
)
