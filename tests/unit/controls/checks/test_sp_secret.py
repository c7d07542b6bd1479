"""SP-SECRET: what counts, what is only possible, what is known to be harmless, and what was not searched."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace

import pytest

from compliance.model.evidence import Evidence
from compliance.model.filesystem import FileSecrets, FileTree, Residue, Unread
from compliance.model.image import ImageConfig
from compliance.model.inventory import Inventory
from compliance.model.outcome import Failed, ObservationKind, Passed, Unknown
from controls.checks.sp_secret import CHECK
from controls.secret_rules import secret_search
from tests.builders import credentials as make
from tests.builders.evidence import Node, evidence, file, tree

TOKEN = make.checked_token("ghp")
KEY = make.keys()["ec"].decode()


def searched(
    nodes: Mapping[str, Node | str],
    *,
    hidden: Mapping[str, str] | None = None,
    config: Mapping[str, object] | None = None,
    owners: Mapping[str, str] | None = None,
    manifest: Mapping[str, object] | None = None,
    unread: tuple[Unread, ...] = (),
    root_filesystem: bool = False,
) -> Evidence:
    """Evidence in which every file was searched; `hidden` files are in layer 0 and taken away by layer 1."""
    plain = tree(nodes)
    found = []
    for path, node in nodes.items():
        content, layer = (node.content, node.layer) if isinstance(node, Node) else (node.encode(), 0)
        scan = secret_search().search(content, secret_search().rules_for(path))
        if scan:
            found.append(FileSecrets(path=path, layer=layer, found=scan.found, unsearched=scan.unsearched))
    residue = []
    for path, text in (hidden or {}).items():
        scan = secret_search().search(text.encode(), secret_search().rules_for(path))
        found.append(FileSecrets(path=path, layer=0, found=scan.found, unsearched=scan.unsearched))
        residue.append(Residue(path=path, layer=0, hidden_by=1, size=len(text), sha256="ab" * 32))
    searched_tree = FileTree(plain.entries, unread=unread, residue=tuple(residue), secrets=tuple(found))
    inventory = Inventory(packages=(), owners=dict(owners or {}))
    made = evidence(searched_tree, layers=2, inventory=inventory, without_config=root_filesystem)
    if root_filesystem:
        return replace(made, image=replace(made.image, config_bytes=b"", manifest=b"", config=None))
    image = replace(
        made.image,
        config=ImageConfig(),
        config_bytes=json.dumps(config or {}).encode(),
        manifest=json.dumps(manifest or {}).encode(),
    )
    return replace(made, image=image)


# ---- failed


def test_a_secret_in_a_file_fails_with_path_line_layer_and_its_own_digest() -> None:
    outcome = CHECK.run(searched({"app/x.py": file(f"\nkey = '{TOKEN}'\n", layer=1)}))
    assert isinstance(outcome, Failed)
    (seen,) = outcome.observations
    assert seen.summary == "/app/x.py, line 2: GitHub token."
    assert (seen.path, seen.layer, seen.verdict, seen.kind) == ("app/x.py", 1, "present", ObservationKind.FILE)
    assert seen.value is not None
    assert seen.value.startswith("sha256:")
    assert TOKEN not in repr(outcome)


def test_a_secret_that_a_later_layer_deletes_fails_as_residue() -> None:
    outcome = CHECK.run(searched({}, hidden={"srv/.ssh/id_ecdsa": KEY}))
    assert isinstance(outcome, Failed)
    (seen,) = outcome.observations
    assert seen.summary == "/srv/.ssh/id_ecdsa, which layer 1 hides, line 1: EC private key."
    assert (seen.kind, seen.layer) == (ObservationKind.RESIDUE, 0)


def test_a_file_that_was_replaced_within_its_layer_is_told_as_such() -> None:
    given = searched({"app/x": "harmless"})
    (secret,) = secret_search().search(TOKEN.encode()).found
    given.filesystem.secrets = (FileSecrets(path="app/gone", layer=1, found=(secret,)),)
    outcome = CHECK.run(given)
    assert isinstance(outcome, Failed)
    assert outcome.observations[0].summary == "/app/gone, which is replaced, line 1: GitHub token."


@pytest.mark.parametrize(
    ("config", "place"),
    [
        ({"config": {"Env": ["PATH=/bin", "DB_PASSWORD=tr0ub4dor&3"]}}, "image config, config, Env[1]"),
        ({"config": {"Env": [f"X={TOKEN}"]}}, "image config, config, Env[0]"),
        ({"config": {"Labels": {"build.token": "s3cr3t-w0rd"}}}, "image config, config, Labels, build.token"),
        ({"config": {"Labels": {"note": f"use {TOKEN}"}}}, "image config, config, Labels, note"),
        ({"config": {"Labels": {TOKEN: "x"}}}, "image config, config, Labels, a key"),
        ({"config": {"Entrypoint": ["/x"], "Cmd": [TOKEN]}}, "image config, config, Cmd"),
        ({"config": {"Entrypoint": ["/x", "--password", "s3cr3t-w0rd"]}}, "image config, config, Entrypoint"),
        ({"history": [{}, {"created_by": f"RUN curl -H 'X: {TOKEN}'"}]}, "image config, history[1], created_by"),
        ({"history": [{"created_by": "|1 NPM_TOKEN=s3cr3t-w0rd RUN x"}]}, "image config, history[0], created_by"),
        ({"history": [{"comment": KEY}]}, "image config, history[0], comment"),
        ({"author": f"me {TOKEN}"}, "image config, author"),
        ({"container_config": {"Env": ["API_KEY=s3cr3t-w0rd"]}}, "image config, container_config, Env[0]"),
    ],
)
def test_a_secret_anywhere_in_the_config_fails(config: dict[str, object], place: str) -> None:
    outcome = CHECK.run(searched({}, config=config))
    assert isinstance(outcome, Failed)
    assert [seen.summary.rpartition(":")[0] for seen in outcome.observations] == [place]
    assert all(seen.kind is ObservationKind.CONFIG for seen in outcome.observations)
    for secret in (TOKEN, "tr0ub4dor&3", "s3cr3t-w0rd", "PRIVATE KEY-----"):
        assert secret not in repr(outcome)


def test_a_secret_in_an_annotation_of_the_manifest_fails() -> None:
    outcome = CHECK.run(searched({}, manifest={"annotations": {"x": TOKEN}}))
    assert isinstance(outcome, Failed)
    assert outcome.observations[0].summary == "manifest, annotations, x: GitHub token."


def test_a_guessable_secret_has_no_digest_not_even_that_of_its_file() -> None:
    path, content = make.FILES["netrc"]
    outcome = CHECK.run(searched({path: content}))
    assert isinstance(outcome, Failed)
    assert [(seen.value, seen.sha256) for seen in outcome.observations] == [(None, None)]


def test_a_secret_that_a_package_ships_outside_its_tests_fails_and_names_the_package() -> None:
    outcome = CHECK.run(searched({"etc/x/key.pem": KEY}, owners={"etc/x/key.pem": "pkg:deb/debian/x@1"}))
    assert isinstance(outcome, Failed)
    assert outcome.observations[0].package == "pkg:deb/debian/x@1"


def test_a_proved_secret_outweighs_what_is_only_possible_or_unread() -> None:
    given = searched(
        {"a": TOKEN, "b": make.keys()["pkcs8-encrypted"].decode()}, unread=(Unread(path="c", reason="cut", layer=0),)
    )
    outcome = CHECK.run(given)
    assert isinstance(outcome, Failed)
    assert [seen.verdict for seen in outcome.observations] == ["present", "possible"]


def test_hundreds_of_secrets_are_told_and_the_rest_counted() -> None:
    nodes = {f"app/{number:03}": make.checked_token("ghp", str(number)) for number in range(230)}
    outcome = CHECK.run(searched(nodes))
    assert isinstance(outcome, Failed)
    assert len(outcome.observations) == 201
    assert outcome.observations[-1].summary == "30 more secrets."


# ---- unknown


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (make.keys()["pkcs8-encrypted"].decode(), "encrypted with a passphrase"),
        (make.TOKENS["google-api-key"](), "restricted and meant for browsers"),
    ],
)
def test_what_need_not_be_a_secret_is_unknown(content: str, reason: str) -> None:
    outcome = CHECK.run(searched({"app/x": content}))
    assert isinstance(outcome, Unknown)
    assert outcome.reason.startswith("1 possible secret, the first /app/x, line 1: ")
    assert reason in outcome.reason
    assert [seen.verdict for seen in outcome.observations] == ["possible"]


def test_test_data_of_nobody_is_unknown() -> None:
    outcome = CHECK.run(searched({"app/test/key.pem": KEY}))
    assert isinstance(outcome, Unknown)
    assert "no package owns the file" in outcome.reason


def test_files_that_were_not_searched_or_not_wholly_are_unknown() -> None:
    given = searched({"app/x": "harmless"})
    given.filesystem.secrets = None
    assert isinstance(CHECK.run(given), Unknown)
    given.filesystem.secrets = (FileSecrets(path="app/x", layer=0, found=(), unsearched="more than 9 places"),)
    outcome = CHECK.run(given)
    assert isinstance(outcome, Unknown)
    assert outcome.reason == "/app/x in layer 0: more than 9 places"


def test_a_tree_that_was_not_wholly_read_is_unknown() -> None:
    assert isinstance(CHECK.run(searched({}, unread=(Unread(path="x", reason="cut", layer=0),))), Unknown)


def test_a_root_filesystem_without_findings_is_unknown_and_with_one_fails() -> None:
    assert isinstance(CHECK.run(searched({"app/x": "harmless"}, root_filesystem=True)), Unknown)
    assert isinstance(CHECK.run(searched({"app/x": TOKEN}, root_filesystem=True)), Failed)


def test_a_config_of_endless_texts_is_unknown() -> None:
    outcome = CHECK.run(searched({}, config={"x": [""] * 20_001}))
    assert isinstance(outcome, Unknown)
    assert outcome.reason == "more than 20,000 texts in config and manifest"


# ---- passed


def test_an_image_without_secrets_passes_and_says_what_was_searched() -> None:
    config = {
        "config": {"Env": ["PATH=/bin", "DB_PASSWORD_FILE=/run/secrets/db"]},
        "history": [{"created_by": "RUN x"}],
    }
    outcome = CHECK.run(searched({"etc/ssl/certs/ca.pem": make.keys()["public"].decode()}, config=config))
    assert isinstance(outcome, Passed)
    (seen,) = outcome.observations
    assert seen.summary.startswith("All files of 2 layers and ")
    assert seen.kind is ObservationKind.COVERAGE


@pytest.mark.parametrize(
    ("path", "content", "owned", "why"),
    [
        ("usr/lib/python3/dist-packages/x/test/key.pem", KEY, True, "test data of a package"),
        ("usr/share/doc/x/examples/key.pem", KEY, True, "documentation or a sample of a package"),
        ("app/node_modules/x/README.md", TOKEN, True, "documentation or a sample of a package"),
        ("etc/chromium.d/apikeys", make.TOKENS["google-api-key"](), True, "shipped by a package: keys of this form"),
        ("etc/ssl/private/ssl-cert-snakeoil.key", KEY, False, "the key of ssl-cert's self-signed test certificate"),
        ("app/x", make.web_token({"sub": "x", "exp": 1700000000}), False, "which has expired"),
    ],
)
def test_what_is_known_to_be_harmless_is_noted_and_passes(path: str, content: str, owned: bool, why: str) -> None:
    owners = {path: "pkg:deb/debian/x@1"} if owned else {}
    outcome = CHECK.run(searched({path: content}, owners=owners))
    assert isinstance(outcome, Passed)
    assert outcome.observations[1].summary.startswith(f"Not counted: 1 secret ({why}")
    assert outcome.observations[1].summary.endswith(f"/{path} the first.")


def test_a_token_that_has_not_expired_fails() -> None:
    assert isinstance(CHECK.run(searched({"app/x": make.web_token({"sub": "x", "exp": 4000000000})})), Failed)
