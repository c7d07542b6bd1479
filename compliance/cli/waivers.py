"""``hullmark waivers``: what is wrong with the waivers that somebody gave."""

from __future__ import annotations

import json
from argparse import Namespace
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from compliance.api.given import waiver_files
from compliance.cli import options, output
from compliance.cli.parser import Parser
from compliance.errors import ExitCode, UsageError
from compliance.formats.user_file import read_file

if TYPE_CHECKING:
    from compliance.evaluate.waivers import Assessed, WaiverReview
    from compliance.model.assessment import DefinitionFile
    from reports.document import Document

SUMMARY = "check a waiver file: expired, soon expiring, orphaned, never-expiring and over-broad waivers"
DESCRIPTION = (
    "Check waivers without an image. Exit code 0 where nothing has to be mended (waivers that expire soon are only "
    "told), 10 where a waiver has expired, never expires, is orphaned, over-broad or not yet valid, 12 where a "
    "signature does not verify."
)
_SOON_MAX = 3660
_NO_COUNTER_EXAMPLE = ("coverage", "note")


def arguments(parser: Parser) -> None:
    """check."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True, parser_class=Parser)
    check = actions.add_parser("check", help="list what is wrong with waivers", description=DESCRIPTION)
    check.add_argument("file", metavar="FILE", help="a waiver file (YAML)")
    check.add_argument(
        "--assessment",
        action="append",
        metavar="FILE",
        help="an assessment.json: waivers about its image that cover no failure in it are orphaned; may be repeated",
    )
    check.add_argument("--soon", type=int, default=30, metavar="DAYS", help="tell what expires within (default 30)")
    check.add_argument("--checks", action="append", metavar="FILE|NAME", help="checks of your own; may be repeated")
    check.add_argument("--json", action="store_true", help="as JSON")
    options.add_time(check)
    options.add_trust(check)


def run(values: Namespace) -> int:
    """Read, review, print. The exit code says whether anything must be mended."""
    from compliance.evaluate.waivers import review
    from compliance.pipeline import read_waiver_files
    from compliance.verify.image_pattern import names
    from controls.definitions import define

    if not 0 <= values.soon <= _SOON_MAX:
        raise UsageError(f"not a number of days from 0 to {_SOON_MAX}: {values.soon}", code="usage", where="--soon")
    chosen = options.judging_options(values, waivers=waiver_files([values.file]))
    waivers, (file,) = read_waiver_files(chosen)
    definitions = define(checks=options.own_checks(values))
    reviews = review(
        waivers,
        now=chosen.effective or chosen.now,
        soon=timedelta(days=values.soon),
        checks={check.id for check in definitions.checks},
        assessments=[_assessed(path) for path in values.assessment or ()],
        names=names,
    )
    text = _json(file, reviews) if values.json else "".join(f"{line}\n" for line in _lines(file, reviews))
    output.write(output.Target(format="text", file=None), text.encode("utf-8", "backslashreplace"))
    return ExitCode.NOT_SATISFIED if any(one.wrong for one in reviews) else ExitCode.SATISFIED


def _assessed(path: str) -> Assessed:
    """What a stored assessment says of its image. Raises FormatError, UsageError."""
    from compliance.cli.report import ASSESSMENT_SIZE_MAX
    from compliance.evaluate.waivers import Assessed, WaivedImage
    from compliance.ingest.source import parse_reference
    from compliance.model.outcome import OutcomeWord
    from compliance.pipeline import policy_name
    from reports.assessment_json import parse

    document = parse(read_file(Path(path), "assessment", ASSESSMENT_SIZE_MAX))
    subject = document["subject"]
    digests = {subject["digest"], subject["indexDigest"], subject["configDigest"]}
    return Assessed(
        image=WaivedImage(
            name=policy_name(parse_reference(subject["reference"])),
            digests=frozenset(digest for digest in digests if digest is not None),
        ),
        outcomes={check["id"]: OutcomeWord(check["outcome"]) for check in document["checks"]},
        paths={check: tuple(paths) for check, paths in _paths(document)},
    )


def _paths(document: Document) -> Iterable[tuple[str, list[tuple[str, ...] | None]]]:
    for check in document["checks"]:
        counter = [seen for seen in check["observations"] if seen["kind"] not in _NO_COUNTER_EXAMPLE]
        yield (
            check["id"],
            [
                None if seen["path"] is None else tuple(path.lstrip("/") for path in (seen["path"], *seen["names"]))
                for seen in counter
            ],
        )


def _json(file: DefinitionFile, reviews: Iterable[WaiverReview]) -> str:
    shape = {
        "file": {"name": file.name, "sha256": file.sha256, "signer": file.signer},
        "waivers": [
            {
                "id": one.waiver.id,
                "check": one.waiver.check,
                "approver": one.waiver.approver,
                "expires": None if one.waiver.expires is None else f"{one.waiver.expires:%Y-%m-%dT%H:%M:%SZ}",
                "expiresSoon": one.soon is not None,
                "wrong": [{"kind": kind, "reason": reason} for kind, reason in one.wrong],
            }
            for one in reviews
        ],
    }
    return json.dumps(shape, indent=2, ensure_ascii=False) + "\n"


def _lines(file: DefinitionFile, reviews: tuple[WaiverReview, ...]) -> Iterable[str]:
    signed = f"signed by {file.signer}" if file.signer else "unsigned, or by nobody who was named"
    yield output.printable(f"{file.name}: {len(reviews)} waivers, {signed}")
    for one in reviews:
        waiver = one.waiver
        for kind, reason in one.wrong:
            yield output.printable(f"{kind:14} {waiver.id} ({waiver.check}, {waiver.approver}): {reason}")
        if one.soon is not None:
            yield output.printable(
                f"{'expires-soon':14} {waiver.id} ({waiver.check}, {waiver.approver}): {one.soon:%Y-%m-%d}"
            )
    wrong = sum(bool(one.wrong) for one in reviews)
    yield f"{wrong} of {len(reviews)} must be mended" if wrong else "nothing must be mended"
