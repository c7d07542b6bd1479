"""Options that several subcommands share, with the words that users know from syft, cosign and ec."""

from __future__ import annotations

import os
from argparse import ArgumentTypeError, Namespace
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from compliance.api.given import file_or_name, given_file, is_path, policy_trust
from compliance.cli.parser import Parser
from compliance.errors import UsageError
from compliance.formats.user_file import read_file

if TYPE_CHECKING:
    from compliance.ingest.limits import Limits
    from compliance.ingest.registry_options import RegistryOptions
    from compliance.model.evidence import Variant
    from compliance.model.outcome import Severity
    from compliance.model.reference import Platform
    from compliance.pipeline import Options, Trust, WaiverFile
    from controls.definitions import Definitions, GivenFile

IMAGE = (
    "registry:HOST/NAME[:TAG|@DIGEST] (also bare), oci-dir:PATH[:TAG|@DIGEST], oci-archive:PATH, docker-archive:PATH, "
    "docker:NAME, podman:NAME, dir:PATH, rootfs-tar:PATH, or a path"
)


def add_image(parser: Parser, *, optional: bool = False) -> None:
    """IMAGE and how to read it."""
    parser.add_argument("image", metavar="IMAGE", nargs="?" if optional else None, help=IMAGE)
    add_reading(parser)


def add_reading(parser: Parser) -> None:
    """How images are read: platform, time, cache, registries, limits."""
    parser.add_argument("--platform", metavar="OS/ARCH[/VARIANT]", help="platform to take from an index")
    add_time(parser)
    parser.add_argument("--no-cache", action="store_true", help="neither use nor fill the layer cache")
    add_registry(parser)
    parser.add_argument(
        "--limit", action="append", metavar="NAME=NUMBER", help="set a bound on what is read; may be repeated"
    )


def add_registry(parser: Parser) -> None:
    """How registries are reached."""
    parser.add_argument("--offline", action="store_true", help="touch no network: registries are refused")
    parser.add_argument("--plain-http", action="store_true", help="reach registries without TLS, not only on loopback")
    parser.add_argument("--registry-ca", metavar="FILE", help="CA certificates (PEM) trusted beside the system's")
    parser.add_argument(
        "--registry-mirror",
        action="append",
        metavar="HOST=MIRROR",
        help="where to look first for images of HOST; may be repeated",
    )


def add_time(parser: Parser) -> None:
    """The effective time."""
    parser.add_argument(
        "--effective-time", metavar="RFC3339", type=parse_time, help="assess as of this time; also SOURCE_DATE_EPOCH"
    )


def add_output(parser: Parser, formats: str) -> None:
    """``-o`` and how chatty to be."""
    parser.add_argument(
        "-o",
        "--output",
        action="append",
        metavar="FORMAT[=FILE]",
        help=f"output format, to a file or stdout; may be repeated: {formats}",
    )
    parser.add_argument("-q", "--quiet", action="store_true", help="no progress, no notices; errors and data stay")
    parser.add_argument("-v", "--verbose", action="store_true", help="more detail on stderr")
    parser.add_argument("--no-progress", action="store_true", help="no progress bars")
    parser.add_argument(
        "--color", choices=("auto", "always", "never"), default="auto", help="colour in tables; also NO_COLOR"
    )
    parser.add_argument("--config", metavar="FILE", help="configuration (default: hullmark.toml here, if any)")


def add_oscal_version(parser: Parser) -> None:
    """``--oscal-version``."""
    parser.add_argument(
        "--oscal-version",
        metavar="VERSION",
        help="OSCAL outputs in 1.1.3 (default; mappings 1.2.2), 1.2.1 or 1.2.2",
    )


def add_waivers(parser: Parser) -> None:
    """``--waivers``."""
    parser.add_argument(
        "--waivers",
        action="append",
        metavar="FILE",
        help="failures that somebody accepted; FILE.sigstore.json beside it is its signature; may be repeated",
    )


def add_trust(parser: Parser) -> None:
    """Who must have signed, in cosign's words."""
    for name, metavar, text in (
        ("--key", "PEM", "public key that must have signed"),
        ("--certificate-identity", "ID", "signer's identity, exactly"),
        ("--certificate-identity-regexp", "REGEXP", "signer's identity, as a regular expression"),
        ("--certificate-oidc-issuer", "URL", "issuer of the identity, exactly"),
        ("--certificate-oidc-issuer-regexp", "REGEXP", "issuer, as a regular expression"),
        ("--trusted-root", "FILE", "Sigstore trusted_root.json to verify against"),
    ):
        parser.add_argument(name, metavar=metavar, help=text)
    parser.add_argument(
        "--insecure-ignore-tlog",
        action="store_true",
        help="accept a key's signature that no transparency log holds",
    )
    parser.add_argument(
        "--trust", metavar="FILE", help="trust policy: who must have signed what; in place of the options above"
    )


def trust_of(values: Namespace) -> Trust:
    """What `add_trust` gathered, files read."""
    from compliance.pipeline import Trust

    if values.trust is not None:
        return _trust_by_policy(values)
    return Trust(
        key=read_given(values.key, "public key"),
        identity=values.certificate_identity,
        identity_regexp=values.certificate_identity_regexp,
        issuer=values.certificate_oidc_issuer,
        issuer_regexp=values.certificate_oidc_issuer_regexp,
        trusted_root=read_given(values.trusted_root, "trusted root"),
        allow_no_log=values.insecure_ignore_tlog,
    )


def _trust_by_policy(values: Namespace) -> Trust:
    """``--trust``, alone: two sources of trust would leave open which of them an image has to satisfy."""
    others = {
        "--key": values.key,
        "--certificate-identity": values.certificate_identity,
        "--certificate-identity-regexp": values.certificate_identity_regexp,
        "--certificate-oidc-issuer": values.certificate_oidc_issuer,
        "--certificate-oidc-issuer-regexp": values.certificate_oidc_issuer_regexp,
        "--trusted-root": values.trusted_root,
        "--insecure-ignore-tlog": values.insecure_ignore_tlog,
    }
    given = [option for option, value in others.items() if value]
    if given:
        raise UsageError(
            f"--trust and {given[0]} exclude each other", code="usage", hint="write into the policy whom to trust"
        )
    return policy_trust(values.trust)


def run_options(values: Namespace, trust: Trust | None = None) -> Options:
    """The options that every run on an image has: platform, trust and the run's single clock."""
    from compliance.ingest.layer_cache import default_cache
    from compliance.model.reference import Platform
    from compliance.pipeline import Options, Trust

    platform: Platform | None = None if values.platform is None else Platform.parse(values.platform)
    return Options(
        platform=platform,
        trust=trust or Trust(),
        cache=None if values.no_cache else default_cache(),
        limits=_limits(values.limit or ()),
        registry=registry_options(values),
        now=datetime.now(UTC).replace(microsecond=0),
        effective=effective_time(values),
    )


def registry_options(values: Namespace) -> RegistryOptions:
    """What `add_registry` gathered. Raises UsageError."""
    from compliance.ingest.registry_options import RegistryOptions

    return RegistryOptions(
        offline=values.offline,
        plain_http=values.plain_http,
        ca_file=None if values.registry_ca is None else Path(values.registry_ca),
        mirrors=tuple(_pair(text, "--registry-mirror", "HOST=MIRROR") for text in values.registry_mirror or ()),
    )


def _limits(settings: Iterable[str]) -> Limits:
    from compliance.ingest.limits import DEFAULT_LIMITS

    named = dict(_pair(text, "--limit", "NAME=NUMBER") for text in settings)
    return DEFAULT_LIMITS.with_settings(
        {name: int(number) if number.isdecimal() else number for name, number in named.items()}
    )


def _pair(text: str, option: str, form: str) -> tuple[str, str]:
    left, equals, right = text.partition("=")
    if not (left and equals and right):
        raise UsageError(f"not {form}: {text!r}", code="usage", where=option)
    return left, right


def definitions_of(values: Namespace) -> tuple[Variant | None, Definitions]:
    """``--profile`` where it names a shipped one, and what else the image is held against, files read."""
    from compliance.model.evidence import Variant
    from controls.definitions import define

    named = values.profile
    variant = Variant(named) if named in tuple(Variant) else None
    if variant is None and named != "auto" and not is_path(named):
        raise UsageError(
            f"no such profile: {named}", code="profile-unknown", hint="auto, runtime, dev, sdk, or the path of a file"
        )
    return variant, define(
        frameworks=tuple(file_or_name(text, "framework") for text in values.framework or ()),
        checks=own_checks(values),
        profile=None if variant is not None or named == "auto" else given_file(named, "profile"),
    )


def own_checks(values: Namespace) -> tuple[str | GivenFile, ...]:
    """``--checks``, files read."""
    return tuple(file_or_name(text, "checks") for text in values.checks or ())


def judging_options(values: Namespace, waivers: tuple[WaiverFile, ...]) -> Options:
    """The options of a run that opens no image: trust, waivers and the run's single clock."""
    from compliance.pipeline import Options

    return Options(
        trust=trust_of(values),
        waivers=waivers,
        now=datetime.now(UTC).replace(microsecond=0),
        effective=effective_time(values),
    )


def parse_severity(text: str) -> Severity:
    """``--fail-on``."""
    from compliance.model.outcome import Severity

    try:
        return Severity.parse(text)
    except KeyError:
        raise UsageError(
            f"no such severity: {text}", code="severity-unknown", hint="low, medium, high or critical"
        ) from None


def parse_time(text: str) -> datetime:
    """An RFC 3339 time with its offset, in UTC; a time without offset would be a guess."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise ArgumentTypeError(f"not a time with an offset: {text!r}; write e.g. 2026-11-01T00:00:00Z")
    return moment.astimezone(UTC).replace(microsecond=0)


def read_given(path: str | None, what: str) -> bytes | None:
    """The content of a file that the user may have named; None when none was. Raises UsageError."""
    return None if path is None else read_file(Path(path), what)


def is_assessment(text: str) -> bool:
    """Whether `text` is the path of a file that begins as a JSON object does: no image archive does."""
    path = Path(text)
    try:
        if not path.is_file():
            return False
        with path.open("rb") as stream:
            return stream.read(64).lstrip().startswith(b"{")
    except (OSError, ValueError):
        return False


def effective_time(values: Namespace) -> datetime | None:
    """``--effective-time``, else SOURCE_DATE_EPOCH; None where neither is given. Raises UsageError."""
    return values.effective_time or _source_date_epoch()


def _source_date_epoch() -> datetime | None:
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    if not epoch:
        return None
    try:
        return datetime.fromtimestamp(int(epoch), UTC)
    except (ValueError, OverflowError, OSError):
        raise UsageError(
            f"not a number of seconds: {epoch!r}", code="time-invalid", where="SOURCE_DATE_EPOCH"
        ) from None
