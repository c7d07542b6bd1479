"""The errors a user meets: one class a stage, each with what happened, where, and what to do."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """Exit codes of the command. "The tool failed" and "the image failed" are never the same code."""

    SATISFIED = 0
    TOOL_FAILED = 1
    USAGE = 2
    NOT_SATISFIED = 10
    NOT_DETERMINED = 11
    NOT_VERIFIED = 12


class ComplianceError(Exception):
    """Base of every error that is shown to a person as one line, without a traceback.

    `code` is a stable word for scripts (``digest-mismatch``), `where` the path, digest or field,
    `hint` what to do next.
    """

    exit_code: ExitCode = ExitCode.TOOL_FAILED

    def __init__(self, message: str, *, code: str, where: str | None = None, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.where = where
        self.hint = hint

    def __str__(self) -> str:
        """What, where and what to do, on one line."""
        where = f" [{self.where}]" if self.where else ""
        hint = f" — {self.hint}" if self.hint else ""
        return f"{self.message}{where}{hint}".replace("\n", " ")


class UsageError(ComplianceError):
    """The command line, or a file the user wrote for it, asks for something that does not exist."""

    exit_code = ExitCode.USAGE


class SourceError(ComplianceError):
    """The image can't be read: no such path, no image in it, a missing blob, a shape nobody specified."""


class IntegrityError(ComplianceError):
    """Bytes do not hash to the digest under which they were found."""

    exit_code = ExitCode.NOT_VERIFIED


class LimitError(ComplianceError):
    """An input passes a bound that protects the machine; the bound's name is in the message."""


class FormatError(ComplianceError):
    """Bytes that are not what their format says: a tar header, an ELF section, a JSON document."""


class VerificationError(ComplianceError):
    """A signature, attestation or evidence bundle does not verify, and something demanded that it does."""

    exit_code = ExitCode.NOT_VERIFIED


class PolicyError(ComplianceError):
    """A policy, waiver, profile or framework file is wrong; an empty policy is an error, not an allow."""

    exit_code = ExitCode.USAGE


class SigningError(ComplianceError):
    """A signing key can't be read or used."""


class StoreError(ComplianceError):
    """An evidence bundle can't be written or read back."""
