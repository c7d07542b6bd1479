"""SC-DEVRES, SC-LABEL, DR-PKGVERIFY, DR-UNOWNED and DR-BASE."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace

import pytest

from compliance.model.evidence import Variant
from compliance.model.filesystem import Residue, Unread
from compliance.model.image import BaseImage, ImageConfig
from compliance.model.inventory import Inventory, Location, Package
from compliance.model.inventory import Unknown as UnknownPlace
from compliance.model.outcome import Failed, NotApplicable, Outcome, Passed, Unknown
from controls.checks.dr_base import CHECK as DR_BASE
from controls.checks.dr_base import chain_ids
from controls.checks.dr_pkgverify import CHECK as DR_PKGVERIFY
from controls.checks.dr_unowned import CHECK as DR_UNOWNED
from controls.checks.sc_devres import CHECK as SC_DEVRES
from controls.checks.sc_label import CHECK as SC_LABEL
from tests.builders.elf import static_program as elf
from tests.builders.evidence import DIGEST, Node, directory, evidence, file, program, symlink, tree
from tests.builders.examiner import examiner

CUT = (Unread(path="", reason="the layer is cut short", layer=0),)


def package(name: str = "p", type_: str = "rpm", **more: object) -> Package:
    settings: dict[str, object] = {"locations": (), "found_by": "test", **more}
    return Package(name=name, version="1", type=type_, purl=f"pkg:{type_}/{name}@1", **settings)  # type: ignore[arg-type]


def sha256(text: str) -> str:
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


@pytest.mark.parametrize(
    "path",
    [
        "srv/app/.git/HEAD",
        "usr/include/stdio.h",
        "opt/x/src/a.hpp",
        "usr/lib/libz.a",
        "usr/lib/libz.la",
        "usr/lib/x86_64-linux-gnu/pkgconfig/zlib.pc",
        "usr/lib/cmake/Z/ZConfig.cmake",
        "Dockerfile",
        "app/Dockerfile.prod",
        "app/.dockerignore",
        "app/docker-compose.override.yml",
        "app/.github/workflows/ci.yml",
        "app/.gitlab-ci.yml",
        "app/.idea/workspace.xml",
        "usr/lib/python3.13/test/test_os.py",
        "app/tests/unit/test_app.py",
        "app/__tests__/app.test.ts",
        "app/main_test.go",
        "etc/app.conf.orig",
    ],
)
def test_residue_by_path_fails(path: str) -> None:
    outcome = SC_DEVRES.run(evidence({path: "x"}))
    assert isinstance(outcome, Failed)
    assert len(outcome.observations) == 1


def test_residue_of_one_sort_is_one_observation_a_folder() -> None:
    outcome = SC_DEVRES.run(evidence({f"usr/include/a/{n}.h": "x" for n in range(500)}))
    assert isinstance(outcome, Failed)
    assert len(outcome.observations) == 1
    assert "500 files" in outcome.observations[0].summary


@pytest.mark.parametrize(
    ("name", "type_", "failed"),
    [
        ("libc6-dev", "deb", True),
        ("zlib-dev", "apk", True),
        ("openssl-devel", "rpm", True),
        ("glibc-headers", "rpm", True),
        ("device-mapper", "rpm", False),
        ("libdevmapper1.02.1", "deb", False),
        ("vite-dev", "npm", False),
    ],
)
def test_development_packages_fail(name: str, type_: str, failed: bool) -> None:
    outcome = SC_DEVRES.run(evidence({}, packages=(package(name, type_),)))
    assert isinstance(outcome, Failed if failed else Passed)


@pytest.mark.parametrize(
    ("content", "failed"),
    [
        (json.dumps({"packages": {"node_modules/jest": {"dev": True}, "node_modules/x": {}}}), True),
        (json.dumps({"packages": {"node_modules/gone": {"dev": True}}}), False),
        (json.dumps({"packages": {"node_modules/x": {"dev": False}}}), False),
        ("{", False),
        ("[]", False),
        ("[" * 100_000, False),
        (json.dumps({"packages": [1]}), False),
    ],
)
def test_development_dependencies_that_npm_installed_fail(content: str, failed: bool) -> None:
    files: dict[str, Node | bytes | str] = {
        "app/node_modules/.package-lock.json": content,
        "app/node_modules/jest/index.js": "x",
        "app/node_modules/x/index.js": "x",
    }
    outcome = SC_DEVRES.run(evidence(files, requests=SC_DEVRES.requests))
    assert isinstance(outcome, Failed if failed else Passed)


def test_residue_is_by_design_in_dev_and_its_absence_needs_a_tree_wholly_read() -> None:
    assert isinstance(SC_DEVRES.run(evidence({"usr/include/a.h": "x"}, variant=Variant.DEV)), NotApplicable)
    assert isinstance(SC_DEVRES.run(evidence({}, unread=CUT)), Unknown)


LABELS = {
    f"org.opencontainers.image.{key}": "x"
    for key in ("source", "revision", "created", "version", "licenses", "base.name", "base.digest", "vendor")
}


def test_labels_all_there_pass_as_claims_and_each_missing_one_is_told() -> None:
    passed = SC_LABEL.run(evidence({}, config=ImageConfig(labels=LABELS)))
    assert isinstance(passed, Passed)
    assert all("unsigned claim" in seen.summary for seen in passed.observations)
    some = {key: value for key, value in LABELS.items() if "base" not in key}
    failed = SC_LABEL.run(evidence({}, config=ImageConfig(labels=some)))
    assert isinstance(failed, Failed)
    assert sum("neither" in seen.summary for seen in failed.observations) == 2
    assert isinstance(SC_LABEL.run(evidence({}, annotations=LABELS)), Passed)
    assert isinstance(SC_LABEL.run(evidence({}, config=ImageConfig(labels=LABELS | {next(iter(LABELS)): " "}))), Failed)


def test_labels_of_a_root_filesystem_are_not_applicable() -> None:
    assert isinstance(SC_LABEL.run(evidence({}, without_config=True)), NotApplicable)


def verified(files: dict[str, Node | bytes | str], digests: dict[str, str], **more: object) -> Outcome:
    recorded = package(file_digests=digests)
    return DR_PKGVERIFY.run(evidence(files, packages=(recorded,), **more))  # type: ignore[arg-type]


def test_package_files_with_their_recorded_content_pass() -> None:
    outcome = verified({"usr/bin/a": "a"}, {"usr/bin/a": sha256("a")})
    assert isinstance(outcome, Passed)
    assert "1 file of 1 package" in outcome.observations[0].summary


def test_package_files_are_found_where_the_folder_is_a_link() -> None:
    files: dict[str, Node | bytes | str] = {"bin": symlink("usr/bin"), "usr/bin/a": "changed"}
    outcome = verified(files, {"/bin/a": sha256("a")})
    assert isinstance(outcome, Failed)
    assert outcome.observations[0].path == "usr/bin/a"


@pytest.mark.parametrize("node", [file("evil"), symlink("/tmp/x"), directory()])  # noqa: S108
def test_a_changed_or_replaced_package_file_fails(node: Node) -> None:
    assert isinstance(verified({"usr/bin/a": node}, {"usr/bin/a": sha256("a")}), Failed)


def test_configuration_and_missing_files_are_notes() -> None:
    digests = {"usr/bin/a": sha256("a"), "etc/a.conf": sha256("a"), "usr/share/doc/a": sha256("a")}
    outcome = verified({"usr/bin/a": "a", "etc/a.conf": "mine"}, digests)
    assert isinstance(outcome, Passed)
    assert len(outcome.observations) == 3


def test_digests_that_cannot_be_compared_are_unknown_and_a_mismatch_stays_a_failure() -> None:
    weak = {"usr/bin/b": "sha512:" + "0" * 128}
    outcome = verified({"usr/bin/b": "b"}, weak)
    assert isinstance(outcome, Unknown)
    assert "1 sha512" in outcome.reason
    assert isinstance(verified({"usr/bin/a": "x", "usr/bin/b": "b"}, weak | {"usr/bin/a": sha256("a")}), Failed)


@pytest.mark.parametrize("algorithm", ["md5", "sha1", "sha256"])
def test_each_database_is_compared_by_its_own_algorithm(algorithm: str) -> None:
    recorded = {"usr/bin/b": f"{algorithm}:{hashlib.new(algorithm, b'b').hexdigest()}"}
    passed = verified({"usr/bin/b": "b"}, recorded)
    assert isinstance(passed, Passed)
    assert f"1 {algorithm}" in passed.observations[0].summary
    failed = verified({"usr/bin/b": "B"}, recorded)
    assert isinstance(failed, Failed)
    assert failed.observations[0].value == f"recorded {recorded['usr/bin/b']}"


def test_verifying_less_is_unknown_or_not_applicable() -> None:
    assert isinstance(verified({"usr/bin/a": "a"}, {"usr/bin/a": sha256("a")}, unread=CUT), Unknown)
    assert isinstance(verified({}, {"usr/bin/a": sha256("a")}), Unknown)
    assert isinstance(DR_PKGVERIFY.run(evidence({}, packages=(package(type_="npm"),))), NotApplicable)


def unowned(files: dict[str, Node | bytes | str], *packages: Package, **more: object) -> Outcome:
    return DR_UNOWNED.run(evidence(files, packages=packages, examiner=examiner(), **more))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("path", "node"),
    [
        ("opt/tool", program(elf())),
        ("opt/lib.so", file(elf())),
        ("opt/run.sh", program("#!/bin/sh\n")),
        ("opt/app.jar", file(b"PK")),
    ],
)
def test_a_program_of_no_package_fails(path: str, node: Node) -> None:
    outcome = unowned({path: node})
    assert isinstance(outcome, Failed)
    assert outcome.observations[0].path == path
    assert isinstance(unowned({path: node}, package(files=(path,))), Passed)


def test_a_package_owns_by_any_name_by_location_and_by_folder() -> None:
    node = program(elf())
    linked: dict[str, Node | bytes | str] = {"usr/bin/a": node, "usr/bin/b": Node(same_as="usr/bin/a")}
    assert isinstance(unowned(linked, package(files=("usr/bin/b",))), Passed)
    go = package(type_="golang", locations=(Location(path="app", layer=0),))
    assert isinstance(unowned({"app": node}, go), Passed)
    npm = package(type_="npm", locations=(Location(path="n/node_modules/x/package.json", layer=0),))
    assert isinstance(unowned({"n/node_modules/x/build/x.node": node}, npm), Passed)
    assert isinstance(unowned({"n/node_modules/y/build/y.node": node}, npm), Failed)


def test_a_maintainer_script_belongs_to_its_debian_package() -> None:
    files: dict[str, Node | bytes | str] = {"var/lib/dpkg/info/libc6:amd64.postinst": program("#!/bin/sh\n")}
    assert isinstance(unowned(files, package("libc6", "deb")), Passed)
    assert isinstance(unowned(files, package("libc6", "rpm")), Failed)
    assert isinstance(unowned(files, package("libc", "deb")), Failed)


def test_data_and_scripts_that_are_not_executable_need_no_package() -> None:
    assert isinstance(unowned({"etc/a": "x", "opt/lib.sh": "#!/bin/sh\n"}), Passed)


def test_places_that_hide_packages_are_named_beside_a_program_of_no_package() -> None:
    inventory = Inventory(packages=(), unknowns=(UnknownPlace(path="var/lib/rpm/x", reason="damaged"),))
    outcome = DR_UNOWNED.run(evidence({"a": program(elf())}, inventory=inventory, examiner=examiner()))
    assert isinstance(outcome, Failed)
    assert "damaged" in outcome.observations[-1].summary
    assert isinstance(unowned({}, unread=CUT), Unknown)


def over(base: BaseImage, layers: int) -> Outcome:
    found = evidence({}, layers=layers)
    return DR_BASE.run(replace(found, image=replace(found.image, base=base)))


def test_the_layers_of_a_base_image_at_hand_are_compared() -> None:
    layers = tuple(layer.diff_id for layer in evidence({}, layers=3).image.layers)
    assert isinstance(over(BaseImage(digest=DIGEST, diff_ids=layers[:2]), 3), Passed)
    assert isinstance(over(BaseImage(digest=DIGEST, diff_ids=layers), 3), Passed)
    for other in (layers[1:], (*layers, layers[0]), ()):
        assert isinstance(over(BaseImage(digest=DIGEST, diff_ids=other), 3), Failed)


def based(labels: dict[str, str], residue: tuple[Residue, ...] = ()) -> Outcome:
    files = tree({}, residue=residue)
    return DR_BASE.run(evidence(files, config=ImageConfig(labels=labels), layers=3))


LABEL = "com.docker.dhi.chain-id"
CHAIN = chain_ids(evidence({}, layers=3).image.layers)


def test_chain_ids_are_those_of_the_specification() -> None:
    layers = evidence({}, layers=2).image.layers
    joined = f"{layers[0].diff_id} {layers[1].diff_id}".encode()
    assert chain_ids(layers) == [layers[0].diff_id, f"sha256:{hashlib.sha256(joined).hexdigest()}"]
    assert chain_ids(()) == []


@pytest.mark.parametrize("base", [1, 2, 3])
def test_the_claimed_chain_id_is_that_of_the_lowest_layers(base: int) -> None:
    outcome = based({LABEL: CHAIN[base - 1]})
    assert isinstance(outcome, Passed)
    assert f"lowest {base} of 3 layers" in outcome.observations[0].summary


def test_files_of_the_base_that_later_layers_hide_are_listed() -> None:
    residue = (
        Residue(path="usr/bin/a", layer=0, hidden_by=2, size=1, sha256="0" * 64),
        Residue(path="usr/bin/b", layer=0, hidden_by=1, size=1, sha256="0" * 64),
        Residue(path="usr/bin/c", layer=2, hidden_by=2, size=1, sha256="0" * 64),
    )
    outcome = based({LABEL: CHAIN[1]}, residue)
    assert isinstance(outcome, Passed)
    assert [seen.path for seen in outcome.observations[1:]] == ["usr/bin/a"]


def test_another_base_fails_and_no_claim_is_unknown() -> None:
    assert isinstance(based({LABEL: "sha256:" + "0" * 64}), Failed)
    assert isinstance(based({}), Unknown)
    assert isinstance(based({LABEL: "x"}), Unknown)
    assert isinstance(DR_BASE.run(evidence({}, without_config=True)), NotApplicable)
