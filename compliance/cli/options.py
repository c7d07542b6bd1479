"""Options that several subcommands share, with the words that users know from syft, cosign and ec."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from compliance.errors import UsageError
from compliance.model.evidence import Variant
from compliance.model.outcome import Severity
from compliance.model.reference import Platform

ImageArgument = Annotated[
    str,
    typer.Argument(
        metavar="IMAGE",
        help="oci-dir:PATH[:TAG|@DIGEST], oci-archive:PATH, docker-archive:PATH, dir:PATH, or a path.",
    ),
]
Output = Annotated[
    list[str] | None,
    typer.Option("-o", "--output", metavar="FORMAT[=FILE]", help="Output format and file; may be repeated."),
]
PlatformOption = Annotated[
    str | None, typer.Option("--platform", metavar="OS/ARCH", help="Platform to take from an index.")
]
EffectiveTime = Annotated[
    str | None,
    typer.Option("--effective-time", metavar="RFC3339", help="Assess as of this time; also SOURCE_DATE_EPOCH."),
]
Key = Annotated[Path | None, typer.Option("--key", metavar="PEM", help="Public key that must have signed.")]
Identity = Annotated[str | None, typer.Option("--certificate-identity", help="Signer's identity, exactly.")]
IdentityRegexp = Annotated[
    str | None, typer.Option("--certificate-identity-regexp", help="Signer's identity, as a regular expression.")
]
Issuer = Annotated[str | None, typer.Option("--certificate-oidc-issuer", help="Issuer of the identity, exactly.")]
IssuerRegexp = Annotated[
    str | None, typer.Option("--certificate-oidc-issuer-regexp", help="Issuer, as a regular expression.")
]
TrustedRoot = Annotated[
    Path | None, typer.Option("--trusted-root", metavar="FILE", help="Sigstore trusted_root.json to verify against.")
]
IgnoreTlog = Annotated[
    bool,
    typer.Option("--insecure-ignore-tlog", help="Accept a key's signature that no transparency log holds."),
]
Quiet = Annotated[bool, typer.Option("-q", "--quiet", help="No progress and no notices; errors and data stay.")]
Verbose = Annotated[bool, typer.Option("-v", "--verbose", help="More detail on stderr.")]
NoProgress = Annotated[bool, typer.Option("--no-progress", help="No progress bars.")]
Color = Annotated[str, typer.Option("--color", metavar="auto|always|never", help="Colour in tables; also NO_COLOR.")]
Offline = Annotated[
    bool, typer.Option("--offline", help="Touch no network (this version never does for the sources it reads).")
]


def parse_platform(text: str | None) -> Platform | None:
    """``--platform``."""
    return None if text is None else Platform.parse(text)


def parse_variant(text: str) -> Variant | None:
    """``--profile``; None for auto."""
    if text == "auto":
        return None
    try:
        return Variant(text)
    except ValueError:
        raise UsageError(f"no such profile: {text}", code="profile-unknown", hint="auto, runtime, dev or sdk") from None


def parse_severity(text: str) -> Severity:
    """``--fail-on``."""
    try:
        return Severity.parse(text)
    except KeyError:
        raise UsageError(
            f"no such severity: {text}", code="severity-unknown", hint="low, medium, high or critical"
        ) from None


def clock(effective: str | None) -> tuple[datetime, datetime | None]:
    """The run's single clock, and the effective time that replaces it (the flag, else SOURCE_DATE_EPOCH)."""
    now = datetime.now(UTC).replace(microsecond=0)
    if effective is not None:
        return now, parse_time(effective)
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    if not epoch:
        return now, None
    try:
        return now, datetime.fromtimestamp(int(epoch), UTC)
    except (ValueError, OverflowError, OSError):
        raise UsageError(
            f"not a number of seconds: {epoch!r}", code="time-invalid", where="SOURCE_DATE_EPOCH"
        ) from None


def parse_time(text: str) -> datetime:
    """An RFC 3339 time with its offset, in UTC. Raises UsageError; a time without offset would be a guess."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise UsageError(
            f"not a time with an offset: {text!r}", code="time-invalid", hint="write e.g. 2026-11-01T00:00:00Z"
        )
    return moment.astimezone(UTC).replace(microsecond=0)


def read_given(path: Path | None, what: str) -> bytes | None:
    """The content of a file that the user may have named; None when none was. Raises UsageError."""
    return None if path is None else read_file(path, what)


def read_file(path: Path, what: str, limit: int = 4 * 2**20) -> bytes:
    """The content of a file that the user named. Raises UsageError."""
    try:
        with path.open("rb") as stream:
            content = stream.read(limit + 1)
    except OSError as error:
        raise UsageError(f"can't read the {what}: {error.strerror}", code="not-found", where=str(path)) from None
    if len(content) > limit:
        raise UsageError(f"the {what} is larger than {limit} bytes", code="limit-exceeded", where=str(path))
    return content
