"""Our document scores at least as well as syft's in every category, and has what syft's lacks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.builders.evidence import Node, directory, file
from tests.builders.layout import simple_image
from tests.interop.sbom_score import BESIDES, CATEGORIES, of_syft, ours, scores, table

FILLED = ("Integrity: hash", "Completeness: supplier", "Completeness: completeness told")
FILLED_BESIDES = ("edge from the root", "evidence of identity", "place as evidence", "compositions")
STATUS = """\
Package: {name}
Status: install ok installed
Version: 1.{name}
Architecture: all
Maintainer: M <m@x.org>
Homepage: https://github.com/x/{name}

"""
COPYRIGHT = "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n\nFiles: *\nLicense: {}\n"


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Debian packages and a Python environment."""
    names = ("alpha", "beta", "gamma")
    nodes: dict[str, Node | bytes | str] = {
        "etc": directory(),
        "etc/os-release": "ID=debian\nVERSION_ID=12\n",
        "var/lib/dpkg/status": "".join(STATUS.format(name=name) for name in names),
    }
    for name, license_ in zip(names, ("GPL-2+", "Expat", "public-domain"), strict=True):
        nodes[f"var/lib/dpkg/info/{name}.list"] = f"/usr\n/usr/share\n/usr/share/{name}\n"
        nodes[f"usr/share/{name}"] = file(name)
        nodes[f"usr/share/doc/{name}/copyright"] = COPYRIGHT.format(license_)
    info = "app/lib/python3.11/site-packages/delta-1.0.dist-info"
    nodes[f"{info}/METADATA"] = "Metadata-Version: 2.1\nName: delta\nVersion: 1.0\nLicense: MIT\nAuthor: D\n"
    nodes[f"{info}/RECORD"] = "delta.py,,\ndelta-1.0.dist-info/METADATA,,\n"
    nodes["app/lib/python3.11/site-packages/delta.py"] = "pass\n"
    return simple_image(tmp_path_factory.mktemp("score") / "made", (nodes,))


@pytest.fixture(scope="session", params=["ordinary", "hardened", "made"])
def both(request: pytest.FixtureRequest) -> tuple[dict[str, float], dict[str, float]]:
    if request.param == "made":
        layout = request.getfixturevalue("made")
    else:
        layout = request.getfixturevalue("samples") / request.param
    return scores(ours(layout)), scores(of_syft(layout))


def test_every_category_is_at_least_as_good(both: tuple[dict[str, float], dict[str, float]]) -> None:
    our, their = both
    shown = table({"hullmark": our, "syft": their})
    worse = [name for name in (*CATEGORIES, "Total") if our[name] < their[name] - 1e-9]
    assert worse == [], f"\n{shown}"


def test_what_the_peer_lacks_is_filled(both: tuple[dict[str, float], dict[str, float]]) -> None:
    our, their = both
    for name in (*FILLED, *(f"Besides: {name}" for name in FILLED_BESIDES)):
        assert their[name] == 0, name
        assert our[name] > 5, f"{name}\n{table({'hullmark': our, 'syft': their})}"


def document(**component: Any) -> dict[str, Any]:
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "components": [{"type": "library", "name": "a", **component}],
    }


@pytest.mark.parametrize(
    ("component", "feature", "points"),
    [
        ({}, "Identification: name", 10),
        ({"name": " "}, "Identification: name", 0),
        ({}, "Integrity: hash", 0),
        ({"hashes": [{"alg": "MD5", "content": "a" * 32}]}, "Integrity: hash", 10),
        ({"hashes": [{"alg": "MD5", "content": "a" * 32}]}, "Integrity: SHA-256 or stronger", 0),
        ({"licenses": [{"license": {"name": "some licence"}}]}, "Licensing: licence", 10),
        ({"licenses": [{"license": {"name": "some licence"}}]}, "Licensing: valid SPDX", 0),
        ({"licenses": [{"expression": "MIT OR LicenseRef-a"}]}, "Licensing: valid SPDX", 10),
        ({"licenses": [{"expression": "MIT OR LicenseRef-a"}]}, "Licensing: on SPDX's list", 0),
        ({"licenses": [{"expression": "MIT OR"}]}, "Licensing: valid SPDX", 0),
        ({"licenses": [{"license": {"id": "GPL-2.0"}}]}, "Licensing: none deprecated", 0),
        ({"licenses": [{"license": {"id": "GPL-2.0-only"}}]}, "Licensing: none deprecated", 10),
        ({"cpe": "cpe:2.3:a:b:c:1:*:*:*:*:*:*:*"}, "Vulnerability: CPE, asserted or concluded", 10),
        ({"cpe": "b:c:1"}, "Vulnerability: CPE, asserted or concluded", 0),
        ({"purl": "not a purl"}, "Vulnerability: purl", 0),
    ],
)
def test_a_feature_is_counted_as_its_rule_says(component: dict[str, Any], feature: str, points: float) -> None:
    assert scores(document(**component))[feature] == points


def test_weights_of_each_category_add_up() -> None:
    for _, features in CATEGORIES.values():
        assert sum(weight for _, weight, _ in features) == pytest.approx(1)
    assert len({name for name, _ in BESIDES}) == len(BESIDES)
