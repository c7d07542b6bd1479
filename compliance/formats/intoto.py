"""in-toto statements (in-toto/attestation spec v1): which artifacts a predicate is about."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from compliance.errors import FormatError
from compliance.formats import signed_json
from compliance.formats.signed_json import JsonObject, read_object

STATEMENT_V1 = "https://in-toto.io/Statement/v1"
STATEMENT_TYPES = frozenset((STATEMENT_V1, "https://in-toto.io/Statement/v0.1"))
"""cosign attests in v0.1 and signs in v1."""

COSIGN_SIGN = "https://sigstore.dev/cosign/sign/v1"
"""The predicate type by which a bundle is a signature of an image; any other makes it an attestation."""
CYCLONEDX = "https://cyclonedx.org/bom"
TEST_RESULT = "https://in-toto.io/attestation/test-result/v0.1"
SIMPLE_VERIFICATION_RESULT = "https://in-toto.io/attestation/svr/v0.2"
REFERENCE = "https://in-toto.io/attestation/reference/v0.1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """A statement as read. `digests` are those of all subjects, ``algorithm:value``, in order, each once.

    `entries` are the objects of a predicate that is a list, as some of Docker Hardened Images are, though the
    specification knows only objects, and `predicate` is empty then; None for an object.
    """

    predicate_type: str
    digests: tuple[str, ...]
    predicate: JsonObject = field(repr=False)
    entries: tuple[JsonObject, ...] | None = field(default=None, repr=False)


def read_statement(payload: bytes) -> Statement:
    """Read a statement of version 1 or 0.1. Raises FormatError; also when it has no subject with a digest."""
    value = read_object(payload, "statement")
    if value.text("_type") not in STATEMENT_TYPES:
        raise value.wrong("_type", "a statement type known here")
    subjects = (subject.texts("digest").items() for subject in value.members("subject"))
    digests = dict.fromkeys(f"{algorithm}:{digest}" for items in subjects for algorithm, digest in items)
    if not digests:
        raise FormatError("a statement about nothing", code="statement-invalid", where="statement.subject")
    listed = isinstance(value.values.get("predicate"), list)
    is_object = value.has("predicate") and not listed
    return Statement(
        predicate_type=value.text("predicateType"),
        digests=tuple(digests),
        predicate=value.member("predicate") if is_object else JsonObject({}, "statement.predicate"),
        entries=value.members("predicate") if listed else None,
    )


def write_statement(*, name: str, digest: str, predicate_type: str, predicate: object) -> bytes:
    """A statement of version 1 about one artifact; `digest` is ``sha256:<hex>``. Equal input, equal bytes."""
    algorithm, _, value = digest.partition(":")
    return signed_json.write(
        {
            "_type": STATEMENT_V1,
            "subject": [{"name": name, "digest": {algorithm: value}}],
            "predicateType": predicate_type,
            "predicate": predicate,
        }
    )


def write_files_statement(files: Mapping[str, str], *, predicate_type: str, predicate: object) -> bytes:
    """A statement of version 1 about several files, by name the hex SHA-256 of each. Equal input, equal bytes."""
    return signed_json.write(
        {
            "_type": STATEMENT_V1,
            "subject": [{"name": name, "digest": {"sha256": digest}} for name, digest in sorted(files.items())],
            "predicateType": predicate_type,
            "predicate": predicate,
        }
    )
