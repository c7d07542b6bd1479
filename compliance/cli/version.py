"""``hullmark version``."""

from __future__ import annotations

import typer


def command() -> None:
    """Show the version."""
    from importlib.metadata import version

    typer.echo(f"hullmark {version('hullmark')}")
