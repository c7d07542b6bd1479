"""The audit report as one HTML page: what stands in it, and in which words. The layout is in ``templates``.

Everything comes from the document. What is long is capped, as a page costs a reader and a machine more than a row in
the attached findings.csv; what is left out is counted, in the place where it is left out.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from reports import findings, wording
from reports.audit_charts import bar, squares
from reports.audit_controls import controls
from reports.audit_image import image, limits
from reports.audit_signatures import signatures
from reports.branding import NO_BRANDING, Branding
from reports.document import Check, Control, Document, Observation, Subject
from reports.framework_reach import coverage
from reports.language import say, speaking
from reports.page_templates import PDF_PAGE, rendered
from reports.text import anchor, control_anchor, opening, shortened, stopped

EVIDENCE_MAX = 5
"""Observations printed for one check; fewer where those of all checks would fill too many pages."""

_EVIDENCE_TEXT_MAX = 40_000  # characters, about ten pages

_FIRST_MAX, _OPEN_MAX, _WAIVERS_MAX, _AREAS_MAX, _DEFINITIONS_MAX = 6, 3, 20, 12, 16
_NAMES_MAX = 6
_BEARING_MAX = 5

_CHAPTERS = (
    "summary",
    "image",
    "results",
    "failed",
    "undetermined",
    "passed",
    "controls",
    "coverage",
    "signatures",
    "limits",
    "glossary",
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


def html(document: Document, files: tuple[AttachedFile, ...], branding: Branding = NO_BRANDING) -> str:
    """The report as one HTML page; `files` are those that go along with it."""
    with speaking(branding.language):
        values = {
            "_": say,
            "language": branding.language.tag,
            "document": document,
            "branding": branding,
            "files": files,
            "marks": wording.MARKS,
            "minute": wording.minute,
            "size": wording.size,
            "glossary": wording.glossary(wording.PLACES["pdf"]),
            "chapters": [(anchor, wording.CHAPTERS[anchor]) for anchor in _CHAPTERS],
            **_cover(document),
            **_summary(document),
            **_results(document),
            **image(document),
            **controls(document),
            **coverage(document),
            **signatures(document),
            **limits(document),
        }
        return rendered(branding.templates, PDF_PAGE, values)


def _cover(document: Document) -> dict[str, object]:
    subject, summary, tool = document["subject"], document["summary"], document["tool"]
    coverage = document["coverage"]
    return {
        "title": f"Assessment of {shortened(_named(subject), 120)}",
        "reference": shortened(_named(subject), 180),
        "short_reference": shortened(_named(subject), 75),
        "short_digest": wording.short_digest(subject["digest"], 16),
        "tool": shortened(f"{tool['name']} {tool['version']}", 80),
        "profile_source": wording.PROFILE_SOURCES[document["profile"]["source"]],
        "verdict": {
            "outcome": summary["outcome"],
            "word": wording.VERDICTS[summary["outcome"]].capitalize(),
            "sentence": wording.verdict_sentence(document),
        },
        "numbers": _numbers(document),
        "content": (
            f"{wording.count(coverage['files'], 'file')} ({wording.size(coverage['bytes'])}) in "
            f"{wording.count(len(subject['layers']), 'layer')}, "
            f"{wording.count(document['inventory']['packages'], 'package')}"
        ),
        "reproduce": wording.reproduce(document),
    }


def _named(subject: Subject) -> str:
    """The reference as a heading: without the prefix that says nothing and the digest that stands beside it."""
    return subject["reference"].removeprefix("registry:").removesuffix(f"@{subject['digest']}")


def _numbers(document: Document) -> list[dict[str, object]]:
    """How many checks had each outcome, large on the cover; what counts for nothing there is left to the pages."""
    counts = findings.outcome_counts(document["checks"])
    shown = ("failed", "unknown", "errored", "passed")
    return [
        {"outcome": one, "number": counts[one], "word": wording.OUTCOMES[one]}
        for one in shown
        if counts[one] or one in ("failed", "passed")
    ]


# Summary


def _summary(document: Document) -> dict[str, object]:
    return {
        "assessed": _assessed(document),
        "drift": _drift(document),
        "definitions": [
            {**file, "name": shortened(file["name"], 120), "signer": shortened(file["signer"] or "", 120)}
            for file in document["definitions"][:_DEFINITIONS_MAX]
        ],
        "more_definitions": len(document["definitions"]) - _DEFINITIONS_MAX,
        "waivers": _waivers(document)[:_WAIVERS_MAX],
        "more_waivers": len(_waivers(document)) - _WAIVERS_MAX,
    }


def _assessed(document: Document) -> str:
    subject, coverage = document["subject"], document["coverage"]
    platform = f" for {subject['platform']}" if subject["platform"] else ""
    whole = "All were read to their end" if coverage["whollyRead"] else "Not all could be read (see Limits)"
    return (
        f"{shortened(_named(subject), 160)}{platform} was assessed: the bytes with "
        f"digest {subject['digest']}. They hold {wording.count(coverage['files'], 'file')} "
        f"({wording.size(coverage['bytes'])}) in {wording.count(len(subject['layers']), 'layer')}. {whole}, and "
        f"{wording.count(document['inventory']['packages'], 'package')} were found in them. The image was held against "
        f"the {document['profile']['id']} profile with {wording.count(len(document['checks']), 'check')}."
    )


def _drift(document: Document) -> dict[str, object] | None:
    """What changed since the baseline, if there is one to compare with."""
    baseline = document["baseline"]
    if baseline is None:
        return None
    areas = [area for area in baseline["areas"] if area["added"] or area["removed"] or area["changed"]]
    most = max((area["added"] + area["removed"] + area["changed"] for area in areas), default=0)
    open_ends = [
        *(f"{what} could not be compared" for what in baseline["notCompared"]),
        *(f"{what} could not be read" for what in baseline["unread"]),
    ]
    return {
        "sentence": (
            f"Compared with {shortened(baseline['reference'], 120)} ({baseline['digest']}): "
            f"{wording.count(baseline['differences'], 'difference')}, {baseline['material']:,} of which change "
            "something in a container."
        ),
        "areas": [
            {**area, "bar": _drift_bar(area["added"] + area["removed"] + area["changed"], most)}
            for area in areas[:_AREAS_MAX]
        ],
        "open": stopped(shortened("; ".join(open_ends), 400)),
    }


def _drift_bar(number: int, most: int) -> object:
    return bar(number, most, f"{number:,} differences", width=220)


def _waivers(document: Document) -> list[dict[str, object]]:
    """Each waiver that was given with what became of it, and what is left of it at the effective time."""
    rows: list[dict[str, object]] = []
    for use in document["waivers"]:
        waiver = use["waiver"]
        signer = f"signed by {shortened(waiver['signer'], 80)}" if waiver["signer"] else "not signed"
        ticket = f" ({shortened(waiver['ticket'], 60)})" if waiver["ticket"] else ""
        rows.append(
            {
                "check": use["check"],
                "state": wording.WAIVER_STATES[use["state"]],
                "id": shortened(waiver["id"], 60),
                "approver": f"{shortened(waiver['approver'], 80)}, {signer}",
                "reason": shortened(waiver["reason"], 240) + ticket,
                "until": _until(waiver["expires"], document["effectiveTime"]),
            }
        )
    return rows


def _until(expires: str | None, now: str) -> str:
    """How long a waiver holds, and how many days of that are left."""
    if expires is None:
        return "without an end"
    try:
        days = (date.fromisoformat(expires[:10]) - date.fromisoformat(now[:10])).days
    except ValueError:  # a document that anybody may have written
        return shortened(expires, 40)
    return f"{expires[:10]} ({wording.count(days, 'day')} left)" if days >= 0 else f"{expires[:10]} (expired)"


# Checks


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
        "checks": frozenset(blocks),
        "traits": [_trait(document, trait, blocks) for trait in findings.TRAITS],
        "first": [
            {**blocks[check["id"]], "seen": _seen(check), "to_do": opening(shortened(check["remediation"]))}
            for check in first
        ],
        "more_first": len(findings.counted(failed)) - len(first),
        "open_shown": _OPEN_MAX,
        "failed": [blocks[check["id"]] for check in (*failed, *waived)],
        "undetermined": [blocks[check["id"]] for check in undetermined],
        "passed": by_outcome["passed"],
        "not_applicable": by_outcome["not-applicable"],
    }


def _evidence_limit(document: Document) -> int:
    """How many observations of each check can be printed: EVIDENCE_MAX, or fewer where they are long."""
    told = [findings.telling(check) for check in document["checks"] if check["outcome"] != "passed"]
    for limit in range(EVIDENCE_MAX, 1, -1):
        printed = (_evidence(item, document) for items in told for item in items[:limit])
        if sum(len(str(part)) for item in printed for part in item.values()) <= _EVIDENCE_TEXT_MAX:
            return limit
    return 1


def _trait(document: Document, trait: str, blocks: Mapping[str, dict[str, object]]) -> dict[str, object]:
    checks = findings.of_trait(document, trait)
    counts = findings.outcome_counts(checks)
    ordered = [outcome for outcome in findings.OUTCOMES for _ in range(counts[outcome])]
    words = ", ".join(f"{counts[one]} {wording.OUTCOMES[one]}" for one in findings.OUTCOMES if counts[one])
    return {
        "anchor": f"trait-{trait}",
        "title": wording.TRAITS[trait],
        "meaning": wording.TRAIT_MEANINGS[trait],
        "words": words or "no checks",
        "kept": bool(checks) and not counts["failed"] and not counts["unknown"] and not counts["errored"],
        "broken": counts["failed"],
        "bar": squares(ordered, f"{wording.TRAITS[trait]}: {words}", side=17, columns=20) if ordered else "",
        "checks": [blocks[check["id"]] for check in checks],
    }


def _block(check: Check, document: Document, bearing: list[Control], most: int) -> dict[str, object]:
    """One check as its chapter prints it, with at most `most` observations."""
    shown = findings.telling(check)[:most]
    return {
        "id": check["id"],
        "title": shortened(check["title"], 160),
        "severity": check["severity"],
        "outcome": check["outcome"],
        "word": wording.OUTCOMES[check["outcome"]],
        "reason": stopped(shortened(check["reason"] or "No reason was given")),
        "short_reason": opening(shortened(check["reason"] or ""), 110),
        "rationale": shortened(check["rationale"], 640),
        "remediation": shortened(check["remediation"], 640),
        "proves": shortened(check["proves"], 960),
        "waiver": _waiver(check),
        "uncounted": None if check["uncounted"] is None else stopped(shortened(check["uncounted"])),
        "observations": len(check["observations"]),
        "summary": _common_summary(shown),
        "evidence": [_evidence(item, document) for item in shown],
        "more_evidence": len(check["observations"]) - len(shown),
        "rests_on": " ".join(stopped(_seen_at(item)) for item in shown[:2]),
        "more_rests": max(len(check["observations"]) - 2, 0),
        "bears_on": _bears_on(document, bearing),
    }


def _common_summary(observations: Sequence[Observation]) -> str | None:
    """What is the same for all of several files, so that it is printed once."""
    summaries = {item["summary"] for item in observations if item["path"]}
    alike = len(summaries) == 1 and all(item["path"] for item in observations) and len(observations) > 1
    return stopped(shortened(summaries.pop())) if alike else None


def _evidence(item: Observation, document: Document) -> dict[str, object]:
    value = item["value"]
    names = [name for name in item["names"] if name != item["path"]]
    others = f" and {len(names) - _NAMES_MAX} more names" if len(names) > _NAMES_MAX else ""
    path, summary = item["path"] or "", stopped(shortened(item["summary"], 240))
    begins = bool(path) and summary.startswith(f"{path} ")
    return {
        "path": shortened(path),
        "begins": begins,
        "summary": summary.removeprefix(path) if begins else summary,
        "value": shortened(value, 120) if value and value not in item["summary"] else None,
        "names": shortened(", ".join(names[:_NAMES_MAX]), 200) + others if names else None,
        "origin": " · ".join(shortened(fact, 150) for fact in _origin(item, document) if fact),
    }


def _origin(item: Observation, document: Document) -> tuple[str, ...]:
    """Where a fact can be seen again: layer, size, how it was found, package and digest of the content."""
    layers = [layer["digest"] for layer in document["subject"]["layers"]]
    return (
        f"layer {layers.index(item['layer']) + 1}" if item["layer"] in layers else "",
        "" if item["size"] is None else wording.size(item["size"]),
        "" if item["verdict"] == "present" else item["verdict"] or "",
        item["method"] or "",
        (item["package"] or "").partition("?")[0],
        f"sha256:{item['sha256']}" if item["sha256"] else "",
    )


def _seen(check: Check) -> str:
    """What a failed check saw, in one cell of a table."""
    shown = findings.telling(check)
    if not shown:
        return ""
    more = len(shown) - 1
    path, summary = wording.seen(shown[0])
    where = f"{shortened(path, 64)}: " if path else ""
    return where + opening(shortened(summary, 240), 90) + (f" (and {more:,} more)" if more else "")


def _seen_at(item: Observation) -> str:
    path, summary = wording.seen(item)
    return (f"{shortened(path, 160)}: " if path else "") + shortened(summary)


def _waiver(check: Check) -> str | None:
    waiver = check["waiver"]
    if waiver is None:
        return None
    until = f" until {waiver['expires']}" if waiver["expires"] else " without an end"
    return shortened(f"{waiver['id']}, approved by {waiver['approver']}{until}: {waiver['reason']}", 480)


def _bearing(document: Document) -> dict[str, list[Control]]:
    """The controls that each check bears on."""
    bearing: dict[str, list[Control]] = {}
    for control in document["controls"]:
        for identifier in control["checks"]:
            bearing.setdefault(identifier, []).append(control)
    return bearing


def _bears_on(document: Document, controls: list[Control]) -> dict[str, object] | None:
    """The controls of the first framework by name, the others in numbers: from them links lead here."""
    if not controls:
        return None
    names = {framework["id"]: framework["name"] for framework in document["frameworks"]}
    first = [control for control in controls if control["framework"] == controls[0]["framework"]]
    frameworks = {control["framework"] for control in controls} - {controls[0]["framework"]}
    more = len(controls) - len(first[:_BEARING_MAX])
    return {
        "framework": names[controls[0]["framework"]],
        "controls": [
            {
                "label": shortened(one["label"], 40),
                "anchor": control_anchor(one),
                "chapter": f"framework-{anchor(one['framework'])}",
            }
            for one in first[:_BEARING_MAX]
        ],
        "more": f"{wording.count(more, 'more control')}{_of_frameworks(len(frameworks))}" if more > 0 else None,
    }


def _of_frameworks(number: int) -> str:
    return f", of {wording.count(number, 'more framework')}" if number else ""
