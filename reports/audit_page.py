"""The audit report as one HTML page: what stands in it, and in which words. The layout is in ``templates``.

Everything comes from the document. Tables are capped, as a page costs a reader and a machine more than a row in
the attached findings.csv; what is left out is counted.
"""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Mapping
from dataclasses import dataclass

from reports import findings, wording
from reports.document import (
    Attestation,
    Check,
    Control,
    Document,
    Observation,
    PolicyRequirement,
    Signature,
    Subject,
)

EVIDENCE_MAX = 6
"""Observations printed for one check; fewer where those of all checks would fill too many pages."""

_EVIDENCE_TEXT_MAX = 60_000  # characters, about fifteen pages

_FIRST_MAX = 4
_ROWS_MAX = 40
_SIGNED_MAX = 20
_PLACES_MAX = 25
_CLAIMS_MAX = 16
_TYPES_MAX = 20
_NAMES_MAX = 6
_TEXT_MAX = 320
_ENVIRONMENT_MAX = 40

_MARKS = {
    "passed": "✓",
    "failed": "×",  # noqa: RUF001
    "unknown": "?",
    "errored": "!",
    "not-applicable": "–",  # noqa: RUF001
    "contradicted": "×",  # noqa: RUF001
    "undetermined": "?",
    "supported": "+",
    "satisfied": "✓",
    "not-satisfied": "×",  # noqa: RUF001
    "not-determined": "?",
    "not-verified": "×",  # noqa: RUF001
    "verified": "✓",
    "invalid": "×",  # noqa: RUF001
    "unchecked": "?",
    "unsigned": "?",
}
_COLORS = {
    "failed": "#ad2119",
    "unknown": "#b97a00",
    "errored": "#752a87",
    "passed": "#17663a",
    "not-applicable": "#c2ccd5",
}
_TRAIT_MEANINGS = {
    "removed": "Shells, package managers, compilers and other tools that a running service does not need are gone.",
    "nonroot": "The program starts as an ordinary user, and nothing in the image helps it to become root.",
    "immutable": "The user that the program runs as cannot change what is run.",
    "purpose": "The image holds what its declared purpose needs, no more, and its releases are supported.",
    "drift": "Every executable is accounted for, and files are as their packages delivered them.",
    "supply": "Every byte is covered by a digest; who built and signed it is verified.",
}
_BASELINES = ("low", "moderate", "high")
_GLOSSARY = (
    ("Attestation", "A signed statement about an image digest: how it was built, what is in it, what a scan found."),
    ("Check", "One question to the image with one of five outcomes: passed, failed, not applicable, unknown, errored."),
    ("Control", "A requirement of a published framework. Checks bear on it; they rarely cover it."),
    ("Digest", "A cryptographic hash of bytes. Two images with the same digest are the same image."),
    ("Errored", "The check itself broke. Counts as not determined."),
    ("Layer", "One of the archives that are laid over each other to make the image's file system."),
    ("Merged tree", "The file system as a container sees it, after all layers are laid over each other."),
    ("Observation", "One fact that a check saw, with the place in the image where it can be seen again."),
    ("Package URL (purl)", "The name of a package with its type and version, as pkg:deb/debian/bash@5.2.15."),
    ("Profile", "What the image is held against: runtime is the strictest; dev and sdk images carry tools on purpose."),
    ("SBOM", "Software bill of materials: the list of the packages in the image, attached as sbom.cdx.json if made."),
    ("Unknown", "The evidence does not suffice. Less evidence never makes a pass."),
    ("Waiver", "A failure that somebody accepted, with a reason and an end. It stays a failure in this report."),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class AttachedFile:
    """A file to attach."""

    name: str
    content: bytes

    @property
    def sha256(self) -> str:
        """In hex."""
        return hashlib.sha256(self.content).hexdigest()


def html(document: Document, files: tuple[AttachedFile, ...]) -> str:
    """The report as one HTML page; `files` are those that go along with it."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("reports"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html.j2").render(
        document=document,
        files=files,
        marks=_MARKS,
        minute=wording.minute,
        size=wording.size,
        glossary=_GLOSSARY,
        **_cover(document),
        **_results(document),
        **_image(document),
        **_controls(document),
        **_signed(document),
        **_limits(document),
        contents=_contents(document),
    )


def _cover(document: Document) -> dict[str, object]:
    subject, summary, tool = document["subject"], document["summary"], document["tool"]
    short = wording.short_digest(subject["digest"], 16)
    return {
        "title": f"Assessment of {_shortened(_named(subject), 120)}",
        "reference": _shortened(_named(subject), 180),
        "counts": _outcome_counts(document),
        "short_reference": _shortened(_named(subject), 75),
        "short_digest": short,
        "tool": f"{tool['name']} {tool['version']}",
        "profile_source": wording.PROFILE_SOURCES[document["profile"]["source"]],
        "verdict": {
            "outcome": summary["outcome"],
            "word": wording.VERDICTS[summary["outcome"]].capitalize(),
            "sentence": wording.verdict_sentence(document),
        },
        "reproduce": _reproduce(document),
    }


def _named(subject: Subject) -> str:
    """The reference as a heading: without the prefix that says nothing and the digest that stands beside it."""
    return subject["reference"].removeprefix("registry:").removesuffix(f"@{subject['digest']}")


def _outcome_counts(document: Document) -> str:
    counts = findings.outcome_counts(document["checks"])
    return ", ".join(f"{counts[one]} {wording.OUTCOMES[one]}" for one in findings.OUTCOMES if counts[one]) or "none"


def _reproduce(document: Document) -> str:
    command = ["hullmark", "assess", document["subject"]["reference"], "--effective-time", document["effectiveTime"]]
    if document["profile"]["source"] == "flag":
        command += ["--profile", document["profile"]["variant"]]
    return shlex.join([*command, "-o", "json"])


def _contents(document: Document) -> list[dict[str, object]]:
    chapters: list[tuple[str, str, list[tuple[str, str]]]] = [
        ("verify", "How to verify this report", []),
        ("summary", "Summary", []),
        ("image", "The image", [("layers", "Layers"), ("packages", "Packages")]),
        ("traits", "Results by promise", []),
        ("failed", "Failed checks", []),
        ("undetermined", "Checks not determined", []),
        ("passed", "Passed checks", [("not-applicable", "Not applicable")]),
        (
            "controls",
            "Controls",
            [
                (f"framework-{_anchor(one['id'])}", f"{one['name']} {one['version']}".strip())
                for one in document["frameworks"]
            ],
        ),
        ("signatures", "Signatures and attestations", []),
        ("limits", "Limits of what was proved", []),
        ("glossary", "Glossary", []),
    ]
    return [
        {
            "anchor": anchor,
            "title": title,
            "parts": [{"anchor": part, "title": name} for part, name in parts],
        }
        for anchor, title, parts in chapters
    ]


def _results(document: Document) -> dict[str, object]:
    bearing = _bearing(document)
    most = _evidence_limit(document)
    blocks = {check["id"]: _block(check, document, bearing.get(check["id"], []), most) for check in document["checks"]}
    failed, waived, undetermined = findings.failed(document), findings.waived(document), findings.undetermined(document)
    first = findings.counted(failed)[:_FIRST_MAX]
    by_outcome = {
        outcome: [blocks[check["id"]] for check in document["checks"] if check["outcome"] == outcome]
        for outcome in ("passed", "not-applicable")
    }
    return {
        "assessed": _assessed(document),
        "checks": frozenset(blocks),
        "traits": [_trait(document, trait, blocks) for trait in findings.TRAITS],
        "first": [
            {**blocks[check["id"]], "seen": _seen(check), "to_do": _opening(check["remediation"])} for check in first
        ],
        "more_first": len(findings.counted(failed)) - len(first),
        "failed": [blocks[check["id"]] for check in (*failed, *waived)],
        "undetermined": [blocks[check["id"]] for check in undetermined],
        "passed": by_outcome["passed"],
        "not_applicable": by_outcome["not-applicable"],
    }


def _evidence_limit(document: Document) -> int:
    """How many observations of each check can be printed: all of EVIDENCE_MAX, half of it, or one."""
    told = [findings.telling(check) for check in document["checks"] if check["outcome"] != "passed"]
    for limit in (EVIDENCE_MAX, EVIDENCE_MAX // 2):
        printed = (_evidence(item, document) for items in told for item in items[:limit])
        if sum(len(str(part)) for item in printed for part in item.values()) <= _EVIDENCE_TEXT_MAX:
            return limit
    return 1


def _assessed(document: Document) -> str:
    subject, coverage = document["subject"], document["coverage"]
    platform = f" for {subject['platform']}" if subject["platform"] else ""
    whole = "All were read to their end" if coverage["whollyRead"] else "Not all could be read (see Limits)"
    return (
        f"{_shortened(_named(subject), 160)}{platform} was assessed: the bytes with "
        f"digest {subject['digest']}. They hold {wording.count(coverage['files'], 'file')} "
        f"({wording.size(coverage['bytes'])}) in {wording.count(len(subject['layers']), 'layer')}. {whole}, and "
        f"{wording.count(document['inventory']['packages'], 'package')} were found in them. The image was held against "
        f"the {document['profile']['id']} profile with {wording.count(len(document['checks']), 'check')}."
    )


def _trait(document: Document, trait: str, blocks: Mapping[str, dict[str, object]]) -> dict[str, object]:
    checks = findings.of_trait(document, trait)
    counts = findings.outcome_counts(checks)
    present = [(outcome, counts[outcome]) for outcome in findings.OUTCOMES if counts[outcome]]
    return {
        "anchor": f"trait-{trait}",
        "title": wording.TRAITS[trait],
        "meaning": _TRAIT_MEANINGS[trait],
        "parts": [{"outcome": outcome, "text": f"{number} {wording.OUTCOMES[outcome]}"} for outcome, number in present],
        "bar": _bar(present),
        "checks": [blocks[check["id"]] for check in checks],
    }


def _bar(parts: list[tuple[str, int]]) -> object:
    """A bar of one square for each check, in inline SVG; numbers and words stand beside it."""
    from markupsafe import Markup

    outcomes = [outcome for outcome, number in parts for _ in range(number)]
    if not outcomes:
        return ""
    width, gap, height = 128.0, 1.0, 9.0
    step = min(width / len(outcomes), 12.0)
    title = ", ".join(f"{number} {wording.OUTCOMES[outcome]}" for outcome, number in parts)
    cells = Markup("").join(
        Markup('<rect x="{:.2f}" y="0" width="{:.2f}" height="{}" fill="{}"/>').format(
            place * step, max(step - gap, 0.3), height, _COLORS[outcome]
        )
        for place, outcome in enumerate(outcomes)
    )
    return Markup('<svg width="{0}" height="{1}" viewBox="0 0 {0} {1}"><title>{2}</title>{3}</svg>').format(
        width, height, title, cells
    )


def _block(check: Check, document: Document, bearing: list[Control], most: int) -> dict[str, object]:
    """One check as its chapter prints it, with at most `most` observations."""
    shown = findings.telling(check)[:most]
    return {
        "id": check["id"],
        "title": check["title"],
        "severity": check["severity"],
        "outcome": check["outcome"],
        "word": wording.OUTCOMES[check["outcome"]],
        "reason": _sentence(_shortened(check["reason"] or "No reason was given")),
        "short_reason": _opening(check["reason"] or "", 110),
        "rationale": check["rationale"],
        "remediation": check["remediation"],
        "proves": check["proves"],
        "waiver": _waiver(check),
        "uncounted": None if check["uncounted"] is None else _sentence(_shortened(check["uncounted"])),
        "observations": len(check["observations"]),
        "summary": _common_summary(shown),
        "evidence": [_evidence(item, document) for item in shown],
        "more_evidence": len(check["observations"]) - len(shown),
        "rests_on": " ".join(_sentence(_seen_at(item)) for item in shown[:3]),
        "bears_on": _grouped(document, bearing),
    }


def _common_summary(observations: list[Observation]) -> str | None:
    """What is the same for all of several files, so that it is printed once."""
    summaries = {item["summary"] for item in observations if item["path"]}
    alike = len(summaries) == 1 and all(item["path"] for item in observations) and len(observations) > 1
    return _sentence(_shortened(summaries.pop())) if alike else None


def _evidence(item: Observation, document: Document) -> dict[str, object]:
    layers = [layer["digest"] for layer in document["subject"]["layers"]]
    value = item["value"]
    names = [name for name in item["names"] if name != item["path"]]
    others = f" and {len(names) - _NAMES_MAX} more names" if len(names) > _NAMES_MAX else ""
    layer = ""
    if item["layer"] in layers:
        layer = f"layer {layers.index(item['layer']) + 1} {wording.short_digest(item['layer'])}"
    size = "" if item["size"] is None else wording.size(item["size"])
    origin = (layer, size, item["verdict"], item["method"], item["package"], _sha256(item))
    path, summary = item["path"] or "", _sentence(_shortened(item["summary"], 240))
    begins = bool(path) and summary.startswith(f"{path} ")
    return {
        "path": _shortened(path),
        "begins": begins,
        "summary": summary.removeprefix(path) if begins else summary,
        "value": _shortened(value, 120) if value and value not in item["summary"] else None,
        "names": _shortened(", ".join(names[:_NAMES_MAX]), 200) + others if names else None,
        "origin": " · ".join(_shortened(fact, 160) for fact in origin if fact),
    }


def _sha256(item: Observation) -> str:
    return f"sha256:{item['sha256']}" if item["sha256"] else ""


def _seen(check: Check) -> str:
    """What a failed check saw, in one cell of a table."""
    shown = findings.telling(check)
    if not shown:
        return ""
    more = len(shown) - 1
    path, summary = wording.seen(shown[0])
    where = f"{_shortened(path, 64)}: " if path else ""
    return where + _opening(summary, 90) + (f" (and {more:,} more)" if more else "")


def _seen_at(item: Observation) -> str:
    path, summary = wording.seen(item)
    return (f"{_shortened(path)}: " if path else "") + _shortened(summary)


def _waiver(check: Check) -> str | None:
    waiver = check["waiver"]
    if waiver is None:
        return None
    until = f" until {waiver['expires']}" if waiver["expires"] else " without an end"
    return f"{waiver['id']}, approved by {waiver['approver']}{until}: {_shortened(waiver['reason'])}"


def _bearing(document: Document) -> dict[str, list[Control]]:
    """The controls that each check bears on."""
    bearing: dict[str, list[Control]] = {}
    for control in document["controls"]:
        for identifier in control["checks"]:
            bearing.setdefault(identifier, []).append(control)
    return bearing


def _grouped(document: Document, controls: list[Control]) -> list[dict[str, object]]:
    names = {framework["id"]: framework["name"] for framework in document["frameworks"]}
    groups: dict[str, list[dict[str, str]]] = {}
    for control in controls:
        groups.setdefault(control["framework"], []).append(
            {"label": control["label"], "anchor": _control_anchor(control)}
        )
    return [{"framework": names[framework], "controls": group} for framework, group in groups.items()]


# The image


def _image(document: Document) -> dict[str, object]:
    subject, coverage, inventory = document["subject"], document["coverage"], document["inventory"]
    layers = [
        {
            "number": number,
            "size": wording.size(layer["size"]),
            "digest": layer["digest"],
            "created_by": _shortened(layer["createdBy"] or "not recorded", 200),
        }
        for number, layer in enumerate(subject["layers"], 1)
    ]
    system = inventory["distribution"]
    types = sorted(inventory["byType"].items(), key=lambda item: (-item[1], item[0]))
    residue = coverage["residue"]
    hidden = (
        f" Lower layers hold {wording.count(residue['files'], 'further file')} ({wording.size(residue['bytes'])}) that "
        "upper ones hide: a container does not see them, but whoever has the image does."
        if residue["files"]
        else " No file of a lower layer is hidden by an upper one."
    )
    claims = _claims(document)
    return {
        "system": (system["prettyName"] or system["id"]) if system else "no os-release file in the image",
        "config": _config(document),
        "notices": [_shortened(notice) for notice in subject["notices"][:_PLACES_MAX]],
        "read": (
            f"{wording.count(coverage['entries'], 'entry', 'entries')} in the merged tree, among them "
            f"{wording.count(coverage['files'], 'regular file')} of {wording.size(coverage['bytes'])} in all; "
            f"{coverage['executables']:,} of them may be executed. "
            + ("Every one was read to its end." if coverage["whollyRead"] else "Not all could be read: see Limits.")
            + hidden
        ),
        "layers": layers[:_ROWS_MAX],
        "more_layers": len(layers) - _ROWS_MAX,
        "packages": types[:_TYPES_MAX],
        "packages_sentence": _packages_sentence(document, len(types)),
        "claims": claims[:_CLAIMS_MAX],
        "more_claims": len(claims) - _CLAIMS_MAX,
    }


def _claims(document: Document) -> list[dict[str, str]]:
    """The claims by name; one that label and annotation make alike is one row."""
    sources: dict[tuple[str, str], list[str]] = {}
    for claim in document["subject"]["claims"]:
        sources.setdefault((claim["name"], claim["value"]), []).append(claim["source"])
    return [
        {"name": name, "value": _shortened(value), "source": ", ".join(found)}
        for (name, value), found in sorted(sources.items())
    ]


def _packages_sentence(document: Document, types: int) -> str:
    sentence = f"{wording.count(document['inventory']['packages'], 'package')} of {wording.count(types, 'type')}."
    if document["inventory"]["unknowns"]:
        sentence += " There may be more: see Read, but not understood, in the chapter on limits."
    return sentence + (f" The {_TYPES_MAX} most frequent types:" if types > _TYPES_MAX else "")


def _config(document: Document) -> dict[str, str | None] | None:
    config = document["subject"]["config"]
    if config is None:
        return None
    variables = [
        variable["name"] if variable["value"] is None else f"{variable['name']}={variable['value']}"
        for variable in config["environment"]
    ]
    more = f", and {len(variables) - _ENVIRONMENT_MAX} more" if len(variables) > _ENVIRONMENT_MAX else ""
    return {
        "user": config["user"],
        "entrypoint": _command(config["entrypoint"]),
        "cmd": _command(config["cmd"]),
        "healthcheck": _command(config["healthcheck"] or []),
        "working_directory": config["workingDir"],
        "ports": _shortened(", ".join(config["exposedPorts"])),
        "volumes": _shortened(", ".join(config["volumes"])),
        "environment": ", ".join(_shortened(variable, 120) for variable in variables[:_ENVIRONMENT_MAX]) + more,
        "on_build": _shortened("; ".join(config["onBuild"])),
        "created": f"{config['created']} (unsigned claim)" if config["created"] else None,
    }


def _command(arguments: list[str]) -> str:
    return _shortened(shlex.join(arguments)) if arguments else ""


# Controls


def _controls(document: Document) -> dict[str, object]:
    return {
        "statuses": [
            (status, wording.STATUSES[status], wording.STATUS_MEANINGS[status]) for status in findings.STATUSES
        ],
        "relations": tuple(wording.RELATION_MEANINGS.items()),
        "frameworks": [
            {
                "id": _anchor(framework["id"]),
                "title": f"{framework['name']} {framework['version']}".strip(),
                "caveats": framework["caveats"],
                "source": framework["source"],
                "counts": _status_counts(document, framework["id"]),
                "controls": [_control(control) for control in findings.of_framework(document, framework["id"])],
            }
            for framework in document["frameworks"]
        ],
    }


def _status_counts(document: Document, framework: str) -> str:
    counts = findings.status_counts(findings.of_framework(document, framework))
    parts = [f"{counts[status]} {wording.STATUSES[status]}" for status in findings.STATUSES if counts[status]]
    return ", ".join(parts) or "no controls"


def _control(control: Control) -> dict[str, object]:
    title = (
        control["title"] if control["confirmed"] else f"{control['title']} (id or title not confirmed in the source)"
    )
    return {
        "anchor": _control_anchor(control),
        "label": control["label"],
        "title": title,
        "status": control["status"],
        "word": wording.STATUSES[control["status"]],
        "relation": control["relation"] or "none was run",
        "baselines": _baselines(control),
        "checks": control["checks"],
        "waived": control["waived"],
    }


def _baselines(control: Control) -> str:
    """The baselines of a control; those of a framework without any have no text."""
    baselines = control["baselines"]
    if baselines is None:
        return ""
    for place, lowest in enumerate(_BASELINES):
        if set(baselines) == set(_BASELINES[place:]):
            return f"{lowest} and up" if len(baselines) > 1 else f"{lowest} only"
    return ", ".join(baselines) or "no baseline"


def _control_anchor(control: Control) -> str:
    return f"control-{_anchor(control['framework'])}-{_anchor(control['id'])}"


def _anchor(identifier: str) -> str:
    """An identifier as part of an anchor: what is not a letter, digit, dot or dash becomes its code."""
    return "".join(char if char.isalnum() or char in ".-" else f"_{ord(char):x}" for char in identifier)


# Signatures


def _signed(document: Document) -> dict[str, object]:
    verification = document["verification"]
    checked = verification["integrity"]["checked"]
    unreadable: list[dict[str, object]] = [
        {
            "verdict": "unchecked",
            "word": "not understood",
            "title": _shortened(item["where"]),
            "reason": _sentence(_shortened(item["reason"])),
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
        none = _sentence(_shortened(policy["reason"]))
        kinds = (("Trust policy", none, [_requirement(one) for one in policy["requirements"]]), *kinds)
    return {
        "demand": _demand(document),
        "signed": [
            {"title": title, "none": none, "rows": rows[:_SIGNED_MAX], "more": len(rows) - _SIGNED_MAX}
            for title, none, rows in kinds
        ],
        "digests": checked[:_ROWS_MAX],
        "more_digests": len(checked) - _ROWS_MAX,
    }


def _requirement(requirement: PolicyRequirement) -> dict[str, object]:
    held = {"held": "verified", "not-held": "invalid", "undetermined": "unchecked"}
    return {
        "verdict": held[requirement["state"]],
        "word": wording.POLICY_STATES[requirement["state"]],
        "title": _shortened(wording.requirement(requirement)),
        "reason": _sentence(_shortened(requirement["reason"])),
        "signer": None,
        "details": f"Required of {_shortened(requirement['images'])}.",
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
        "reason": _sentence(_shortened(signature["reason"])),
        "signer": _shortened(signature["identity"]) + issuer if signature["identity"] else key,
        "details": _shortened(" ".join(filter(None, details)), 480),
    }


def _attestation(attestation: Attestation) -> dict[str, object]:
    shown = _signature(_shortened(attestation["predicateType"]), attestation)
    if attestation["summary"] is not None:
        shown["details"] = _shortened(f"It states: {attestation['summary']}. {shown['details']}", 640)
    return shown


def _given(document: Document) -> list[dict[str, object]]:
    """The user's own files; none is signed, so none is more than a claim."""
    return [
        {
            "verdict": "unchecked",
            "word": "unsigned",
            "title": _shortened(f"{report['name']} ({report['form'] or 'not understood'})"),
            "reason": _sentence(_shortened(report["summary"] or report["reason"] or "", 480)),
            "signer": None,
            "details": f"{wording.ABOUT_IMAGE[report['about']]} sha256:{report['sha256']}.",
        }
        for report in document["suppliedReports"]
    ]


def _demand(document: Document) -> str:
    demand = document["verification"]["demand"]
    policy = document["verification"]["policy"]
    if policy is not None:
        return (
            f"Verified means: by a signer whom the trust policy {policy['digest']} names for it. The policy knows the "
            f"image as {_shortened(policy['image'])}. Nobody else is trusted."
        )
    if not demand["made"]:
        return "No key and no identity was named to verify against, so that nothing is trusted here."
    named = (
        ("key", demand["keyId"]),
        ("identity", demand["identity"]),
        ("identity matching", demand["identityRegexp"]),
        ("issuer", demand["issuer"]),
        ("issuer matching", demand["issuerRegexp"]),
    )
    words = ", ".join(f"{what} {_shortened(value)}" for what, value in named if value)
    return f"Verified means: by the signer that the assessment was told to trust ({words}). Nobody else is trusted."


# Limits


def _limits(document: Document) -> dict[str, object]:
    coverage = document["coverage"]
    unread = [
        {"path": _shortened(place["path"], 200), "reason": _shortened(place["reason"], 200)}
        for place in coverage["unread"]
    ]
    unknowns = [
        {"path": _shortened(place["path"], 200), "reason": _shortened(place["reason"], 200)}
        for place in document["inventory"]["unknowns"]
    ]
    absence = (
        "Something is called absent only where every file was read to its end; here it was so."
        if coverage["whollyRead"]
        else "Something is called absent only where every file was read to its end. Here it was not so; see below."
    )
    return {
        "absence": absence,
        "unread": unread[:_PLACES_MAX],
        "more_unread": len(unread) - _PLACES_MAX,
        "unknowns": unknowns[:_PLACES_MAX],
        "more_unknowns": len(unknowns) - _PLACES_MAX,
    }


# Text


def _shortened(text: str, limit: int = _TEXT_MAX) -> str:
    """`text`, its middle left out when it is longer than `limit`: both ends of a path tell more than its middle."""
    if len(text) <= limit:
        return text
    half = (limit - 3) // 2
    return f"{text[:half]} … {text[-half:]}"


def _opening(text: str, limit: int = 125) -> str:
    """The first sentences of `text` that fit, or its first words."""
    if len(text) <= limit:
        return text
    end = max(text.rfind(mark, 0, limit) for mark in (". ", "; "))
    return text[: end + 1].rstrip(";") if end > 0 else text[: text.rfind(" ", 0, limit)] + " …"


def _sentence(text: str) -> str:
    return text if not text or text[-1] in ".!?…" else f"{text}."
