"""``hullmark evidence``: check an evidence bundle again, offline."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from compliance.cli import options
from compliance.errors import ExitCode

app = typer.Typer(help="Check or show an evidence bundle.", no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def _group() -> None:
    """Check an evidence bundle."""


@app.command("verify")
def verify(
    place: Annotated[Path, typer.Argument(metavar="DIR", help="An evidence folder.")],
    key: Annotated[
        Path | None, typer.Option("--key", metavar="PEM", help="Public key whose signatures are demanded.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
    quiet: options.Quiet = False,
    offline: options.Offline = False,
) -> None:
    """Check every digest and signature of an evidence folder, offline.

    Without --key the key that lies in the folder is taken: that shows that nothing changed since it signed, not
    who signed. Exit code: 0 all holds, 11 nothing is wrong but nothing is signed, 12 something does not hold.
    """
    from reports.pdf_attachments import embedded_files

    from compliance.model.verification import Verdict
    from compliance.store.evidence_bundle import verify_bundle

    report = verify_bundle(place, key=options.read_given(key, "public key"), embedded_files=embedded_files)
    if as_json:
        findings = [
            {"what": finding.what, "verdict": finding.verdict.value, "reason": finding.reason}
            for finding in report.findings
        ]
        typer.echo(json.dumps({"subject": report.subject, "keyId": report.key_id, "findings": findings}, indent=2))
    elif not quiet:
        for finding in report.findings:
            typer.echo(f"{finding.verdict.value:10} {finding.what}: {finding.reason}")
        by = f"key {report.key_id}" if report.key_id else "no key"
        typer.echo(f"{len(report.findings)} findings about {report.subject}, {len(report.wrong)} wrong, {by}")
    report.demand()
    signed = any(
        finding.verdict is Verdict.VERIFIED and finding.what.startswith("attestations/") for finding in report.findings
    )
    raise typer.Exit(int(ExitCode.SATISFIED if signed else ExitCode.NOT_DETERMINED))
