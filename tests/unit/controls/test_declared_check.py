"""Checks declared in YAML: what passes, what fails, and that nothing is proved by what was not read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from compliance.model.filesystem import Unread
from compliance.model.image import ImageConfig
from compliance.model.inventory import Location, Package
from compliance.model.inventory import Unknown as UnknownPlace
from compliance.model.outcome import Failed, NotApplicable, Outcome, Passed, Trait, Unknown
from controls.declared_check import OwnCheck, read_checks
from tests.builders.evidence import Node, directory, evidence, file, symlink

HEAD = """schema: 1
checks:
  - id: ACME-001
    title: A title
    severity: high
    trait: purpose
    rationale: Because.
    remediation: Mend it.
"""
UNREAD = (Unread(path="", reason="the layer is cut short", layer=0),)


def own(question: str) -> OwnCheck:
    (only,) = read_checks("mine.yaml", f"{HEAD}    {question}\n".encode(), ())
    return only


def ask(
    question: str,
    nodes: Mapping[str, Node | bytes | str] | None = None,
    *,
    config: ImageConfig | None = None,
    packages: tuple[Package, ...] = (),
    unread: tuple[Unread, ...] = (),
    unknowns: tuple[UnknownPlace, ...] = (),
) -> Outcome:
    check = own(question).check
    found = evidence(
        nodes or {}, config=config or ImageConfig(), requests=check.requests, packages=packages, unread=unread
    )
    return check.run(replace(found, inventory=replace(found.inventory, unknowns=unknowns)))


def package(name: str, version: str, kind: str = "deb", *, declared: bool = False) -> Package:
    return Package(
        name=name, version=version, type=kind, purl=f"pkg:{kind}/{name}@{version}", found_by="test",
        locations=(Location(path="var/lib/dpkg/status", layer=0),), declared=declared,
    )  # fmt: skip


CONF: dict[str, Node | bytes | str] = {
    "etc/app/a.conf": file("user=app\n", 0o640, uid=0, gid=10),
    "etc/app/b.conf": file("user=app\ntoken=1\n", 0o644, uid=0, gid=10),
    "etc/app/link.conf": symlink("a.conf"),
    "srv": directory(0o755),
}


@pytest.mark.parametrize(
    ("question", "outcome"),
    [
        ("file: {path: etc/app/a.conf}", Passed),
        ("file: {path: /etc/app/a.conf}", Passed),
        ("file: {path: etc/app/c.conf}", Failed),
        ("file: {path: etc/app/c.conf, state: absent}", Passed),
        ("file: {path: 'etc/**', state: absent}", Failed),
        ("file: {path: [etc/none, srv], state: present}", Passed),
        ("file: {path: 'etc/app/*.conf', mode-at-most: '0644'}", Passed),
        ("file: {path: 'etc/app/*.conf', mode-at-most: '0640'}", Failed),
        ("file: {path: 'etc/app/*.conf', owner: '0:10'}", Passed),
        ("file: {path: 'etc/app/*.conf', owner: '0:0'}", Failed),
        ("file: {path: 'etc/app/*.conf', owner: '0'}", Passed),
        ("file: {path: 'etc/app/?.conf', contains: 'user=app'}", Passed),
        ("file: {path: 'etc/app/?.conf', contains: ['user=app', 'token']}", Failed),
        ("file: {path: 'etc/app/?.conf', lacks: 'token'}", Failed),
        ("file: {path: 'etc/app/a.conf', lacks: 'token'}", Passed),
        ("file: {path: 'etc/app/*.conf', state: absent, contains: ['token', 'key']}", Failed),
        ("file: {path: 'etc/app/*.conf', state: absent, contains: 'password'}", Passed),
        ("file: {path: 'opt/**', state: if-present, owner: '0'}", NotApplicable),
        ("file: {path: 'etc/app/*', state: if-present, owner: '0'}", Passed),
        ("file: {path: etc/app/link.conf, mode-at-most: '0640'}", Passed),
    ],
)
def test_files(question: str, outcome: type[Outcome]) -> None:
    assert isinstance(ask(question, CONF), outcome)


@pytest.mark.parametrize(
    "question",
    [
        "file: {path: etc/app/a.conf}",
        "file: {path: etc/app/c.conf}",
        "file: {path: etc/app/c.conf, state: absent}",
        "file: {path: 'etc/app/*.conf', mode-at-most: '0644'}",
        "file: {path: 'opt/**', state: if-present, owner: '0'}",
        "file: {path: 'etc/app/*.conf', state: absent, contains: password}",
    ],
)
def test_nothing_is_proved_of_a_tree_that_was_not_wholly_read(question: str) -> None:
    assert isinstance(ask(question, CONF, unread=UNREAD), Unknown)


def test_what_was_seen_wrong_stays_wrong_in_a_tree_that_was_not_wholly_read() -> None:
    assert isinstance(ask("file: {path: 'etc/app/*.conf', mode-at-most: '0640'}", CONF, unread=UNREAD), Failed)
    assert isinstance(ask("file: {path: 'etc/app/a.conf', state: absent}", CONF, unread=UNREAD), Failed)


@pytest.mark.parametrize("state", ["present, contains: x", "present, lacks: x", "absent, contains: x"])
def test_content_that_was_not_kept_proves_nothing(state: str) -> None:
    check = own(f"file: {{path: 'etc/app/a.conf', state: {state}}}").check
    assert isinstance(check.run(evidence(CONF)), Unknown)


def test_a_link_is_judged_by_what_it_leads_to() -> None:
    nodes: dict[str, Node | bytes | str] = {
        "a/real": file("secret", 0o666),
        "b/link": symlink("/a/real"),
        "b/gone": symlink("x"),
    }
    wide = ask("file: {path: b/link, mode-at-most: '0644'}", nodes)
    assert isinstance(wide, Failed)
    assert "0666" in wide.observations[0].summary
    gone = ask("file: {path: b/gone}", nodes)
    assert isinstance(gone, Failed)
    assert "leads to nothing" in gone.observations[0].summary
    elsewhere = ask("file: {path: b/link, lacks: secret}", nodes)
    assert isinstance(elsewhere, Unknown)
    assert "name it too" in elsewhere.reason
    assert isinstance(ask("file: {path: [b/link, a/real], lacks: secret}", nodes), Failed)
    assert isinstance(ask("file: {path: b/link, state: absent, contains: secret}", nodes), Passed)


def test_an_access_control_list_may_grant_more_than_a_mode() -> None:
    nodes: dict[str, Node | bytes | str] = {"x": file("", 0o644, acl=True)}
    assert isinstance(ask("file: {path: x, mode-at-most: '0644'}", nodes), Unknown)


def test_hard_links_are_one_finding() -> None:
    nodes: dict[str, Node | bytes | str] = {"d/a": file("key"), "d/b": Node(same_as="d/a")}
    outcome = ask("file: {path: 'd/*', state: absent, contains: key}", nodes)
    assert isinstance(outcome, Failed)
    assert [(seen.path, seen.names) for seen in outcome.observations] == [("d/a", ("d/b",))]


@pytest.mark.parametrize(
    ("question", "outcome"),
    [
        ("package: {name: openssl}", Passed),
        ("package: {name: 'openss*', type: deb}", Passed),
        ("package: {name: openssl, type: rpm}", Failed),
        ("package: {name: openssl, state: absent}", Failed),
        ("package: {name: nginx, state: absent}", Passed),
        ("package: {name: declared, state: absent}", Passed),
        ("package: {name: openssl, version: '>= 3.0, < 4'}", Passed),
        ("package: {name: openssl, version: '>= 3.1'}", Failed),
        ("package: {name: openssl, state: absent, version: '< 3'}", Passed),
        ("package: {name: openssl, state: absent, version: '< 3.1'}", Failed),
        ("package: {name: openssl, version: '= 3.0.22-1~deb12u2'}", Passed),
        ("package: {name: openssl, version: '!= 3.0.22-1~deb12u2'}", Failed),
        ("package: {name: nginx, state: if-present, version: '> 1'}", NotApplicable),
        ("package: {name: [nginx, openssl]}", Passed),
    ],
)
def test_packages(question: str, outcome: type[Outcome]) -> None:
    packages = (package("openssl", "3.0.22-1~deb12u2"), package("declared", "1", declared=True))
    assert isinstance(ask(question, packages=packages), outcome)


def test_a_package_is_absent_only_where_everything_was_understood() -> None:
    question = "package: {name: nginx, state: absent}"
    assert isinstance(ask(question, unread=UNREAD), Unknown)
    unknown = ask(question, unknowns=(UnknownPlace(path="a.jar", reason="not a zip archive"),))
    assert isinstance(unknown, Unknown)
    assert "/a.jar: not a zip archive" in unknown.reason


CONFIG = ImageConfig(
    user="1000:1000", entrypoint=("/app", "serve"), exposed_ports=("8080/tcp", "8443/tcp"),
    labels={"org.acme.owner": "team-blue"}, env={"TOKEN": "hunter2", "LANG": "C.UTF-8"},
)  # fmt: skip


@pytest.mark.parametrize(
    ("question", "outcome"),
    [
        ("config: {key: user}", Passed),
        ("config: {key: user, equals: '1000:1000'}", Passed),
        ("config: {key: user, one-of: ['0', '1000']}", Failed),
        ("config: {key: exposed-ports, matches: '8[0-9]{3}/tcp'}", Passed),
        ("config: {key: exposed-ports, matches: '8080/tcp'}", Failed),
        ("config: {key: volumes, state: absent}", Passed),
        ("config: {key: entrypoint, state: absent}", Failed),
        ("config: {key: cmd, state: if-present, equals: x}", NotApplicable),
        ("label: {name: org.acme.owner, matches: 'team-[a-z]+'}", Passed),
        ("label: {name: org.acme.owner, matches: 'team'}", Failed),
        ("label: {name: org.acme.other}", Failed),
        ("env: {name: LANG, equals: C.UTF-8}", Passed),
        ("env: {name: TOKEN, state: absent}", Failed),
        ("env: {name: DEBUG, state: absent}", Passed),
    ],
)
def test_settings(question: str, outcome: type[Outcome]) -> None:
    assert isinstance(ask(question, config=CONFIG), outcome)


def test_the_value_of_a_variable_is_never_told() -> None:
    for question in ("env: {name: TOKEN, equals: other}", "env: {name: TOKEN}", "env: {name: TOKEN, state: absent}"):
        assert "hunter2" not in repr(ask(question, config=CONFIG))


def test_a_root_filesystem_has_no_settings() -> None:
    check = own("config: {key: user}").check
    assert isinstance(check.run(evidence({}, without_config=True)), NotApplicable)


def test_an_attestation_that_nobody_named_a_signer_for_proves_nothing() -> None:
    outcome = ask("attestation: {type: 'https://slsa.dev/provenance/v1'}")
    assert isinstance(outcome, Unknown)
    assert "none was found" in outcome.reason


def test_what_a_report_prints_of_it_is_made_of_the_question() -> None:
    found = own("file: {path: etc/app.conf, mode-at-most: '0644', owner: '0:0', lacks: password}")
    asks = "there is a file at /etc/app.conf, and each has no permission beyond 0644, belongs to 0:0, does not hold"
    assert asks in found.check.proves
    assert found.shows.startswith(f"Shows whether {asks}")
    assert found.check.trait is Trait.PURPOSE


def test_a_request_is_made_for_content_only_and_equal_questions_share_it() -> None:
    assert own("file: {path: etc/x, owner: '0'}").check.requests == ()
    first, second = (own("file: {path: etc/x, contains: a}").check.requests for _ in range(2))
    assert first == second
    assert own("file: {path: etc/x, contains: b}").check.requests[0].name != first[0].name
