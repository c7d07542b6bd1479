"""``hullmark fleet verify``: does the history still hold?"""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from compliance.cli import fleet_options, options, output
from compliance.cli.parser import Parser
from compliance.errors import ExitCode, FormatError, UsageError

if TYPE_CHECKING:
    from compliance.fleet.chain_signature import ChainSignature, Prove, SignedHistory
    from compliance.store.evidence_bundle import Answer
    from compliance.store.sql_store import SqlFleetStore

SUMMARY = "check the history: the chain over its runs, every row, every blob, the chain's signatures"
DESCRIPTION = (
    "Check that a store holds what was put into it: each run against its link of the chain, each row against its "
    "digest and the documents that it follows from, each blob against its name. A line for each thing that does not "
    "hold. That the newest runs were not cut off shows only what is known from elsewhere: a head, such as one in a "
    "signed report, or a signature's bundle that was kept. With --key or an identity the chain of the newest run has "
    "to be signed by them; without, it is said whether it is signed, not by whom. "
    "Exit code 0 it holds, 11 it does, but nobody of those who were named signed its newest run, 12 it does not."
)


def arguments(parser: Parser) -> None:
    """The store, and heads that are known."""
    fleet_options.add_store(parser)
    parser.add_argument(
        "--head",
        action="append",
        metavar="[FLEET=]HEX",
        default=[],
        help="a chain that is known from elsewhere, by which the fleet's history must have come (repeatable)",
    )
    parser.add_argument(
        "--bundle",
        action="append",
        metavar="FILE",
        default=[],
        help="a signature of a run's chain that fleet run wrote, kept elsewhere: the history must have it (repeatable)",
    )
    options.add_trust(parser)
    parser.add_argument("-q", "--quiet", action="store_true", help="only the exit code and errors")


def run(values: Namespace) -> int:
    """Check, tell, and answer with the exit code."""
    from compliance.fleet.chain_signature import signatures_among, signed_histories

    prove = _prover(values)
    kept = [_kept(path) for path in values.bundle]
    name, store = fleet_options.named_store(values)
    with closing(store):
        wrong = 0
        for mistrust in store.verify(_heads(values.head, name, store)):
            wrong += 1
            _tell(values, f"{mistrust.where}: {mistrust.reason}")
        histories, unsigned = signed_histories(store.runs(), (*kept, *signatures_among(store)), prove)
        for mistrust in unsigned:
            wrong += 1
            _tell(values, f"{mistrust.where}: {mistrust.reason}")
        _tell(values, _summary(store, wrong))
    demanded = [one for one in histories if name in (None, one.fleet)]
    for history in demanded:
        _tell(values, _signatures(history, checked=prove is not None))
    if wrong:
        return ExitCode.NOT_VERIFIED
    shown = prove is None or (demanded and all(history.whole for history in demanded))
    return ExitCode.SATISFIED if shown else ExitCode.NOT_DETERMINED


def _tell(values: Namespace, line: str) -> None:
    if not values.quiet:
        sys.stdout.write(f"{output.printable(line)}\n")


def _kept(path: str) -> ChainSignature:
    from compliance.fleet.chain_signature import BUNDLE_MAX, read_signature
    from compliance.formats.user_file import read_file

    content = read_file(Path(path), "bundle", BUNDLE_MAX)
    try:
        return read_signature(content, path, kept=True)
    except FormatError as error:
        raise UsageError(f"not a signature: {error.message}", code="signature-invalid", where=path) from None


def _prover(values: Namespace) -> Prove | None:
    """Checks who signed, as ``evidence verify`` does; None where nobody was named."""
    from compliance.formats.public_key import key_id, load_public_key, signature_holds
    from compliance.formats.sigstore_bundle import read_bundle

    if values.trust is not None:
        raise UsageError(
            "a trust policy is about images", code="usage", where="--trust", hint="give --key or an identity"
        )
    trust = options.trust_of(values)
    asked = any((trust.identity, trust.identity_regexp, trust.issuer, trust.issuer_regexp))
    if trust.key is None and not asked:
        return None
    from compliance.api.evidence_place import prover
    from compliance.formats.dsse import Envelope
    from compliance.model.verification import Verdict
    from compliance.pipeline import Options
    from compliance.store.evidence_bundle import Answer

    by_identity = prover(trust, Options(now=fleet_options.now()), "")
    key = None if trust.key is None or asked else load_public_key(trust.key)

    def prove(bundle: bytes, subject: str) -> Answer:
        if key is None:
            answer = by_identity(bundle, subject)
            return Answer(verdict=answer.verdict, reason=answer.reason.replace("this image", "this chain"))
        read = read_bundle(bundle)
        if not read.keyed or not isinstance(read.content, Envelope):
            return Answer(verdict=Verdict.INVALID, reason="it was made with a certificate, and a key is demanded")
        if not signature_holds(key, read.content.signatures[0], read.content.signed):
            return Answer(verdict=Verdict.INVALID, reason=f"it does not verify with key {key_id(key)}")
        return Answer(verdict=Verdict.VERIFIED, reason=f"signed by key {key_id(key)}")

    return prove


def _heads(given: list[str], name: str | None, store: SqlFleetStore) -> Mapping[str, str]:
    """By fleet. Without a fleet's name it is that of the fleet file, or of the only fleet in the store."""
    heads: dict[str, str] = {}
    for text in given:
        fleet, _, head = text.rpartition("=")
        if not head or set(head) - set("0123456789abcdef"):
            raise UsageError("not a head: a chain is hexadecimal", code="head-invalid", where=text)
        if not fleet:
            fleet = name or _only(store)
        if heads.setdefault(fleet, head) != head:
            raise UsageError("two heads for one fleet", code="head-invalid", where=fleet, hint="give the newest")
    return heads


def _only(store: SqlFleetStore) -> str:
    fleets = sorted({run.fleet for run in store.runs()})
    if len(fleets) != 1:
        raise UsageError(
            f"the store holds {len(fleets)} fleets", code="fleet-unset", hint="--head FLEET=HEX says whose head it is"
        )
    return fleets[0]


def _summary(store: SqlFleetStore, wrong: int) -> str:
    sizes = store.sizes()
    held = ", ".join(f"{sizes[name]} {name}" for name in ("runs", "outcomes", "assessments", "blobs"))
    heads = "; ".join(
        f"{fleet} ends in {store.head(fleet) or 'no run yet'}" for fleet in sorted({run.fleet for run in store.runs()})
    )
    verdict = "everything holds"
    if wrong:
        verdict = "1 thing does not hold" if wrong == 1 else f"{wrong} things do not hold"
    return f"{verdict}: {held}; {heads or 'no fleet'}"


def _signatures(history: SignedHistory, *, checked: bool) -> str:
    """Which of a fleet's chains are signed; by whom, if that was to be known."""
    if not history.ended:
        return f"{history.fleet}: no run has ended, so there is no chain to sign"
    newest = history.ended[-1]
    by = " by who was named" if checked else ""
    if not history.signed:
        return f"{history.fleet}: no chain is signed{by}"
    number = f"{len(history.signed)} of {len(history.ended)} runs have a signed chain{by}"
    if not history.whole:
        return f"{history.fleet}: {number}, run {history.signed[-1]} as the last; that of the newest, {newest}, is not"
    who = history.by if checked else "who signed was not checked, as nobody was named (--key, --certificate-identity)"
    return f"{history.fleet}: {number}, the newest too: {who}"
