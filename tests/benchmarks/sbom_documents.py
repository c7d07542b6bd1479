"""CPU time and memory of bills of materials: ``python -m tests.benchmarks.sbom_documents [COMPONENTS...]``.

Each format is written and read back in a process of its own, so that the peak of memory is its own.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import time
from datetime import UTC, datetime

from compliance.formats.purl import package_url
from compliance.formats.sbom import read, write
from compliance.formats.sbom_document import SbomDocument, Tool, of_image
from compliance.model.inventory import Inventory, License, Location, Package, Relationship, RelationshipKind
from tests.builders.evidence import image

FORMATS = ("cyclonedx-json", "cyclonedx-xml", "spdx-json")
SIZES = (1_000, 8_000, 50_000)
NOW = datetime(2026, 11, 1, tzinfo=UTC)
TOOL = Tool(name="hullmark", version="0")


def many(number: int) -> SbomDocument:
    """Node.js packages, each with two places, a licence, an author, a web page, a hash and four dependencies."""
    packages = tuple(sorted((_package(index) for index in range(number)), key=lambda package: package.purl))
    edges = (
        Relationship(
            source=packages[index].purl,
            kind=RelationshipKind.DEPENDS_ON,
            target=packages[(index * 7 + step) % number].purl,
        )
        for index in range(number)
        for step in range(1, 5)
    )
    return of_image(image(), Inventory(packages=packages, relationships=tuple(edges)), tool=TOOL, effective=NOW)


def _package(index: int) -> Package:
    name, version = f"package{index}", f"{index % 9}.{index % 7}.{index}"
    return Package(
        name=name,
        version=version,
        type="npm",
        purl=package_url("npm", name, version),
        found_by="npm",
        locations=tuple(
            Location(path=f"{folder}/node_modules/{name}/package.json", layer=0) for folder in ("app", "lib")
        ),
        licenses=(License(raw="MIT", expression="MIT"),),
        supplier=f"Author {index} <a{index}@example.org>",
        homepage=f"https://example.org/{index}",
        digests=(("SHA-256", f"{index:064x}"),),
    )


def measure(form: str, number: int) -> str:
    """One line of figures."""
    document = many(number)
    before = time.process_time()
    content = write(document, form)
    written = time.process_time()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    read(content, TOOL, NOW)
    done = time.process_time()
    whole = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return (
        f"{number:7,} {form:15} {len(content) / 2**20:6.1f} MiB  written {written - before:5.2f} s, {peak:4} MiB  "
        f"read {done - written:5.2f} s, {whole:4} MiB"
    )


def main() -> None:
    """Measure every format at every size."""
    if len(sys.argv) == 3 and sys.argv[1] in FORMATS:
        sys.stdout.write(measure(sys.argv[1], int(sys.argv[2])) + "\n")
        return
    for number in map(int, sys.argv[1:] or SIZES):
        for form in FORMATS:
            command = [sys.executable, "-m", "tests.benchmarks.sbom_documents", form, str(number)]
            subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
