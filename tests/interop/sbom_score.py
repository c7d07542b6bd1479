"""CycloneDX documents scored by the fields and weights of sbomqs 2.0, ours and syft's side by side.

``python -m tests.interop.sbom_score LAYOUT...`` makes both of each OCI layout and prints one table.

A feature is the share of components that have it, or 0 or 1 of the document; a category the weighted mean of its
features, times ten. Components are all, nested ones too, but files and operating systems. Not counted is whether
licences are restrictive: that says something of the software and nothing of the document.
"""

from __future__ import annotations

import importlib.resources
import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from license_expression import ExpressionError, ExpressionParseError, get_spdx_licensing

from compliance.formats.declared_license import REFERENCE
from tests.interop.test_syft import syft_program

Document = Mapping[str, Any]
Component = Mapping[str, Any]

_CPE = re.compile(r"cpe:2\.3:[aho*-](?::(?:\\.|[^:\\\s])+){10}|cpe:/[aho](?::[^:\s]*){2,6}")
_PURL = re.compile(r"pkg:[a-z][a-z0-9.+-]*/\S+")
_STRONG = ("SHA-256", "SHA-384", "SHA-512", "SHA3-256", "SHA3-384", "SHA3-512", "BLAKE2b-256", "BLAKE3")
_UNKNOWN = ("", "unknown", "noassertion")


def components(document: Document) -> list[Component]:
    """All that are counted."""

    def each(some: Iterable[Component]) -> Iterator[Component]:
        for one in some:
            if one["type"] not in ("file", "operating-system"):
                yield one
            yield from each(one.get("components", ()))

    return list(each(document.get("components", ())))


@cache
def listed() -> Mapping[str, bool]:
    """SPDX's identifiers, and whether each is deprecated."""
    folder = importlib.resources.files("lib4sbom").joinpath("license_data")
    licenses = json.loads(folder.joinpath("spdx_licenses.json").read_text("utf-8"))["licenses"]
    exceptions = json.loads(folder.joinpath("spdx_exceptions.json").read_text("utf-8"))["exceptions"]
    return {
        **{one["licenseId"]: one["isDeprecatedLicenseId"] for one in licenses},
        **{one["licenseExceptionId"]: one["isDeprecatedLicenseId"] for one in exceptions},
    }


def license_texts(component: Component) -> list[str]:
    """Expressions, ids and names of one component."""
    choices = component.get("licenses", ())
    found = (one.get("expression") or one["license"].get("id") or one["license"].get("name") for one in choices)
    return [text for text in found if text and text.lower() not in _UNKNOWN]


@cache
def operands(expression: str) -> tuple[str, ...] | None:
    """The identifiers of an expression; None when it is none."""
    words = tuple(re.findall(r"[^\s()]+", expression))
    names = tuple(word for word in words if word not in ("AND", "OR", "WITH"))
    if not all(name.removesuffix("+") in listed() or name in listed() or REFERENCE.fullmatch(name) for name in names):
        return None
    try:
        get_spdx_licensing().parse(re.sub(REFERENCE, "MIT", expression))
    except (ExpressionError, ExpressionParseError):
        return None
    return names


def _valid(component: Component) -> bool:
    return all(operands(text) is not None for text in license_texts(component))


def _on_the_list(component: Component) -> bool:
    return all(
        name in listed() or name.removesuffix("+") in listed()
        for text in license_texts(component)
        for name in operands(text) or ("",)
    )


def _not_deprecated(component: Component) -> bool:
    return not any(listed().get(name) for text in license_texts(component) for name in operands(text) or ())


def _declared(component: Component) -> bool:
    choices = component.get("licenses", ())
    return any((one.get("license") or one).get("acknowledgement") == "declared" for one in choices)


def _cpes(component: Component) -> list[str]:
    """What is asserted, and what is concluded in the evidence of identity with its confidence."""
    identities = component.get("evidence", {}).get("identity", ())
    concluded = (one.get("concludedValue", "") for one in identities if one["field"] == "cpe")
    return [text for text in (component.get("cpe", ""), *concluded) if _CPE.fullmatch(text)]


class Reading:
    """One document, with what its features are asked of."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.metadata: Mapping[str, Any] = document.get("metadata", {})
        self.components = components(document)
        self.licensed = [one for one in self.components if license_texts(one)]
        references = [one.get("bom-ref") for one in self.components]
        self.unique = {one for one in references if one and references.count(one) == 1}
        self.lines = {line["ref"]: line.get("dependsOn", []) for line in document.get("dependencies", ())}
        compositions = document.get("compositions", ())
        self.told = {ref for one in compositions for key in ("assemblies", "dependencies") for ref in one.get(key, ())}

    def share(self, has: Callable[[Component], object], some: list[Component] | None = None) -> float:
        """Of the components, or of `some` of them."""
        counted = self.components if some is None else some
        return sum(bool(has(one)) for one in counted) / len(counted) if counted else 0.0

    @property
    def root(self) -> str:
        """The bom-ref of what the document is about."""
        return str(self.metadata.get("component", {}).get("bom-ref", ""))

    def schema_valid(self) -> bool:
        """Under the JSON schema of its own version."""
        version = SchemaVersion.from_version(self.document["specVersion"])
        return JsonStrictValidator(version).validate_str(json.dumps(self.document)) is None


def _tool(reading: Reading) -> bool:
    tools = reading.metadata.get("tools", {})
    some = tools.get("components", ()) if isinstance(tools, dict) else tools
    return any(one.get("name") and one.get("version") for one in some)


def _hash(component: Component, *, strong: bool) -> bool:
    return any(one["alg"] in _STRONG or not strong for one in component.get("hashes", ()))


def _supplied(component: Component) -> bool:
    entities = (component.get("supplier", {}), component.get("manufacturer", {}), *component.get("authors", ()))
    return any(one.get("name") for one in entities)


def _reference(component: Component, kind: str) -> bool:
    return any(one["type"] == kind for one in component.get("externalReferences", ()))


Feature = tuple[str, float, Callable[[Reading], float]]
CATEGORIES: Mapping[str, tuple[int, tuple[Feature, ...]]] = {
    "Identification": (
        10,
        (
            ("name", 0.40, lambda r: r.share(lambda c: c.get("name", "").strip())),
            ("version", 0.35, lambda r: r.share(lambda c: c.get("version", "").strip())),
            ("bom-ref, unique", 0.25, lambda r: r.share(lambda c: c.get("bom-ref") in r.unique)),
        ),
    ),
    "Provenance": (
        12,
        (
            ("timestamp", 0.20, lambda r: bool(r.metadata.get("timestamp"))),
            ("authors", 0.20, lambda r: bool(r.metadata.get("authors"))),
            ("tool and version", 0.20, _tool),
            ("document supplier", 0.15, lambda r: bool(r.metadata.get("supplier") or r.metadata.get("manufacturer"))),
            ("serial number", 0.15, lambda r: bool(r.document.get("serialNumber") and r.document.get("version"))),
            ("lifecycle", 0.10, lambda r: bool(r.metadata.get("lifecycles"))),
        ),
    ),
    "Integrity": (
        15,
        (
            ("hash", 0.60, lambda r: r.share(lambda c: _hash(c, strong=False))),
            ("SHA-256 or stronger", 0.30, lambda r: r.share(lambda c: _hash(c, strong=True))),
            ("signature", 0.10, lambda r: bool(r.document.get("signature"))),
        ),
    ),
    "Completeness": (
        12,
        (
            ("dependencies told", 0.25, lambda r: r.share(lambda c: c.get("bom-ref") in r.lines)),
            ("completeness told", 0.15, lambda r: r.share(lambda c: c.get("bom-ref") in r.told)),
            ("primary component", 0.20, lambda r: bool(r.metadata.get("component"))),
            ("source code", 0.15, lambda r: r.share(lambda c: _reference(c, "vcs"))),
            ("supplier", 0.15, lambda r: r.share(_supplied)),
            ("purpose", 0.10, lambda r: r.share(lambda c: c.get("type"))),
        ),
    ),
    "Licensing": (
        15,
        (
            ("licence", 0.20, lambda r: r.share(license_texts)),
            ("valid SPDX", 0.20, lambda r: r.share(_valid, r.licensed)),
            ("on SPDX's list", 0.20, lambda r: r.share(_on_the_list, r.licensed)),
            ("declared", 0.15, lambda r: r.share(_declared)),
            ("data licence", 0.10, lambda r: bool(r.metadata.get("licenses"))),
            ("none deprecated", 0.15, lambda r: r.share(_not_deprecated, r.licensed)),
        ),
    ),
    "Vulnerability": (
        10,
        (
            ("purl", 0.50, lambda r: r.share(lambda c: _PURL.fullmatch(c.get("purl", "")))),
            ("CPE, asserted or concluded", 0.50, lambda r: r.share(_cpes)),
        ),
    ),
    "Structural": (
        8,
        (
            ("format", 0.30, lambda r: r.document.get("bomFormat") == "CycloneDX"),
            ("version of it", 0.30, lambda r: r.document.get("specVersion") in ("1.4", "1.5", "1.6", "1.7")),
            ("JSON", 0.20, lambda r: True),
            ("valid by schema", 0.20, Reading.schema_valid),
        ),
    ),
}
BESIDES: tuple[tuple[str, Callable[[Reading], float]], ...] = (
    ("edge from the root", lambda r: bool(r.lines.get(r.root))),
    ("evidence of identity", lambda r: r.share(lambda c: c.get("evidence", {}).get("identity"))),
    ("place as evidence", lambda r: r.share(lambda c: c.get("evidence", {}).get("occurrences"))),
    ("CPE asserted", lambda r: r.share(lambda c: c.get("cpe"))),
    ("compositions", lambda r: bool(r.document.get("compositions"))),
    ("web page", lambda r: r.share(lambda c: _reference(c, "website"))),
)
"""Of which sbomqs asks nothing."""


def scores(document: Document) -> dict[str, float]:
    """Category and ``Category: feature`` to points of ten, ``Total``, and the shares of BESIDES by their names."""
    reading = Reading(document)
    found: dict[str, float] = {}
    total = 0.0
    for category, (weight, features) in CATEGORIES.items():
        points = {name: 10 * float(of(reading)) for name, _, of in features}
        found[category] = sum(points[name] * share for name, share, _ in features)
        found.update((f"{category}: {name}", value) for name, value in points.items())
        total += weight * found[category]
    found["Total"] = total / sum(weight for weight, _ in CATEGORIES.values())
    found.update((f"Besides: {name}", 10 * float(of(reading))) for name, of in BESIDES)
    return found


def ours(layout: Path) -> Document:
    """The document that this project makes."""
    command = [sys.executable, "-m", "compliance.cli.main", "sbom", "-q", "--no-cache", f"oci-dir:{layout}"]
    run = subprocess.run(command, capture_output=True, check=True, timeout=600)
    return dict(json.loads(run.stdout))


def of_syft(layout: Path) -> Document:
    """The document that syft makes."""
    environment = {"SYFT_CHECK_FOR_APP_UPDATE": "false", "PATH": "/usr/bin:/bin", "HOME": "/nonexistent"}
    command = [syft_program(), "-q", f"oci-dir:{layout}", "-o", "cyclonedx-json@1.6"]
    run = subprocess.run(command, capture_output=True, check=True, timeout=600, env=environment)
    return dict(json.loads(run.stdout))


def table(columns: Mapping[str, Mapping[str, float]]) -> str:
    """One row a category and feature, one column a document."""
    names = list(columns)
    rows = [["points of ten", *names]]
    for key in next(iter(columns.values())):
        indent = "  " if ": " in key else ""
        rows.append([indent + key.rpartition(": ")[2], *(f"{columns[name][key]:.1f}" for name in names)])
    first = max(len(row[0]) for row in rows)
    widths = [max(len(row[index]) for row in rows) for index in range(1, len(names) + 1)]
    return "\n".join(
        row[0].ljust(first) + "".join("  " + cell.rjust(width) for cell, width in zip(row[1:], widths, strict=True))
        for row in rows
    )


def main() -> None:
    """Score both documents of every layout that is named."""
    columns: dict[str, Mapping[str, float]] = {}
    for layout in map(Path, sys.argv[1:]):
        name = layout.parent.name if layout.name == "oci" else layout.name
        columns[f"{name} hullmark"] = scores(ours(layout))
        columns[f"{name} syft"] = scores(of_syft(layout))
    sys.stdout.write(table(columns) + "\n")


if __name__ == "__main__":
    main()
