"""What stands in the HTML report, and in which words. The layout is in ``templates/html``.

Everything comes from the document. Long lists are folded with their number; what a browser should not have to hold
is left out, counted, and in findings.csv or assessment.json.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence

from reports import drift_wording, findings, html_charts, wording
from reports.branding import Branding
from reports.document import Attestation, Check, Control, Document, Observation, PolicyRequirement, Signature
from reports.framework_reach import coverage
from reports.text import anchor, control_anchor, opening, shortened, stopped
from reports.writable_surface import writable_rows

EVIDENCE_MAX = 200
"""Observations of one check; fewer where those of all checks would be more text than a browser handles well."""
EVIDENCE_SHOWN = 8
"""Those of them that are not folded away."""

_EVIDENCE_TEXT_MAX = 4_000_000  # characters
_ROWS_MAX = 500
_ROWS_SHOWN = 12
_FIRST_MAX = 5
_OPEN_MAX = 5
_NAMES_MAX = 20
_VARIABLES_MAX = 100
_TYPES_CHARTED = 6
_HELD = {"held": "verified", "not-held": "invalid", "undetermined": "unchecked"}

View = dict[str, object]


def view(document: Document, branding: Branding) -> View:
    """The values that the template prints."""
    checks = _checks(document)
    return {
        "document": document,
        "marks": wording.MARKS,
        "glossary": wording.glossary(wording.PLACES["html"]),
        "title": branding.title or f"Assessment of {shortened(_named(document), 120)}",
        "reference": shortened(_named(document), 200),
        "verdict": _verdict(document),
        "facts": _facts(document),
        "assessed": _assessed(document),
        "traits": _traits(document, checks),
        "first": _first(document, checks),
        "undetermined": _undetermined(document, checks),
        "groups": _groups(document, checks),
        "checks": frozenset(checks),
        "filters": _filters(document),
        "waivers": _waivers(document),
        "contents": _contents(document),
        "reproduce": wording.reproduce(document),
        "rows_shown": _ROWS_SHOWN,
        "evidence_shown": EVIDENCE_SHOWN,
        **_controls(document),
        **coverage(document),
        **_image(document),
        **_signed(document),
        **_limits(document),
    }


def _named(document: Document) -> str:
    """The reference without the prefix that says nothing and the digest that stands beside it."""
    subject = document["subject"]
    return subject["reference"].removeprefix("registry:").removesuffix(f"@{subject['digest']}")


def _verdict(document: Document) -> View:
    outcome = document["summary"]["outcome"]
    word = wording.VERDICTS[outcome].capitalize()
    return {"outcome": outcome, "word": word, "sentence": wording.verdict_sentence(document)}


def _facts(document: Document) -> list[tuple[str, str, bool]]:
    """Name, value, and whether it is a digest."""
    profile, tool = document["profile"], document["tool"]
    return [
        ("Image digest", document["subject"]["digest"], True),
        ("Platform", document["subject"]["platform"] or "not stated", False),
        ("Assessed as of", wording.minute(document["effectiveTime"]), False),
        ("Held against", f"the {profile['id']} profile ({wording.PROFILE_SOURCES[profile['source']]})", False),
        ("Checks", _outcome_counts(document["checks"]), False),
        ("Failures count from", f"{document['summary']['failOn']} severity", False),
        ("Tool", f"{tool['name']} {tool['version']}", False),
        ("Control library", tool["controlsDigest"], True),
        *(
            (
                f"Own {file['role']}",
                f"{shortened(file['name'], 200)}, {'signed by ' + file['signer'] if file['signer'] else 'not signed'}, "
                f"sha256:{file['sha256']}",
                False,
            )
            for file in document["definitions"]
        ),
    ]


def _outcome_counts(checks: Iterable[Check]) -> str:
    counts = findings.outcome_counts(checks)
    return ", ".join(f"{counts[one]} {wording.OUTCOMES[one]}" for one in findings.OUTCOMES if counts[one]) or "none"


def _assessed(document: Document) -> str:
    coverage = document["coverage"]
    whole = "All were read to their end" if coverage["whollyRead"] else "Not all could be read (see Limits)"
    return (
        f"The image holds {wording.count(coverage['files'], 'file')} ({wording.size(coverage['bytes'])}) in "
        f"{wording.count(len(document['subject']['layers']), 'layer')}. {whole}, and "
        f"{wording.count(document['inventory']['packages'], 'package')} were found in them. It was held against the "
        f"{document['profile']['id']} profile with {wording.count(len(document['checks']), 'check')}."
    )


def _contents(document: Document) -> list[tuple[str, str, int | None]]:
    """Anchor, title, and a number where one tells something."""
    verification = document["verification"]
    signed = len(verification["signatures"]) + len(verification["attestations"])
    return [
        ("summary", "Summary", None),
        ("findings", "Findings", len(document["checks"])),
        ("controls", "Controls", len(document["controls"])),
        ("coverage", wording.CHAPTERS["coverage-short"], None),
        ("image", "The image", None),
        ("signatures", "Signatures", signed),
        ("limits", "Limits", None),
        ("verify", "How to verify", None),
        ("glossary", "Glossary", None),
    ]


# Findings


def _checks(document: Document) -> dict[str, View]:
    bearing = _bearing(document)
    most = _evidence_limit(document)
    return {check["id"]: _check(check, document, bearing.get(check["id"], []), most) for check in document["checks"]}


def _check(check: Check, document: Document, bearing: Sequence[Control], most: int) -> View:
    shown = findings.telling(check)[:most]
    layers = {layer["digest"]: number for number, layer in enumerate(document["subject"]["layers"], 1)}
    common = _common_summary(shown)
    return {
        "id": check["id"],
        "anchor": f"check-{anchor(check['id'])}",
        "title": check["title"],
        "severity": check["severity"],
        "own_severity": check["ownSeverity"],
        "outcome": check["outcome"],
        "word": wording.OUTCOMES[check["outcome"]],
        "trait": check["trait"],
        "trait_title": wording.TRAITS[check["trait"]],
        "frameworks": " ".join(dict.fromkeys(anchor(control["framework"]) for control in bearing)),
        "seen": _seen(check),
        "reason": stopped(shortened(check["reason"], 1000)) if check["reason"] else None,
        "uncounted": stopped(shortened(check["uncounted"], 1000)) if check["uncounted"] else None,
        "waiver": _waiver(check),
        "rationale": check["rationale"],
        "remediation": check["remediation"],
        "proves": check["proves"],
        "looks_at": check["looksAt"],
        "references": check["references"],
        "observations": len(check["observations"]),
        "common": common,
        "evidence": [_evidence(item, layers, common is not None) for item in shown],
        "more_evidence": len(check["observations"]) - len(shown),
        "bears_on": _grouped(document, bearing),
    }


def _evidence_limit(document: Document) -> int:
    """How many observations of each check the page holds: EVIDENCE_MAX, or the largest fraction of it that fits."""
    lengths = [
        [sum(len(str(value)) for value in item.values()) for item in findings.telling(check)[:EVIDENCE_MAX]]
        for check in document["checks"]
    ]
    limit = EVIDENCE_MAX
    while limit > 1 and sum(sum(each[:limit]) for each in lengths) > _EVIDENCE_TEXT_MAX:
        limit //= 2
    return limit


def _seen(check: Check) -> str:
    """What the line of a folded check says: what was seen, or why nothing could be said."""
    if check["reason"]:
        return opening(check["reason"], 160)
    shown = findings.telling(check)
    if not shown:
        return ""
    path, summary = wording.seen(shown[0])
    more = f" (and {len(shown) - 1:,} more)" if len(shown) > 1 else ""
    return (f"{shortened(path, 64)}: " if path else "") + opening(summary, 140) + more


def _common_summary(observations: Sequence[Observation]) -> str | None:
    """What is the same for all of several files, so that it is printed once."""
    summaries = {item["summary"] for item in observations if item["path"]}
    alike = len(summaries) == 1 and all(item["path"] for item in observations) and len(observations) > 1
    return stopped(shortened(summaries.pop())) if alike else None


def _evidence(item: Observation, layers: Mapping[str, int], alike: bool) -> View:
    value = item["value"]
    names = [name for name in item["names"] if name != item["path"]]
    path, summary = item["path"] or "", item["summary"]
    if path and summary.startswith(f"{path} "):
        summary = summary.removeprefix(path).strip()
    return {
        "path": shortened(path),
        "summary": None if alike else stopped(shortened(summary, 400)),
        "value": shortened(value, 160) if value and value not in item["summary"] else None,
        "names": ", ".join(shortened(name, 160) for name in names[:_NAMES_MAX]),
        "more_names": len(names) - _NAMES_MAX,
        "layer": layers.get(item["layer"] or ""),
        "layer_digest": wording.short_digest(item["layer"]) if item["layer"] else None,
        "facts": [
            shortened(fact, 200)
            for fact in (
                None if item["size"] is None else wording.size(item["size"]),
                item["verdict"],
                item["method"],
                item["package"],
                f"sha256:{item['sha256']}" if item["sha256"] else None,
            )
            if fact
        ],
    }


def _waiver(check: Check) -> str | None:
    waiver = check["waiver"]
    if waiver is None:
        return None
    until = f" until {waiver['expires']}" if waiver["expires"] else " without an end"
    return f"{waiver['id']}, approved by {waiver['approver']}{until}: {shortened(waiver['reason'], 1000)}"


def _waivers(document: Document) -> View:
    """Every waiver that was given, what became of it, and who answers for it."""
    rows = [
        {
            "id": shortened(use["waiver"]["id"], 120),
            "check": use["check"],
            "anchor": f"check-{anchor(use['check'])}",
            "state": wording.WAIVER_STATES.get(use["state"], use["state"]),
            "reason": shortened(use["waiver"]["reason"], 1000),
            "facts": ", ".join(
                (
                    f"approved by {shortened(use['waiver']['approver'], 200)}",
                    f"until {use['waiver']['expires']}" if use["waiver"]["expires"] else "without an end",
                    f"signed by {shortened(use['waiver']['signer'], 200)}" if use["waiver"]["signer"] else "not signed",
                    f"in {shortened(use['waiver']['file'], 200)}",
                )
            ),
        }
        for use in document["waivers"]
    ]
    return {"rows": rows[:_ROWS_MAX], "more": len(rows) - _ROWS_MAX}


def _bearing(document: Document) -> dict[str, list[Control]]:
    """The controls that each check bears on."""
    bearing: dict[str, list[Control]] = {}
    for control in document["controls"]:
        for identifier in control["checks"]:
            bearing.setdefault(identifier, []).append(control)
    return bearing


def _grouped(document: Document, controls: Iterable[Control]) -> list[View]:
    names: dict[str, object] = {framework["id"]: framework["name"] for framework in document["frameworks"]}
    groups: dict[str, list[View]] = {}
    for control in controls:
        link: View = {"label": control["label"], "anchor": control_anchor(control), "title": control["title"]}
        groups.setdefault(control["framework"], []).append(link)
    return [{"framework": names[framework], "controls": group} for framework, group in groups.items()]


def _groups(document: Document, checks: Mapping[str, View]) -> list[View]:
    """The findings in the order in which they matter."""
    failed, open_ones = findings.failed(document), findings.undetermined(document)
    parts: tuple[tuple[str, str, list[Check]], ...] = (
        ("failed", "Failed", failed),
        ("waived", "Failed, but waived", findings.waived(document)),
        ("undetermined", "Not determined", findings.counted(open_ones)),
        ("apart", "Not determined, and does not count", findings.uncounted(open_ones)),
        ("passed", "Passed", [check for check in document["checks"] if check["outcome"] == "passed"]),
        ("none", "Not applicable", [check for check in document["checks"] if check["outcome"] == "not-applicable"]),
    )
    return [
        {"anchor": f"group-{name}", "title": title, "checks": [checks[check["id"]] for check in part]}
        for name, title, part in parts
        if part
    ]


def _traits(document: Document, checks: Mapping[str, View]) -> list[View]:
    by_trait = {trait: findings.of_trait(document, trait) for trait in findings.TRAITS}
    most = max((len(found) for found in by_trait.values()), default=0)
    traits: list[View] = []
    for trait, found in by_trait.items():
        counts = findings.outcome_counts(found)
        parts = [(outcome, counts[outcome]) for outcome in findings.OUTCOMES if counts[outcome]]
        label = f"{wording.TRAITS[trait]}: {_outcome_counts(found)}"
        traits.append(
            {
                "id": trait,
                "title": wording.TRAITS[trait],
                "meaning": wording.TRAIT_MEANINGS[trait],
                "parts": [(outcome, f"{number} {wording.OUTCOMES[outcome]}") for outcome, number in parts],
                "chart": html_charts.unit_bar(parts, most, label),
                "checks": [checks[check["id"]] for check in found],
            }
        )
    return traits


def _first(document: Document, checks: Mapping[str, View]) -> View:
    failed = findings.counted(findings.failed(document))
    return {
        "checks": [
            {**checks[check["id"]], "to_do": opening(check["remediation"], 200)} for check in failed[:_FIRST_MAX]
        ],
        "more": len(failed) - _FIRST_MAX,
    }


def _undetermined(document: Document, checks: Mapping[str, View]) -> View:
    counted = findings.counted(findings.undetermined(document))
    return {"checks": [checks[check["id"]] for check in counted[:_OPEN_MAX]], "more": len(counted) - _OPEN_MAX}


def _filters(document: Document) -> View:
    outcomes = findings.outcome_counts(document["checks"])
    severities = {check["severity"] for check in document["checks"]}
    return {
        "outcomes": [(one, wording.OUTCOMES[one], outcomes[one]) for one in findings.OUTCOMES if outcomes[one]],
        "severities": [severity for severity in findings.SEVERITIES if severity in severities],
        "traits": [(trait, wording.TRAITS[trait]) for trait in findings.TRAITS if findings.of_trait(document, trait)],
        "frameworks": [
            (anchor(one["id"]), shortened(f"{one['name']} {one['version']}".strip(), 70))
            for one in document["frameworks"]
        ],
    }


# Controls


def _controls(document: Document) -> View:
    return {
        "statuses": [(one, wording.STATUSES[one], wording.STATUS_MEANINGS[one]) for one in findings.STATUSES],
        "relations": tuple(wording.RELATION_MEANINGS.items()),
        "frameworks": [
            _framework(document, framework["id"], f"{framework['name']} {framework['version']}".strip())
            | {"caveats": framework["caveats"], "source": framework["source"], "given_by": framework["givenBy"]}
            for framework in document["frameworks"]
        ],
    }


def _framework(document: Document, identifier: str, title: str) -> View:
    controls = findings.of_framework(document, identifier)
    counts = findings.status_counts(controls)
    parts = [(status, counts[status]) for status in findings.STATUSES if counts[status]]
    words = ", ".join(f"{number} {wording.STATUSES[status]}" for status, number in parts) or "no controls"
    return {
        "anchor": f"framework-{anchor(identifier)}",
        "title": title,
        "counts": words,
        "chart": html_charts.stacked_bar(parts, f"{title}: {words}", 10),
        "controls": [_control(control) for control in controls],
    }


def _control(control: Control) -> View:
    unconfirmed = "" if control["confirmed"] else " (id or title not confirmed in the source)"
    return {
        "anchor": control_anchor(control),
        "label": control["label"],
        "title": control["title"] + unconfirmed,
        "status": control["status"],
        "word": wording.STATUSES[control["status"]],
        "relation": wording.bearing(control),
        "mapping": _mapping(control),
        "baselines": wording.baselines(control),
        "checks": [(identifier, f"check-{anchor(identifier)}") for identifier in control["checks"]],
        "waived": control["waived"],
    }


def _mapping(control: Control) -> list[View]:
    """How each check bears on the control, and why, as its auditor would ask."""
    return [
        {
            "check": mapped["check"],
            "anchor": f"check-{anchor(mapped['check'])}",
            "relation": wording.RELATIONS[mapped["relation"]],
            "rationale": mapped["rationale"].removeprefix(f"{mapped['check']} "),
        }
        for mapped in control["mapping"]
    ]


# The image


def _image(document: Document) -> View:
    inventory = document["inventory"]
    system = inventory["distribution"]
    types = sorted(inventory["byType"].items(), key=lambda item: (-item[1], item[0]))
    return {
        "image_facts": _image_facts(document, (system["prettyName"] or system["id"]) if system else None),
        "rootfs": document["subject"]["config"] is None,
        "notices": [shortened(notice) for notice in document["subject"]["notices"][:_ROWS_MAX]],
        "read": wording.read(document),
        "layers": _layers(document),
        "packages_sentence": _packages_sentence(document, len(types)),
        "packages": [(name, f"{number:,}") for name, number in types[:_ROWS_MAX]],
        "packages_chart": _packages_chart(types),
        "writable": _writable(document),
        "claims": _claims(document),
        "baseline": _baseline(document),
    }


def _image_facts(document: Document, system: str | None) -> list[tuple[str, str, bool]]:
    subject, config = document["subject"], document["subject"]["config"]
    facts: list[tuple[str, str | None, bool]] = [
        ("Reference", subject["reference"], False),
        ("Digest", subject["digest"], True),
        ("Chosen from index", subject["indexDigest"], True),
        ("Config digest", subject["configDigest"], True),
        ("Media type", subject["mediaType"], False),
        ("Platform", subject["platform"] or "not stated", False),
        ("Operating system", system or "no os-release file in the image", False),
    ]
    if config is not None:
        variables = [
            variable["name"] if variable["value"] is None else f"{variable['name']}={variable['value']}"
            for variable in config["environment"]
        ]
        more = f", and {len(variables) - _VARIABLES_MAX} more" if len(variables) > _VARIABLES_MAX else ""
        facts += [
            ("User", config["user"] or "not set, which means root (uid 0)", False),
            ("Entrypoint", _command(config["entrypoint"]) or "none", True),
            ("Command", _command(config["cmd"]) or "none", True),
            ("Health check", _command(config["healthcheck"] or []), True),
            ("Working directory", config["workingDir"], True),
            ("Ports", ", ".join(config["exposedPorts"]) or "none declared", False),
            ("Volumes", ", ".join(config["volumes"]) or "none declared", False),
            (
                "Environment",
                ", ".join(shortened(one, 160) for one in variables[:_VARIABLES_MAX]) + more or "empty",
                True,
            ),
            ("Triggers (ONBUILD)", "; ".join(config["onBuild"]), True),
            ("Made", f"{config['created']} (unsigned claim)" if config["created"] else None, False),
        ]
    return [(name, shortened(value, 2000), mono) for name, value, mono in facts if value]


def _command(arguments: Sequence[str]) -> str:
    return shlex.join(arguments) if arguments else ""


def _layers(document: Document) -> View:
    layers = document["subject"]["layers"]
    most = max((layer["size"] for layer in layers), default=0)
    return {
        "rows": [
            {
                "number": number,
                "size": wording.size(layer["size"]),
                "chart": html_charts.bar(layer["size"], most, f"layer {number}: {wording.size(layer['size'])}"),
                "digest": layer["digest"],
                "created_by": shortened(layer["createdBy"] or "not recorded", 400),
            }
            for number, layer in enumerate(layers[:_ROWS_MAX], 1)
        ],
        "more": len(layers) - _ROWS_MAX,
    }


def _packages_sentence(document: Document, types: int) -> str:
    sentence = f"{wording.count(document['inventory']['packages'], 'package')} of {wording.count(types, 'type')}."
    if document["inventory"]["unknowns"]:
        sentence += " There may be more: see Read, but not understood, among the limits."
    return sentence


def _packages_chart(types: Sequence[tuple[str, int]]) -> View | None:
    """The most frequent types as one bar, all others as its last part."""
    if len(types) < 2:
        return None
    parts = list(types[:_TYPES_CHARTED])
    rest = sum(number for _, number in types[_TYPES_CHARTED:])
    if rest:
        parts.append(("others", rest))
    label = ", ".join(f"{number} {name}" for name, number in parts)
    return {
        "bar": html_charts.stacked_bar([(f"part{place}", number) for place, (_, number) in enumerate(parts)], label),
        "legend": [(f"part{place}", name, f"{number:,}") for place, (name, number) in enumerate(parts)],
    }


def _writable(document: Document) -> list[View]:
    rows = writable_rows(document)
    most = max((row.places or 0 for row in rows), default=0)
    return [
        {
            "id": row.check["id"],
            "anchor": f"check-{anchor(row.check['id'])}",
            "outcome": row.check["outcome"],
            "word": wording.OUTCOMES[row.check["outcome"]],
            "places": row.shown,
            "chart": html_charts.bar(row.places or 0, most, f"{row.check['id']}: {row.shown} places", "failed"),
            "seen": opening(shortened(row.seen, 400), 160),
        }
        for row in rows
    ]


def _claims(document: Document) -> View:
    """The claims by name; one that label and annotation make alike is one row."""
    sources: dict[tuple[str, str], list[str]] = {}
    for claim in document["subject"]["claims"]:
        sources.setdefault((claim["name"], claim["value"]), []).append(claim["source"])
    rows = [
        (shortened(name, 200), shortened(value), ", ".join(found)) for (name, value), found in sorted(sources.items())
    ]
    return {"rows": rows[:_ROWS_MAX], "more": len(rows) - _ROWS_MAX}


def _baseline(document: Document) -> View | None:
    baseline = document["baseline"]
    if baseline is None:
        return None
    return {
        "reference": shortened(baseline["reference"]),
        "digest": baseline["digest"],
        "sentence": (
            f"{wording.count(baseline['differences'], 'difference')}, {baseline['material']:,} of them in what a "
            "container can see or do. Check DR-BASELINE tells which."
        ),
        "areas": [
            (drift_wording.AREAS.get(area["area"], area["area"]), area["added"], area["removed"], area["changed"])
            for area in baseline["areas"]
        ],
        "gaps": [shortened(text) for text in (*baseline["notCompared"], *baseline["unread"])][:_ROWS_MAX],
    }


# Signatures


def _signed(document: Document) -> View:
    verification = document["verification"]
    unreadable = [
        _entry("unchecked", "not understood", item["where"], item["reason"]) for item in verification["unreadable"]
    ]
    kinds: list[tuple[str, str, list[View]]] = [
        ("Signatures", "None was found.", [_signature("Signature", one) for one in verification["signatures"]]),
        ("Attestations", "None was found.", [_attestation(one) for one in verification["attestations"]]),
        ("Material that could not be read", "None.", unreadable),
        ("Reports given as files, which nobody signed", "None was given.", _given(document)),
    ]
    policy = verification["policy"]
    if policy is not None:
        requirements = [_requirement(one) for one in policy["requirements"]]
        kinds.insert(0, ("Trust policy", stopped(shortened(policy["reason"])), requirements))
    return {
        "demand": wording.demand(document),
        "signed": [
            {"title": title, "none": none, "rows": rows[:_ROWS_MAX], "more": len(rows) - _ROWS_MAX}
            for title, none, rows in kinds
        ],
        "digests": [
            (shortened(item["what"], 120), item["digest"]) for item in verification["integrity"]["checked"][:_ROWS_MAX]
        ],
        "more_digests": len(verification["integrity"]["checked"]) - _ROWS_MAX,
    }


def _entry(verdict: str, word: str, title: str, reason: str, signer: str | None = None, details: str = "") -> View:
    return {
        "verdict": verdict,
        "word": word,
        "title": shortened(title),
        "reason": stopped(shortened(reason, 800)),
        "signer": signer,
        "details": shortened(details, 1000),
    }


def _signature(what: str, signature: Signature, states: str = "") -> View:
    key = f"the key {signature['keyId']}" if signature["keyId"] else None
    issuer = f", issued by {signature['issuer']}" if signature["issuer"] else ""
    details = (
        states,
        f"Transparency log: {signature['transparency']}.",
        f"Signed at {signature['signedAt']}." if signature["signedAt"] else "",
        f"Format {signature['kind']}, found in {signature['foundIn']}, bytes {signature['material']}.",
    )
    return _entry(
        signature["verdict"],
        wording.SIGNATURE_VERDICTS[signature["verdict"]],
        what,
        signature["reason"],
        shortened(signature["identity"]) + issuer if signature["identity"] else key,
        " ".join(filter(None, details)),
    )


def _attestation(attestation: Attestation) -> View:
    states = f"It states: {stopped(attestation['summary'])}" if attestation["summary"] else ""
    return _signature(attestation["predicateType"], attestation, states)


def _requirement(requirement: PolicyRequirement) -> View:
    return _entry(
        _HELD[requirement["state"]],
        wording.POLICY_STATES[requirement["state"]],
        wording.requirement(requirement),
        requirement["reason"],
        details=f"Required of {requirement['images']}.",
    )


def _given(document: Document) -> list[View]:
    """The user's own files; none is signed, so none is more than a claim."""
    return [
        _entry(
            "unchecked",
            "unsigned",
            f"{report['name']} ({report['form'] or 'not understood'})",
            report["summary"] or report["reason"] or "",
            details=f"{wording.ABOUT_IMAGE[report['about']]} sha256:{report['sha256']}.",
        )
        for report in document["suppliedReports"]
    ]


# Limits


def _limits(document: Document) -> View:
    coverage = document["coverage"]
    unread = [(shortened(place["path"]), shortened(place["reason"])) for place in coverage["unread"]]
    unknowns = [(shortened(place["path"]), shortened(place["reason"])) for place in document["inventory"]["unknowns"]]
    whole = "here it was so." if coverage["whollyRead"] else "here it was not so; see below."
    return {
        "absence": f"Something is called absent only where every file was read to its end; {whole}",
        "unread": unread[:_ROWS_MAX],
        "more_unread": len(unread) - _ROWS_MAX,
        "unknowns": unknowns[:_ROWS_MAX],
        "more_unknowns": len(unknowns) - _ROWS_MAX,
    }
