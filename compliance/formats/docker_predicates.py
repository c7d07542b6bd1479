"""Predicates of Docker Hardened Images and Docker Scout that have a form of their own.

As docs.docker.com and the public policies of Docker Hardened Images describe them. Their predicates may be lists.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from compliance.errors import FormatError
from compliance.formats.predicate_values import CODE, counted, line
from compliance.formats.signed_json import JsonObject

DHI_FIPS = "https://docker.com/dhi/fips/"
SCOUT_SECRETS = "https://scout.docker.com/secrets/"


@dataclass(frozen=True, slots=True, kw_only=True)
class CryptographicModule:
    """A module as the attestation names it: its status is what was true when it was written."""

    name: str
    version: str
    certification: str
    standard: str
    status: str
    sunset: date | None
    package: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CryptographicModules:
    """The modules that the image is said to contain."""

    modules: tuple[CryptographicModule, ...]

    @property
    def summary(self) -> str:
        """The modules in one line."""
        shown = "; ".join(
            f"{module.name} {module.version}, {module.certification}, {module.status}"
            + (f" until {module.sunset}" if module.sunset else "")
            for module in self.modules[:3]
        )
        return f"{counted(len(self.modules), 'cryptographic module')} named" + (f": {shown}" if shown else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretsScan:
    """How many secrets a scan says it found. What they are is not repeated."""

    found: int

    @property
    def summary(self) -> str:
        """The scan in one line."""
        return f"secrets scan: {counted(self.found, 'secret')} found"


def read_fips_predicate(modules: tuple[JsonObject, ...]) -> CryptographicModules:
    """https://docker.com/dhi/fips/v0.1. Raises FormatError."""
    return CryptographicModules(modules=tuple(_module(item) for item in modules))


def read_secrets_predicate(found: tuple[JsonObject, ...]) -> SecretsScan:
    """https://scout.docker.com/secrets/v0.1: a list with what leaked."""
    return SecretsScan(found=len(found))


def _module(item: JsonObject) -> CryptographicModule:
    return CryptographicModule(
        name=line(item, "name", 100),
        version=line(item, "version", 60),
        certification=line(item, "certification", 60),
        standard=line(item, "standard", 60),
        status=line(item, "status", 40),
        sunset=_date(item, "sunsetDate"),
        package=line(item, "package", 300),
    )


def _date(item: JsonObject, key: str) -> date | None:
    text = line(item, key, 40)
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise FormatError("not a date", code=CODE, where=f"{item.where}.{key}") from None
