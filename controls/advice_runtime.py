"""What a fixed user without privilege, a read-only root and a bare file system change for an application."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator

from compliance.formats.globs import PathMatcher
from compliance.model.advice import RUNTIME_UID, Advice, Gap, Impact, Place
from compliance.model.evidence import Evidence
from compliance.model.filesystem import FileEntry, FileKind, display_path
from compliance.model.image import ImageConfig
from controls.accounts import GROUP, PASSWD, CannotStart, Identity, read_account_file, resolve_user, run_as
from controls.application import package_of
from controls.entrypoint import basename
from controls.observe import count, mode_text
from controls.runtime_plan import (
    CERTIFICATE_VARIABLES,
    CERTIFICATES,
    NEUTRAL_LOCALE,
    RUNTIME,
    RuntimePlan,
)
from controls.runtime_tree import inside
from controls.start_plan import StartPlan
from controls.unfold import USER_SWITCHES
from controls.writability import READ, SEARCH, Writability, permitted

UNPRIVILEGED_MIN = 1024
PLACES_MAX = 12
_PORT = re.compile(r"(\d{1,5})(?:-\d{1,5})?(?:/[a-z]+)?", re.ASCII)
_SETUID = 0o6000
_SKELETON = PathMatcher(("root/.{bashrc,profile,bash_logout,wget-hsts}", "root/.{cache,npm/_cacache}/**"))
_STATE = re.compile(r"(?:var/(?:log|lib|cache|spool|run)|run|srv|data)/[^/]+")


def runtime_advice(evidence: Evidence, start: StartPlan, plan: RuntimePlan) -> Iterator[Advice | Gap]:
    """Each thing that changes, with what in the image shows it."""
    config = evidence.image.config
    if config is None:
        return
    yield from _user(evidence, plan, config)
    yield from _unreadable(evidence, plan)
    yield from _privileged_files(evidence, start, plan)
    yield from _ports(config)
    yield from _writable(evidence, start, plan, config)
    yield from _home(evidence, config)
    yield from _certificates(evidence, plan, config)
    yield from _time_and_language(evidence, plan, config)
    yield from _commands(start, plan)
    yield from _health(start, plan, config)
    yield from _untracked(evidence, plan)


def _user(evidence: Evidence, plan: RuntimePlan, config: ImageConfig) -> Iterator[Advice | Gap]:
    who = run_as(evidence)
    place = Place(config="User", text=config.user or "not set")
    way_out = f"Start as USER {RUNTIME_UID}:{RUNTIME_UID}, by number, so that nobody has to look it up."
    if isinstance(who, CannotStart):
        yield Advice(
            id="user-unresolved", impact=Impact.BREAKS, what=f"{who.reason}.", places=(place,), way_out=way_out
        )
        return
    if not isinstance(who, Identity):
        yield Gap(what=f"the user of the image: {who.reason}")
        return
    if who.root:
        yield Advice(
            id="user-root",
            impact=Impact.MAY_BREAK,
            what=f"The application runs as root and will run as uid {RUNTIME_UID}, without any capability.",
            places=(place,),
            way_out=f"{way_out} What it does as root while it runs can't be seen in the image: try it with "
            f"--user {RUNTIME_UID}:{RUNTIME_UID} --cap-drop=ALL before moving.",
        )
        return
    if not who.numeric:
        known = "in a target without that account" if plan.target is None else "in the target"
        has = plan.target is not None and _names_user(plan.target, config.user or "")
        if not has:
            yield Advice(
                id="user-name",
                impact=Impact.BREAKS if plan.target is not None else Impact.MAY_BREAK,
                what=f"USER {config.user} is a name: {known} a container does not start.",
                places=(place,),
                way_out=way_out,
            )
    if who.uid != RUNTIME_UID:
        yield from _owned(evidence, plan, who)


def _names_user(target: Evidence, spec: str) -> bool:
    tree = target.filesystem
    return isinstance(resolve_user(spec, read_account_file(tree, PASSWD), read_account_file(tree, GROUP)), Identity)


def _owned(evidence: Evidence, plan: RuntimePlan, who: Identity) -> Iterator[Advice]:
    """Directories that the present user owns: it may write there, and the runtime user may not."""
    writable = {copy.target for copy in plan.copies if copy.writable}
    found = _topmost(
        entry
        for entry in evidence.filesystem
        if entry.kind is FileKind.DIRECTORY and entry.uid == who.uid and not inside(entry.path, "tmp")
    )
    left = [entry for entry in found if not any(inside(entry.path, place) for place in writable)]
    if left:
        yield Advice(
            id="uid-changes",
            impact=Impact.MAY_BREAK,
            what=f"uid {who.uid} owns {count(len(left), 'directory', 'directories')} now, and uid {RUNTIME_UID} will "
            "not be able to write there.",
            places=_places(left),
            way_out="Where the application writes one of them, copy it with --chown=65532:65532 and declare it as "
            "VOLUME; volumes that exist keep their old owner until it is changed (fsGroup in Kubernetes).",
        )


def _unreadable(evidence: Evidence, plan: RuntimePlan) -> Iterator[Advice]:
    """Files of the application that only their owner may read."""
    tree = evidence.filesystem
    closed = []
    for path in sorted(plan.application.paths):
        entry = tree.entries[path]
        if entry.kind is FileKind.REGULAR and not (permitted(entry, RUNTIME, READ) and _reachable(evidence, entry)):
            closed.append(entry)
    if closed:
        opened = any(inside(entry.path, unit) for entry in closed for unit in plan.open)
        way_out = "Give them a mode that others may read"
        way_out += ": the proposal does so while building. " if opened else ", by COPY --chmod. "
        way_out += "Keys and passwords among them belong into a secret that is mounted, not into the image."
        yield Advice(
            id="unreadable",
            impact=Impact.BREAKS,
            what=f"uid {RUNTIME_UID} may not read {count(len(closed), 'file')} of the application.",
            places=_places(closed),
            way_out=way_out,
        )


def _reachable(evidence: Evidence, entry: FileEntry) -> bool:
    folder = posixpath.dirname(entry.path)
    while folder:
        above = evidence.filesystem.entries.get(folder)
        if above is not None and not permitted(above, RUNTIME, SEARCH):
            return False
        folder = posixpath.dirname(folder)
    return True


def _privileged_files(evidence: Evidence, start: StartPlan, plan: RuntimePlan) -> Iterator[Advice]:
    """Programs with setuid, setgid or capabilities that the application has among its files or calls by script."""
    called = {entry.path: place for word, entry, place in start.calls if word not in USER_SWITCHES}
    for entry in evidence.filesystem.regular():
        ours = entry.path in plan.application.paths
        if not (entry.mode & _SETUID and entry.mode & 0o111) and not entry.capability:
            continue
        if not ours and entry.path not in called:
            continue
        what = "has file capabilities" if entry.capability else f"is setuid or setgid (mode {mode_text(entry.mode)})"
        places = [Place(path=entry.path, layer=entry.layer, text=mode_text(entry.mode))]
        if entry.path in called:
            places.append(called[entry.path])
        yield Advice(
            id="privileged-file",
            impact=Impact.MAY_BREAK,
            what=f"{display_path(entry.path)} {what}, which no-new-privileges takes away and COPY --chown clears.",
            places=tuple(places),
            way_out="Do without the privilege, or give the capability to the container where it is started.",
        )


def _ports(config: ImageConfig) -> Iterator[Advice]:
    for text in config.exposed_ports:
        match = _PORT.fullmatch(text)
        if match is None or not 0 < int(match[1]) < UNPRIVILEGED_MIN:
            continue
        yield Advice(
            id="port",
            impact=Impact.MAY_BREAK,
            what=f"Port {text} is below {UNPRIVILEGED_MIN}: whether uid {RUNTIME_UID} may listen there is for the "
            "runtime to say. Docker from 20.10 and containerd from 2.0 on (for pods) allow it, CRI-O if told to.",
            places=(Place(config="ExposedPorts", text=text),),
            way_out="Let the service listen on a port from 1024 (8080 for 80, 8443 for 443), and map it outside.",
        )


def _writable(evidence: Evidence, start: StartPlan, plan: RuntimePlan, config: ImageConfig) -> Iterator[Advice | Gap]:
    """Places that the application is said to write: volumes, what scripts make, and state directories."""
    writability = Writability(evidence.filesystem, RUNTIME)
    places: list[Place] = []
    for volume in config.volumes:
        path = evidence.filesystem.real_path(volume) or volume.strip("/")
        entry = evidence.filesystem.get(path)
        if entry is None or not writability.folder(path).writable:
            owner = f"owner {entry.uid}, mode {mode_text(entry.mode)}" if entry is not None else "made by root"
            places.append(
                Place(config="Volumes", path=path, layer=entry.layer if entry is not None else None, text=owner)
            )
    places.extend(place for _, place in start.directories)
    if places:
        made = sorted({copy.target for copy in plan.copies if copy.writable})
        shown = ", ".join(display_path(path) for path in made)
        yield Advice(
            id="writable",
            impact=Impact.BREAKS,
            what=f"uid {RUNTIME_UID} must be able to write {count(len(places), 'place')} that it can't write now.",
            places=tuple(places[:PLACES_MAX]),
            way_out=(f"The proposal gives it {shown} and declares them as VOLUME. " if shown else "")
            + "Mount them writable where the root file system is read-only; volumes that exist keep their old owner.",
        )
    state = [entry for entry in _state_folders(evidence, plan) if not writability.folder(entry.path).writable]
    if state:
        yield Advice(
            id="state",
            impact=Impact.MAY_BREAK,
            what=f"{count(len(state), 'directory', 'directories')} for state of the application can't be "
            f"written by uid {RUNTIME_UID}.",
            places=_places(state),
            way_out="If it writes there, copy them with --chown=65532:65532 and declare them as VOLUME; logs belong on "
            "stdout.",
        )
    if isinstance(who := run_as(evidence), Identity) and who.root:
        yield Gap(what="which other places the application writes: it runs as root, who may write everywhere")


def _state_folders(evidence: Evidence, plan: RuntimePlan) -> Iterator[FileEntry]:
    """/var/log/x, /var/lib/x and their like that come with the application's packages, or are no package's."""
    copied = {copy.target for copy in plan.copies if copy.writable}
    owned = {path for package in plan.application.packages for path in package.files}
    for entry in evidence.filesystem:
        if entry.kind is not FileKind.DIRECTORY or not _STATE.fullmatch(entry.path) or entry.path in copied:
            continue
        if entry.path in owned:
            yield entry


def _home(evidence: Evidence, config: ImageConfig) -> Iterator[Advice]:
    """Files in root's home that the runtime user will not find, or not be let in to."""
    found = [
        entry
        for entry in evidence.filesystem.regular()
        if entry.path.startswith("root/")
        and not _SKELETON.matches(entry.path)
        and entry.path not in evidence.inventory.owners
    ]
    given = config.env.get("HOME")
    places = [Place(config="Env", text=f"HOME={given}")] if given else []
    if not found and not (given or "").startswith("/root"):
        return
    yield Advice(
        id="home",
        impact=Impact.MAY_BREAK,
        what=f"uid {RUNTIME_UID} has another home than the present user: what is looked up or written below ~ moves.",
        places=(*places, *_places(found)),
        way_out="Put what the application needs at a fixed path outside of /root, and set HOME to a directory that "
        "it may write if it has to.",
    )


def _certificates(evidence: Evidence, plan: RuntimePlan, config: ImageConfig) -> Iterator[Advice]:
    for name in CERTIFICATE_VARIABLES:
        path = config.env.get(name, "")
        if path.startswith("/") and plan.tree.resolve(path) is None:
            yield Advice(
                id="certificates-path",
                impact=Impact.BREAKS,
                what=f"{name} names {path}, which is not in the runtime image.",
                places=(Place(config="Env", text=f"{name}={path}"),),
                way_out="Copy the file, or point the variable at the target's own.",
            )
    tree = evidence.filesystem
    present = next((path for path in CERTIFICATES if tree.resolve(path) is not None), None)
    target = plan.target.filesystem if plan.target is not None else None
    if present is None or (target is not None and any(target.resolve(path) is not None for path in CERTIFICATES)):
        return
    where = "the target does not have" if target is not None else "a bare runtime image does not have"
    entry = tree.resolve(present)
    yield Advice(
        id="certificates",
        impact=Impact.MAY_BREAK,
        what=f"The image has certificates of authorities, which {where}: TLS connections to others would fail.",
        places=(Place(path=present, layer=entry.layer if entry is not None else None),),
        way_out="The proposal copies the file; leave it out if the application opens no TLS connection."
        if any(copy.target.endswith(posixpath.basename(present)) for copy in plan.copies)
        else "Choose a target that ships them, or copy the file if the application opens TLS connections.",
    )


def _time_and_language(evidence: Evidence, plan: RuntimePlan, config: ImageConfig) -> Iterator[Advice]:
    zone = config.env.get("TZ", "").lstrip(":")
    if zone and zone not in ("UTC", "GMT", "Etc/UTC") and plan.tree.resolve(f"usr/share/zoneinfo/{zone}") is None:
        yield Advice(
            id="time-zone",
            impact=Impact.MAY_BREAK,
            what=f"TZ is {zone}, of which the runtime image has no data: the application would take UTC.",
            places=(Place(config="Env", text=f"TZ={zone}"),),
            way_out="Install tzdata in the build stage, so that the file can be copied, or keep to UTC.",
        )
    for name in ("LC_ALL", "LANG", "LC_CTYPE"):
        value = config.env.get(name, "")
        if NEUTRAL_LOCALE.fullmatch(value):
            continue
        place = Place(config="Env", text=f"{name}={value}")
        has = any(inside(entry.path, "usr/lib/locale") for entry in plan.tree.regular())
        yield Advice(
            id="locale",
            impact=Impact.IMPROVE if has else Impact.MAY_BREAK,
            what=f"{name} is {value}: that locale's data "
            + ("go with the application." if has else "are neither in the image nor in the runtime image."),
            places=(place,),
            way_out="Set C.UTF-8, which needs no data, unless the application sorts or formats by that language.",
        )


def _commands(start: StartPlan, plan: RuntimePlan) -> Iterator[Advice]:
    """What scripts call and the runtime image does not have."""
    absent: dict[str, list[Place]] = {}
    for word, entry, place in start.calls:
        if word in USER_SWITCHES or plan.tree.resolve(entry.path) is not None:
            continue
        started = start.command is not None and any(entry.inode == file.inode for file in start.command.files)
        if not started:
            absent.setdefault(basename(word), []).append(place)
    if not absent:
        return
    places = tuple(place for found in absent.values() for place in found)
    where = "the target does not have" if plan.target is not None else "a runtime image without tools does not have"
    yield Advice(
        id="commands",
        impact=Impact.BREAKS,
        what=f"Scripts that start with the container call {', '.join(sorted(absent))}, which {where}.",
        places=places[: PLACES_MAX * 2],
        way_out="Do their work while building, in an init container, or in the program itself.",
    )


def _health(start: StartPlan, plan: RuntimePlan, config: ImageConfig) -> Iterator[Advice]:
    if not start.health_options or plan.config.healthcheck is not None:
        return
    text = " ".join((config.healthcheck or ())[1:])
    yield Advice(
        id="health-check",
        impact=Impact.BREAKS,
        what="The health check starts something that the runtime image does not have.",
        places=(Place(config="Healthcheck", text=text),),
        way_out="Let the orchestrator ask (httpGet, tcpSocket or grpc probes of Kubernetes need nothing in the image), "
        "or give the program a subcommand that checks itself and name that in exec form.",
    )


def _untracked(evidence: Evidence, plan: RuntimePlan) -> Iterator[Advice]:
    """Packages of which files are copied without the record that scanners go by."""
    owners = {package_of(evidence, library.entry) for library in plan.libraries}
    owners |= {package.purl for package in plan.application.packages}
    packages = [
        package
        for package in evidence.inventory.installed
        if package.purl in owners and not any(plan.tree.get(place.path) for place in package.locations[:1])
    ]
    if not packages:
        return
    places = [Place(package=one.purl, path=one.locations[0].path if one.locations else None) for one in packages]
    names = ", ".join(f"{package.name} {package.version}" for package in packages[:PLACES_MAX])
    more = f" and {len(packages) - PLACES_MAX} more" if len(packages) > PLACES_MAX else ""
    yield Advice(
        id="package-record",
        impact=Impact.IMPROVE,
        what=f"Files of packages are copied without their record ({names}{more}): scanners will not see the packages.",
        places=tuple(places[:PLACES_MAX]),
        way_out="Choose a target that ships the packages, or attach an SBOM of the build stage to the runtime image.",
    )


def _places(entries: Iterable[FileEntry]) -> tuple[Place, ...]:
    found = list(entries)
    shown = [
        Place(path=entry.path, layer=entry.layer, text=f"owner {entry.uid}:{entry.gid}, mode {mode_text(entry.mode)}")
        for entry in found[:PLACES_MAX]
    ]
    if len(found) > PLACES_MAX:
        shown.append(Place(text=f"{len(found) - PLACES_MAX:,} more"))
    return tuple(shown)


def _topmost(entries: Iterable[FileEntry]) -> list[FileEntry]:
    out: list[FileEntry] = []
    for entry in entries:
        if not out or not inside(entry.path, out[-1].path):
            out.append(entry)
    return out
