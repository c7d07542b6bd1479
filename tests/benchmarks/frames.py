"""How long the frames of a large fleet take to load: ``python -m tests.benchmarks.frames [--findings 300000]``.

The fleet is the ordinary sample, really assessed once, under as many digests as it takes; each with findings of its own
in its uppermost layer, so that not every row is shared. Prints the median of some readings, by table and by source.
"""

from __future__ import annotations

import argparse
import hashlib
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import get_args

from compliance import Store, assess
from compliance.model.fleet import AssessmentRecord, Item, ItemOutcome, ItemState, Member, Run, RunState
from compliance.pipeline import sbom
from compliance.store.assessment_record import finding_key, record_of
from compliance.store.fleet_store import open_fleet_store
from compliance.store.frames import TableName
from compliance.store.parquet_export import export

SAMPLE = Path(__file__).resolve().parents[2] / "examples" / "images" / "ordinary"
MOMENT = datetime(2026, 11, 20, tzinfo=UTC)
POLICY = "sha256:" + hashlib.sha256(b"benchmark").hexdigest()
OWN_FINDINGS = 20
READINGS = 5


def main() -> None:
    """Make the store and the export, and read both."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--findings", type=int, default=300_000)
    wanted = parser.parse_args().findings
    with tempfile.TemporaryDirectory() as folder:
        url = Path(folder) / "fleet.db"
        images = fill(url, wanted)
        source = open_fleet_store(str(url), create=False)
        export(source, Path(folder) / "export", source.runs())
        source.close()
        for name, place in (("SQLite", url), ("Parquet", Path(folder) / "export")):
            for table, rows, seconds, processor in readings(Store(place)):
                told = f"{rows:9,} rows  {seconds:6.2f} s, {processor:6.2f} s of processor"
                sys.stdout.write(f"{name:8} {table:9} {images:6,} images {told}\n")


def fill(url: Path, wanted: int) -> int:
    """One run with so many findings; the number of its images."""
    record = base_record()
    images = -(-wanted // (len(record.findings) + OWN_FINDINGS))
    store = open_fleet_store(str(url))
    run = store.begin(open_run(), (member(number) for number in range(images)))
    for number in range(images):
        own = own_record(record, number)
        item = Item(digest=own.digest, policy=POLICY, reference=f"oci-dir:image-{number:05}@{own.digest}")
        store.record(run, ItemOutcome(item=item, state=ItemState.ASSESSED, assessment=own.id), own)
    store.end(run, MOMENT)
    store.close()
    return images


def readings(store: Store) -> Iterator[tuple[str, int, float, float]]:
    """Table, rows, and the medians of the seconds that reading it took, on the wall and of the processor."""
    for table in get_args(TableName):
        taken = []
        for _ in range(READINGS):
            begin = time.perf_counter(), time.process_time()
            rows = len(store.frame(table))
            taken.append((time.perf_counter() - begin[0], time.process_time() - begin[1]))
        yield table, rows, *(statistics.median(column) for column in zip(*taken, strict=True))


def base_record() -> AssessmentRecord:
    """What a store keeps of the sample."""
    assessment = assess(f"oci-dir:{SAMPLE}", profile="runtime", effective_time=MOMENT)
    assert assessment.evidence is not None
    return record_of(assessment.render("json"), sbom(assessment.evidence), policy=POLICY)


def own_record(record: AssessmentRecord, number: int) -> AssessmentRecord:
    """The same for another image: its own digest, and findings at paths of its own."""
    name = hashlib.sha256(str(number).encode()).hexdigest()
    model = next(one for one in record.findings if one.path is not None)
    paths = [f"/srv/application-{number:05}/file-{one:03}" for one in range(OWN_FINDINGS)]
    keyed = [(path, finding_key(model.check, model.kind, path, None)) for path in paths]
    own = tuple(replace(model, key=key, path=path, package=None, layer=f"sha256:{name}") for path, key in keyed)
    return replace(record, id=name, digest=f"sha256:{name}", findings=(*record.findings, *own))


def member(number: int) -> Member:
    """One reference."""
    name = hashlib.sha256(str(number).encode()).hexdigest()
    group = f"team-{number % 20:02}"
    return Member(
        group=group,
        owner=f"{group}@example.org",
        reference=f"oci-dir:image-{number:05}",
        origin=f"groups.{group}.images[{number}]",
        policy=POLICY,
        platform="linux/amd64",
        digest=f"sha256:{name}",
    )


def open_run() -> Run:
    """The run as it begins."""
    return Run(
        fleet="benchmark",
        number=0,
        state=RunState.OPEN,
        fleet_digest=POLICY,
        tool="hullmark",
        controls_digest=POLICY,
        started=MOMENT,
        effective=MOMENT,
        population="",
    )


if __name__ == "__main__":
    main()
