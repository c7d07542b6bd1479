"""How CPU time grows with the number of packages: inventory and CycloneDX, which both must be linear.

Run as ``python -m tests.benchmarks.growth``. Each line: packages, CPU seconds, microseconds a package.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

from compliance.formats.cyclonedx import to_cyclonedx_json
from compliance.formats.sbom_document import Tool, of_image
from compliance.model.filesystem import FileTree
from compliance.model.inventory import Cataloged, Distribution, Inventory, Package
from compliance.model.request import ContentRequest
from compliance.sbom.inventory import take_inventory
from tests.builders.evidence import NOW, image, tree

SIZES = (1_000, 8_000, 50_000)


@dataclass(frozen=True, kw_only=True)
class Given:
    """A cataloger that finds what it was given."""

    packages: tuple[Package, ...]
    id: str = "given"
    requests: tuple[ContentRequest, ...] = ()

    def catalog(self, tree: FileTree, distribution: Distribution | None) -> Cataloged:
        return Cataloged(packages=self.packages)


def many(number: int) -> tuple[Package, ...]:
    """Packages in a chain of dependencies, each with five files and a virtual alternative."""
    return tuple(
        Package(
            name=f"p{index}",
            version="1",
            type="deb",
            purl=f"pkg:deb/debian/p{index}@1",
            found_by="given",
            locations=(),
            supplier="A <a@example.org>",
            depends=(f"p{index + 1}", "virtual | p0"),
            files=tuple(f"d/f{index}-{n}" for n in range(5)),
        )
        for index in range(number)
    )


def cpu(work: Callable[[], object]) -> float:
    """CPU seconds of one run."""
    start = time.process_time()
    work()
    return time.process_time() - start


def main() -> None:
    """Measure and print."""
    empty = tree({})
    write(Inventory(packages=()))  # imports
    for number in SIZES:
        packages = many(number)
        seconds = cpu(lambda: take_inventory(empty, [Given(packages=packages)]))  # noqa: B023 - run at once
        sys.stdout.write(f"inventory {number:7,} {seconds:7.3f} s {seconds / number * 1e6:7.1f} us\n")
        inventory = take_inventory(empty, [Given(packages=packages)])
        seconds = cpu(lambda: write(inventory))  # noqa: B023 - run at once
        sys.stdout.write(f"cyclonedx {number:7,} {seconds:7.3f} s {seconds / number * 1e6:7.1f} us\n")


def write(inventory: Inventory) -> bytes:
    """The bill of materials of `inventory`."""
    tool = Tool(name="hullmark", version="0")
    return to_cyclonedx_json(of_image(image(), inventory, tool=tool, effective=NOW))


if __name__ == "__main__":
    main()
