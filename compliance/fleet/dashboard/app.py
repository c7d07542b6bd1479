"""The dashboard's addresses, and what is answered at each: pages, downloads, health and metrics. Nothing is written."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from importlib import resources
from typing import TYPE_CHECKING, TypeAlias, cast
from urllib.parse import parse_qs

from compliance.errors import ComplianceError
from compliance.fleet.dashboard import downloads, pages, query
from compliance.fleet.dashboard.access import Access
from compliance.fleet.dashboard.addresses import address, having, local_path
from compliance.fleet.dashboard.fleet_reader import FleetReader, newest
from compliance.fleet.dashboard.guard import Guard
from compliance.fleet.dashboard.pages import Chosen, Context
from compliance.fleet.metrics import CONTENT_TYPE, FleetFigures, exposition
from compliance.fleet.posture import IMAGE_OUTCOMES, SEVERITIES
from compliance.fleet.scheduler import FleetState
from compliance.model.fleet import FleetStore
from reports import fleet_wording, html_charts, wording

if TYPE_CHECKING:
    from jinja2 import Environment
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import ASGIApp

    from compliance.fleet.fleet_file import Fleet
    from reports.fleet_document import FleetTool

_View: TypeAlias = "Callable[[Request], tuple[str, Context]]"
_TYPES = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
_FOREVER = "public, max-age=31536000, immutable"
_ASK_AGAIN = "private, no-cache"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asset:
    address: str
    media_type: str
    content: bytes


class NotThere(Exception):  # noqa: N818 - an answer, not a fault
    """There is no such fleet, run, image or file."""


class Dashboard:
    """All pages. `app` is what a server runs; `states` tells how the schedules stand."""

    def __init__(
        self,
        access: Access,
        *,
        open_store: Callable[[Fleet], FleetStore],
        states: Callable[[], Sequence[FleetState]],
        clock: Callable[[], datetime],
        tell: Callable[[ComplianceError], None],
    ) -> None:
        """Serves nothing before `load`. `tell` hears of what readers are not told in full."""
        self._access = access
        self._open_store = open_store
        self._states = states
        self._clock = clock
        self._tell = tell
        self._readers: dict[str, FleetReader] = {}

    def load(self, fleets: Sequence[Fleet]) -> None:
        """Serve these fleets from now on."""
        before = self._readers
        after: dict[str, FleetReader] = {}
        for fleet in fleets:
            known = before.get(fleet.name)
            after[fleet.name] = known if known and known.fleet == fleet else FleetReader(fleet, self._open_store)
        self._readers = after
        for reader in before.values():
            if reader not in after.values():
                reader.close()

    def warm(self) -> None:
        """Read ahead what the first pages show."""
        for reader in tuple(self._readers.values()):
            reader.warm()

    def close(self) -> None:
        """Let go of all stores."""
        self.load(())

    @cached_property
    def app(self) -> ASGIApp:
        """The application behind its guard."""
        return Guard(self._routes(), self._access)

    def _routes(self) -> Starlette:
        from starlette.applications import Starlette
        from starlette.exceptions import HTTPException
        from starlette.routing import Route

        reading = ["GET", "HEAD"]
        fleet = "/fleets/{fleet}"
        routes = [
            Route("/", self._page(self._overview, live=True), methods=reading),
            Route("/healthz", self._healthz, methods=reading),
            Route("/metrics", self._metrics, methods=reading),
            Route("/assets/{name}", self._asset, methods=reading),
            Route("/login", self._login, methods=[*reading, "POST"]),
            Route("/logout", self._logout, methods=["POST"]),
            Route(fleet, self._page(self._summary, live=True), methods=reading),
            Route(f"{fleet}/images", self._page(self._images), methods=reading),
            Route(f"{fleet}/images/{{digest}}", self._page(self._image, live=True), methods=reading),
            Route(f"{fleet}/checks", self._page(self._checks), methods=reading),
            Route(f"{fleet}/controls", self._page(self._controls), methods=reading),
            Route(f"{fleet}/waivers", self._page(self._waivers), methods=reading),
            Route(f"{fleet}/bases", self._page(self._bases), methods=reading),
            Route(f"{fleet}/changes", self._page(self._changes), methods=reading),
            Route(f"{fleet}/runs", self._page(self._runs, live=True), methods=reading),
            Route(f"{fleet}/downloads", self._page(self._downloads), methods=reading),
            Route(f"{fleet}/runs/{{run}}/{{name}}", self._file(self._fleet_file), methods=reading),
            Route(f"{fleet}/assessments/{{id}}/{{name}}", self._file(self._assessment_file), methods=reading),
        ]

        async def plain(request: Request, error: Exception) -> Response:
            status = error.status_code if isinstance(error, HTTPException) else 500
            heading = "There is no such page" if status == 404 else "That can't be done"
            return self._message(request, status, heading, "Nothing was found at this address.")

        return Starlette(routes=routes, exception_handlers={HTTPException: plain})

    # Answers

    def _page(self, view: _View, *, live: bool = False) -> Callable[[Request], Response]:
        """A handler that answers with a template, or with what went wrong. `view` gives its name and context.

        What a page says of runs that ended changes with the head of the chain alone; a `live` one says more than that.
        """

        def handler(request: Request) -> Response:
            if request.state.viewer is None:
                return self._login_form(request, 401)
            return self._answered(request, lambda: self._fresh(request, view, None if live else self._version(request)))

        return handler

    def _file(self, make: Callable[[Request], downloads.Download]) -> Callable[[Request], Response]:
        """A handler that answers with a file to be kept, which no browser is to show under our address."""
        from starlette.responses import Response

        def sent(request: Request) -> Response:
            found = make(request)
            headers = {
                "content-disposition": f'attachment; filename="{found.name}"',
                "content-security-policy": "default-src 'none'; sandbox",
                "cache-control": _ASK_AGAIN if found.digest is None else "private, max-age=31536000, immutable",
            }
            if found.digest is not None:
                headers["etag"] = f'"sha256:{found.digest}"'
            return Response(found.content, media_type=found.media_type, headers=headers)

        def handler(request: Request) -> Response:
            if request.state.viewer is None:
                return self._login_form(request, 401)
            return self._answered(request, lambda: sent(request))

        return handler

    def _answered(self, request: Request, answer: Callable[[], Response]) -> Response:
        """The answer, or a page that says what is wrong in a line; never where in the code."""
        try:
            return answer()
        except NotThere as error:
            return self._message(request, 404, "There is no such page", str(error))
        except query.BadQuery as error:
            return self._message(request, 400, "That can't be asked for", str(error))
        except ComplianceError as error:
            self._tell(error)
            heading = "The store can't be read just now"
            return self._message(request, 503, heading, f"The reason ({error.code}) is in the server's log.")

    def _fresh(self, request: Request, view: _View, version: str | None) -> Response:
        """The page, or 304 where the browser has it; without a `version` that shows when it is made."""
        from starlette.responses import Response

        if version is not None and _has(request, version):
            return Response(status_code=304, headers={"etag": version, "cache-control": _ASK_AGAIN})
        template, context = view(request)
        content = self._environment.get_template(template).render(**self._frame(request), **context).encode()
        tag = version or _tag(content)
        headers = {"etag": tag, "cache-control": _ASK_AGAIN}
        if version is None and _has(request, tag):
            return Response(status_code=304, headers=headers)
        return Response(content, media_type="text/html; charset=utf-8", headers=headers)

    def _version(self, request: Request) -> str:
        reader = self._reader(request)
        parts = (self._tool, request.state.viewer, reader.fleet.digest, reader.head(), _here(request))
        return _tag("\n".join(map(str, parts)).encode())

    def _message(self, request: Request, status: int, heading: str, message: str) -> Response:
        from starlette.responses import HTMLResponse

        if getattr(request.state, "viewer", None) is None:
            return self._login_form(request, 401)
        page = self._environment.get_template("message.html.j2")
        return HTMLResponse(page.render(**self._frame(request), heading=heading, message=message), status)

    def _frame(self, request: Request) -> Context:
        """What every page has around it."""
        viewer = request.state.viewer
        return {
            "viewer": viewer,
            "may_sign_out": viewer is not None and self._access.token is not None,
            "tool": self._tool,
            "assets": {name: asset.address for name, asset in self._assets.items()},
        }

    @cached_property
    def _made_by(self) -> FleetTool:
        from compliance.pipeline import TOOL, tool_version

        return {"name": TOOL, "version": tool_version()}

    @property
    def _tool(self) -> str:
        return f"{self._made_by['name']} {self._made_by['version']}"

    @cached_property
    def _environment(self) -> Environment:
        from jinja2 import Environment, PackageLoader, StrictUndefined

        environment = Environment(
            loader=PackageLoader("compliance.fleet.dashboard"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        environment.filters |= {"having": having, "minute": pages.minute, "short": wording.short_digest}
        environment.globals |= {
            "marks": wording.MARKS,
            "severities": SEVERITIES,
            "image_outcomes": IMAGE_OUTCOMES,
            "outcome_names": fleet_wording.OUTCOMES,
            "stacked_bar": html_charts.stacked_bar,
            "page_numbers": pages.page_numbers,
        }
        return environment

    @cached_property
    def _assets(self) -> Mapping[str, _Asset]:
        """Style, script and mark: each at an address with its digest, so that a browser asks for it once."""
        own = resources.files("compliance.fleet.dashboard") / "assets"
        found = {path.name: path.read_bytes() for path in sorted(own.iterdir(), key=lambda path: path.name)}
        found["page.css"] = (resources.files("reports") / "templates" / "html" / "page.css").read_bytes()
        return {name: _made_asset(name, content) for name, content in found.items()}

    # Without a page

    def _healthz(self, request: Request) -> Response:
        """That the server answers; nothing about what it serves."""
        from starlette.responses import PlainTextResponse

        return PlainTextResponse("ok\n")

    def _asset(self, request: Request) -> Response:
        from starlette.responses import PlainTextResponse, Response

        for asset in self._assets.values():
            if asset.address == request.url.path:
                headers = {"cache-control": _FOREVER}
                return Response(asset.content, media_type=asset.media_type, headers=headers)
        return PlainTextResponse("not found\n", 404)

    def _metrics(self, request: Request) -> Response:
        from starlette.responses import PlainTextResponse, Response

        if request.state.viewer is None:
            return PlainTextResponse("not signed in\n", 401, headers={"www-authenticate": "Bearer"})
        now = self._clock()
        figures = [self._figures(reader, now) for reader in self._readers.values()]
        return Response(exposition(figures, now, self._tool), media_type=CONTENT_TYPE)

    def _figures(self, reader: FleetReader, now: datetime) -> FleetFigures:
        state = self._state(reader)
        figures = FleetFigures(
            fleet=reader.fleet.name,
            readable=False,
            next_start=self._next(state, now),
            schedule_failures=0 if state is None else state.failures,
        )
        try:
            runs = reader.ended()
            facts = reader.facts(runs[-1]) if runs else None
            progress = reader.progress()
            missed = self._missed(reader, state, now)
        except ComplianceError as error:
            self._tell(error)
            return figures
        return replace(
            figures,
            readable=True,
            run=None if facts is None else facts.run,
            total=None if facts is None else facts.posture.total,
            open_items=0 if progress is None else progress.items,
            open_done=0 if progress is None else progress.done,
            missed=len(missed),
            waivers_expiring=0 if facts is None else pages.expiring(facts),
        )

    # Signing in

    async def _login(self, request: Request) -> Response:
        from starlette.concurrency import run_in_threadpool
        from starlette.responses import PlainTextResponse, RedirectResponse

        if self._access.token is None:
            return PlainTextResponse("not found\n", 404)
        if request.method != "POST":
            return await run_in_threadpool(self._login_form, request, 200)
        try:
            form = parse_qs((await request.body()).decode(), max_num_fields=4, keep_blank_values=True)
        except ValueError:  # not UTF-8, or too many fields
            form = {}
        target = local_path(form.get("next", ["/"])[0])
        if not self._access.token.matches(form.get("token", [""])[0].strip()):
            return await run_in_threadpool(self._login_form, request, 401, wrong=True, target=target)
        answer = RedirectResponse(target, 303)
        answer.headers["set-cookie"] = self._cookie(self._access.session(self._clock().timestamp()))
        return answer

    async def _logout(self, request: Request) -> Response:
        from starlette.responses import RedirectResponse

        answer = RedirectResponse("/login" if self._access.token else "/", 303)
        answer.headers["set-cookie"] = self._cookie("") + "; Max-Age=0"
        return answer

    def _cookie(self, value: str) -> str:
        secure = "; Secure" if self._access.encrypted else ""
        return f"{self._access.cookie}={value}; Path=/; HttpOnly; SameSite=Strict{secure}"

    def _login_form(self, request: Request, status: int, *, wrong: bool = False, target: str | None = None) -> Response:
        """The form, in place of whatever was asked for; afterwards one gets there."""
        from starlette.responses import HTMLResponse

        if target is None:
            place = request.url.path + (f"?{request.url.query}" if request.url.query else "")
            target = "/" if request.url.path in ("/login", "/logout") else local_path(place)
        page = self._environment.get_template("login.html.j2")
        frame = self._frame(request) | {"may_sign_out": False}
        return HTMLResponse(page.render(**frame, wrong=wrong, next=target), status)

    # Pages

    def _overview(self, request: Request) -> tuple[str, Context]:
        query.read(request, {})
        now = self._clock()
        return "overview.html.j2", {"cards": [self._card(reader, now) for reader in self._readers.values()]}

    def _card(self, reader: FleetReader, now: datetime) -> Context:
        fleet, state = reader.fleet, self._state(reader)
        card: Context = {
            "fleet": fleet,
            "address": address("fleets", fleet.name),
            "images_address": address("fleets", fleet.name, "images"),
            "runs_address": address("fleets", fleet.name, "runs"),
            "schedule": fleet.schedule,
            "next_start": self._next(state, now),
            "scheduler_trouble": None if state is None else state.trouble,
            "missed": (),
            "missed_words": "",
            "run": None,
            "progress": None,
            "trouble": None,
        }
        try:
            runs = reader.ended()
            if runs:
                card |= pages.card(reader.facts(runs[-1]))
            missed = self._missed(reader, state, now)
            card |= {"progress": reader.progress(), "missed": missed}
            card["missed_words"] = wording.count(len(missed), "run")
        except ComplianceError as error:
            self._tell(error)
            card["trouble"] = f"The reason ({error.code}) is in the server's log."
        return card

    def _summary(self, request: Request) -> tuple[str, Context]:
        return self._about_run(request, "fleet.html.j2", "", query.RUN, lambda chosen, _: pages.summary(chosen))

    def _images(self, request: Request) -> tuple[str, Context]:
        def view(chosen: Chosen, values: Mapping[str, object]) -> Context:
            return pages.images(chosen, query.image_filter(values), _here(request)) | {"chosen_run": chosen.number}

        return self._about_run(request, "images.html.j2", "images", query.IMAGES, view, needed=True)

    def _image(self, request: Request) -> tuple[str, Context]:
        def view(chosen: Chosen, values: Mapping[str, object]) -> Context:
            digest, policy = request.path_params["digest"], str(values.get("policy", ""))
            line = pages.find_line(chosen.facts, digest, policy)
            if line is None:
                raise NotThere("No such image is in this run.")
            return pages.image(chosen, line) | {"downloads": downloads.offered(chosen, line), "choosable": ()}

        return self._about_run(request, "image.html.j2", "images", query.IMAGE, view, needed=True)

    def _checks(self, request: Request) -> tuple[str, Context]:
        return self._about_run(
            request, "checks.html.j2", "checks", query.RUN, lambda chosen, _: pages.checks(chosen), needed=True
        )

    def _controls(self, request: Request) -> tuple[str, Context]:
        def view(chosen: Chosen, values: Mapping[str, object]) -> Context:
            return pages.controls(chosen, str(values.get("framework", ""))) | {"chosen_run": chosen.number}

        return self._about_run(request, "controls.html.j2", "controls", query.CONTROLS, view, needed=True)

    def _waivers(self, request: Request) -> tuple[str, Context]:
        return self._about_run(
            request, "waivers.html.j2", "waivers", query.RUN, lambda chosen, _: pages.waivers(chosen), needed=True
        )

    def _bases(self, request: Request) -> tuple[str, Context]:
        return self._about_run(
            request, "bases.html.j2", "bases", query.RUN, lambda chosen, _: pages.bases(chosen), needed=True
        )

    def _downloads(self, request: Request) -> tuple[str, Context]:
        def view(chosen: Chosen, _: Mapping[str, object]) -> Context:
            return {"downloads": downloads.of_fleet(chosen), "images_address": chosen.link("images")}

        return self._about_run(request, "downloads.html.j2", "downloads", query.RUN, view, needed=True)

    def _changes(self, request: Request) -> tuple[str, Context]:
        reader = self._reader(request)
        values = query.read(request, query.CHANGES)
        found = pages.changes(reader, reader.ended(), values, _here(request))
        if found is None:
            raise NotThere("One of these runs is not there, or has not ended.")
        return "changes.html.j2", self._fleet_frame(request, reader, None, "changes") | found

    def _runs(self, request: Request) -> tuple[str, Context]:
        query.read(request, {})
        reader = self._reader(request)
        missed = self._missed(reader, self._state(reader), self._clock())
        return "runs.html.j2", self._fleet_frame(request, reader, None, "runs") | pages.runs(reader, missed)

    def _about_run(
        self,
        request: Request,
        template: str,
        page: str,
        known: Mapping[str, Callable[[str, str], object]],
        view: Callable[[Chosen, Mapping[str, object]], Context],
        *,
        needed: bool = False,
    ) -> tuple[str, Context]:
        """A page about one run of one fleet: the newest, or that of the parameter ``run``."""
        reader = self._reader(request)
        values = query.read(request, known)
        number = cast("int | None", values.get("run"))
        runs = reader.ended()
        run = newest(runs, number)
        if run is None:
            if number is not None or needed:
                raise NotThere("There is no such run, or it has not ended.")
            return template, self._fleet_frame(request, reader, None, page)
        chosen = Chosen(reader=reader, runs=runs, run=run, explicit=number is not None)
        return template, self._fleet_frame(request, reader, chosen, page) | view(chosen, values)

    def _fleet_frame(self, request: Request, reader: FleetReader, chosen: Chosen | None, page: str) -> Context:
        """What every page about a fleet has around it."""
        here = _here(request)
        kept = [pair for pair in request.query_params.multi_items() if pair[0] not in ("run", "page")]
        return {
            "fleet": reader.fleet,
            "pages": pages.navigation(reader, chosen, page),
            "run": None if chosen is None else chosen.run,
            "latest": None if chosen is None else chosen.runs[-1],
            "choosable": () if chosen is None else tuple(reversed(chosen.runs)),
            "kept_parameters": kept,
            "here": request.url.path,
            "here_newest": having(here, run=None),
        }

    # Files

    def _assessment_file(self, request: Request) -> downloads.Download:
        query.read(request, {})
        reader = self._reader(request)
        identifier = request.path_params["id"]
        if not (len(identifier) == 64 and set(identifier) <= set("0123456789abcdef")):
            raise NotThere("No assessment has this digest.")
        found = downloads.of_assessment(reader.record(identifier), request.path_params["name"], reader.blob)
        if found is None:
            raise NotThere("There is no such file.")
        return found

    def _fleet_file(self, request: Request) -> downloads.Download:
        query.read(request, {})
        reader = self._reader(request)
        run = newest(reader.ended(), query.number("run", request.path_params["run"]))
        if run is None:
            raise NotThere("There is no such run, or it has not ended.")
        found = downloads.fleet_file(reader, run, request.path_params["name"], self._made_by, self._open_store)
        if found is None:
            raise NotThere("There is no such file.")
        return found

    # Fleets and their schedules

    def _reader(self, request: Request) -> FleetReader:
        reader = self._readers.get(request.path_params["fleet"])
        if reader is None:
            raise NotThere("No such fleet is served here.")
        return reader

    def _state(self, reader: FleetReader) -> FleetState | None:
        return next((state for state in self._states() if state.fleet.name == reader.fleet.name), None)

    def _missed(self, reader: FleetReader, state: FleetState | None, now: datetime) -> tuple[datetime, ...]:
        if state is None or state.timetable is None:
            return ()
        return state.timetable.missed(reader.all_runs(), now)

    def _next(self, state: FleetState | None, now: datetime) -> datetime | None:
        return None if state is None or state.timetable is None else state.timetable.next(now)


def _tag(content: bytes) -> str:
    return f'"{hashlib.sha256(content).hexdigest()[:32]}"'


def _has(request: Request, tag: str) -> bool:
    """Whether the browser has that version (RFC 9110, section 13.1.2)."""
    return tag in (part.strip().removeprefix("W/") for part in request.headers.get("if-none-match", "").split(","))


def _here(request: Request) -> str:
    return request.url.path + (f"?{request.url.query}" if request.url.query else "")


def _made_asset(name: str, content: bytes) -> _Asset:
    stem, _, suffix = name.rpartition(".")
    digest = hashlib.sha256(content).hexdigest()[:16]
    media_type = _TYPES[suffix] + ("; charset=utf-8" if suffix != "svg" else "")
    return _Asset(address=f"/assets/{stem}.{digest}.{suffix}", media_type=media_type, content=content)
