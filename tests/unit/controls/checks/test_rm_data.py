"""RM-EDITDOC, RM-DEBUG, RM-REMOTE, RM-CACHE and RM-LOCALE: what is told by paths, layers and the config."""

from __future__ import annotations

from dataclasses import replace

import pytest

from compliance.formats.examine import Examiner
from compliance.model.evidence import Variant
from compliance.model.filesystem import Residue, Unread
from compliance.model.image import ImageConfig
from compliance.model.outcome import Check, Failed, ObservationKind, Passed, Unknown
from controls.checks.rm_cache import CHECK as RM_CACHE
from controls.checks.rm_debug import CHECK as RM_DEBUG
from controls.checks.rm_editdoc import CHECK as RM_EDITDOC
from controls.checks.rm_locale import CHECK as RM_LOCALE
from controls.checks.rm_remote import CHECK as RM_REMOTE
from controls.knowledge import marker_rules
from controls.loader import check_catalog
from controls.trees import FOLDERS_MAX
from tests.builders.evidence import Node, evidence, tree

EXAMINER = Examiner(marker_rules())
Files = dict[str, Node | bytes | str]
CUT = (Unread(path="", reason="the layer is cut short", layer=0),)


@pytest.mark.parametrize("check", [RM_CACHE, RM_LOCALE], ids=lambda check: check.id)
def test_the_check_says_what_the_catalog_says(check: Check) -> None:
    known = check_catalog()[check.id]
    assert (check.title, check.severity, check.rationale) == (known.title, known.severity, known.rationale)


@pytest.mark.parametrize("check", [RM_CACHE, RM_LOCALE, RM_DEBUG, RM_EDITDOC], ids=lambda check: check.id)
def test_absence_is_unknown_in_a_tree_that_was_not_read(check: Check) -> None:
    assert isinstance(check.run(evidence({"app": "x"}, unread=CUT)), Unknown)


@pytest.mark.parametrize(
    "path",
    ["usr/share/man/man1/ls.1.gz", "usr/share/info/dir", "usr/share/doc/bash/README", "usr/share/vim/vimrc"],
)
def test_documentation_fails(path: str) -> None:
    outcome = RM_EDITDOC.run(evidence({path: "text"}))
    assert isinstance(outcome, Failed)
    assert outcome.observations[0].size == 4


@pytest.mark.parametrize(
    "path",
    [
        "usr/share/doc/bash/copyright",
        "usr/share/doc/x/LICENSE.txt",
        "usr/share/doc/x/NOTICE",
        "usr/share/doc/x/COPYING",
        "usr/share/licenses/x/LICENSE",
        "usr/share/doc/x/licenses/MIT.txt",
    ],
)
def test_legal_texts_stay(path: str) -> None:
    assert isinstance(RM_EDITDOC.run(evidence({path: "text"})), Passed)


def test_debug_symbols_fail_and_are_summed_by_folder() -> None:
    files: Files = {"usr/lib/debug/.build-id/ab/1.debug": "xx", "usr/lib/debug/.build-id/cd/2.debug": "yyy"}
    outcome = RM_DEBUG.run(evidence(files))
    assert isinstance(outcome, Failed)
    assert [(seen.path, seen.size) for seen in outcome.observations if seen.verdict] == [("usr/lib/debug", 5)]


@pytest.mark.parametrize(
    ("port", "fails"), [("22/tcp", True), ("22", True), ("23/tcp", True), ("22/udp", False), ("8022/tcp", False)]
)
def test_a_login_port_in_the_config_fails(port: str, fails: bool) -> None:
    outcome = RM_REMOTE.run(evidence({"app": "x"}, config=ImageConfig(exposed_ports=(port,))))
    assert isinstance(outcome, Failed if fails else Passed)


@pytest.mark.parametrize("path", ["etc/ssh/ssh_host_ed25519_key", "etc/dropbear/dropbear_rsa_host_key"])
def test_a_host_key_fails(path: str) -> None:
    assert isinstance(RM_REMOTE.run(evidence({path: "secret"})), Failed)


def test_a_public_host_key_alone_is_none() -> None:
    assert isinstance(RM_REMOTE.run(evidence({"etc/ssh/ssh_host_ed25519_key.pub": "public"})), Passed)


@pytest.mark.parametrize(
    "path",
    [
        "var/lib/apt/lists/deb_dists_bookworm_InRelease",
        "var/cache/apt/pkgcache.bin",
        "var/cache/apk/APKINDEX.tar.gz",
        "var/cache/dnf/x/repodata",
        "root/.cache/pip/http/a",
        "home/app/.npm/_cacache/index",
        "root/.m2/repository/a.jar",
        "opt/wheels/x-1.0-py3-none-any.whl",
        "var/log/dpkg.log",
        "var/lib/dpkg/status-old",
    ],
)
@pytest.mark.parametrize("variant", [Variant.RUNTIME, Variant.DEV])
def test_a_cache_or_log_fails_in_every_variant(path: str, variant: Variant) -> None:
    outcome = RM_CACHE.run(evidence({path: "left over"}, variant=variant))
    assert isinstance(outcome, Failed)
    assert outcome.observations[0].path == path


@pytest.mark.parametrize(
    "path", ["var/lib/apt/lists/lock", "var/log/dpkg.log", "var/cache/apt/archives/lock", "root/.cache/x"]
)
def test_an_empty_file_is_no_cache(path: str) -> None:
    assert isinstance(RM_CACHE.run(evidence({path: ""})), Passed)


def test_a_package_database_is_no_cache() -> None:
    files: Files = {"var/lib/dpkg/status": "Package: x", "lib/apk/db/installed": "P:x"}
    assert isinstance(RM_CACHE.run(evidence(files)), Passed)


def test_a_file_that_a_later_layer_deletes_fails_and_a_replaced_one_is_noted() -> None:
    gone = Residue(path="secret.pem", layer=0, hidden_by=1, size=10, sha256="a" * 64)
    old = replace(gone, path="etc/app.conf")
    files: Files = {"etc/app.conf": "new"}
    deleted = RM_CACHE.run(evidence(tree(files, residue=(gone,))))
    assert isinstance(deleted, Failed)
    seen = deleted.observations[0]
    assert (seen.kind, seen.path, seen.layer, seen.size) == (ObservationKind.RESIDUE, "secret.pem", 0, 10)
    assert "deleted by layer 1" in seen.summary
    replaced = RM_CACHE.run(evidence(tree(files, residue=(old,))))
    assert isinstance(replaced, Passed)
    assert "1 file of lower layers, replaced" in replaced.observations[1].summary


def test_more_folders_than_are_listed_are_summed() -> None:
    files: Files = {f"home/u{number}/.cache/x": "abc" for number in range(FOLDERS_MAX + 2)}
    outcome = RM_CACHE.run(evidence(files))
    assert isinstance(outcome, Failed)
    assert len(outcome.observations) == FOLDERS_MAX + 1
    assert outcome.observations[-1].summary.startswith("2 more folders with 2 files")


@pytest.mark.parametrize(
    ("path", "env", "fails"),
    [
        ("usr/share/locale/de/LC_MESSAGES/x.mo", {}, True),
        ("usr/share/locale/de/LC_MESSAGES/x.mo", {"LANG": "de_DE.UTF-8"}, False),
        ("usr/share/locale/de/LC_MESSAGES/x.mo", {"LANGUAGE": "fr:de"}, False),
        ("usr/share/locale/pt_BR/LC_MESSAGES/x.mo", {"LANG": "pt_PT.UTF-8"}, True),
        ("usr/share/locale/de/LC_MESSAGES/x.mo", {"LANG": "C.UTF-8"}, True),
        ("usr/lib/locale/C.utf8/LC_CTYPE", {}, False),
        ("usr/lib/locale/de_DE.utf8/LC_CTYPE", {}, True),
        ("usr/lib/locale/de_DE.utf8/LC_CTYPE", {"LC_ALL": "de_DE.UTF-8"}, False),
        ("usr/lib/locale/locale-archive", {}, True),
        ("usr/lib/locale/locale-archive", {"LANG": "en_US.UTF-8"}, False),
        ("usr/share/i18n/locales/de_DE", {"LANG": "de_DE.UTF-8"}, True),
        ("usr/share/X11/locale/C/Compose", {}, True),
        ("usr/share/locale/locale.alias", {}, False),
        ("usr/lib/x86_64-linux-gnu/gconv/IBM850.so", {}, False),
        ("usr/lib/python3/dist-packages/django/locale/de/LC_MESSAGES/django.mo", {}, False),
    ],
)
def test_locale_data_is_held_against_the_config(path: str, env: dict[str, str], fails: bool) -> None:
    outcome = RM_LOCALE.run(evidence({path: "data"}, config=ImageConfig(env=env)))
    assert isinstance(outcome, Failed if fails else Passed)
    if fails:
        assert outcome.observations[0].verdict == "unused"


def test_what_a_program_may_choose_at_run_time_is_noted() -> None:
    outcome = RM_LOCALE.run(evidence({"usr/lib/x86_64-linux-gnu/gconv/IBM850.so": "data"}))
    assert isinstance(outcome, Passed)
    assert outcome.observations[1].verdict == "possibly-used"
