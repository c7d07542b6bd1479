"""Signatures over the chain of a history: where they lie, which run each is about, and whether the newest run has one.

A run's chain covers every run before it, so the newest run's signature is the one that counts; older ones are counted
and told. The bundles lie among the blobs, named by no row: whoever can write there can take one away, and then a copy
that was kept elsewhere shows whether the history still has the chain that was signed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from compliance.errors import ComplianceError, FormatError
from compliance.formats import signed_json
from compliance.formats.dsse import IN_TOTO, Envelope
from compliance.formats.intoto import REFERENCE, read_statement
from compliance.formats.sigstore_bundle import read_bundle
from compliance.model.fleet import Mistrust, Run, RunState
from compliance.model.verification import Verdict

if TYPE_CHECKING:
    from compliance.store.evidence_bundle import Answer
    from compliance.store.sql_store import SqlFleetStore

BUNDLE_MAX = 2**20
"""Bytes of a bundle; a blob that takes more is none."""

_NAME = re.compile(r"fleet (.+), run ([1-9][0-9]*), \S+")
"""What a statement calls its subject (chain_statement.py)."""

Prove = Callable[[bytes, str], "Answer"]
"""Checks a bundle as about a subject (``sha256:…``)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainSignature:
    """A signature over the chain `chain` (hex) of what it calls run `number` of `fleet`; `where` it lies.

    `kept` is one that the user brought: that it is about another history is a finding, whoever signed it.
    """

    where: str
    bundle: bytes = field(repr=False)
    chain: str
    fleet: str
    number: int
    kept: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedHistory:
    """The signatures of one fleet. `signed` are the numbers of ended runs with one that counts, out of `ended`;
    without anybody who is to have signed, any counts. `by` says who signed the newest run."""

    fleet: str
    ended: tuple[int, ...]
    signed: tuple[int, ...]
    by: str | None

    @property
    def whole(self) -> bool:
        """Whether the newest run has one, and so, through its chain, every run."""
        return bool(self.ended) and self.ended[-1] in self.signed


def read_signature(bundle: bytes, where: str, *, kept: bool = False) -> ChainSignature:
    """The signature in a bundle. Raises FormatError for one over anything else."""
    content = read_bundle(bundle).content
    if not isinstance(content, Envelope) or content.payload_type != IN_TOTO:
        raise FormatError("not a signature over a fleet's chain", code="signature-invalid", where=where)
    statement = read_statement(content.payload)
    subjects = signed_json.read_object(content.payload, "statement").members("subject")
    named = _NAME.fullmatch(subjects[0].text("name", ""))
    algorithm, _, chain = statement.digests[0].partition(":")
    if statement.predicate_type != REFERENCE or len(subjects) != 1 or named is None or algorithm != "sha256":
        raise FormatError("not a signature over a fleet's chain", code="signature-invalid", where=where)
    return ChainSignature(where=where, bundle=bundle, chain=chain, fleet=named[1], number=int(named[2]), kept=kept)


def signatures_among(store: SqlFleetStore) -> Iterator[ChainSignature]:
    """Those among the blobs that no assessment names. What is damaged there, `verify` of the store tells."""
    named = {name for record in store.bare_assessments() for name in (record.id, record.sbom)}
    for path, sha256, size in store.blobs.files():
        if sha256 is None or sha256 in named or size > BUNDLE_MAX:
            continue
        try:
            content = store.blob(sha256)
            if len(content) <= BUNDLE_MAX:
                yield read_signature(content, f"{store.blobs.place.name}/{path}")
        except ComplianceError:
            continue


def signed_histories(
    runs: Iterable[Run], signatures: Iterable[ChainSignature], prove: Prove | None
) -> tuple[tuple[SignedHistory, ...], tuple[Mistrust, ...]]:
    """Each fleet's signatures, and what does not hold about them. `prove` is None where nobody is to have signed.

    What does not hold: a newest run with signatures of which none is by whom they should be; a signature that is, or
    that the user kept, over a chain that its fleet's history does not have.
    """
    ended: dict[str, list[Run]] = {}
    for run in runs:
        of_fleet = ended.setdefault(run.fleet, [])
        if run.state is RunState.ENDED:
            of_fleet.append(run)
    found: dict[tuple[str, int], list[Answer | None]] = {}
    wrong: list[Mistrust] = []
    chains = {run.chain: run for of_fleet in ended.values() for run in of_fleet}
    for one in signatures:
        about = chains.get(one.chain)
        answer = None if prove is None else prove(one.bundle, f"sha256:{one.chain}")
        if about is not None:
            found.setdefault((about.fleet, about.number), []).append(answer)
        elif one.kept or (one.fleet in ended and answer is not None and answer.verdict is Verdict.VERIFIED):
            reason = f"the history does not have the chain that was signed as that of run {one.number} of {one.fleet}"
            wrong.append(Mistrust(where=one.where, reason=f"{reason}: it was edited or cut off"))
    histories = tuple(_history(fleet, of_fleet, found) for fleet, of_fleet in sorted(ended.items()))
    for history in histories:
        answers = found.get((history.fleet, history.ended[-1]), []) if history.ended else []
        if answers and not history.whole:
            reasons = "; ".join(dict.fromkeys(answer.reason for answer in answers if answer is not None))
            where = f"signature of run {history.ended[-1]} of {history.fleet}"
            wrong.append(Mistrust(where=where, reason=reasons))
    return histories, tuple(wrong)


def _history(fleet: str, ended: list[Run], found: dict[tuple[str, int], list[Answer | None]]) -> SignedHistory:
    counting = {
        run.number: [answer for answer in found.get((fleet, run.number), []) if _counts(answer)] for run in ended
    }
    signed = tuple(number for number, answers in counting.items() if answers)
    newest = counting[ended[-1].number] if ended else []
    return SignedHistory(
        fleet=fleet,
        ended=tuple(run.number for run in ended),
        signed=signed,
        by=next((answer.reason for answer in newest if answer is not None), None),
    )


def _counts(answer: Answer | None) -> bool:
    return answer is None or answer.verdict is Verdict.VERIFIED
