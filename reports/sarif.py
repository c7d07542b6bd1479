"""SARIF 2.1.0 (OASIS, with errata 01) for code-scanning UIs: an alert for each thing that a failed check saw.

What such UIs do decides the shape. GitHub shows every result as an alert, whatever its `kind`; it needs a location with
a region, takes the first location, matches alerts by ``primaryLocationLineHash``, and keeps 25,000 results of a run.
So passed and not applicable checks are rules without results, and what could not be determined and counts is a result
of kind open: an open question must not look like a clean bill. The rest of what is open, and what broke, are
notifications. A waived failure is a result with a suppression; whoever ignores suppressions shows it.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

from reports import findings, wording
from reports.document import Check, Document, Observation
from reports.markdown import escape
from reports.text import anchor, opening, shortened, stopped

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
RESULTS_OF_CHECK_MAX = 1000
RESULTS_MAX = 20_000
_TAGS_MAX = 20
_DESCRIPTION_MAX = 1000  # GitHub's limit is 1,024 characters
_BASE = "IMAGE"

_LEVELS = {"critical": "error", "high": "error", "medium": "warning", "low": "note"}
_SCORES = {"critical": "9.5", "high": "8.0", "medium": "5.5", "low": "2.0"}
"""Points in GitHub's ranges for these words; a check has a severity, not a score."""
_NOTIFIED = {"unknown": "note", "errored": "error"}

_LINK = re.compile(r"\[(?=[^\]]*\]\()")

_Json = dict[str, Any]


def render(document: Document) -> bytes:
    """One log with one run. Equal documents give equal bytes."""
    log = {"$schema": SCHEMA, "version": "2.1.0", "runs": [_run(document)]}
    return (json.dumps(log, ensure_ascii=False, indent=2, allow_nan=False) + "\n").encode()


def _run(document: Document) -> _Json:
    subject, summary = document["subject"], document["summary"]
    rules = {check["id"]: place for place, check in enumerate(document["checks"])}
    results, left_out = _results(document, rules)
    made_from = document["reevaluation"]
    return {
        "tool": {"driver": _driver(document)},
        "automationDetails": {"id": _category(document)},
        "originalUriBaseIds": {_BASE: {"description": {"text": "The root of the image's merged file tree."}}},
        "invocations": [_invocation(document, rules, left_out)],
        "results": results,
        "columnKind": "utf16CodeUnits",
        "properties": {
            "image": {
                "reference": subject["reference"],
                "digest": subject["digest"],
                "configDigest": subject["configDigest"],
                "indexDigest": subject["indexDigest"],
                "platform": subject["platform"],
            },
            "profile": document["profile"]["id"],
            "effectiveTime": document["effectiveTime"],
            **({} if made_from is None else {"reevaluationOf": made_from["assessedAt"]}),
            "outcome": summary["outcome"],
            "checks": summary["checks"],
        },
    }


def _category(document: Document) -> str:
    """What keeps the alerts of several images in one repository apart: the image's name, without tag and digest."""
    platform = document["subject"]["platform"]
    parts = ["hullmark", _image_name(document), *([anchor(platform)] if platform else ())]
    return "/".join(parts) + "/"


def _image_name(document: Document) -> str:
    """The reference as a relative path (RFC 3986, 4.2): no scheme, no tag, no digest, no empty or dotted parts."""
    subject = document["subject"]
    name = subject["reference"].partition("@")[0]
    if subject["tag"]:
        name = name.removesuffix(f":{subject['tag']}")
    return _relative_uri(name.partition(":")[2] or name)


def _driver(document: Document) -> _Json:
    tool = document["tool"]
    tags = _tags(document)
    return {
        "name": tool["name"],
        "version": tool["version"],
        "semanticVersion": tool["version"],
        "shortDescription": {"text": "Supply-chain compliance of container images."},
        "rules": [_rule(check, tags.get(check["id"], [])) for check in document["checks"]],
        "properties": {"controlsDigest": tool["controlsDigest"]},
    }


def _tags(document: Document) -> dict[str, list[str]]:
    """The frameworks on whose controls each check bears."""
    tags: dict[str, list[str]] = {}
    for control in document["controls"]:
        for identifier in control["checks"]:
            named = tags.setdefault(identifier, [])
            if control["framework"] not in named:
                named.append(control["framework"])
    return tags


def _rule(check: Check, frameworks: list[str]) -> _Json:
    text = (
        f"{stopped(check['rationale'])}\n\nTo do: {stopped(check['remediation'])}\n\n"
        f"It looks at: {stopped(check['looksAt'])}\n\nA pass: {stopped(check['proves'])}"
    )
    parts = (
        ("Why it matters", check["rationale"]),
        ("What to do", check["remediation"]),
        ("What it looks at", check["looksAt"]),
        ("What a pass proves and does not prove", check["proves"]),
        ("References", "; ".join(check["references"])),
    )
    markdown = "\n\n".join(f"**{title}**\n\n{escape(said)}" for title, said in parts if said)
    return {
        "id": check["id"],
        "shortDescription": {"text": shortened(check["title"], _DESCRIPTION_MAX)},
        "fullDescription": {"text": opening(f"{stopped(check['title'])} {check['rationale']}", _DESCRIPTION_MAX)},
        "help": {"text": text, "markdown": markdown},
        "defaultConfiguration": {"level": _LEVELS[check["severity"]]},
        "properties": {
            "tags": ["security", f"trait/{check['trait']}", *frameworks][:_TAGS_MAX],
            "precision": "high",
            "security-severity": _SCORES[check["severity"]],
            "severity": check["severity"],
            "outcome": check["outcome"],
            "counts": check["counts"],
        },
    }


def _results(document: Document, rules: Mapping[str, int]) -> tuple[list[_Json], Counter[str]]:
    """The results, the gravest check first, and how many of each check are left out."""
    told = [*findings.failed(document), *findings.waived(document)]
    told += findings.counted(findings.undetermined(document))
    results: list[_Json] = []
    left_out: Counter[str] = Counter()
    for check in told:
        of_check = list(_of_check(check, document, rules[check["id"]]))
        kept = of_check[: min(RESULTS_OF_CHECK_MAX, RESULTS_MAX - len(results))]
        results += kept
        left_out[check["id"]] = len(of_check) - len(kept)
    return results, left_out


def _of_check(check: Check, document: Document, rule: int) -> Iterator[_Json]:
    """One result for each thing seen; one for the check where nothing that it saw is a finding of its own."""
    seen = _findings(check) if check["outcome"] == "failed" else []
    times: Counter[str] = Counter()
    for item in seen or (None,):
        identity = _identity(check, item)
        times[identity] += 1
        yield _result(check, item, document, rule, f"{identity}#{times[identity]}")


def _findings(check: Check) -> list[Observation]:
    """What a failed check holds against the image: neither how much was read, nor a remark beside something worse."""
    seen = [item for item in findings.telling(check) if item["kind"] != "coverage" and item["verdict"] != "absent"]
    return [item for item in seen if item["kind"] != "note"] or seen


def _identity(check: Check, item: Observation | None) -> str:
    """What stays the same from one build of an image to the next: the check and the path, package or kind of fact."""
    if item is None:
        return check["id"]
    package = (item["package"] or "").partition("@")[0]
    return "\0".join((check["id"], item["path"] or package or item["kind"]))


def _result(check: Check, item: Observation | None, document: Document, rule: int, identity: str) -> _Json:
    failed = check["outcome"] == "failed"
    possible = item is not None and (item["verdict"] or "").startswith("possib")
    kind = "open" if not failed else "review" if possible else "fail"
    fingerprint = hashlib.sha256(identity.encode()).hexdigest()
    result: _Json = {
        "ruleId": check["id"],
        "ruleIndex": rule,
        "kind": kind,
        "level": _LEVELS[check["severity"]] if kind == "fail" else "none",
        "message": {"text": _message(check, item)},
        "locations": [_location(item, document)],
        "partialFingerprints": {"primaryLocationLineHash": f"{fingerprint[:16]}:1", "hullmark/v1": fingerprint},
        "properties": _facts(item),
    }
    waiver = check["waiver"]
    if waiver is not None:
        until = f" until {waiver['expires']}" if waiver["expires"] else ""
        accepted = f"{waiver['id']}, accepted by {waiver['approver']}{until}: {waiver['reason']}"
        result["suppressions"] = [{"kind": "external", "status": "accepted", "justification": accepted}]
    return result


def _message(check: Check, item: Observation | None) -> str:
    """A sentence that stands for itself: a UI shows it as the alert's title."""
    if check["outcome"] != "failed":
        return _plain(f"{check['title']}: not determined: {stopped(check['reason'] or 'no reason was given')}")
    if item is None:
        return _plain(f"{stopped(check['title'])} This does not hold.")
    path, summary = wording.seen(item)
    return _plain((f"{shortened(path)}: " if path else "") + stopped(shortened(summary, 1000)))


def _plain(text: str) -> str:
    """`text` as a message in which nothing is a link (SARIF 3.11.6) or a placeholder (3.11.5)."""
    return _LINK.sub(r"\\[", text).replace("{", "{{").replace("}", "}}")


def _location(item: Observation | None, document: Document) -> _Json:
    """The file in the image, else the image itself. Its region is a first line: UIs need one, binaries have none."""
    path = None if item is None else item["path"]
    artifact = (
        {"uri": _relative_uri(path), "uriBaseId": _BASE} if path and path.strip("/") else {"uri": _image_name(document)}
    )
    location: _Json = {
        "physicalLocation": {
            "artifactLocation": artifact,
            "region": {"startLine": 1, "startColumn": 1, "endLine": 1, "endColumn": 2},
        },
        "logicalLocations": [{"fullyQualifiedName": document["subject"]["digest"], "kind": "module"}],
    }
    if item is not None and item["package"]:
        location["logicalLocations"].append({"fullyQualifiedName": item["package"], "kind": "package"})
    return location


def _relative_uri(path: str) -> str:
    """A path as a relative reference; a part that would lead elsewhere (`..`) is escaped as text."""
    parts = [quote(part, safe="") for part in path.split("/") if part]
    return "/".join(part.replace(".", "%2E") if set(part) == {"."} else part for part in parts) or "image"


def _facts(item: Observation | None) -> _Json:
    if item is None:
        return {}
    keys = ("kind", "path", "names", "layer", "package", "sha256", "size", "value", "method", "verdict")
    return {key: value for key in keys if (value := item.get(key)) not in (None, [], "")}


def _invocation(document: Document, rules: Mapping[str, int], left_out: Counter[str]) -> _Json:
    return {
        "executionSuccessful": not any(check["outcome"] == "errored" for check in document["checks"]),
        "exitCode": document["summary"]["exitCode"],
        "startTimeUtc": document["startedAt"],
        "endTimeUtc": document["finishedAt"],
        "toolExecutionNotifications": [*_undetermined(document, rules), *_left_out(rules, left_out)],
        "toolConfigurationNotifications": [
            {"level": "note", "message": {"text": _plain(shortened(notice, 1000))}}
            for notice in document["subject"]["notices"][:RESULTS_OF_CHECK_MAX]
        ],
    }


def _undetermined(document: Document, rules: Mapping[str, int]) -> Iterator[_Json]:
    for check in findings.undetermined(document):
        apart = f" It does not count: {stopped(check['uncounted'])}" if check["uncounted"] else ""
        said = f"{check['id']} could not be determined: {stopped(check['reason'] or 'no reason was given')}{apart}"
        yield _notification(check["id"], rules, _NOTIFIED[check["outcome"]], said)
    for place in document["coverage"]["unread"][:RESULTS_OF_CHECK_MAX]:
        said = f"{place['path']} was not read: {stopped(place['reason'])}"
        yield {"level": "warning", "message": {"text": _plain(shortened(said, 1000))}}


def _left_out(rules: Mapping[str, int], left_out: Counter[str]) -> Iterator[_Json]:
    for identifier, number in left_out.items():
        if number:
            said = (
                f"{wording.count(number, 'further observation')} of {identifier} are in findings.csv, not in this log."
            )
            yield _notification(identifier, rules, "warning", said)


def _notification(identifier: str, rules: Mapping[str, int], level: str, said: str) -> _Json:
    return {
        "level": level,
        "message": {"text": _plain(shortened(said, 2000))},
        "associatedRule": {"id": identifier, "index": rules[identifier]},
    }
