"""FLEET.yaml: what it means, what is refused and how that is told, and that the schema says the same."""

from __future__ import annotations

import hashlib
import json
import re
from importlib.resources import files
from pathlib import Path

import jsonschema_rs
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from compliance.errors import PolicyError
from compliance.fleet.fleet_file import Fleet, RunLimits, read_fleet
from compliance.fleet.image_source import CatalogSource, ImageSource, KubernetesSource, ListSource
from compliance.fleet.notification import ChangeFile, Mail, Webhook
from compliance.model.outcome import Severity
from compliance.model.reference import Platform
from tests.conftest import CHECKOUT

DIGEST = "sha256:" + "a" * 64
LEAST = "schema: 1\nname: f\ngroups:\n  g:\n    owner: o\n    images: r.example/a:1\n"


def page_example() -> str:
    page = (CHECKOUT / "docs" / "fleet.md").read_text()
    return re.findall(r"```yaml\n(schema: 1\n.*?)```", page, re.DOTALL)[0]  # type: ignore[no-any-return]


EXAMPLE = page_example()


def read(text: str, folder: Path) -> Fleet:
    path = folder / "FLEET.yaml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    return read_fleet(path)


def test_the_example_of_the_page_means_what_it_says(tmp_path: Path) -> None:
    fleet = read(EXAMPLE, tmp_path)
    assert fleet.name == "production"
    assert fleet.digest == f"sha256:{hashlib.sha256(EXAMPLE.encode()).hexdigest()}"
    assert (fleet.store, fleet.blobs) == (str(tmp_path / "hullmark-fleet.db"), None)
    assert fleet.limits == RunLimits(jobs=4, image_seconds=1200, image_bytes=3 * 2**30, reuse_seconds=7 * 86400)
    assert fleet.schedule is not None
    assert (fleet.schedule.cron, fleet.schedule.timezone, fleet.schedule.jitter_seconds) == (
        "30 2 * * *",
        "Europe/Berlin",
        600,
    )
    assert [type(one) for one in fleet.notify] == [Webhook, Mail, ChangeFile]
    assert [one.always for one in fleet.notify] == [False, False, True]
    payments, tools = fleet.groups
    assert [type(one) for one in payments.sources] == [
        ImageSource,
        ListSource,
        KubernetesSource,
        KubernetesSource,
        CatalogSource,
    ]
    assert payments.platforms == (
        Platform(os="linux", architecture="amd64"),
        Platform(os="linux", architecture="arm64"),
    )
    assert payments.trust is not None
    assert (payments.trust.name, payments.trust.path) == ("policy/trust.yaml", tmp_path / "policy" / "trust.yaml")
    assert (payments.profile, payments.fail_on, payments.owner) == (
        "runtime",
        Severity.HIGH,
        "payments-team@example.com",
    )
    assert (tools.profile, tools.sources[0]) == (
        "sdk",
        ImageSource(where="groups.tools.images", reference="oci-dir:images/builder"),
    )


def test_nothing_but_images_is_demanded(tmp_path: Path) -> None:
    fleet = read(LEAST, tmp_path)
    assert (fleet.limits, fleet.schedule, fleet.notify, fleet.store) == (RunLimits(), None, (), None)
    assert fleet.groups[0].profile == "auto"


def test_every_field_is_told_on_the_page() -> None:
    page = (CHECKOUT / "docs" / "fleet.md").read_text()
    schema = json.loads((files("compliance.fleet") / "fleet.schema.json").read_bytes())
    names = set(schema["properties"])
    for part in ("limits", "schedule"):
        names |= set(schema["properties"][part]["properties"])
    for part in ("group", "catalog"):
        names |= set(schema["$defs"][part]["properties"])
    for one in (*schema["$defs"]["tags"]["oneOf"], *schema["$defs"]["notification"]["oneOf"]):
        names |= set(one["properties"])
    prose = re.sub(r"```.*?```", "", page, flags=re.DOTALL)
    told = set(re.findall(r"[a-z][a-z-]+", " ".join(re.findall(r"`([^`]+)`", prose)) + EXAMPLE))
    assert names - told == set()


GROUP = "    owner: o\n"
BEYOND_THE_SCHEMA = (
    "not an image name",
    "can't name images by",
    "not a digest",
    "not a glob",
    "not a range",
    "is not a profile",
    "is no registry",
    "not a platform",
    "is no platform",
    "not a cron",
    "is not a time zone",
    "a password stands",
    "http is for this machine",
    "without TLS only",
    "not a mail server",
    "a digest lies in one",
    "goes with versions",
    "a tag has no slash",
    "neither begins nor ends",
    "not a size of at least",
    "not the path of a file",
    "a path without its kind",
    "duplicate key",
    "anchors",
    "not readable",
)
MISTAKES = [
    ("schema: 1\n", "schema: 2\n", "line 1, schema", "must be 1", "schema: 1"),
    ("name: f", "name: a b", "line 2, name", "not an identifier", "letters"),
    ("groups:", "group:", "line 3, group", "unknown key", "did you mean groups"),
    ("    owner: o\n", "", "groups.g.owner", "missing", "add owner"),
    ("owner: o", "owner: [o]", "line 5, groups.g.owner", "must be a text", "None"),
    ("owner: o", 'owner: "a\\nb"', "groups.g.owner", "one line", "name or an address"),
    ("    images: r.example/a:1\n", "", "line 5, groups.g", "names no images", "catalogs"),
    ("images: r.example/a:1", "images: []", "groups.g.images", "must not be empty", "at least one"),
    ("images:", "image:", "groups.g.image", "unknown key", "did you mean images"),
    ("r.example/a:1", "r.example/A:1", "line 6, groups.g.images", "not an image name", "lower case"),
    ("r.example/a:1", "['r.example/a', 'r.example/a@sha256:1']", "groups.g.images[1]", "not a digest", "64 hex"),
    ("r.example/a:1", "docker:a", "groups.g.images", "can't name images by docker", "oci-dir"),
    ("r.example/a:1", "./image", "groups.g.images", "a path without its kind", "oci-dir:./image"),
    ("  g:", "  a b:", "groups", "no name of a group", "letters"),
    ("groups:", "limits: {jobs: 0}\ngroups:", "limits.jobs", "from 1", "number"),
    ("groups:", "limits: {time: 1.5}\ngroups:", "limits.time", "not a time", "30m"),
    ("groups:", "limits: {time: 0}\ngroups:", "limits.time", "not a time from 1 s", "30m"),
    ("groups:", "limits: {memory: 1GB}\ngroups:", "limits.memory", "not a size", "4GiB"),
    ("groups:", "limits: {memory: 1MiB}\ngroups:", "limits.memory", "not a size of at least 256", "4GiB"),
    ("groups:", "limits: {reuse: 2y}\ngroups:", "limits.reuse", "not a time", "7d"),
    ("groups:", "schedule: {cron: 0 0 13 * 5}\ngroups:", "schedule.cron", "not a cron", "30 2"),
    ("groups:", "schedule: {cron: '@daily', timezone: Berlin}\ngroups:", "schedule.timezone", "is not a time zone", ""),
    ("groups:", "schedule: {timezone: UTC}\ngroups:", "schedule.cron", "missing", "add cron"),
    ("groups:", "store: postgresql://u:pw@h/d\ngroups:", "line 3, store", "a password stands", "PGPASSWORD"),
    ("groups:", "store: postgresql://h/d?password=pw\ngroups:", "store", "a password stands", "HULLMARK_FLEET_STORE"),
    ("groups:", 'store: "a\\x01b"\ngroups:', "store", "not the path", "relative"),
    ("groups:", "notify: []\ngroups:", "notify", "must not be empty", "at least one"),
    ("groups:", "notify: [{when: always}]\ngroups:", "notify[0]", "one of webhook", "one entry"),
    ("groups:", "notify: [{file: a, mail: b@c}]\ngroups:", "notify[0]", "one of webhook", "one entry"),
    ("groups:", "notify: [{webhook: 'https://h/x'}]\ngroups:", "notify[0].secret-env", "missing", "add"),
    ("groups:", "notify: [{webhook: 'http://h/x', secret-env: A}]\ngroups:", "webhook", "http is for this", "https"),
    ("groups:", "notify: [{webhook: 'https://u:p@h/x', secret-env: A}]\ngroups:", "webhook", "no login", "https"),
    ("groups:", "notify: [{webhook: 'ftp://h/x', secret-env: A}]\ngroups:", "webhook", "not an address", "https"),
    ("groups:", "notify: [{webhook: 'https://h/x', secret-env: '=x'}]\ngroups:", "secret-env", "not the name", "never"),
    ("groups:", "notify: [{mail: ab, from: a@b, server: s}]\ngroups:", "mail", "no mail address", "NAME@HOST"),
    ("groups:", "notify: [{mail: 'a@b\\nBcc: c@d', from: a@b, server: s}]\ngroups:", "mail", "no mail address", "NAME"),
    ("groups:", "notify: [{mail: a@b, from: a@b, server: 's:0'}]\ngroups:", "server", "not a mail server", "HOST"),
    ("groups:", "notify: [{mail: a@b, from: a@b, server: s, username-env: U}]\ngroups:", "[0]", "two parts", "neither"),
    ("groups:", "notify: [{mail: a@b, from: a@b, server: s, security: none}]\ngroups:", "security", "without TLS", ""),
    ("groups:", "notify: [{file: a, when: never}]\ngroups:", "when", "is not one of", "changed, always"),
    ("    images: r.example/a:1\n", "    files: [a.txt, a.txt]\n", "files[1]", "there twice", "keep one"),
    ("    images: r.example/a:1\n", '    files: "a\\x00"\n', "files", "not the path", "relative"),
    ("r.example/a:1", "r.example/a:1\n    profile: runtim", "profile", "is not a profile", "did you mean runtime"),
    ("r.example/a:1", "r.example/a:1\n    fail-on: severe", "fail-on", "is not one of", "low"),
    ("r.example/a:1", "r.example/a:1\n    platforms: linux", "platforms", "not a platform", "os/arch"),
    ("r.example/a:1", "r.example/a:1\n    platforms: [a/b, a/b]", "platforms[1]", "there twice", "linux/arm64"),
    ("r.example/a:1", "r.example/a:1\n    owner: x", "line 7", "duplicate key", "keep one"),
    ("r.example/a:1", "&a r.example/a:1", "line 6", "anchors", "plainly"),
    ("    images: r.example/a:1\n", "    images: [\n", "line", "not readable", "quotes"),
]
CATALOG = "    catalogs:\n      - host: r.example\n        include: a/b\n"
CATALOG_MISTAKES = [
    ("host: r.example", "host: https://r.example", "host", "is no registry", "HOST:PORT"),
    ("host: r.example", "host: r.example/team", "host", "is no registry", "HOST:PORT"),
    ("        include: a/b\n", "", "catalogs[0].include", "missing", "add include"),
    ("include: a/b", "include: ['a/b', '/a']", "include[1]", "neither begins", "team/**"),
    ("include: a/b", "include: '[b-a]'", "include", "not a glob", "team/**"),
    ("a/b\n", "a/b\n        tags: {}\n", "tags", "says nothing", "leave tags out"),
    ("a/b\n", "a/b\n        tags: {newest: 3}\n", "newest", "go together", "order: semver"),
    ("a/b\n", "a/b\n        tags: {order: natural}\n", "order", "go together", "order: semver"),
    ("a/b\n", "a/b\n        tags: {newest: 0, order: natural}\n", "newest", "from 1", "number"),
    ("a/b\n", "a/b\n        tags: {newest: 1, order: time}\n", "order", "is not one of", "semver, natural"),
    ("a/b\n", "a/b\n        tags: {semver: latest}\n", "semver", "not a range", ">=1.4"),
    ("a/b\n", "a/b\n        tags: {prereleases: true}\n", "prereleases", "goes with versions", "semver"),
    ("a/b\n", "a/b\n        tags: {include: a/b}\n", "tags.include", "a tag has no slash", "v1"),
    ("a/b\n", f"a/b\n        tags: {{digests: ['{DIGEST}'], include: a}}\n", "include", "digests stand alone", "out"),
    ("a/b\n", "a/b\n        tags: {digests: sha256:1}\n", "digests", "not a digest", "64 hex"),
    ("include: a/b\n", f"include: a/*\n        tags: {{digests: '{DIGEST}'}}\n", "digests", "a digest lies in one", ""),
]


def as_json(text: str) -> object:
    """What an editor holds against the schema: YAML 1.2, in which a time is a text."""
    loader = type("_Loader", (yaml.SafeLoader,), {})
    loader.yaml_implicit_resolvers = {  # type: ignore[attr-defined]
        first: [item for item in resolvers if not item[0].endswith("timestamp")]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    return yaml.load(text, loader)  # noqa: S506 - a safe loader


@pytest.fixture(scope="module")
def schema() -> jsonschema_rs.Validator:
    return jsonschema_rs.validator_for(json.loads((files("compliance.fleet") / "fleet.schema.json").read_bytes()))


ALL = [(LEAST, *mistake) for mistake in MISTAKES] + [(LEAST + CATALOG, *mistake) for mistake in CATALOG_MISTAKES]


@pytest.mark.parametrize(("base", "old", "new", "where", "what", "mend"), ALL)
def test_a_mistake_is_told_with_its_place_and_its_mend(
    tmp_path: Path, schema: jsonschema_rs.Validator, base: str, old: str, new: str, where: str, what: str, mend: str
) -> None:
    assert old in base
    text = base.replace(old, new)
    with pytest.raises(PolicyError) as caught:
        read(text, tmp_path)
    error = caught.value
    assert error.code == "fleet-invalid"
    assert what in error.message
    assert where in str(error.where)
    assert str(error.where).startswith(str(tmp_path / "FLEET.yaml"))
    assert mend in str(error.hint)
    assert "pw" not in str(error), "a password is not repeated"
    if not any(word in error.message for word in BEYOND_THE_SCHEMA):
        assert not schema.is_valid(as_json(text))


@pytest.mark.parametrize("text", [EXAMPLE, LEAST, LEAST + CATALOG])
def test_the_schema_takes_what_is_read(tmp_path: Path, schema: jsonschema_rs.Validator, text: str) -> None:
    read(text, tmp_path)
    assert list(schema.iter_errors(as_json(text))) == []


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("store", "postgresql://u@h:5432/d?sslmode=require"),
        ("store", "history/fleet.db"),
        ("blobs", "s3://bucket/prefix"),
        ("limits", "{jobs: 1, time: 90s, memory: 512MiB, attempts: 1, reuse: 0}"),
        ("schedule", "{cron: '@hourly', jitter: 90}"),
        ("notify", "[{webhook: 'http://127.0.0.1:8080/x', secret-env: S, when: always}]"),
        ("notify", "[{mail: a@b.example, from: c@d.example, server: 'localhost:2525', security: none}]"),
        ("notify", "[{mail: [a@b, c@d], from: c@d, server: '[::1]', security: tls}]"),
        ("notify", "[{file: out.json, format: markdown}, {file: out.json}]"),
    ],
)
def test_what_may_be_written(tmp_path: Path, schema: jsonschema_rs.Validator, field: str, value: str) -> None:
    text = f"{field}: {value}\n".join(LEAST.partition("groups:")[:1]) + f"{field}: {value}\n" + "groups:"
    text += LEAST.partition("groups:")[2]
    read(text, tmp_path)
    assert schema.is_valid(as_json(text))


def test_a_missing_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match="can't read the fleet file") as caught:
        read_fleet(tmp_path / "none.yaml")
    assert caught.value.code == "not-found"


VALUES = ("", "[]", "{}", "null", "5", "yes", "'x'", "[a, 1]", "2027-01-01", "&a b", "*a", "!!str x", "[[]]", "'\\x00'")


@given(st.data())
@settings(max_examples=250)
def test_any_edit_is_a_fleet_or_one_clear_error(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    """Lines gone, moved, or with something else in them: never another exception, never a group without images."""
    lines = (EXAMPLE + CATALOG.replace("    catalogs", "  more:\n    owner: o\n    catalogs")).splitlines()
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(lines) - 1))
        key = lines[at].partition(":")[0]
        choice = data.draw(st.sampled_from((None, "swap", *VALUES)))
        if choice is None:
            del lines[at]
        elif choice == "swap":
            lines.insert(0, lines.pop(at))
        else:
            lines[at] = f"{key}: {choice}"
    folder = tmp_path_factory.getbasetemp()
    try:
        fleet = read("\n".join(lines), folder)
    except PolicyError as error:
        told = str(error)
    else:
        told = ""
        assert all(group.sources for group in fleet.groups)
    assert "\n" not in told
