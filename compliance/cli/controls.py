"""``hullmark controls``: what the control library says, without an image."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from compliance.errors import UsageError

app = typer.Typer(help="Look into the control library.", no_args_is_help=True, rich_markup_mode=None)


@app.command("list")
def list_frameworks() -> None:
    """List the frameworks, and how many of their controls image checks bear on."""
    from controls.loader import load_library

    library = load_library()
    for framework in library.frameworks:
        typer.echo(f"{framework.id:32} {len(framework.controls):4}  {framework.name} {framework.version}".rstrip())
    typer.echo(f"control library {library.digest}", err=True)


@app.command("show")
def show(
    framework: Annotated[str, typer.Argument(metavar="FRAMEWORK", help="An id of `controls list`.")],
    control: Annotated[str | None, typer.Argument(metavar="[CONTROL]", help="One control, by id or label.")] = None,
) -> None:
    """Show a framework's controls, or one control with the checks that bear on it and why."""
    from controls.loader import load_library

    (chosen,) = load_library((framework,)).frameworks
    if control is None:
        for item in chosen.controls:
            typer.echo(f"{item.label:24} {item.title}  [{', '.join(line.check for line in item.checks)}]")
        return
    found = [item for item in chosen.controls if control.lower() in (item.id.lower(), item.label.lower())]
    if not found:
        raise UsageError(f"{framework} has no control {control} that image checks bear on", code="control-unknown")
    (item,) = found
    typer.echo(f"{chosen.name}: {item.label} {item.title}")
    typer.echo(f"source: {item.source}")
    if item.baselines is not None:
        typer.echo(f"SP 800-53B baselines: {', '.join(item.baselines) or 'none'}")
    for line in item.checks:
        typer.echo(f"\n{line.check} {line.relation}\n  {line.rationale}")


@app.command("coverage")
def coverage(
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """Show, for each framework, how many of its mapped checks this version implements."""
    from controls.registry import CHECKS

    from controls.loader import load_library

    implemented = {check.id for check in CHECKS}
    rows = []
    for framework in load_library().frameworks:
        mapped = {line.check for control in framework.controls for line in control.checks}
        reached = sum(any(line.check in implemented for line in control.checks) for control in framework.controls)
        rows.append(
            {
                "framework": framework.id,
                "controls": len(framework.controls),
                "withImplementedCheck": reached,
                "checksMapped": len(mapped),
                "checksImplemented": len(mapped & implemented),
            }
        )
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
        return
    for row in rows:
        typer.echo(
            f"{row['framework']:32} controls {row['withImplementedCheck']:3} of {row['controls']:3}   "
            f"checks {row['checksImplemented']:2} of {row['checksMapped']:2}"
        )
