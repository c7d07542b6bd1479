"""A population from real registries on loopback: catalogues, tags, digests; what does not resolve is told."""

from __future__ import annotations

import json
import pickle
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import pytest

from compliance.errors import FormatError, PolicyError, UsageError
from compliance.fleet.fleet_file import read_fleet
from compliance.fleet.population import Population, resolve
from compliance.ingest.limits import DEFAULT_LIMITS
from compliance.ingest.registry_listing import Catalog, ListedRepository
from compliance.ingest.registry_options import RegistryOptions
from compliance.ingest.transport import Transport
from compliance.pipeline import open_image
from tests.builders import registry_server as servers
from tests.builders.layout import Layout, archived, digest, docker_archive, simple_image
from tests.builders.registry_push import OCI_INDEX, Pusher
from tests.builders.scripted_registry import Asked, Reply, ScriptedRegistry, scripted

NOW = datetime(2026, 11, 1, tzinfo=UTC)
Starts = Callable[[Path, ExitStack], servers.Server]


@pytest.fixture(autouse=True)
def nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No login of the machine's, and no waiting between tries."""
    monkeypatch.setattr("compliance.ingest.transport.PAUSES", (0.0, 0.0))
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("DOCKER_CONFIG", "REGISTRY_AUTH_FILE", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "SSL_CERT_FILE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module", params=["docker", "crane"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[servers.Server]:
    """A registry with one image in several repositories, and one that is an index of two platforms."""
    folder = tmp_path_factory.mktemp(request.param)
    start = {"docker": servers.docker_registry, "crane": servers.crane_registry}[request.param]
    with start(folder) as running:
        single = simple_image(folder / "single", ({"etc/name": "single"},))
        for name in ("team/api", "team/web", "team/deep/job", "other/api"):
            for tag in ("1.9.0", "1.10.0", "2.0.0-rc.1", "v1.2.3", "latest", "debug-1"):
                push(running, single, name, tag)
        several = Layout(root=folder / "several")
        descriptors = [
            several.add_image(({"etc/name": architecture},), tag=None, architecture=architecture)
            for architecture in ("amd64", "arm64")
        ]
        pusher = Pusher(url=running.url, name="team/several")
        pusher.layout(several.root)
        index = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": descriptors}
        pusher.manifest(json.dumps(index).encode(), OCI_INDEX, "1.0.0")
        pusher.manifest(json.dumps(index).encode(), OCI_INDEX, "1.0.1")
        yield running


def push(server: servers.Server, layout: Path, name: str, tag: str) -> str:
    """Push the one image of a layout under a tag; its digest."""
    pusher = Pusher(url=server.url, name=name)
    pusher.layout(layout)
    entry = json.loads((layout / "index.json").read_bytes())["manifests"][0]
    content = (layout / "blobs" / entry["digest"].replace(":", "/")).read_bytes()
    return pusher.manifest(content, entry["mediaType"], tag)


def population(folder: Path, groups: str, registry: RegistryOptions | None = None) -> Population:
    path = folder / "FLEET.yaml"
    path.write_text(f"schema: 1\nname: f\ngroups:\n{groups}")
    return resolve(read_fleet(path), effective=NOW, registry=registry or RegistryOptions())


def group(text: str, name: str = "g") -> str:
    return f"  {name}:\n    owner: o\n" + "".join(f"    {line}\n" for line in text.splitlines())


def references(found: Population, host: str) -> list[str]:
    return [member.reference.removeprefix(f"registry:{host}/") for member in found.members]


def test_pages_are_followed_to_the_end(
    request: pytest.FixtureRequest, server: servers.Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """crane's registry cuts its lists short, and neither says so nor goes on: that is told, not taken for all."""
    monkeypatch.setattr("compliance.ingest.registry_listing.PAGE", 2)
    transport = Transport()
    catalog, repository = Catalog(transport, server.host), ListedRepository(transport, server.host, "team/api")
    try:
        if request.node.callspec.params["server"] == "crane":
            for listed in (catalog.repositories, repository.tags):
                with pytest.raises(FormatError, match="begins again"):
                    listed()
            return
        assert {"other/api", "team/api", "team/deep/job", "team/several", "team/web"} <= set(catalog.repositories())
        assert set(repository.tags()) == {"1.9.0", "1.10.0", "2.0.0-rc.1", "v1.2.3", "latest", "debug-1"}
    finally:
        transport.close()


def test_globs_choose_repositories_and_rules_choose_tags(server: servers.Server, tmp_path: Path) -> None:
    rules = "tags: {semver: '>=1.3', newest: 1, order: semver}"
    found = population(
        tmp_path,
        group(f"catalogs:\n- host: {server.host}\n  include: ['team/**']\n  exclude: ['**/w*']\n  {rules}"),
    )
    assert references(found, server.host) == ["team/api:1.10.0", "team/deep/job:1.10.0"]
    assert len(found.items) == 1  # one image in both
    assert {member.digest for member in found.members} == {found.items[0].digest}
    assert found.items[0].reference.endswith(f"/team/api:1.10.0@{found.items[0].digest}")


def test_every_tag_but_signatures(server: servers.Server, tmp_path: Path) -> None:
    pusher = Pusher(url=server.url, name="signed/app")
    subject = push(server, simple_image(tmp_path / "signed", ({"a": "b"},)), "signed/app", "1")
    pusher.artifact({"application/vnd.example": b"x"}, tag=subject.replace(":", "-") + ".sig")
    found = population(tmp_path, group(f"catalogs:\n- host: {server.host}\n  include: signed/app"))
    assert references(found, server.host) == ["signed/app:1", "signed/app:latest"]


def test_an_index_gives_the_image_of_each_platform(server: servers.Server, tmp_path: Path) -> None:
    reference = f"{server.host}/team/several:1.0.0"
    found = population(tmp_path, group(f"images: {reference}\nplatforms: [linux/arm64, linux/amd64, linux/s390x]"))
    assert [(member.platform, member.digest is not None) for member in found.members] == [
        ("linux/amd64", True),
        ("linux/arm64", True),
        ("linux/s390x", False),
    ]
    assert found.members[2].reason is not None
    assert "no image for linux/s390x" in found.members[2].reason
    assert len({item.digest for item in found.items}) == len({item.policy for item in found.items}) == 2
    pinned = {item.reference.partition("@")[2] for item in found.items}
    assert len(pinned) == 1, "by the index: what signs it is found from there"
    assert pinned.isdisjoint({item.digest for item in found.items})


def test_an_item_leads_an_assessment_to_the_image_that_was_resolved(server: servers.Server, tmp_path: Path) -> None:
    layout = simple_image(tmp_path / "disk", ({"etc/name": "disk"},))
    archived(layout, tmp_path / "disk.tar")
    docker_archive(tmp_path / "docker.tar", ({"etc/name": "docker"},))
    images = [
        f"{server.host}/team/several:1.0.0",
        f"{server.host}/team/api:latest",
        "oci-dir:disk",
        "oci-archive:disk.tar",
        "docker-archive:docker.tar",
    ]
    found = population(tmp_path, group(f"images: {json.dumps(images)}"))
    assert [member.reason for member in found.members] == [None] * 5
    assert len(found.items) == 4  # the folder and its archive are one image
    for item in found.items:
        options = found.policies[item.policy].options(
            now=NOW, effective=NOW, cache=None, registry=RegistryOptions(), limits=DEFAULT_LIMITS
        )
        assert open_image(item.reference, options).digest == item.digest


def test_a_mirror_is_asked_first_and_the_registry_where_it_has_nothing(
    server: servers.Server, counting: ScriptedRegistry, tmp_path: Path
) -> None:
    mirrors = RegistryOptions(mirrors=((server.host, f"{counting.host}/one"),))
    found = population(tmp_path, group(f"images: ['{server.host}/team/api:latest', '{server.host}/x:1.0']"), mirrors)
    assert {one.path for one in counting.asked} >= {"/v2/one/team/api/manifests/latest", "/v2/one/x/manifests/1.0"}
    latest, missing = found.members
    assert latest.digest == digest(json_of(counting))
    assert latest.reference == f"registry:{server.host}/team/api:latest"
    assert "no such image" in (missing.reason or "")


def test_a_reference_through_the_index_is_preferred(server: servers.Server, tmp_path: Path) -> None:
    several = population(tmp_path, group(f"images: {server.host}/team/several:1.0.0"))
    (item,) = several.items
    direct = f"{server.host}/team/several@{item.digest}"
    both = population(tmp_path, group(f"images: ['{direct}', '{server.host}/team/several:1.0.0']"))
    assert both.items == several.items
    assert [member.digest for member in both.members] == [item.digest, item.digest]


def test_what_does_not_resolve_stays_with_its_reason(server: servers.Server, tmp_path: Path) -> None:
    (tmp_path / "images.txt").write_text(
        f"# ours\n\n{server.host}/team/api:1.9.0  # the stable one\n"
        f"{server.host}/team/api:none\n{server.host}/UPPER:x\n"
    )
    (tmp_path / "empty.txt").write_text("# nothing\n")
    found = population(
        tmp_path,
        group(
            f"images: ['{server.host}/none/none:1', '127.0.0.1:1/a:1']\nfiles: [images.txt, empty.txt, gone.txt]\n"
            f"catalogs:\n- host: {server.host}\n  include: [none/here, team/api]\n  tags: {{include: nix-*}}"
        ),
    )
    told = {member.reference.removeprefix(f"registry:{server.host}/"): member for member in found.members}
    assert told.pop("team/api:1.9.0").digest is not None
    assert all(member.digest is None and member.reason for member in told.values())
    assert all("\n" not in (member.reason or "") for member in told.values())
    expected = {
        "none/none:1": "no such image",
        "registry:127.0.0.1:1/a:1": "can't be reached",
        "team/api:none": "no such image",
        f"{server.host}/UPPER:x": "not an image name",
        "empty.txt": "names no image",
        "gone.txt": "can't read the file",
        "none/here": "no such image",
        "team/api": "none of its 6 tags is meant",
    }
    assert told.keys() == expected.keys()
    for name, words in expected.items():
        assert words in (told[name].reason or ""), name
    assert told["team/api:none"].origin == "images.txt:4"


def test_a_catalogue_that_is_refused_is_a_gap(tmp_path: Path) -> None:
    with servers.docker_registry(tmp_path, htpasswd=True) as locked:
        found = population(
            tmp_path,
            group(f"catalogs:\n- host: {locked.host}\n  include: ['**']\n- host: {locked.host}\n  include: a/b"),
        )
    assert [member.digest for member in found.members] == [None, None]
    assert all("login" in (member.reason or "") for member in found.members)


def test_catalogue_and_tags_behind_tokens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tokens = servers.TokenServer(tmp_path)
    try:
        with servers.docker_registry(tmp_path, token=tokens) as running:
            (tmp_path / "config.json").write_bytes(servers.login(running.host))
            monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
            headers = {"Authorization": f"Bearer {tokens.token(['repository:a/b:pull,push'])}"}
            layout = simple_image(tmp_path / "image", ({"a": "b"},))
            Pusher(url=running.url, name="a/b", headers=headers).layout(layout)
            tokens.asked.clear()
            found = population(tmp_path, group(f"catalogs:\n- host: {running.host}\n  include: ['**']"))
            (member,) = found.members
            assert member.digest is not None
            assert sorted(query["scope"][0] for query in tokens.asked) == ["registry:catalog:*", "repository:a/b:pull"]
    finally:
        tokens.close()


def test_a_pod_is_assessed_as_it_runs(server: servers.Server, tmp_path: Path) -> None:
    old = push(server, simple_image(tmp_path / "old", ({"v": "1"},)), "k8s/app", "stable")
    new = push(server, simple_image(tmp_path / "new", ({"v": "2"},)), "k8s/app", "stable")
    image = f"{server.host}/k8s/app:stable"

    def pod(name: str, running: str | None) -> dict[str, object]:
        status = {"containerStatuses": [{"name": "app", "imageID": running}]} if running else {}
        return {
            "kind": "Pod",
            "metadata": {"namespace": "pay", "name": name},
            "spec": {"containers": [{"name": "app", "image": image}]},
            "status": status,
        }

    pods = [pod("a", f"{server.host}/k8s/app@{old}"), pod("b", f"{server.host}/k8s/app@{new}"), pod("c", None),
            pod("d", "sha256:" + "0" * 64)]  # fmt: skip
    (tmp_path / "pods.json").write_text(json.dumps({"kind": "List", "items": pods}))
    found = population(tmp_path, group("kubernetes: pods.json"))
    seen = {member.origin: member.digest for member in found.members}
    assert seen == {
        f"pods.json: pay/a/app; its tag stable names {new} now": old,
        "pods.json: pay/b/app": new,
        "pods.json: pay/c/app": new,
        "pods.json: pay/d/app (what it runs is told without a digest of the registry)": new,
    }
    assert len(found.items) == 2


def test_images_on_disk_are_found_from_the_file(tmp_path: Path) -> None:
    layout = simple_image(tmp_path / "images" / "a", ({"a": "b"},))
    entry = json.loads((layout / "index.json").read_bytes())["manifests"][0]["digest"]
    found = population(tmp_path, group("images: ['oci-dir:images/a:latest', 'oci-dir:images/none']"))
    assert [(member.reference, member.digest) for member in found.members] == [
        ("oci-dir:images/a:latest", entry),
        ("oci-dir:images/none", None),
    ]
    assert found.items[0].reference == f"oci-dir:{tmp_path}/images/a:latest@{entry}"


def test_offline_asks_nobody(no_sockets: None, tmp_path: Path) -> None:
    found = population(
        tmp_path,
        group("images: r.example/a:1\ncatalogs:\n- host: r.example\n  include: ['**']"),
        RegistryOptions(offline=True),
    )
    assert [member.digest for member in found.members] == [None, None]
    assert all("offline" in (member.reason or "") for member in found.members)


@pytest.fixture
def counting(tmp_path: Path) -> Iterator[ScriptedRegistry]:
    layout = Layout(root=tmp_path / "layout")
    below = [layout.add_image(({"n": a},), tag=None, architecture=a, listed=False) for a in ("amd64", "arm64")]
    index = json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": below}).encode()
    layout.blob(index)
    layout.add_image(({"n": "single"},))
    with scripted(layout.root) as registry:

        def rule(asked: Asked) -> Reply | None:
            if asked.path.split("?")[0].endswith("/tags/list"):
                return Reply(body=json.dumps({"tags": [f"{n}.0.0" for n in range(1, 8)]}).encode())
            if "/manifests/" in asked.path and "/many/" in asked.path and "sha256" not in asked.path:
                return Reply(headers={"Content-Type": OCI_INDEX, "Docker-Content-Digest": digest(index)}, body=index)
            return None

        registry.rules.append(rule)
        yield registry


def json_of(registry: ScriptedRegistry) -> bytes:
    """The manifest that it has for ``latest``."""
    body = registry.honest(Asked(method="GET", path="/v2/x/manifests/latest", headers={}, body=b"", port=0)).body
    assert isinstance(body, bytes)
    return body


def asked(registry: ScriptedRegistry) -> Counter[str]:
    return Counter(one.method for one in registry.asked)


def test_a_tag_of_a_plain_image_takes_one_request(counting: ScriptedRegistry, tmp_path: Path) -> None:
    images = [f"{counting.host}/one/app{number}:latest" for number in range(20)]
    found = population(tmp_path, group(f"images: {json.dumps(images)}\nplatforms: [linux/amd64, linux/arm64]"))
    assert len(found.members) == 40
    assert all(member.digest for member in found.members)
    assert asked(counting) == {"HEAD": 40}


def test_an_index_is_read_once_however_many_tags_and_groups_name_it(counting: ScriptedRegistry, tmp_path: Path) -> None:
    catalog = f"catalogs:\n- host: {counting.host}\n  include: many/app\n"
    found = population(tmp_path, group(catalog, "a") + group(catalog + "fail-on: low", "b"))
    assert len(found.members) == 14
    assert len(found.items) == 2  # one image under two policies
    assert asked(counting) == {"HEAD": 7, "GET": 2}  # the tags' list and the index


def test_a_registry_without_digests_in_its_headers_is_read(counting: ScriptedRegistry, tmp_path: Path) -> None:
    def no_head(asked: Asked) -> Reply | None:
        return Reply(status=405) if asked.method == "HEAD" else None

    counting.rules.insert(0, no_head)
    found = population(tmp_path, group(f"images: {counting.host}/one/app:latest"))
    assert found.members[0].digest is not None
    assert asked(counting) == {"HEAD": 1, "GET": 1}


def test_a_registry_that_lies_about_a_digest_is_told(counting: ScriptedRegistry, tmp_path: Path) -> None:
    counting.rules.insert(0, lambda asked: Reply(headers={"Docker-Content-Digest": "sha256:0"}, body=b"{}"))
    found = population(tmp_path, group(f"images: {counting.host}/one/app:latest"))
    assert (found.members[0].digest, found.members[0].reason is not None) == (None, True)


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"{", b'{"tags": 5}', b'{"tags": [5]}', b"[" * 100_000, b'{"tags": ["a b", "\\u001b[2J"]}'],
    ids=["empty", "list", "broken", "number", "numbers", "deep", "no tags"],
)
def test_a_hostile_list_is_one_reason(counting: ScriptedRegistry, tmp_path: Path, body: bytes) -> None:
    counting.rules.insert(0, lambda asked: Reply(body=body) if "tags/list" in asked.path else None)
    found = population(tmp_path, group(f"catalogs:\n- host: {counting.host}\n  include: one/app"))
    assert found.items == ()
    assert all(member.reason and member.reason.isprintable() and member.reference.isprintable()
               for member in found.members)  # fmt: skip


@pytest.mark.parametrize("link", ["?n=1000", "?last=a", "//", "<", ""])
def test_a_list_without_end_ends(counting: ScriptedRegistry, tmp_path: Path, link: str) -> None:
    def endless(asked: Asked) -> Reply | None:
        if "tags/list" not in asked.path:
            return None
        return Reply(headers={"Link": f'<{link}>; rel="next"'}, body=b'{"tags": ["latest"]}')

    counting.rules.insert(0, endless)
    found = population(tmp_path, group(f"catalogs:\n- host: {counting.host}\n  include: one/app"))
    assert len(found.members) == 1
    assert len(counting.asked) < 6


def test_a_link_to_another_host_is_not_followed(counting: ScriptedRegistry, tmp_path: Path) -> None:
    def elsewhere(asked: Asked) -> Reply | None:
        if "tags/list" not in asked.path:
            return None
        if "last=" in asked.path:
            return Reply(body=b'{"tags": ["2.0.0"]}')
        link = '<http://evil.example:1/v2/one/app/tags/list?last=latest&n=1>; rel="next"'
        return Reply(headers={"Link": link}, body=b'{"tags": ["latest"]}')

    counting.rules.insert(0, elsewhere)
    found = population(tmp_path, group(f"catalogs:\n- host: {counting.host}\n  include: many/app"))
    assert references(found, counting.host) == ["many/app:2.0.0", "many/app:latest"]


def test_a_registry_that_never_answers_is_not_asked_for_each_image(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = [f"127.0.0.1:1/a{number}:1" for number in range(200)]
    tries: list[str] = []
    really = Transport.send

    def send(self: Transport, url: str, *arguments: object, **settings: object) -> object:
        tries.append(url)
        return really(self, url, *arguments, **settings)  # type: ignore[arg-type]

    monkeypatch.setattr(Transport, "send", send)
    found = population(tmp_path, group(f"images: {json.dumps(images)}"))
    assert len({member.reason for member in found.members}) == 1
    assert all(member.digest is None for member in found.members)
    assert len(tries) <= 40


def test_the_same_fleet_gives_the_same_population(server: servers.Server, tmp_path: Path) -> None:
    groups = group(f"catalogs:\n- host: {server.host}\n  include: ['team/**']")
    first, second = population(tmp_path, groups), population(tmp_path, groups)
    assert (first.members, first.items) == (second.members, second.items)
    assert list(first.members) == sorted(first.members, key=lambda one: (one.group, one.reference, one.origin))
    assert {member.policy for member in first.members} == set(first.policies)
    again = pickle.loads(pickle.dumps(first.policies[first.members[0].policy]))  # noqa: S301 - our own
    options = again.options(now=NOW, effective=NOW, cache=None, registry=RegistryOptions(), limits=DEFAULT_LIMITS)
    assert (options.now, options.platform) == (NOW, None)


def test_one_image_under_two_names_is_two_items_where_the_policy_tells_them_apart(
    server: servers.Server, tmp_path: Path
) -> None:
    names = [f"{server.host}/team/{name}:latest" for name in ("api", "web")]
    (tmp_path / "waivers.yaml").write_text(
        "schema: 1\nwaivers:\n- {id: W, check: RM-SHELL, reason: The start script needs it., approver: a, "
        f"created: 2026-01-01T00:00:00Z, images: '{server.host}/team/api'}}\n"
    )
    alike = population(tmp_path, group(f"images: {json.dumps(names)}"))
    apart = population(tmp_path, group(f"images: {json.dumps(names)}\nwaivers: waivers.yaml"))
    assert [len(found.items) for found in (alike, apart)] == [1, 2]
    assert len({member.digest for member in apart.members}) == 1


def test_a_wrong_policy_ends_it_before_any_image(no_sockets: None, tmp_path: Path) -> None:
    (tmp_path / "waivers.yaml").write_text("schema: 1\nwaivers: []\n")
    with pytest.raises(PolicyError, match="must not be empty"):
        population(tmp_path, group("images: r.example/a:1\nwaivers: waivers.yaml"))
    with pytest.raises(UsageError, match="can't read the file"):
        population(tmp_path, group("images: r.example/a:1\ntrust: none.yaml"))
