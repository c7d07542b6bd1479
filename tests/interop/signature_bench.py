"""Putting signatures to `hullmark verify` and to cosign, as both would meet them: in a registry, with an image."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from tests.builders.hullmark import Answer, verify
from tests.builders.layout import Layout
from tests.builders.registry_push import Pusher
from tests.builders.registry_server import Server
from tests.builders.sigstore_stack import Cosign
from tests.builders.specimen import TYPE, Form, Specimen
from tests.interop.signature_cases import Case


@dataclass(frozen=True, kw_only=True)
class Cell:
    """What they answered. `ours`, `theirs` and `older` are whether they accept it; `reason` is ours.

    `older` is an older cosign's answer, None where it was not asked.
    """

    ours: bool
    theirs: bool
    older: bool | None
    code: int
    reason: str
    said: str


Row = Mapping[str, Cell | None]
"""By case; None where there is no such case for this kind."""


@dataclass(frozen=True, kw_only=True)
class Bench:
    """Where the signatures are tried: two images, a registry (in repositories below `name`), two versions of cosign."""

    name: str
    folder: Path
    server: Server
    cosign: Cosign
    older: Cosign
    layout: Layout
    images: tuple[str, str]
    """Digests; what is tried is about the first."""

    def manifest(self, image: int) -> bytes:
        return (self.layout.root / "blobs" / self.images[image].replace(":", "/")).read_bytes()


def bench(folder: Path, server: Server, cosign: Cosign, older: Cosign) -> Bench:
    """Two images, about one of which everything is."""
    layout = Layout(root=folder / "images")
    images = [layout.add_image(({"name": name},), tag=name)["digest"] for name in ("one", "other")]
    return Bench(
        name=folder.name,
        folder=folder,
        server=server,
        cosign=cosign,
        older=older,
        layout=layout,
        images=(str(images[0]), str(images[1])),
    )


def rows(specimens: Mapping[str, Specimen], bench: Bench, cases: Mapping[str, Case]) -> dict[str, Row]:
    """Put every case of every specimen to all."""
    asked: dict[str, dict[str, tuple[Answer, Future[_Said], Future[_Said] | None] | None]] = {}
    with ThreadPoolExecutor(2) as pool:
        for number, (name, good) in enumerate(specimens.items()):
            asked[name] = {}
            for column, (title, case) in enumerate(cases.items()):
                specimen = case.spoil(good, bench.images[1])
                asked[name][title] = None if specimen is None else _ask(specimen, bench, f"{number}-{column}", pool)
    return {
        name: {title: None if pair is None else _cell(*pair) for title, pair in cases.items()}
        for name, cases in asked.items()
    }


_Said = tuple[bool, str]
"""Whether cosign accepts it, and its last line."""


def _cell(ours: Answer, theirs: Future[_Said], older: Future[_Said] | None) -> Cell:
    accepts, said = theirs.result()
    items = [item for kind in ("signatures", "attestations") for item in (ours.document or {}).get(kind, ())]
    reason = "; ".join(item["reason"] for item in items) or ours.reasons
    others = None if older is None else older.result()
    return Cell(
        ours=ours.accepts,
        theirs=accepts,
        older=None if others is None else others[0],
        code=ours.code,
        reason=reason,
        said=said if others is None else f"{said}; older: {others[1]}",
    )


def _ask(
    specimen: Specimen, bench: Bench, name: str, pool: ThreadPoolExecutor
) -> tuple[Answer, Future[_Said], Future[_Said] | None]:
    folder = bench.folder / name
    folder.mkdir()
    repository = f"{bench.name}/{name}"
    _push(specimen, bench, repository)
    image = f"{bench.server.host}/{repository}@{specimen.image}"
    trust = _trust(specimen, folder)
    required = "signature" if specimen.is_signature else TYPE
    ours = verify(f"registry:{image}", *trust, folder=folder, require=[required])
    theirs = pool.submit(_ask_cosign, bench.cosign, specimen, bench, image, trust, folder)
    if specimen.kind.version:
        return ours, theirs, None
    older, trust = _trust_of_older(specimen, bench.older, trust, folder)
    return ours, theirs, pool.submit(_ask_cosign, older, specimen, bench, image, trust, folder)


def _push(specimen: Specimen, bench: Bench, name: str) -> None:
    """The images, and the specimen: as a referrer, or under the tag that cosign gave it before."""
    pusher = Pusher(url=bench.server.url, name=name)
    pusher.layout(bench.layout.root)
    blobs = {specimen.media_type: specimen.content}
    if specimen.kind.version:
        pusher.artifact(blobs, subject=specimen.image, artifact_type=specimen.media_type)
    else:
        tag = specimen.image.replace(":", "-") + specimen.kind.form
        pusher.artifact(blobs, annotations=specimen.annotations, tag=tag)


def _trust(specimen: Specimen, folder: Path) -> list[str | Path]:
    """What both are told, in the words that are common to both."""
    trust: list[str | Path] = []
    if specimen.trusted_root:
        root = folder / "trusted_root.json"
        root.write_text(json.dumps(specimen.trusted_root))
        trust += ["--trusted-root", root]
    if specimen.key is not None:
        (folder / "key.pub").write_bytes(specimen.key)
        trust += ["--key", folder / "key.pub"]
    else:
        trust += ["--certificate-identity", specimen.identity, "--certificate-oidc-issuer", specimen.issuer]
    return [*trust, "--insecure-ignore-tlog"] if specimen.ignore_log else trust


def _trust_of_older(
    specimen: Specimen, cosign: Cosign, trust: Sequence[str | Path], folder: Path
) -> tuple[Cosign, list[str | Path]]:
    """What version 2 is told: it takes a trusted root for bundles only, and for layers the same keys in files."""
    root = specimen.trusted_root
    chains = {
        name: b"".join(
            _pem("CERTIFICATE", one["rawBytes"])
            for authority in root[name]
            for one in authority["certChain"]["certificates"]
        )
        for name in ("certificateAuthorities", "timestampAuthorities")
    }
    # It knows one log, and Rekor v1 signs with ECDSA.
    logs = {
        name: b"".join(
            _pem("PUBLIC KEY", log["publicKey"]["rawBytes"])
            for log in root[name]
            if "ECDSA" in log["publicKey"]["keyDetails"]
        )
        for name in ("tlogs", "ctlogs")
    }
    for name, content in (chains | logs).items():
        (folder / f"{name}.pem").write_bytes(content)
    environment = {
        "SIGSTORE_ROOT_FILE": str(folder / "certificateAuthorities.pem"),
        "SIGSTORE_CT_LOG_PUBLIC_KEY_FILE": str(folder / "ctlogs.pem"),
        "SIGSTORE_REKOR_PUBLIC_KEY": str(folder / "tlogs.pem"),
    }
    place = trust.index("--trusted-root")
    words: list[str | Path] = [*trust[:place], *trust[place + 2 :]]
    if specimen.kind.stamp:
        words += ["--timestamp-certificate-chain", folder / "timestampAuthorities.pem"]
    return replace(cosign, environment=environment), words


def _pem(label: str, content: str) -> bytes:
    lines = "\n".join(textwrap.wrap(content, 64))
    return f"-----BEGIN {label}-----\n{lines}\n-----END {label}-----\n".encode()


def _ask_cosign(
    cosign: Cosign, specimen: Specimen, bench: Bench, image: str, trust: Sequence[str | Path], folder: Path
) -> _Said:
    """`cosign verify` or `verify-attestation`; for bundles that these do not read, their counterparts for files."""
    options = [*trust, *specimen.cosign_options, *(("--use-signed-timestamps",) if specimen.kind.stamp else ())]
    if not specimen.kind.version:
        options.append("--offline")  # else it asks the public log for an entry that the layer lacks
    if not specimen.is_signature:
        options += ["--type", TYPE]
    if specimen.kind.version in ("0.1", "0.2") or specimen.kind.form is Form.MESSAGE:
        (folder / "bundle.json").write_bytes(specimen.content)
        (folder / "manifest.json").write_bytes(bench.manifest(bench.images.index(specimen.image)))
        command = "verify-blob" if specimen.is_signature else "verify-blob-attestation"
        done = cosign(command, "--bundle", folder / "bundle.json", *options, folder / "manifest.json")
    else:
        command = "verify" if specimen.is_signature else "verify-attestation"
        done = cosign(command, *options, image)
    return done.returncode == 0, done.stderr.strip().rpartition("\n")[2]
