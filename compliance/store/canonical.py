"""The bytes that a store's digests cover: canonical JSON (RFC 8785), one object or array a line."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

from compliance.errors import StoreError
from compliance.model.fleet import ItemOutcome, Member, Run

Value = str | int | bool | None

_encode = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode
"""Made once: json.dumps makes an encoder for every call that is not of its usual form."""


def canonical(value: Mapping[str, object] | Sequence[object]) -> bytes:
    """RFC 8785 of texts, whole numbers, truth values and null, under keys in ASCII: all that a store holds.

    Raises StoreError (``text-unstorable``) for a NUL or a lone surrogate, which a database does not hold.
    """
    try:
        line = _encode(value).encode()
    except UnicodeEncodeError:
        raise _unstorable("a lone surrogate") from None
    if b"\\u0000" in line and _has_nul(value):
        raise _unstorable("a NUL character")
    return line


def content_of(table: str, values: Sequence[Value]) -> bytes:
    """The digest of a dictionary's row: 32 bytes over its table's name and its values."""
    return hashlib.sha256(canonical([table, *values])).digest()


def list_content(kind: str, layer: str | None, contents: Iterable[bytes]) -> bytes:
    """The digest of a list: 32 bytes over its kind, its layer, and the contents of its rows in their order."""
    digest = hashlib.sha256(canonical([kind, layer]))
    for content in contents:
        digest.update(content)
    return digest.digest()


def member_line(member: Member) -> bytes:
    """A member as the chain covers it."""
    return canonical(
        {
            "group": member.group,
            "owner": member.owner,
            "reference": member.reference,
            "origin": member.origin,
            "policy": member.policy,
            "platform": member.platform,
            "digest": member.digest,
            "reason": member.reason,
        }
    )


def outcome_line(outcome: ItemOutcome, sbom: str | None) -> bytes:
    """An outcome as the chain covers it: without its cost, with the digest of its assessment's SBOM."""
    return canonical(
        {
            "digest": outcome.item.digest,
            "policy": outcome.item.policy,
            "reference": outcome.item.reference,
            "state": outcome.state.value,
            "assessment": outcome.assessment,
            "sbom": sbom,
            "code": outcome.code,
            "reason": outcome.reason,
        }
    )


def run_line(run: Run, members: Tally, outcomes: Tally) -> bytes:
    """A run as the chain covers it, with what became of its members and outcomes."""
    return canonical(
        {
            "fleet": run.fleet,
            "number": run.number,
            "fleetDigest": run.fleet_digest,
            "tool": run.tool,
            "controlsDigest": run.controls_digest,
            "started": moment(run.started),
            "effective": moment(run.effective),
            "finished": moment(run.finished),
            "slot": moment(run.slot),
            "population": run.population,
            "previous": run.previous,
            "members": [members.count, members.hexdigest()],
            "outcomes": [outcomes.count, outcomes.hexdigest()],
        }
    )


def chain_of(run: Run, members: Tally, outcomes: Tally) -> str:
    """The link of the chain that a run is: hex SHA-256 of its line, which names the link before it."""
    return hashlib.sha256(run_line(run, members, outcomes)).hexdigest()


def moment(value: datetime | None) -> str | None:
    """RFC 3339 in UTC with Z; fractions of a second only where there are any."""
    return None if value is None else value.astimezone(UTC).isoformat().replace("+00:00", "Z")


class Tally:
    """Lines counted and digested while they stream by: SHA-256 over each and the line feed after it."""

    def __init__(self) -> None:
        self.count = 0
        self._digest = hashlib.sha256()

    def add(self, line: bytes) -> None:
        """One more line."""
        self.count += 1
        self._digest.update(line)
        self._digest.update(b"\n")

    def hexdigest(self) -> str:
        """Of all lines so far."""
        return self._digest.hexdigest()


def _has_nul(value: object) -> bool:
    if isinstance(value, str):
        return "\x00" in value
    if isinstance(value, Mapping):
        return any(map(_has_nul, value.values()))
    return isinstance(value, Sequence) and any(map(_has_nul, value))


def _unstorable(what: str) -> StoreError:
    return StoreError(f"a text with {what} in it can't be stored", code="text-unstorable")
