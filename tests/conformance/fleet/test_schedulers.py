"""Schedulers as processes: two on one PostgreSQL, killed, stopped and told to read again, with real runs."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psutil
import pytest

from compliance.fleet.fleet_file import read_fleet
from compliance.model.fleet import FleetStore, Run, RunState
from compliance.store.fleet_store import open_fleet_store
from tests.builders.postgresql import PostgreSQL, postgresql

PATIENCE = 180.0
"""Seconds that something may take; it is there in a few, unless the machine is busy."""

FLEET = """\
schema: 1
name: {name}
schedule:
  cron: "{cron}"
limits:
  jobs: 1
groups:
  samples:
    owner: team@example.org
    images:
{images}"""


@pytest.fixture(scope="module")
def cluster() -> Iterator[PostgreSQL]:
    with postgresql() as one:
        yield one


def write_fleet(folder: Path, *images: str, cron: str = "0 * * * *", name: str = "samples") -> Path:
    path = folder / "FLEET.yaml"
    path.write_text(FLEET.format(name=name, cron=cron, images="".join(f"      - {image}\n" for image in images)))
    return path


@dataclass(eq=False)
class Server:
    """A process that tells of events in JSON lines, in a file."""

    process: subprocess.Popen[bytes]
    log: Path

    def events(self) -> list[dict[str, Any]]:
        lines = self.log.read_text().splitlines(keepends=True)
        return [json.loads(line) for line in lines if line.startswith("{") and line.endswith("\n")]

    def named(self, *names: str) -> list[dict[str, Any]]:
        return [event for event in self.events() if event["event"] in names]

    def wait_for(self, *names: str, number: int = 1) -> dict[str, Any]:
        """The event that is there for the `number`-th time."""
        until(lambda: len(self.named(*names)) >= number or self.process.poll() is not None, self.log)
        found = self.named(*names)
        assert len(found) >= number, self.log.read_text()
        return found[number - 1]

    def children(self) -> list[psutil.Process]:
        return list(psutil.Process(self.process.pid).children(recursive=True))


def until(ready: Callable[[], object], log: Path | None = None) -> None:
    end = time.monotonic() + PATIENCE
    while not ready():
        assert time.monotonic() < end, "" if log is None else log.read_text()
        time.sleep(0.1)


@contextmanager
def started(log: Path, *command: str) -> Iterator[Server]:
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, *command], stdout=out, stderr=out, stdin=subprocess.DEVNULL, env={**os.environ}
        )
    server = Server(process=process, log=log)
    try:
        yield server
    finally:
        if process.poll() is None:
            children = server.children()
            process.kill()
            for child in children:
                with suppress(psutil.NoSuchProcess):
                    child.kill()
        process.wait()


def serve(log: Path, fleet: Path, store: str, blobs: Path, *more: str) -> Any:
    command = ("-m", "compliance.cli.main", "fleet", "serve", str(fleet), "--store", store, "--blobs", str(blobs))
    return started(log, *command, "--log", "json", *more)


def missed_one(store: FleetStore, fleet: Path, *, hours: int = 3) -> None:
    """A run some hours ago, so that the newest slot since is due at once."""
    read = read_fleet(fleet)
    slot = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=hours)
    run = Run(
        fleet=read.name,
        number=0,
        state=RunState.OPEN,
        fleet_digest=read.digest,
        tool="hullmark 0",
        controls_digest="sha256:" + "c" * 64,
        started=slot,
        effective=slot,
        population="",
        slot=slot,
    )
    store.end(store.begin(run, ()), slot)


def runs(store: FleetStore) -> list[Run]:
    return list(store.runs())


def test_two_schedulers_on_one_store_do_each_slot_once(cluster: PostgreSQL, tmp_path: Path) -> None:
    """Runs without an image to read, every five seconds: whoever is faster has the slot, the other says so."""
    fleet = write_fleet(tmp_path, f"oci-dir:{tmp_path / 'none'}")
    url, blobs = cluster.url("slots"), tmp_path / "blobs"
    open_fleet_store(url, str(blobs)).close()
    command = ("-m", "tests.builders.fleet_scheduler", str(fleet), url, str(blobs), "5")
    with (
        started(tmp_path / "first.log", *command) as first,
        started(tmp_path / "second.log", *command) as second,
        closing(open_fleet_store(url, str(blobs))) as store,
    ):
        until(lambda: len([run for run in runs(store) if run.state is RunState.ENDED]) >= 5)
        for one in (first, second):
            one.process.terminate()
        for one in (first, second):
            assert one.process.wait(PATIENCE) == 0, one.log.read_text()
        done = runs(store)
        finished = [event["run"] for one in (first, second) for event in one.named("run-finished")]
        assert len({run.slot for run in done}) == len(done) >= 5
        assert sorted(finished) == sorted(set(finished)), "each run is told of by one of them"
        assert set(finished) <= {run.number for run in done if run.state is RunState.ENDED}
        assert [run.slot for run in done] == sorted(run.slot for run in done if run.slot)
        assert all(one.named("run-started") for one in (first, second)), "both took part"
        assert not [*first.named("trouble"), *second.named("trouble")]
        assert list(store.verify()) == []


def test_when_the_one_that_has_the_run_dies_the_other_finishes_it(
    cluster: PostgreSQL, tmp_path: Path, samples: Path
) -> None:
    fleet = write_fleet(tmp_path, f"oci-dir:{samples / 'ordinary'}", f"oci-dir:{samples / 'hardened'}")
    url, blobs = cluster.url("died"), tmp_path / "blobs"
    with closing(open_fleet_store(url, str(blobs))) as store:
        missed_one(store, fleet)
        with (
            serve(tmp_path / "first.log", fleet, url, blobs, "--no-dashboard") as first,
            serve(tmp_path / "second.log", fleet, url, blobs, "--no-dashboard") as second,
        ):
            until(lambda: len(runs(store)) == 2)
            slot = runs(store)[1].slot
            until(lambda: first.named("run-begun") or second.named("run-begun"), first.log)
            holder, other = (first, second) if first.named("run-begun") else (second, first)
            gone = holder.children()
            holder.process.kill()
            for process in gone:
                with suppress(psutil.NoSuchProcess):
                    process.kill()
            assert runs(store)[1].state is RunState.OPEN
            until(lambda: runs(store)[1].state is RunState.ENDED, other.log)
            other.wait_for("run-finished")
            done = runs(store)
            assert [run.slot for run in done[1:]] == [slot]
            assert len(list(store.outcomes(done[1]))) == 2
            assert [event["run"] for event in other.named("run-finished")] == [2]
            assert list(store.verify()) == []
            other.process.terminate()
            assert other.process.wait(PATIENCE) == 0


def test_a_server_that_is_stopped_leaves_its_run_to_be_continued(tmp_path: Path, samples: Path) -> None:
    fleet = write_fleet(tmp_path, f"oci-dir:{samples / 'ordinary'}", f"oci-dir:{samples / 'hardened'}")
    url, blobs = str(tmp_path / "fleet.db"), tmp_path / "blobs"
    with closing(open_fleet_store(url, str(blobs))) as store:
        missed_one(store, fleet)
        with serve(tmp_path / "first.log", fleet, url, blobs, "--no-dashboard") as first:
            missed = first.wait_for("slots-missed")
            assert missed["count"] == 2
            assert first.wait_for("run-started")["late"] >= 0
            first.wait_for("run-begun")
            children = first.children()
            first.process.terminate()
            assert first.process.wait(PATIENCE) == 0, first.log.read_text()
            assert [event["event"] for event in first.events()][-1] == "run-stopped"
            assert not [child for child in children if child.is_running() and child.status() != psutil.STATUS_ZOMBIE]
            assert "Traceback" not in first.log.read_text()
        opened = runs(store)[1]
        if opened.state is RunState.ENDED:
            pytest.skip("the run was faster than the signal")
        with serve(tmp_path / "second.log", fleet, url, blobs, "--no-dashboard") as second:
            assert second.wait_for("run-continued")["run"] == 2
            assert second.wait_for("run-finished")["run"] == 2
            second.process.terminate()
            assert second.process.wait(PATIENCE) == 0
        assert runs(store) == [runs(store)[0], replace(opened, **_ended(runs(store)[1]))]
        assert list(store.verify()) == []


def _ended(run: Run) -> dict[str, Any]:
    return {"state": RunState.ENDED, "finished": run.finished, "previous": run.previous, "chain": run.chain}


def test_a_server_reads_its_fleets_again_and_shows_what_they_did(tmp_path: Path, samples: Path) -> None:
    fleet = write_fleet(tmp_path, f"oci-dir:{samples / 'hardened'}")
    url, blobs = str(tmp_path / "fleet.db"), tmp_path / "blobs"
    with closing(open_fleet_store(url, str(blobs))) as store:
        missed_one(store, fleet)
    with serve(tmp_path / "log", fleet, url, blobs, "--listen", "127.0.0.1:0") as server:
        address = server.wait_for("dashboard")["address"]
        server.wait_for("run-finished")
        assert get(address, "/healthz") == (200, "ok\n")
        status, page = get(address, "/fleets/samples/images")
        assert status == 200
        assert "All 1 images" in page
        begin = len(server.named("watching"))
        write_fleet(tmp_path, f"oci-dir:{samples / 'hardened'}", cron="30 4 * * *")
        server.process.send_signal(signal.SIGHUP)
        server.wait_for("reloaded")
        assert server.named("watching")[begin]["next"].endswith("T04:30:00Z")
        assert "30 4 * * *" in get(address, "/")[1]
        fleet.write_text("schema: 1\nname: [")
        server.process.send_signal(signal.SIGHUP)
        assert server.wait_for("reload-failed")["code"] == "fleet-invalid"
        assert "30 4 * * *" in get(address, "/")[1], "what was there before is kept"
        server.process.terminate()
        assert server.process.wait(PATIENCE) == 0
        assert "Traceback" not in server.log.read_text()


def get(address: str, path: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection(address.removeprefix("http://").rstrip("/"), timeout=60)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


REFUSED = (
    (("--listen", "0.0.0.0:0"), "access-unset"),
    (("--listen", "[::]:0"), "access-unset"),
    (("--listen", "192.0.2.1:8080"), "access-unset"),
    (("--listen", "0.0.0.0:0", "--behind-proxy", "X-Forwarded-User"), "usage"),
    (("--listen", "nowhere"), "usage"),
    (("--listen", "127.0.0.1:99999"), "usage"),
    (("--token-file", "short"), "token-invalid"),
    (("--token-file", "none"), "not-found"),
    (("--no-schedule", "--no-dashboard"), "usage"),
    (("--tls-certificate", "chain.pem"), "usage"),
    (("--tls-certificate", "short", "--tls-key", "short"), "certificate-invalid"),
    (("--run-options", "'"), "usage"),
)


@pytest.mark.parametrize(("arguments", "code"), REFUSED, ids=[" ".join(one) for one, _ in REFUSED])
def test_what_cannot_be_served_is_refused_in_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], code: str
) -> None:
    """Above all: nobody serves a network without asking who reads."""
    from compliance.cli.main import run
    from compliance.errors import ComplianceError

    monkeypatch.chdir(tmp_path)
    Path("short").write_text("too-short")
    write_fleet(tmp_path, "oci-dir:none")
    with pytest.raises(ComplianceError) as refused:
        run(["fleet", "serve", "FLEET.yaml", *arguments])
    assert refused.value.code == code
    assert "too-short" not in str(refused.value)


def test_two_fleets_of_one_name_are_refused(tmp_path: Path) -> None:
    from compliance.cli.main import run
    from compliance.errors import UsageError

    fleet = write_fleet(tmp_path, "oci-dir:none")
    with pytest.raises(UsageError, match="two fleets are named samples"):
        run(["fleet", "serve", str(fleet), str(fleet), "--no-dashboard"])
