"""What changed from one image to another, or to a running root filesystem: each thing once, most important first."""

from __future__ import annotations

from dataclasses import replace

from compliance.model.drift import Area, Aspect, Change, Compared, Difference, Drift, WritableSet
from compliance.model.evidence import Evidence
from compliance.model.filesystem import display_path
from controls.account_drift import compare_accounts
from controls.accounts import GROUP, PASSWD, Identity, read_account_file, resolve_user
from controls.config_drift import compare_configs
from controls.file_drift import MOUNTED, FileDrift, Listing, Side
from controls.observe import count
from controls.package_drift import compare_packages
from controls.writability import inside

UNREAD_LISTED_MAX = 100
_OF_FILES = (
    Area.PRIVILEGES,
    Area.EXECUTABLES,
    Area.WRITABLE,
    Area.ACCOUNTS,
    Area.PACKAGES,
    Area.CONFIGURATION,
    Area.FILES,
)


def compare(before: Evidence, after: Evidence) -> Drift:
    """The drift from `before` to `after`, each read as for an assessment.

    Places that could not be read are listed in `unread`: nothing is known to be the same there. A root filesystem
    has no config, so its default user is taken to be the one that the other side's config names.
    """
    listing = Listing()
    for difference in compare_configs(before.image, after.image):
        listing.add(difference)
    accounts = compare_accounts(before.filesystem, after.filesystem)
    packages = compare_packages(before.inventory, after.inventory)
    for difference in (*accounts.differences, *packages.differences):
        listing.add(difference)
    rootfs = before.image.config is None or after.image.config is None
    users, unresolved = _users(before, after)
    files = FileDrift(
        before=Side.of(before, users[0]),
        after=Side.of(after, users[1]),
        packages=packages,
        accounts=accounts,
        rootfs=rootfs,
        listing=listing,
    )
    files.run()
    shared = _shared_layers(before, after)
    _tell_layers(before, after, shared, listing)
    return Drift(
        before=_compared(before),
        after=_compared(after),
        areas=listing.areas(),
        normal=files.normal.areas(),
        carried=tuple(sorted(files.carried, key=lambda item: item.path)),
        carried_total=files.carried_total,
        shared_layers=shared,
        writable=_writable(files.before, files.after, users),
        not_compared=(*_not_compared(before, after), *unresolved, *accounts.not_compared),
        unread=(*_unread("before", before, rootfs), *_unread("after", after, rootfs)),
    )


def with_baseline(evidence: Evidence, baseline: Evidence) -> Evidence:
    """`evidence` with the image it is compared with, and what changed since."""
    return replace(evidence, baseline=baseline, drift=compare(baseline, evidence))


def _compared(evidence: Evidence) -> Compared:
    image = evidence.image
    return Compared(
        reference=str(image.reference),
        digest=image.digest,
        platform=None if image.platform is None else str(image.platform),
        rootfs=image.config is None,
        layers=len(image.layers),
    )


def _users(before: Evidence, after: Evidence) -> tuple[tuple[Identity | None, Identity | None], tuple[str, ...]]:
    """Who a container of each side runs as, and why that can't be said."""
    found: list[Identity | None] = []
    problems: list[str] = []
    for own, other in ((before, after), (after, before)):
        config = own.image.config or other.image.config
        if config is None:
            problems.append("what the runtime user can change: no image config names a user")
            found.append(None)
            continue
        tree = own.filesystem
        who = resolve_user(config.user or "", read_account_file(tree, PASSWD), read_account_file(tree, GROUP))
        if not isinstance(who, Identity):
            problems.append(f"what the runtime user can change: {who.reason}")
        found.append(who if isinstance(who, Identity) else None)
    return (found[0], found[1]), tuple(dict.fromkeys(problems))


def _writable(
    before: Side, after: Side, users: tuple[Identity | None, Identity | None]
) -> tuple[WritableSet, WritableSet] | None:
    first, second = users
    if first is None or second is None:
        return None
    return (
        WritableSet(user=str(first), places=None if first.root else len(before.places)),
        WritableSet(user=str(second), places=None if second.root else len(after.places)),
    )


def _shared_layers(before: Evidence, after: Evidence) -> int:
    """How many of the lowest layers are the same by diffID."""
    shared = 0
    for old, new in zip(before.image.layers, after.image.layers, strict=False):
        if old.diff_id != new.diff_id:
            break
        shared += 1
    return shared


def _tell_layers(before: Evidence, after: Evidence, shared: int, listing: Listing) -> None:
    """Other layers are a difference of their own only where they make the same file tree."""
    old, new = before.image, after.image
    if old.config is None or new.config is None or listing.has(_OF_FILES):
        return
    if shared < max(len(old.layers), len(new.layers)):
        listing.add(
            Difference(
                area=Area.LAYERS,
                change=Change.CHANGED,
                subject="layers",
                aspects=(Aspect("number", str(len(old.layers)), str(len(new.layers))),),
                note=f"the same files in other layers; {count(shared, 'layer')} from the lowest up "
                f"{'is' if shared == 1 else 'are'} shared",
            )
        )
    elif not listing.areas() and old.digest != new.digest:
        listing.add(
            Difference(
                area=Area.METADATA,
                change=Change.CHANGED,
                subject="manifest",
                aspects=(Aspect("digest", old.digest, new.digest),),
                note="the bytes of manifest or config differ in nothing that is compared",
            )
        )


def _not_compared(before: Evidence, after: Evidence) -> tuple[str, ...]:
    said = [
        f"{evidence.image.reference} is a root filesystem: it has no config and no layers, so start, ports, "
        "environment, volumes, labels and layers are not compared"
        for evidence in (before, after)
        if evidence.image.config is None
    ]
    acls = sum(entry.acl for evidence in (before, after) for entry in evidence.filesystem)
    if acls:
        said.append(f"what access control lists grant: {count(acls, 'path has', 'paths have')} one")
    return tuple(said)


def _unread(side: str, evidence: Evidence, rootfs: bool) -> tuple[str, ...]:
    """The places of a tree that could not be read, but for those that a runtime mounts over."""
    places = [place for place in evidence.filesystem.unread if not (rootfs and inside(place.path, MOUNTED))]
    listed = [f"{side}: {display_path(place.path)}: {place.reason}" for place in places[:UNREAD_LISTED_MAX]]
    more = len(places) - len(listed)
    return (*listed, f"{side}: {count(more, 'more place')}") if more else tuple(listed)
