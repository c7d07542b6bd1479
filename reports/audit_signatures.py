"""The chapter on signatures: who signed what, what a trust policy says of it, and what nobody signed."""

from __future__ import annotations

from reports import wording
from reports.document import Attestation, Document, PolicyRequirement, Signature
from reports.text import shortened, stopped

_ROWS_MAX = 20
_DIGESTS_MAX = 24
_HELD = {"held": "verified", "not-held": "invalid", "undetermined": "unchecked"}


def signatures(document: Document) -> dict[str, object]:
    """What the template needs for the chapter."""
    verification = document["verification"]
    checked = verification["integrity"]["checked"]
    unreadable: list[dict[str, object]] = [
        {
            "verdict": "unchecked",
            "word": "not understood",
            "title": shortened(item["where"]),
            "reason": stopped(shortened(item["reason"])),
            "signer": None,
            "details": "",
        }
        for item in verification["unreadable"]
    ]
    kinds: tuple[tuple[str, str, list[dict[str, object]]], ...] = (
        ("Signatures", "None was found.", [_signature("Signature", one) for one in verification["signatures"]]),
        ("Attestations", "None was found.", [_attestation(one) for one in verification["attestations"]]),
        ("Material that could not be read", "None.", unreadable),
        ("Reports given as files, which nobody signed", "None was given.", _given(document)),
    )
    policy = verification["policy"]
    if policy is not None:
        none = stopped(shortened(policy["reason"]))
        kinds = (("Trust policy", none, [_requirement(one) for one in policy["requirements"]]), *kinds)
    return {
        "demand": wording.demand(document),
        "signed": [
            {"title": title, "none": none, "rows": rows[:_ROWS_MAX], "more": len(rows) - _ROWS_MAX}
            for title, none, rows in kinds
        ],
        "digests": checked[:_DIGESTS_MAX],
        "more_digests": len(checked) - _DIGESTS_MAX,
    }


def _requirement(requirement: PolicyRequirement) -> dict[str, object]:
    return {
        "verdict": _HELD[requirement["state"]],
        "word": wording.POLICY_STATES[requirement["state"]],
        "title": shortened(wording.requirement(requirement)),
        "reason": stopped(shortened(requirement["reason"])),
        "signer": None,
        "details": f"Required of {shortened(requirement['images'])}.",
    }


def _signature(what: str, signature: Signature) -> dict[str, object]:
    key = f"the key {signature['keyId']}" if signature["keyId"] else None
    issuer = f", issued by {signature['issuer']}" if signature["issuer"] else ""
    details = [
        f"Transparency log: {signature['transparency']}.",
        f"Signed at {signature['signedAt']}." if signature["signedAt"] else "",
        f"Format {signature['kind']}, found in {signature['foundIn']}, bytes {signature['material']}.",
    ]
    return {
        "verdict": signature["verdict"],
        "word": wording.SIGNATURE_VERDICTS[signature["verdict"]],
        "title": what,
        "reason": stopped(shortened(signature["reason"])),
        "signer": shortened(signature["identity"]) + issuer if signature["identity"] else key,
        "details": shortened(" ".join(filter(None, details)), 480),
    }


def _attestation(attestation: Attestation) -> dict[str, object]:
    shown = _signature(shortened(attestation["predicateType"]), attestation)
    if attestation["summary"] is not None:
        shown["reason"] = f"{shown['reason']} It states: {stopped(shortened(attestation['summary'], 400))}"
    return shown


def _given(document: Document) -> list[dict[str, object]]:
    """The user's own files; none is signed, so none is more than a claim."""
    return [
        {
            "verdict": "unchecked",
            "word": "unsigned",
            "title": shortened(f"{report['name']} ({report['form'] or 'not understood'})"),
            "reason": stopped(shortened(report["summary"] or report["reason"] or "", 480)),
            "signer": None,
            "details": f"{wording.ABOUT_IMAGE[report['about']]} sha256:{report['sha256']}.",
        }
        for report in document["suppliedReports"]
    ]
