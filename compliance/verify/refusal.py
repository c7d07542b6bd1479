"""Why something is not verified; carried as exceptions inside this package only."""

from __future__ import annotations

from compliance.model.verification import Signer


class RejectedError(Exception):
    """It was checked and does not hold. `signer` is set where it is proved who signed, only not the demanded one."""

    def __init__(self, reason: str, signer: Signer | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.signer = signer or Signer()


class UnknownLogError(RejectedError):
    """A log that the trusted root does not know at all: nothing is shown to be wrong, and nothing is proved."""


class NotCheckableError(Exception):
    """There is nothing to check it with, or no way known here to check it; nothing is claimed then."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
