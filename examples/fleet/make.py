#!/usr/bin/env python3
"""Make a small fleet out of the two sample images: eight images on three bases, signed by three keys or by nobody.

    make.py FOLDER              the images of one week, FLEET.yaml, waivers.yaml, trust.yaml
    make.py FOLDER --next-week  the same references a week later: some images are others, one is new

The images are real: each is a sample with a few small layers on top, which is all that is written here. Their bytes are
the same in every run; keys, and so signatures, are not.
"""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import sys
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from compliance.formats.intoto import write_statement
from compliance.pipeline import Options, gather, sbom
from compliance.sign.key_signer import SigningKey, load_or_generate

SAMPLES = Path(__file__).resolve().parents[1] / "images"
COSIGN_SIGN = "https://sigstore.dev/cosign/sign/v1"
PROVENANCE = "https://slsa.dev/provenance/v1"
CYCLONEDX = "https://cyclonedx.org/bom"
MOMENT = datetime(2026, 11, 10, tzinfo=UTC)
"""When the SBOMs say that they were made."""

Files = Mapping[str, tuple[int, bytes]]
"""Path -> permissions and content."""

_NOTE = b"#!/bin/sh\nexec /usr/bin/perl -v\n"
COMPANY_BASE: Files = {
    "usr/local/bin/as-root": (0o4755, b'#!/bin/sh\nexec "$@"\n'),
    "etc/company-release": (0o644, b"NAME=company-base\nVERSION=7\n"),
}
"""What turns the ordinary sample into the base image of two teams: with a setuid helper that nobody needs."""


@dataclass(frozen=True, kw_only=True)
class Made:
    """An image: `base` is a sample's name, `layers` lie on it, `signer` is the name of a key, `builder` an address."""

    base: str
    layers: Sequence[Files] = ()
    user: str | None = None
    entrypoint: Sequence[str] = ()
    signer: str | None = None
    builder: str | None = None


def application(name: str, release: int, **more: tuple[int, bytes]) -> Files:
    """A script and its configuration, root's and read-only."""
    return {
        f"srv/{name}/run": (0o755, _NOTE),
        f"srv/{name}/settings.conf": (0o644, f"release = {release}\n".encode()),
        **more,
    }


WRITABLE = {"srv/checkout/spool.conf": (0o666, b"retries = 3\n")}
FIRST: Mapping[str, Made] = {
    "cache": Made(base="hardened", signer="platform", builder="https://ci.example/platform"),
    "sessions": Made(base="hardened", layers=[{"srv/sessions/settings.conf": (0o644, b"release = 1\n")}],
                     signer="platform", builder="https://ci.example/platform"),
    "catalog": Made(base="ordinary", layers=[COMPANY_BASE, application("catalog", 1)], user="1000:1000",
                    entrypoint=["/srv/catalog/run"], signer="shop", builder="https://ci.example/shop"),
    "checkout": Made(base="ordinary", layers=[COMPANY_BASE, application("checkout", 1)], user="1000:1000",
                     entrypoint=["/srv/checkout/run"], signer="shop", builder="https://ci.example/shop"),
    "search": Made(base="ordinary", layers=[COMPANY_BASE, application("search", 1)], entrypoint=["/srv/search/run"],
                   signer="shop", builder="https://laptop.example/build"),
    "reports": Made(base="ordinary", layers=[application("reports", 1)], entrypoint=["/srv/reports/run"]),
    "import": Made(base="ordinary", layers=[application("import", 1)], user="root"),
}  # fmt: skip
NEXT: Mapping[str, Made] = {
    **FIRST,
    # Went over to the hardened base, and is signed.
    "search": Made(base="hardened", layers=[{"srv/search/settings.conf": (0o644, b"release = 2\n")}],
                   signer="shop", builder="https://ci.example/shop"),
    # A release later its configuration can be written by everybody.
    "checkout": Made(base="ordinary", layers=[COMPANY_BASE, {**application("checkout", 2), **WRITABLE}],
                     user="1000:1000", entrypoint=["/srv/checkout/run"], signer="shop",
                     builder="https://ci.example/shop"),
    "mail": Made(base="ordinary", layers=[application("mail", 1)], entrypoint=["/srv/mail/run"]),
}  # fmt: skip
GROUPS = {
    "platform": ("platform-team@example.org", ("cache", "sessions")),
    "shop": ("shop-team@example.org", ("catalog", "checkout", "search", "mail")),
    "data": ("data-team@example.org", ("reports", "import")),
}
WAIVERS = """schema: 1
waivers:
  - id: W-1
    check: IM-SETUID
    images: ["oci-dir:/**/reports", "oci-dir:/**/import"]
    reason: The batch machines run without user namespaces; to be built on the hardened base.
    approver: security@example.org
    created: 2026-10-01T00:00:00Z
    expires: 2026-11-30T00:00:00Z
  - id: W-2
    check: RM-SHELL
    images: ["oci-dir:/**/catalog"]
    reason: The start script needs a shell until release 3.
    approver: security@example.org
    ticket: SEC-1482
    created: 2026-10-01T00:00:00Z
    expires: 2027-03-31T00:00:00Z
"""


def main(folder: Path, *, next_week: bool) -> None:
    """Write all of it below `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    images = NEXT if next_week else FIRST
    for name, made in images.items():
        place = folder / name
        if next_week and place.is_dir() and made == FIRST.get(name):
            continue
        shutil.rmtree(place, ignore_errors=True)
        digest = write_image(place, made)
        if made.signer is not None:
            sign(place, name, digest, made, load_or_generate(folder / f"{made.signer}.pem"))
    (folder / "FLEET.yaml").write_text(fleet_file(images))
    (folder / "waivers.yaml").write_text(WAIVERS)
    (folder / "trust.yaml").write_text(trust_policy())
    sys.stdout.write(f"{len(images)} images in {folder}\n")


def write_image(place: Path, made: Made) -> str:
    """An OCI layout of the image; the digest of its manifest."""
    sample = SAMPLES / made.base
    index = json.loads((sample / "index.json").read_bytes())
    manifest = read_blob(sample, index["manifests"][0]["digest"])
    config = read_blob(sample, manifest["config"]["digest"])
    blobs = place / "blobs" / "sha256"
    blobs.mkdir(parents=True)
    for blob in (sample / "blobs" / "sha256").iterdir():  # all of them: the base image's manifest is among them
        shutil.copy(blob, blobs / blob.name)
    for files in made.layers:
        content = layer_tar(files)
        name = put(blobs, content)
        manifest["layers"].append(
            {"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": name, "size": len(content)}
        )
        config["rootfs"]["diff_ids"].append(name)
        config["history"].append({"created": config["created"], "created_by": f"COPY {' '.join(sorted(files))} /"})
    if made.user is not None:
        config["config"]["User"] = made.user
    if made.entrypoint:
        config["config"]["Entrypoint"] = list(made.entrypoint)
        config["config"].pop("Cmd", None)
    content = json.dumps(config, sort_keys=True).encode()
    manifest["config"] |= {"digest": put(blobs, content), "size": len(content)}
    content = json.dumps(manifest, sort_keys=True).encode()
    digest = put(blobs, content)
    index["manifests"][0] |= {"digest": digest, "size": len(content)}
    (place / "index.json").write_text(json.dumps(index, sort_keys=True))
    shutil.copy(sample / "oci-layout", place / "oci-layout")
    return digest


def layer_tar(files: Files) -> bytes:
    """The files of root's, as a tar whose bytes depend on nothing else."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for path, (mode, content) in sorted(files.items()):
            member = tarfile.TarInfo(path)
            member.mode, member.size = mode, len(content)
            archive.addfile(member, io.BytesIO(content))
    return out.getvalue()


def put(blobs: Path, content: bytes) -> str:
    """Store a blob; its digest."""
    name = hashlib.sha256(content).hexdigest()
    (blobs / name).write_bytes(content)
    return f"sha256:{name}"


def read_blob(layout: Path, digest: str) -> Any:
    """A JSON blob of a layout."""
    return json.loads((layout / "blobs" / digest.replace(":", "/")).read_bytes())


def sign(place: Path, name: str, digest: str, made: Made, key: SigningKey) -> None:
    """A signature, an SBOM, and provenance by the builder, as bundles in the layout's folder."""
    evidence = gather(f"oci-dir:{place}", Options(now=MOMENT))
    definition = {"buildType": made.builder, "externalParameters": {"image": name}, "resolvedDependencies": []}
    statements: dict[str, tuple[str, object]] = {
        "signature": (COSIGN_SIGN, {}),
        "sbom": (CYCLONEDX, json.loads(sbom(evidence))),
        "provenance": (PROVENANCE, {"buildDefinition": definition, "runDetails": {"builder": {"id": made.builder}}}),
    }
    for what, (predicate_type, predicate) in statements.items():
        statement = write_statement(name=name, digest=digest, predicate_type=predicate_type, predicate=predicate)
        (place / f"{what}.sigstore.json").write_bytes(key.sign_statement(statement))


def fleet_file(images: Mapping[str, Made]) -> str:
    """FLEET.yaml: three teams."""
    lines = ["schema: 1", "name: example", "limits: {jobs: 2, reuse: 0s}", "groups:"]
    for group, (owner, names) in GROUPS.items():
        references = ", ".join(f'"oci-dir:{name}"' for name in names if name in images)
        lines += [f"  {group}:", f"    owner: {owner}", f"    images: [{references}]", "    profile: runtime"]
        lines += ["    frameworks: [nist-800-53, nist-800-190, cis-docker]", "    trust: trust.yaml"]
        lines += ["    waivers: [waivers.yaml]"]
    return "\n".join(lines) + "\n"


def trust_policy() -> str:
    """Who may sign, and who may build: each team its own images. Of the data team nothing is demanded yet."""
    lines = ["schema: 1", "expires: 2027-12-31T00:00:00Z", "signers:"]
    lines += [f"  {name}: {{key: {name}.pem.pub, transparency-log: not-required}}" for name in ("platform", "shop")]
    lines.append("rules:")
    for team in ("platform", "shop"):
        patterns = ", ".join(f'"oci-dir:/**/{name}"' for name in GROUPS[team][1])
        lines += [f"  - images: [{patterns}]", "    require:", f"      - {{what: signature, by: {team}}}"]
        lines += [f"      - {{what: {PROVENANCE}, by: {team}, builders: https://ci.example/*}}"]
        lines += [f"      - {{what: {CYCLONEDX}, by: {team}}}"]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main(Path(sys.argv[1]), next_week="--next-week" in sys.argv[2:])
