"""``hullmark fleet serve``: runs when they are due, and a dashboard over what they found."""

from __future__ import annotations

import ipaddress
import json
import os
from argparse import Namespace
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from compliance.cli import fleet_options
from compliance.cli.output import say
from compliance.cli.parser import Parser
from compliance.errors import UsageError
from compliance.formats.user_file import read_file

if TYPE_CHECKING:
    from compliance.fleet.dashboard.access import Access, Secret
    from compliance.fleet.dashboard.server import Certificate
    from compliance.fleet.fleet_file import Fleet
    from compliance.fleet.service import Place

SUMMARY = "start runs when they are due, and show a dashboard"
DESCRIPTION = (
    "Start the runs of one fleet or several by their schedules, and serve a read-only dashboard. SIGHUP reads the "
    "fleet files again; SIGTERM stops, and a run that is going on is continued by whoever looks next. Several such "
    "servers may share a store: each run happens once. Tokens are read from files or the environment, never from "
    "arguments."
)

LISTEN = "127.0.0.1:8080"


def arguments(parser: Parser) -> None:
    """The fleets, the schedule, the dashboard and who may see it."""
    parser.add_argument("fleets", metavar="FLEET.yaml", nargs="+", help="the fleets; each has a name of its own")
    fleet_options.add_history(parser)
    parser.add_argument("--no-schedule", action="store_true", help="start no runs: the dashboard alone")
    parser.add_argument("--no-dashboard", action="store_true", help="serve nothing: the schedules alone")
    parser.add_argument(
        "--grace", type=float, default=300.0, metavar="SECONDS", help="how late a run may begin (default: 300)"
    )
    parser.add_argument(
        "--catch-up",
        choices=("once", "never"),
        default="once",
        help="of runs that were missed: begin the newest late (default), or none",
    )
    parser.add_argument("--run-options", metavar="TEXT", help='further options of every fleet run: "--jobs 8"')
    parser.add_argument("--listen", default=LISTEN, metavar="HOST:PORT", help=f"the dashboard's (default: {LISTEN})")
    parser.add_argument(
        "--host", action="append", metavar="NAME", help="a name under which it is reached; may be repeated"
    )
    parser.add_argument(
        "--token-file", metavar="FILE", help="the token that readers need; also HULLMARK_DASHBOARD_TOKEN"
    )
    parser.add_argument(
        "--behind-proxy",
        metavar="HEADER",
        help="let a proxy in front say who reads, in this header; it proves itself by the secret in "
        "X-Hullmark-Proxy-Secret",
    )
    parser.add_argument("--proxy-secret-file", metavar="FILE", help="that secret; also HULLMARK_PROXY_SECRET")
    parser.add_argument("--tls-certificate", metavar="PEM", help="serve TLS with this certificate chain")
    parser.add_argument("--tls-key", metavar="PEM", help="and this key")
    parser.add_argument(
        "--log", choices=("auto", "json"), default="auto", help="json: one JSON object a line on stderr"
    )
    parser.add_argument("--config", metavar="FILE", help="configuration (default: hullmark.toml here, if any)")


def run(values: Namespace) -> int:
    """Serve until told to stop."""
    demand_extra()
    from compliance.fleet.scheduler import Scheduler
    from compliance.fleet.service import RunHost, Service, holder, signals, split_options

    if values.no_schedule and values.no_dashboard:
        raise UsageError("neither schedules nor a dashboard: nothing to do", code="usage")
    tell = _log_lines if values.log == "json" else _say_lines
    run_options = (*split_options(values.run_options), *(("--log", "json") if values.log == "json" else ()))
    host = RunHost(
        place=lambda fleet: _place(values, fleet),
        tell_of=tell,
        options=run_options,
        create=not values.no_schedule,
    )
    scheduler = Scheduler(host, holder=holder(), grace=values.grace, catch_up=values.catch_up == "once")
    dashboard = server = None
    if not values.no_dashboard:
        from compliance.fleet.dashboard.app import Dashboard
        from compliance.fleet.dashboard.server import Server

        address, port = _listened(values.listen)
        access = _access(values, address)
        dashboard = Dashboard(
            access,
            open_store=host.open_store,
            states=lambda: scheduler.states,
            clock=lambda: datetime.now(UTC),
            tell=lambda error: tell("store-trouble", {"code": error.code, "reason": str(error)}),
        )
        server = Server(dashboard.app, _certificate(values))
        port = server.bind(address, port)
        scheme = "https" if access.encrypted else "http"
        shown = f"[{address}]" if ":" in address else address
        tell("dashboard", {"address": f"{scheme}://{shown}:{port}/", "access": _told(access)})
        if not access.encrypted and not _is_loopback(address) and access.proxy_secret is None:
            tell("warning", {"reason": "tokens are sent in clear: give --tls-certificate, or have a proxy do TLS"})
    service = Service(
        scheduler,
        lambda: _fleets(values.fleets),
        tell,
        schedules=not values.no_schedule,
        dashboard=dashboard,
        server=server,
    )
    with signals(service):
        service.run()
    return 0


def demand_extra() -> None:
    """Raise UsageError where the libraries of the extra are not installed."""
    import importlib.util

    missing = [name for name in ("sqlalchemy", "starlette", "uvicorn") if importlib.util.find_spec(name) is None]
    if missing:
        raise UsageError(
            f"serving a fleet needs {', '.join(missing)}", code="extra-missing", hint="install hullmark[fleet]"
        )


def _fleets(paths: list[str]) -> tuple[Fleet, ...]:
    """The fleets, each with a name and a schedule that can be followed."""
    from compliance.fleet.fleet_file import read_fleet
    from compliance.fleet.occurrences import occurrences

    fleets = tuple(read_fleet(Path(path)) for path in paths)
    names = [fleet.name for fleet in fleets]
    for name in names:
        if names.count(name) > 1:
            raise UsageError(f"two fleets are named {name}", code="fleet-invalid", hint="their histories would mix")
    for fleet in fleets:
        if fleet.schedule is not None:
            occurrences(fleet.schedule)
    return fleets


def _place(values: Namespace, fleet: Fleet) -> Place:
    from compliance.fleet.service import Place

    url, blobs = fleet_options.store_place(values, fleet)
    return Place(url=url, blobs=blobs)


def _listened(text: str) -> tuple[str, int]:
    """The host and port of ``HOST:PORT``, ``[ADDRESS]:PORT`` or ``:PORT`` (this machine alone)."""
    host, colon, port = text.rpartition(":")
    if not colon or not (port.isascii() and port.isdigit() and len(port) < 6 and int(port) < 2**16):
        raise UsageError(f"not an address to listen on: {text}", code="usage", where="--listen", hint="HOST:PORT")
    return host.removeprefix("[").removesuffix("]") or "127.0.0.1", int(port)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _access(values: Namespace, host: str) -> Access:
    """Who may see the dashboard. Raises UsageError where everybody could who reaches it over a network."""
    from compliance.fleet.dashboard.access import Access

    token = _secret(values.token_file, "HULLMARK_DASHBOARD_TOKEN", "--token-file")
    proxy_secret = _secret(values.proxy_secret_file, "HULLMARK_PROXY_SECRET", "--proxy-secret-file")
    if (values.behind_proxy is None) is not (proxy_secret is None):
        raise UsageError(
            "a proxy has a header and a secret", code="usage", hint="give --behind-proxy and --proxy-secret-file"
        )
    if values.behind_proxy is not None and not _is_header(values.behind_proxy):
        raise UsageError(f"not a header: {values.behind_proxy}", code="usage", where="--behind-proxy")
    if not _is_loopback(host) and token is None and proxy_secret is None:
        raise UsageError(
            f"{host} is not this machine alone, and nobody is asked who they are",
            code="access-unset",
            where="--listen",
            hint="give --token-file, or --behind-proxy with --proxy-secret-file",
        )
    return Access(
        addresses=not _is_loopback(host),
        hosts=frozenset(name.lower() for name in (values.host or ())) | ({host.lower()} - {""}),
        token=token,
        proxy_header=values.behind_proxy,
        proxy_secret=proxy_secret,
        encrypted=values.tls_certificate is not None,
    )


def _is_header(name: str) -> bool:
    return name.isascii() and name.replace("-", "").isalnum()


def _secret(file: str | None, variable: str, flag: str) -> Secret | None:
    from compliance.fleet.dashboard.access import SECRET_SIZE_MAX, read_secret

    if file is not None:
        content = read_file(Path(file), "secret", SECRET_SIZE_MAX)
        return read_secret(content.decode("ascii", "replace"), f"{flag} {file}")
    given = os.environ.get(variable)
    return None if given is None else read_secret(given, variable)


def _certificate(values: Namespace) -> Certificate | None:
    from compliance.fleet.dashboard.server import Certificate

    if (values.tls_certificate is None) is not (values.tls_key is None):
        raise UsageError("TLS needs both --tls-certificate and --tls-key", code="usage")
    if values.tls_certificate is None:
        return None
    return Certificate(chain=Path(values.tls_certificate), key=Path(values.tls_key))


def _told(access: Access) -> str:
    if access.proxy_secret is not None:
        return f"whom the proxy lets through ({access.proxy_header})" + ("" if access.token is None else ", or a token")
    return "this machine alone" if access.token is None else "a token"


def _say_lines(event: str, facts: Mapping[str, object]) -> None:
    shown = " ".join(f"{name}={_printed(value)}" for name, value in facts.items() if value is not None)
    say(f"hullmark: {event} {shown}".rstrip())


def _log_lines(event: str, facts: Mapping[str, object]) -> None:
    moment = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    shown = {name: _printed(value) for name, value in facts.items() if value is not None}
    say(json.dumps({"time": moment, "event": event, **shown}))


def _printed(value: object) -> object:
    return f"{value.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}" if isinstance(value, datetime) else value
