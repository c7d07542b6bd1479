"""What a fleet's store costs: recording, bytes an image, and reading its tables as frames.

    python -m tests.benchmarks.fleet_frames [--images 2000] [--own 150] [--shared 0] [--store URL]

Every image has `own` findings that no other has and `shared` ones of its base: with all of them its own, nothing is
saved by sharing, which is the worst case for a frame of 300,000 findings.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TypeVar, get_args

from compliance.model.fleet import AssessmentRecord, FindingRow, ItemOutcome, ItemState, PackageRow
from compliance.store.assessment_record import finding_key, record_of
from compliance.store.fleet_store import open_fleet_store
from compliance.store.frames import TableName, frame
from compliance.store.parquet_export import export
from compliance.store.sql_store import SqlFleetStore
from tests.builders.fleet_documents import BASES, COST, POLICY, START, documents, hexed, item, member, new_run

T = TypeVar("T")


def record(number: int, like: AssessmentRecord, own: int, shared: int) -> AssessmentRecord:
    """The record of image `number`, on one of a few bases."""
    base = number % BASES
    findings = [_finding(f"base-{base}", place, f"sha256:{hexed('base', base)}") for place in range(shared)]
    findings += [_finding(f"app-{number}", place, f"sha256:{hexed('layer', number)}") for place in range(own)]
    package = PackageRow(
        purl=f"pkg:generic/app-{number}@1", type="generic", name=f"app-{number}", version="1", layer=None
    )
    return replace(
        like,
        id=hexed("document", number),
        sbom=hexed("sbom", number),
        digest=item(number).digest,
        findings=tuple(findings),
        packages=(*like.packages, package),
        layers=(like.layers[0], replace(like.layers[1], diff_id=f"sha256:{hexed('diff', number)}")),
    )


def _finding(owner: str, place: int, layer: str) -> FindingRow:
    path = f"/opt/{owner}/bin/tool-{place}"
    return FindingRow(
        check="RM-SHELL",
        key=finding_key("RM-SHELL", "file", path, None),
        kind="file",
        path=path,
        package=None,
        layer=layer,
        sha256=hexed("file", owner, place),
        verdict="present",
        summary=f"{path} is a command shell (bash).",
    )


def fill(store: SqlFleetStore, images: int, own: int, shared: int) -> None:
    """One run over so many images. Their documents are not kept: this is about rows."""
    like = record_of(*documents(0), policy=POLICY)
    run = store.begin(new_run(), map(member, range(images)))
    for number in range(images):
        made = record(number, like, own, shared)
        outcome = ItemOutcome(item=item(number), state=ItemState.ASSESSED, assessment=made.id, cost=COST)
        store.record(run, outcome, made)
    store.end(run, START + timedelta(hours=1))


def measured(what: str, action: Callable[[], T]) -> T:
    """What `action` gives, and on a line how long it took."""
    began = time.perf_counter()
    result = action()
    sys.stdout.write(f"{what:<44}{time.perf_counter() - began:>9.2f} s\n")
    return result


def main() -> None:
    """Fill a store, and read it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--own", type=int, default=150)
    parser.add_argument("--shared", type=int, default=0)
    parser.add_argument("--store", metavar="URL", help="a new database (default: an SQLite file)")
    values = parser.parse_args()
    import pandas  # noqa: F401 - its import is not what is measured
    import pyarrow.parquet  # noqa: F401

    with tempfile.TemporaryDirectory() as folder:
        url = values.store or f"{folder}/fleet.db"
        with closing(open_fleet_store(url, f"{folder}/blobs")) as store:
            measured(f"{values.images} images recorded", lambda: fill(store, values.images, values.own, values.shared))
            for line in _lines(store, Path(folder, "fleet.db"), values.images):
                sys.stdout.write(f"{line}\n")
            measured("exported as Parquet", lambda: export(store, Path(folder, "parquet"), store.runs()))
            measured("digest of the store", store.digest)
            for name in get_args(TableName):
                rows = len(measured(f"frame {name} from the database", lambda name=name: frame(store, name)))  # type: ignore[misc]
                again = measured(f"frame {name} from Parquet", lambda name=name: frame(f"{folder}/parquet", name))  # type: ignore[misc]
                if len(again) != rows:
                    raise SystemExit("the two differ")
                sys.stdout.write(f"{'':<4}{rows} rows\n")


def _lines(store: SqlFleetStore, file: Path, images: int) -> Iterator[str]:
    if file.exists():
        with store.database.writing() as connection:
            pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
            size = pages * connection.exec_driver_sql("PRAGMA page_size").scalar_one()
        yield f"{size} bytes of database, {size // images} an image"
    yield ", ".join(f"{name} {rows}" for name, rows in store.sizes().items() if rows)


if __name__ == "__main__":
    main()
