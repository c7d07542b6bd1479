"""Java runtimes and development kits: the file ``release`` that each has in its home folder."""

from __future__ import annotations

import re
from collections.abc import Mapping

from compliance.formats.plain_text import decode, plain_text
from compliance.formats.purl import package_url
from compliance.model.filesystem import Captured, FileTree
from compliance.model.inventory import Cataloged, Distribution, Location, Package
from compliance.model.request import ContentRequest

_RELEASE = ContentRequest(name="jvm-release", globs=("**/release",), max_size=64 * 2**10)
_LINE = re.compile(r'^([A-Z_]+)="?([^"\n]*?)"?\r?$', re.MULTILINE)
_VERSION_KEYS = ("FULL_VERSION", "JAVA_RUNTIME_VERSION", "SEMANTIC_VERSION", "JAVA_VERSION")
_FEATURE = re.compile(r"\d+(?:\.\d+)*")


class JvmCataloger:
    """One package for each home; its purl is generic, as no registry publishes runtimes."""

    id: str = "jvm"
    requests: tuple[ContentRequest, ...] = (_RELEASE,)

    def catalog(self, tree: FileTree, distribution: Distribution | None) -> Cataloged:
        """Every file ``release`` that states a JAVA_VERSION; other software names files so too."""
        found = (_package(item) for item in tree.captured(_RELEASE.name))
        return Cataloged(packages=tuple(package for package in found if package is not None))


CATALOGER = JvmCataloger()


def _package(item: Captured) -> Package | None:
    values = dict(_LINE.findall(decode(item.value))) if isinstance(item.value, bytes) else {}
    version = next((plain_text(values[key], 256) for key in _VERSION_KEYS if values.get(key)), "")
    if not values.get("JAVA_VERSION") or not version:
        return None
    vendor, product = _product(values)
    number = values["JAVA_VERSION"].partition("_")[0]
    return Package(
        name=product,
        version=version,
        type="generic",
        purl=package_url(
            "generic",
            product,
            version,
            namespace=vendor,
            qualifiers={"repository_url": plain_text(values.get("SOURCE_REPO") or values.get("BUILD_SOURCE_REPO", ""))},
        ),
        found_by=CATALOGER.id,
        locations=(Location(path=item.entry.path, layer=item.entry.layer),),
        supplier=plain_text(values.get("IMPLEMENTOR", ""), 256) or None,
        architecture=plain_text(values.get("OS_ARCH", ""), 64) or None,
        cpes=(f"cpe:2.3:a:{vendor}:{product}:{number}:*:*:*:*:*:*:*",) if _FEATURE.fullmatch(number) else (),
    )


def _product(values: Mapping[str, str]) -> tuple[str, str]:
    """Vendor and product as the National Vulnerability Database names them; builds of OpenJDK are oracle:openjdk."""
    implementor = values.get("IMPLEMENTOR", "").lower()
    if "GRAALVM_VERSION" in values or "graalvm" in implementor:
        return "oracle", "graalvm"
    if "azul" in implementor:
        return "azul", "zulu"
    if values.get("BUILD_TYPE") == "commercial" or (implementor.startswith("oracle") and "SOURCE_REPO" not in values):
        return "oracle", "jre" if values.get("IMAGE_TYPE") == "JRE" else "jdk"
    return "oracle", "openjdk"
