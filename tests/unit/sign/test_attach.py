"""Attaching where others write too: nothing is lost, nothing is attached twice, and it ends."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from compliance.errors import FormatError, SigningError
from compliance.formats.dsse import IN_TOTO, Envelope
from compliance.formats.oci import OCI_INDEX, OCI_MANIFEST
from compliance.sign import attach as attaching
from compliance.sign.attach import attach, attach_legacy
from compliance.sign.attachment import Attachment, Subject, bundle_attachment, legacy_layer, sha256

SUBJECT = Subject(digest=f"sha256:{'a' * 64}", media_type=OCI_MANIFEST, size=7)
TAG = f"sha256-{'a' * 64}"
NOW = datetime(2026, 11, 1, tzinfo=UTC)


class Repository:
    """A registry's repository without the referrers API, in memory; `others` write after each of our looks."""

    remote = True

    def __init__(self, others: Callable[[Repository, int], None] = lambda place, look: None) -> None:
        self.blobs: set[bytes] = set()
        self.tags: dict[str, bytes] = {}
        self.manifests: dict[str, bytes] = {}
        self.looks = 0
        self._others = others

    def find(self, reference: str) -> bytes | None:
        self.looks += 1
        found = self.tags.get(reference) or self.manifests.get(reference)
        self._others(self, self.looks)
        return found

    def put_blob(self, content: bytes) -> None:
        self.blobs.add(content)

    def put_manifest(self, content: bytes, media_type: str, tag: str | None = None) -> None:
        assert json.loads(content)["mediaType"] == media_type
        self.manifests[sha256(content)] = content
        if tag is not None:
            self.tags[tag] = content

    def put_referrer(self, content: bytes, subject: str) -> bool:
        for blob in json.loads(content)["layers"]:
            assert blob["digest"] in {sha256(there) for there in self.blobs}, "a manifest before its blobs"
        self.manifests[sha256(content)] = content
        return False

    def listed(self, key: str = "manifests", tag: str = TAG) -> list[str]:
        return [item["digest"] for item in json.loads(self.tags[tag])[key]]


def attachments(*bundles: bytes) -> list[Attachment]:
    return [bundle_attachment(bundle, "https://example.test/v1", SUBJECT, NOW) for bundle in bundles]


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attaching, "SETTLE_SECONDS", 0)


def index(*digests: str, **more: object) -> bytes:
    entries = [{"mediaType": OCI_MANIFEST, "digest": digest, "size": 1, "extra": "kept"} for digest in digests]
    return json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries, **more}).encode()


def test_several_are_listed_at_once_beside_what_was_there() -> None:
    place = Repository()
    place.tags[TAG] = index("sha256:theirs", annotations={"their": "own"})
    new = attachments(b"{1}", b"{2}")
    attach(place, SUBJECT.digest, new, TAG)
    assert place.listed() == ["sha256:theirs", *(item.digest for item in new)]
    document = json.loads(place.tags[TAG])
    assert document["manifests"][0]["extra"] == "kept"
    assert document["annotations"] == {"their": "own"}
    assert place.looks == 3  # before, after, and once more


def test_what_is_listed_is_left_alone() -> None:
    place = Repository()
    attach(place, SUBJECT.digest, attachments(b"{1}"), TAG)
    before, place.looks = place.tags[TAG], 0
    attach(place, SUBJECT.digest, attachments(b"{1}"), TAG)
    assert place.tags[TAG] == before
    assert place.looks == 1


def test_nothing_to_attach_writes_nothing() -> None:
    place = Repository()
    attach(place, SUBJECT.digest, [], TAG)
    assert not place.tags
    assert not place.looks


@pytest.mark.parametrize("when", [1, 2])
def test_another_writer_loses_nothing_and_neither_do_we(when: int) -> None:
    """They write what they read before we wrote, as registries let them; and then look again, as we do."""
    theirs = index("sha256:theirs")

    def others(place: Repository, look: int) -> None:
        if look == when:
            place.tags[TAG] = theirs

    place = Repository(others)
    new = attachments(b"{1}")
    attach(place, SUBJECT.digest, new, TAG)
    if when == 1:  # between our look and our write: we overwrite them, and they will notice
        assert place.listed() == [new[0].digest]
    else:  # after our write: we notice at the second look
        assert place.listed() == ["sha256:theirs", new[0].digest]


def test_two_of_us_at_once_both_end_up_listed() -> None:
    first, second = attachments(b"{1}"), attachments(b"{2}")

    def others(place: Repository, look: int) -> None:
        if look == 1:
            attach(place, SUBJECT.digest, second, TAG)

    place = Repository(others)
    attach(place, SUBJECT.digest, first, TAG)
    attach(place, SUBJECT.digest, second, TAG)  # the second look of the other one
    assert sorted(place.listed()) == sorted([first[0].digest, second[0].digest])


def test_a_fight_ends_in_one_line() -> None:
    def others(place: Repository, look: int) -> None:
        place.tags.pop(TAG, None)

    with pytest.raises(SigningError, match="others keep writing"):
        attach(Repository(others), SUBJECT.digest, attachments(b"{1}"), TAG)


@pytest.mark.parametrize(
    "content", [b"[]", b"{", b'{"mediaType":"application/vnd.oci.image.manifest.v1+json"}', b'{"manifests":[1]}']
)
def test_a_tag_that_is_no_list_of_referrers_is_not_overwritten(content: bytes) -> None:
    place = Repository()
    place.tags[TAG] = content
    with pytest.raises(FormatError):
        attach(place, SUBJECT.digest, attachments(b"{1}"), TAG)
    assert place.tags[TAG] == content


def test_the_older_form_adds_layers_and_keeps_theirs() -> None:
    tag = f"{TAG}.att"
    place = Repository()
    one, two = (
        legacy_layer(Envelope(payload_type=IN_TOTO, payload=payload, signatures=(b"s",)), "https://example.test/v1")
        for payload in (b"1", b"2")
    )
    attach_legacy(place, tag, [one])
    attach_legacy(place, tag, [two])
    attach_legacy(place, tag, [one, two])
    assert place.listed("layers", tag) == [str(one[1]["digest"]), str(two[1]["digest"])]
    manifest = json.loads(place.tags[tag])
    configs = {sha256(blob): blob for blob in place.blobs}
    config = json.loads(configs[manifest["config"]["digest"]])
    assert config["rootfs"]["diff_ids"] == place.listed("layers", tag)
