"""Jobs for the workers of a fleet: a sample image under the shipped rules, as of one time."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

from compliance.fleet.group_policy import GroupPolicy
from compliance.fleet.job import Blobs, Bounds, Job
from compliance.ingest.layer_cache import LayerCache
from compliance.ingest.limits import DEFAULT_LIMITS
from compliance.ingest.registry_options import RegistryOptions
from compliance.model.fleet import Item
from compliance.model.outcome import Severity

EFFECTIVE = datetime(2026, 11, 1, tzinfo=UTC)
POLICY = GroupPolicy(
    digest="sha256:" + "5" * 64,
    platform=None,
    profile="auto",
    frameworks=(),
    checks=(),
    trust=None,
    waivers=(),
    fail_on=Severity.HIGH,
)


def job(
    layout: Path,
    blobs: Blobs,
    *,
    seconds: float = 120.0,
    memory: int = 2**31,
    digest: str | None = None,
    cache: LayerCache | None = None,
) -> Job:
    """The job to assess the first image of an OCI layout; `digest` says that it should be another."""
    found = json.loads((layout / "index.json").read_bytes())["manifests"][0]["digest"]
    return Job(
        item=Item(digest=digest or found, policy=POLICY.digest, reference=f"oci-dir:{layout}@{found}"),
        policy=POLICY,
        effective=EFFECTIVE,
        registry=RegistryOptions(),
        limits=DEFAULT_LIMITS,
        bounds=Bounds(seconds=seconds, memory=memory),
        cache=cache,
        blobs=blobs,
    )
