"""Whom to trust: the certificate authorities, logs and timestamp authorities of a Sigstore instance.

Each of them is trusted in its own time only (sigstore_trustroot.proto, `validFor`, both ends within), which
sigstore-python's own verifier leaves out for all but the timestamp authorities.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from compliance.errors import FormatError
from compliance.formats import signed_json
from compliance.formats.signed_json import read_object
from compliance.verify.refusal import RejectedError, UnknownLogError

if TYPE_CHECKING:
    from cryptography.x509 import Certificate
    from sigstore._internal.trust import Keyring
    from sigstore_models.common.v1 import TimeRange
    from sigstore_models.trustroot.v1 import CertificateAuthority, TransparencyLogInstance

TRUSTED_ROOT_SIZE_MAX = 4 * 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class Authority:
    """A chain as the trusted root lists it. Only `anchor` is trusted by itself; `leaf` is a timestamp signer."""

    anchor: Certificate
    intermediates: tuple[Certificate, ...]
    leaf: Certificate | None = None


class TrustedRoot:
    """A Sigstore trusted root, read strictly."""

    def __init__(self, data: bytes) -> None:
        """Read the JSON document `data`. Raises FormatError."""
        from pydantic import ValidationError
        from sigstore_models.trustroot.v1 import TrustedRoot as Model

        document = dict(read_object(data, "trusted root", size_max=TRUSTED_ROOT_SIZE_MAX).values)
        for kind in ("certificateAuthorities", "timestampAuthorities"):
            document[kind] = [_with_subject(authority) for authority in _items(document.get(kind))]
        try:
            self._model = Model.from_json(signed_json.write(document))
        except ValidationError as error:
            place = ".".join(str(part) for part in error.errors()[0]["loc"])
            raise FormatError("not a Sigstore trusted root", code="trusted-root-invalid", where=place) from None

    @property
    def newest_log(self) -> str:
        """The log that started last, with its day: entries of later logs can't be checked with this root."""
        logs = [(log.public_key.valid_for.start, log.base_url) for log in self._model.tlogs if log.public_key.valid_for]
        if not logs:
            return "no log"
        start, name = max(logs)
        return f"{_host(name)} (since {start:%Y-%m-%d})"

    def log(self, log_id: bytes, times: Iterable[datetime]) -> tuple[Keyring, str]:
        """The keys and the host name of the transparency log `log_id`, if it was trusted at all `times`."""
        logs = _logs_at(self._model.tlogs, log_id, times)
        if not logs:
            refusal = RejectedError if _logs_at(self._model.tlogs, log_id, ()) else UnknownLogError
            raise refusal(
                f"the trusted root has no transparency log {log_id.hex()[:16]}… valid at that time; "
                f"the newest it knows is {self.newest_log}"
            )
        return _keyring(logs), _host(logs[0].base_url)

    def certificate_log(self, log_id: bytes, time: datetime) -> Keyring:
        """The keys of the certificate transparency log `log_id`, if it was trusted at `time`."""
        logs = _logs_at(self._model.ctlogs, log_id, (time,))
        if not logs:
            raise RejectedError("the trusted root has no certificate log for this certificate, valid at that time")
        return _keyring(logs)

    def certificate_authorities(self, time: datetime) -> tuple[Authority, ...]:
        """The chains trusted at `time`."""
        return tuple(
            Authority(anchor=chain[-1], intermediates=tuple(chain[:-1]))
            for chain in _chains_at(self._model.certificate_authorities, time)
        )

    def timestamp_authorities(self, time: datetime) -> tuple[Authority, ...]:
        """The chains of timestamp authorities trusted at `time`; those without a signer of their own are left out."""
        return tuple(
            Authority(anchor=chain[-1], intermediates=tuple(chain[1:-1]), leaf=chain[0])
            for chain in _chains_at(self._model.timestamp_authorities, time)
            if len(chain) > 1
        )


def embedded_trusted_root() -> bytes:
    """The trusted root of Sigstore's public instance that the sigstore package ships; no network, no user folder.

    It is as old as that package: `TrustedRoot.newest_log` says how far it reaches.
    """
    from importlib.resources import files

    return (files("sigstore") / "_store" / "https%3A%2F%2Ftuf-repo-cdn.sigstore.dev" / "trusted_root.json").read_bytes()


def _items(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _with_subject(authority: object) -> object:
    """`authority` with the empty texts that protocol buffers leave out and the model of sigstore demands."""
    if not isinstance(authority, dict):
        return authority
    subject = authority.get("subject") or {}
    return {**authority, "subject": {"organization": "", "commonName": "", **subject}}


def _within(period: TimeRange | None, time: datetime) -> bool:
    return period is None or (period.start <= time and (period.end is None or time <= period.end))


def _logs_at(
    logs: list[TransparencyLogInstance], log_id: bytes, times: Iterable[datetime]
) -> list[TransparencyLogInstance]:
    moments = tuple(times)
    return [
        log
        for log in logs
        if log.log_id.key_id == log_id and all(_within(log.public_key.valid_for, time) for time in moments)
    ]


def _keyring(logs: list[TransparencyLogInstance]) -> Keyring:
    from sigstore._internal.trust import Keyring

    return Keyring([log.public_key for log in logs])


def _chains_at(authorities: list[CertificateAuthority], time: datetime) -> list[list[Certificate]]:
    from cryptography.x509 import load_der_x509_certificate

    return [
        [load_der_x509_certificate(item.raw_bytes) for item in authority.cert_chain.certificates]
        for authority in authorities
        if _within(authority.valid_for, time) and authority.cert_chain.certificates
    ]


def _host(address: str) -> str:
    return address.partition("://")[2].partition("/")[0] or address
