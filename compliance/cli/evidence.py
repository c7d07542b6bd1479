"""``hullmark evidence``: check evidence again, wherever it lies, look at it, take it out."""

from __future__ import annotations

import json
import textwrap
from argparse import Namespace
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from compliance.api import evidence_check
from compliance.api.evidence_check import document_of
from compliance.cli import assess, options, output
from compliance.cli.parser import Parser
from compliance.errors import ExitCode

if TYPE_CHECKING:
    from compliance.api.evidence_place import Evidence
    from compliance.pipeline import Options
    from compliance.store.evidence_bundle import BundleReport, Finding
    from reports.document import Document

SUMMARY = "check the digests and signatures of evidence, show it, take it out"
DESCRIPTION = "Evidence is an evidence folder, a report.pdf, or an image that evidence is attached to."

_PLACE = "an evidence folder, a report.pdf, or an image with attached evidence"
_FAILED_SHOWN = 5


def arguments(parser: Parser) -> None:
    """verify, show and unpack."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True, parser_class=Parser)
    verify = actions.add_parser(
        "verify",
        help="check digests, signatures, and that the files agree with each other",
        description=(
            "Check every digest and signature of evidence. Only an image in a registry is reached over the network. "
            "Without --key or an identity the key that lies in the evidence is taken: that shows that nothing changed "
            "since it signed, not who signed. With --replay the checks run again on the image, as of the same time: do "
            "the same results come out? Exit code 0 all holds, 11 nothing is wrong but something is not shown, or "
            "nothing is signed, 12 something does not hold."
        ),
    )
    show = actions.add_parser("show", help="what the evidence says, on one screen, and whether it holds")
    unpack = actions.add_parser("unpack", help="write the files of the evidence to a folder")
    for below in (verify, show, unpack):
        below.add_argument("place", metavar="P", help=_PLACE)
        options.add_reading(below)
        below.add_argument("-q", "--quiet", action="store_true", help="only the exit code and errors")
    for below in (verify, show):
        below.add_argument(
            "-o",
            "--output",
            action="append",
            metavar="FORMAT[=FILE]",
            help="table (default) or json, to a file or stdout",
        )
    verify.add_argument("--json", action="store_true", help="the same as -o json")
    verify.add_argument("--replay", metavar="IMAGE", help="run the checks on this image again and compare the results")
    assess.add_inputs(verify)
    options.add_trust(show)
    options.add_trust(unpack)
    unpack.add_argument("--to", metavar="DIR", required=True, help="a folder that is new or empty")


def run(values: Namespace) -> int:
    """Do what was asked."""
    return {"verify": _verify, "show": _show, "unpack": _unpack}[values.action](values)


def _verify(values: Namespace) -> int:
    targets = output.parse_targets(values.output, ("table", "json"), "json" if values.json else "table")
    reading = options.run_options(values)
    evidence, report = _checked(values, reading, whole=True)
    if values.replay is not None:
        report = replace(report, findings=(*report.findings, *_replayed(evidence, values)))
    if not values.quiet:
        _write(targets, _report_document(report), lambda: _report_lines(report))
    report.demand()
    return evidence_check.outcome(evidence, report)


def _show(values: Namespace) -> int:
    targets = output.parse_targets(values.output, ("table", "json"), "table")
    evidence, report = _checked(values, options.run_options(values))
    document, files = document_of(evidence)
    shown = {
        "place": evidence.place,
        "kind": evidence.kind,
        "subject": document["subject"]["digest"],
        "reference": document["subject"]["reference"],
        "effectiveTime": document["effectiveTime"],
        "tool": document["tool"],
        "profile": document["profile"]["id"],
        "summary": document["summary"],
        "files": [{"path": path, "size": len(content)} for path, content in sorted(files.items())],
        "holds": not report.wrong,
        "keyId": report.key_id,
    }
    if not values.quiet:
        _write(targets, shown, lambda: _summary_lines(evidence, document, files, report))
    return ExitCode.NOT_VERIFIED if report.wrong else ExitCode.SATISFIED


def _unpack(values: Namespace) -> int:
    from compliance.api.evidence_place import contents
    from compliance.store.evidence_bundle import write_files

    evidence, report = _checked(values, options.run_options(values))
    report.demand()
    files = contents(evidence)
    write_files(Path(values.to), files)
    if not values.quiet:
        output.say(f"{len(files)} files about {report.subject} in {values.to}")
    return ExitCode.SATISFIED


def _checked(values: Namespace, reading: Options, *, whole: bool = False) -> tuple[Evidence, BundleReport]:
    """The evidence, and what came of checking it; the `whole` makes a report again, which takes seconds."""
    from compliance.api.evidence_place import open_evidence

    evidence = open_evidence(values.place, reading)
    return evidence, evidence_check.check(evidence, options.trust_of(values), reading, whole=whole)


def _replayed(evidence: Evidence, values: Namespace) -> Iterator[Finding]:
    """The checks run again on an image, with what the evidence says they were run with."""
    from compliance.cli import progress
    from compliance.pipeline import assess as assess_image
    from compliance.store.evidence_bundle import Finding
    from reports import replay
    from reports.assessment_json import document

    then = document_of(evidence)[0]
    watcher = progress.watcher(quiet=values.quiet, no_progress=values.json)
    try:
        now = document(assess_image(values.replay, _as_then(then, values), watcher))
    finally:
        watcher.close()
    for item in replay.compare(then, now):
        yield Finding(what=item.what, verdict=item.verdict, reason=item.reason)


def _as_then(then: Document, values: Namespace) -> Options:
    """The options of the first run as far as evidence tells them; files that it was given have to be given again."""
    from datetime import datetime

    profile, own = then["profile"], [framework for framework in then["frameworks"] if framework["givenBy"]]
    told: dict[str, object] = {
        "fail_on": then["summary"]["failOn"],
        "effective_time": datetime.fromisoformat(then["effectiveTime"]),
        "platform": values.platform or then["subject"]["platform"],
    }
    if values.profile == "auto" and profile["source"] == "flag":
        told["profile"] = profile["variant"]
    if values.framework is None and not own:
        told["framework"] = [framework["id"] for framework in then["frameworks"]]
    return assess.inputs_of(Namespace(**{**vars(values), **told}))


def _write(targets: Iterable[output.Target], document: object, lines: Callable[[], Iterator[str]]) -> None:
    for target in targets:
        if target.format == "json":
            text = json.dumps(document, indent=2, ensure_ascii=False) + "\n"
        else:
            text = "".join(f"{output.printable(line)}\n" for line in lines())
        output.write(target, text.encode("utf-8", "backslashreplace"))


def _report_document(report: BundleReport) -> object:
    findings = [
        {"what": finding.what, "verdict": finding.verdict.value, "reason": finding.reason}
        for finding in report.findings
    ]
    return {"subject": report.subject, "keyId": report.key_id, "findings": findings}


def _report_lines(report: BundleReport) -> Iterator[str]:
    for finding in report.findings:
        yield f"{finding.verdict.value:10} {finding.what}: {finding.reason}"
    by = f"key {report.key_id}" if report.key_id else "no key"
    yield f"{len(report.findings)} findings about {report.subject}, {len(report.wrong)} wrong, {by}"


def _summary_lines(
    evidence: Evidence, document: Document, files: Mapping[str, bytes], report: BundleReport
) -> Iterator[str]:
    """One screen for somebody who has to decide something now."""
    from reports import findings, wording

    subject, tool = document["subject"], document["tool"]
    yield f"{wording.VERDICTS[document['summary']['outcome']]}: {subject['reference']}"
    yield from textwrap.wrap(wording.verdict_sentence(document), 76, initial_indent="  ", subsequent_indent="  ")
    yield f"  image     {subject['digest']} {subject['platform'] or ''}".rstrip()
    made = f"by {tool['name']} {tool['version']}, profile {document['profile']['id']}"
    yield f"  assessed  as of {wording.minute(document['effectiveTime'])} {made}"
    counts = findings.outcome_counts(document["checks"])
    told = ", ".join(f"{counts[one]} {wording.OUTCOMES[one]}" for one in findings.OUTCOMES if counts[one])
    yield f"  checks    {told or 'none'}"
    failed = findings.counted(findings.failed(document))
    for check in failed[:_FAILED_SHOWN]:
        yield f"  failed    {check['id']} [{check['severity']}] {check['title']}"
    if len(failed) > _FAILED_SHOWN:
        yield f"            and {len(failed) - _FAILED_SHOWN} more"
    accepted = findings.waived(document)
    if accepted:
        yield f"  accepted  {', '.join(check['id'] for check in accepted)}"
    size = wording.size(sum(map(len, files.values())))
    yield f"  evidence  {wording.count(len(files), 'file')}, {size}, in the {evidence.kind} {evidence.place}"
    if report.wrong:
        yield f"  DOES NOT HOLD  {report.wrong[0].what}: {report.wrong[0].reason}"
    elif report.key_id is not None:
        yield f"  holds     nothing changed since key {report.key_id[:16]}… signed; evidence verify says more"
    else:
        yield "  holds     every digest is right; evidence verify says who signed"
