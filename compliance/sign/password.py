"""The secret that opens a key: from the environment, or asked for on the terminal. Never an argument: `ps` shows it."""

from __future__ import annotations

import getpass
import os
import sys

from compliance.errors import SigningError

PASSWORD_VARIABLE = "HULLMARK_KEY_PASSWORD"  # noqa: S105
"""The environment variable that holds the password of an encrypted key, or the PIN of a token."""


def password_for(what: str, where: str) -> str:
    """The password for `what` (as a person would call it) at `where`. An empty one is a password too.

    Raises SigningError (``key-encrypted``) where the variable is not set and there is no terminal to ask on.
    """
    given = os.environ.get(PASSWORD_VARIABLE)
    if given is not None:
        return given
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise SigningError(f"{what} is needed", code="key-encrypted", where=where, hint=f"set {PASSWORD_VARIABLE}")
    try:
        return getpass.getpass(f"{what} ({where}): ", stream=sys.stderr)
    except EOFError:
        raise SigningError(f"{what} was not given", code="key-encrypted", where=where) from None
