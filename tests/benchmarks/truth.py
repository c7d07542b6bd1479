"""Compares what hullmark and syft find in real images with what the package managers' own tools say.

Run as root: ``python -m tests.benchmarks.truth``: every image that images.py built, and the hardened sample. The
tables go to docs/benchmarks.md (page.py), all differences to .bench/compared.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from packageurl import PackageURL

from tests.benchmarks import images, page, records, run
from tests.benchmarks.layout import read_image
from tests.benchmarks.package_managers import Known, ground_truth

UNVERSIONED = ("", "(devel)", "UNKNOWN")


class Component(NamedTuple):
    """A package that a bill of materials names; `variant` tells architectures apart."""

    known: Known
    variant: str


def components(document: Mapping[str, Any]) -> Iterator[Component]:
    """Those of a CycloneDX document with a package URL, nested ones too."""

    def each(listed: Iterable[Mapping[str, Any]]) -> Iterator[Component]:
        for component in listed:
            if component.get("purl"):
                yield parse(component["purl"])
            yield from each(component.get("components", ()))

    return each(document.get("components", ()))


def parse(purl: str) -> Component:
    """One spelling of a package URL: the epoch in the version, a distribution's name without its vendor."""
    url = PackageURL.from_string(purl)
    qualifiers = dict(url.qualifiers)
    name = url.name if url.type in ("deb", "rpm") or not url.namespace else f"{url.namespace}/{url.name}"
    version = url.version or ""
    epoch = qualifiers.get("epoch", "0")
    if url.type in ("deb", "rpm") and ":" not in version and epoch != "0":
        version = f"{epoch}:{version}"
    if url.type == "golang" and url.subpath:
        name = f"{name}/{url.subpath}"  # older tools put a module's /v2 there
    if url.type == "pypi":
        name = name.replace("_", "-").replace(".", "-")
    if name == "stdlib":
        version = version.removeprefix("go").removeprefix("v")
    version = "" if version in UNVERSIONED else version
    return Component(Known(url.type, name, version), qualifiers.get("arch", ""))


def folded(known: Known) -> Known:
    """Names are compared without case: package URLs lower some."""
    return known._replace(name=known.name.lower())


def compare(kind: str, truth: Iterable[Known], found: Iterable[Component]) -> dict[str, Any]:
    """One type: what is true, missing, extra (by name), repeated, and without a version."""
    ours = [component for component in found if component.known.type == kind]
    wanted = {folded(known): known for known in truth}
    unversioned = {known.name for known in wanted if not known.version}  # any version is as good
    named: dict[Known, Known] = {}
    for known in (component.known for component in ours):
        key = folded(known)
        named[key._replace(version="") if key.name in unversioned else key] = known
    surplus = [known for key, known in named.items() if key not in wanted]
    repeated = Counter((folded(component.known), component.variant) for component in ours)
    return {
        "true": sorted(str(known) for key, known in wanted.items() if key in named),
        "missing": sorted(str(known) for key, known in wanted.items() if key not in named),
        "extra": sorted(str(known) for known in surplus if known.version),
        "versionless": sorted(str(known) for known in surplus if not known.version),
        "repeated": sum(number - 1 for number in repeated.values()),
    }


def bills(layout: Path, programs: Mapping[str, tuple[str, ...]]) -> dict[str, list[Component]]:
    """Tool -> the components it finds."""
    found = {}
    with tempfile.TemporaryDirectory(prefix="bench-") as home:
        for tool, argv in programs.items():
            done = subprocess.run(
                [part.replace("{}", str(layout)) for part in argv],
                stdout=subprocess.PIPE,
                env=run.environment(Path(home)),
            )
            if done.returncode:
                raise SystemExit(f"{tool} failed on {layout}: exit code {done.returncode}")
            found[tool] = list(components(json.loads(done.stdout)))
    return found


def compare_image(name: str, layout: Path, programs: Mapping[str, tuple[str, ...]]) -> dict[str, Any]:
    """The record of one image. Types that no package manager knows of in it are not compared."""
    image = read_image(layout)
    truth, unknown = ground_truth(image, layout.parent, images.FOLDER / "truth")
    return {
        "name": name,
        "digest": image.digest,
        "truth": {kind: len(known) for kind, known in truth.items()},
        "unknown": unknown,
        "tools": {
            tool: {kind: compare(kind, known, found) for kind, known in truth.items()}
            for tool, found in bills(layout, programs).items()
        },
    }


def main() -> None:
    """Compare, keep, show."""
    parser = argparse.ArgumentParser(description=f"{(__doc__ or '').splitlines()[0]}")
    parser.add_argument("--images", type=Path, default=images.FOLDER / "images", help="folder of NAME/oci or NAME")
    parser.add_argument("--only", action="append", metavar="NAME", help="only this image; may be repeated")
    parser.add_argument("--syft", action="append", default=[], metavar="PROGRAM", help="compare with this one too")
    parser.add_argument("--quick", action="store_true", help="show, and neither keep nor write")
    options = parser.parse_args()
    if os.geteuid() != 0:
        raise SystemExit("unpacking images with their owners and devices needs root")
    found = images.layouts(options.images.resolve())
    if unknown := set(options.only or ()) - set(found):
        parser.error(f"not in {options.images}: {', '.join(sorted(unknown))}; there are {', '.join(found)}")
    hullmark = str(Path(sys.executable).with_name("hullmark"))
    competing = run.contenders(hullmark, run.find_syfts(options.syft))
    programs = {one.name: one.argv for one in competing if one.name.startswith("syft ")}
    programs = {"hullmark": (hullmark, "sbom", "--quiet", "--no-cache", "oci-dir:{}"), **programs}
    common = {"source": records.source_digest(), "date": datetime.datetime.now(datetime.UTC).date().isoformat()}
    compared = []
    for name in options.only or found:
        compared.append({**common, **compare_image(name, found[name], programs)})
        if not options.quick:
            records.save(records.COMPARED, name, compared[-1])
        sys.stdout.write(f"{name}: {compared[-1]['truth']}\n")
        sys.stdout.flush()
    sys.stdout.write("\n" + page.truth(compared) + "\n" + page.differences(compared))
    if not options.quick:
        page.write()


if __name__ == "__main__":
    main()
