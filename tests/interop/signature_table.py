"""The same signatures put to `hullmark verify` and to cosign: every kind, right and wrong, in one table.

``python -m tests.interop.signature_table`` writes docs/interop.md; tests/interop/cosign/test_signature_table.py fails
when the page says anything else than what the programs answer now.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.builders.private_network import private_network
from tests.builders.sigstore_instance import SigstoreInstance
from tests.builders.sigstore_stack import SigstoreStack, sigstore_stack
from tests.builders.specimen import Form, Kind, Log, Specimen, Stamp, mint
from tests.interop.signature_bench import Bench, Cell, Row, bench, rows
from tests.interop.signature_cases import ATTESTED, CASES, CASES_NOW, FRESH, IGNORED
from tests.interop.signature_keys import signed_with_keys
from tests.interop.signatures_of_cosign import made_by_cosign

PAGE = Path(__file__).resolve().parents[2] / "docs" / "interop.md"
BY_COSIGN = "cosign 3.1.2"
OLDER = "2.6.4"


def _kinds() -> Iterator[Kind]:
    """All that there are: layers with what Rekor v1 promised or a timestamp, bundles of each version."""
    for keyed in (True, False):
        for form in (Form.SIG, Form.ATT):
            yield Kind(form=form, keyed=keyed, log=Log.V1)
            if form is Form.ATT:
                yield Kind(form=form, keyed=keyed, log=Log.V1_INTOTO)
            if keyed:
                yield Kind(form=form, keyed=True)
            yield Kind(form=form, keyed=keyed, stamp=Stamp.SIGNATURE)
            if form is Form.ATT:
                yield Kind(form=form, keyed=keyed, stamp=Stamp.ENVELOPE)
        for version in ("0.1", "0.2"):
            yield Kind(form=Form.MESSAGE, version=version, keyed=keyed, log=Log.V1)
            yield Kind(form=Form.STATEMENT, version=version, keyed=keyed, log=Log.V1)
            yield Kind(form=Form.STATEMENT, version=version, keyed=keyed, log=Log.V1_INTOTO)
        for form in (Form.MESSAGE, Form.SIGN, Form.STATEMENT):
            yield Kind(form=form, version="0.3", keyed=keyed, log=Log.V1)
            if form is Form.STATEMENT:
                yield Kind(form=form, version="0.3", keyed=keyed, log=Log.V1_INTOTO)
            yield Kind(form=form, version="0.3", keyed=keyed, log=Log.V2, stamp=Stamp.SIGNATURE)
            yield Kind(form=form, version="0.3", keyed=keyed, stamp=Stamp.SIGNATURE)
            if keyed:
                yield Kind(form=form, version="0.3", keyed=True)


KINDS = tuple(_kinds())


def minted(bench: Bench) -> dict[str, Specimen]:
    """One of each kind, by an instance in memory at a time long past."""
    instance = SigstoreInstance()
    return {kind.name: mint(kind, bench.manifest(0), instance) for kind in KINDS}


@dataclass(frozen=True, kw_only=True)
class Disagreement:
    """Cells where the answers differ, and why that is right. `kinds` is a regular expression."""

    kinds: str
    case: str
    ours: bool
    reason: str


DISAGREEMENTS: tuple[Disagreement, ...] = (
    Disagreement(
        kinds=".*certificate.*",
        case=FRESH,
        ours=False,
        reason=(
            "A certificate that nothing dates is refused here, still valid or not: it is valid for ten minutes. cosign "
            "takes the time of the run instead of a proved one, and refuses the same signature ten minutes later; an "
            "answer here does not depend on when it is asked."
        ),
    ),
    Disagreement(
        kinds=".*",
        case=IGNORED,
        ours=False,
        reason=(
            "`--insecure-ignore-tlog` lets count here what no log holds. An entry that is there and wrong is refused "
            "all the same, as a wrong timestamp is: somebody put it there. cosign does not look at it then."
        ),
    ),
    Disagreement(
        kinds="bundle 0.3, DSSE attestation, .*",
        case=ATTESTED,
        ours=False,
        reason=(
            "`cosign verify` takes any statement about an image for its signature. Here only what `cosign sign` makes "
            "is one: else a report about an image, hullmark's own too, would make it look signed."
        ),
    ),
)


REFUSED = tuple(f"`.att`, {signer}, no log, timestamp" for signer in ("key", "certificate"))
"""What is not valid to anybody, though cosign 3.1.2 makes it."""
_REFUSED = (
    "`.att` with a timestamp of its signature, as `cosign attest` 3.1.2 makes it with `--new-bundle-format=false` and "
    f"a timestamp authority, is refused by all: in that form {BY_COSIGN} and {OLDER} verify a timestamp of the whole "
    "envelope, and neither verifies what 3.1.2 made. Attach a bundle."
)

KEY_REASONS: Mapping[str, str] = {
    "P-256, SHA-512": "Sigstore's algorithm registry has no such pair, and cosign takes it only when told of it",
    "RSA-2048, PKCS #1 v1.5, SHA-512": "the same",
    "P-224, SHA-256": "the registry has no such curve",
    "RSA-1024, PKCS #1 v1.5, SHA-256": "keys of less than 112 bits of strength are refused (NIST SP 800-131A)",
}
"""Why the answers about a good signature differ."""


def key_rows(stack: SigstoreStack, folder: Path) -> dict[str, Row]:
    """What both say of good signatures by each kind of key."""
    (folder / "kinds-of-keys").mkdir()
    own = bench(folder / "kinds-of-keys", stack.referrers, stack.cosign, stack.older_cosign)
    return rows(signed_with_keys(own.images[0]), own, {"valid": CASES["valid"]})


def tables(stack: SigstoreStack, folder: Path) -> dict[str, dict[str, Row]]:
    """Both tables, by their titles."""
    (folder / "minted").mkdir()
    (folder / "live").mkdir()
    own = bench(folder / "minted", stack.referrers, stack.cosign, stack.older_cosign)
    live = bench(folder / "live", stack.referrers, stack.cosign, stack.older_cosign)
    return {
        MINTED: rows(minted(own), own, CASES),
        LIVE: rows(made_by_cosign(live, stack), live, CASES_NOW),
    }


MINTED = "Made in memory"
LIVE = f"Made by {BY_COSIGN}"
_ABOUT = {
    MINTED: (
        "One signature of each kind, by an instance whose authorities and logs are in memory, of a time long past."
    ),
    LIVE: (
        "The same of what cosign signs and attests with Fulcio 1.8.8, Rekor 2.3.0 and the timestamp authority 2.1.3. "
        "Its certificates are seconds old, so none is expired."
    ),
}

_ABOUT_KEYS = (
    "A good attestation by each kind of key, in a bundle that no log holds. cosign must be told the hash "
    "(`--signature-digest-algorithm`) where it is not SHA-256; hullmark knows that of the curve. `cosign sign` with an "
    "Ed25519 key makes Ed25519ph, which neither verifies."
)
_HEAD = f"""\
# Signatures: hullmark and cosign on the same input

Written by `python -m tests.interop.signature_table`; `make interop` fails when the programs answer anything else.
Each signature is put to `hullmark verify --require …` and to {BY_COSIGN}, with the same trusted root and the same
key, or identity and issuer. What lies in layers of cosign's tags is put to cosign {OLDER} too, which is in use beside
it. `--insecure-ignore-tlog` is given for kinds that no log holds, for expired certificates and where the column says
so, nowhere else; cosign gets `--use-signed-timestamps` where there is a timestamp, and `--offline` for layers.

✓ all accept · ✗ all refuse · — the kind has no such case · `hullmark ✗, cosign ✓` they differ: see the end

cosign reads from a registry only layers of its tags and bundles of version 0.3 with an envelope. hullmark reads all of
these; for the others cosign is asked by `verify-blob` and `verify-blob-attestation` about the same bundle and the
image's manifest. A *DSSE signature* is what `cosign sign` makes: a statement of type
`https://sigstore.dev/cosign/sign/v1`; a *DSSE attestation* is any other.
"""


def page(found: Mapping[str, Mapping[str, Row]], keys: Mapping[str, Row]) -> str:
    """docs/interop.md."""
    parts = [_HEAD]
    for title, table in found.items():
        titles = list(next(iter(table.values())))
        lines = ["| kind | " + " | ".join(titles) + " |", "|---" * (len(titles) + 1) + "|"]
        lines += [f"| {kind} | " + " | ".join(map(_mark, row.values())) + " |" for kind, row in table.items()]
        parts.append(f"## {title}\n\n{_ABOUT[title]}\n\n" + "\n".join(lines) + "\n")
    parts += [_numbers(found), f"{_REFUSED}\n"]
    parts.append(_keys(keys))
    differences = "".join(f"- *{item.case}*: {item.reason}\n" for item in DISAGREEMENTS)
    parts.append(f"## Where they differ\n\n{differences}")
    return "\n".join(parts)


def _keys(keys: Mapping[str, Row]) -> str:
    lines = ["| key | hullmark | cosign | |", "|---|---|---|---|"]
    for name, row in keys.items():
        cell = row["valid"]
        assert cell is not None
        ours, theirs = ("✓" if accepted else "✗" for accepted in (cell.ours, cell.theirs))
        lines.append(f"| {name} | {ours} | {theirs} | {KEY_REASONS.get(name, '')} |")
    return f"## Keys\n\n{_ABOUT_KEYS}\n\n" + "\n".join(lines) + "\n"


def _numbers(found: Mapping[str, Mapping[str, Row]]) -> str:
    cells = [cell for _, _, cell in _cells(found)]
    differing = sum(map(_differs, cells))
    accepted = sum(cell.ours and not _differs(cell) for cell in cells)
    asked = sum(cell.older is not None for cell in cells)
    all_ = f"{accepted} accepted by all, {len(cells) - accepted - differing} refused by all"
    return (
        f"{len(cells)} questions, {asked} of them to cosign {OLDER} too: {all_}, {differing} answered differently. "
        f"Accepted by hullmark and by neither cosign: {sum(map(_alone, cells))}.\n"
    )


def _differs(cell: Cell) -> bool:
    return cell.theirs is not cell.ours or cell.older is (not cell.ours)


def _alone(cell: Cell) -> bool:
    """Whether no cosign that was asked accepts what is accepted here."""
    return cell.ours and not cell.theirs and not cell.older


def _mark(cell: Cell | None) -> str:
    if cell is None:
        return "—"
    ours, theirs, older = ("✓" if accepted else "✗" for accepted in (cell.ours, cell.theirs, cell.older))
    if not _differs(cell):
        return ours
    if cell.older is None or older == theirs:
        return f"hullmark {ours}, cosign {theirs}"
    return f"hullmark {ours}, {BY_COSIGN} {theirs}, {OLDER} {older}"


def alone(found: Mapping[str, Mapping[str, Row]]) -> list[str]:
    """Cells that hullmark alone accepts."""
    return [f"{kind}: {case}: {cell.said}" for kind, case, cell in _cells(found) if _alone(cell)]


def is_valid(kind: str, case: str) -> bool:
    """Whether it has to be accepted."""
    return case == "valid" and kind not in REFUSED


def _also(kind: str) -> str:
    return "|its timestamp does not verify" if kind in REFUSED else ""


def wrong_reasons(found: Mapping[str, Mapping[str, Row]]) -> list[str]:
    """Cells that hullmark answers for another reason than the case is about."""
    cases = {**CASES, **CASES_NOW}
    return [
        f"{kind}: {case}: {cell.code} {cell.reason}"
        for kind, case, cell in _cells(found)
        if not re.search(f"^[^;]*({cases[case].reason}{_also(kind)})", cell.reason)
        or cell.code != (0 if is_valid(kind, case) else 12)
    ]


def unexplained(found: Mapping[str, Mapping[str, Row]]) -> list[str]:
    """Cells that are answered differently with no reason written for it."""
    return [
        f"{kind}: {case}: hullmark {cell.ours}: {cell.reason}; cosign {cell.theirs}, {cell.older}: {cell.said}"
        for kind, case, cell in _cells(found)
        if _differs(cell) and not any(_explains(item, kind, case, cell) for item in DISAGREEMENTS)
    ]


def idle(found: Mapping[str, Mapping[str, Row]]) -> list[Disagreement]:
    """Reasons for differences that there are none of."""
    different = [(kind, case, cell) for kind, case, cell in _cells(found) if _differs(cell)]
    return [item for item in DISAGREEMENTS if not any(_explains(item, *one) for one in different)]


def _explains(item: Disagreement, kind: str, case: str, cell: Cell) -> bool:
    return re.fullmatch(item.kinds, kind) is not None and case == item.case and cell.ours is item.ours


def _cells(found: Mapping[str, Mapping[str, Row]]) -> Iterator[tuple[str, str, Cell]]:
    for table in found.values():
        for kind, row in table.items():
            for case, cell in row.items():
                if cell is not None:
                    yield kind, case, cell


def main() -> None:
    """Write the page."""
    with private_network(), tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        with sigstore_stack(folder) as stack:
            found = tables(stack, folder)
            keys = key_rows(stack, folder)
    print(*unexplained(found), *wrong_reasons(found), sep="\n")  # noqa: T201
    PAGE.write_text(page(found, keys))


if __name__ == "__main__":
    main()
