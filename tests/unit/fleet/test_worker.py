"""One image in its own process: the same answer as here, and whatever happens to it stays in it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from compliance.fleet.group_policy import PolicyFile
from compliance.fleet.item_assessment import assess_item, options_of
from compliance.fleet.job import Answer, Blobs, Failure, Job, Trouble
from compliance.fleet.worker import Template, Worker
from compliance.ingest.layer_cache import LayerCache
from compliance.ingest.registry_options import RegistryOptions
from compliance.store.blobs import open_blobs
from tests.builders import bad_blobs
from tests.builders.fleet_jobs import job

TRUST = b"""
schema: 1
signers:
  release: {identity: release@example.com, issuer: https://issuer.example.com}
rules:
  - images: oci-dir:**
    require: [{what: signature, by: release}]
"""


@pytest.fixture(scope="module")
def template(checkout: Path) -> Iterator[Template]:
    # The places that do harm lie in tests/, where only whoever is told looks for modules.
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(checkout))
        with closing(Template()) as template:
            template.start()
            yield template


@pytest.fixture
def worker(template: Template) -> Iterator[Worker]:
    with closing(Worker(template)) as worker:
        yield worker


@pytest.fixture
def sample(samples: Path) -> Path:
    return samples / "hardened"


def failure(answer: Answer) -> Failure:
    assert answer.record is None
    assert answer.failure is not None
    return answer.failure


def test_the_record_is_the_one_that_this_process_makes_and_its_documents_lie_in_the_blobs(
    worker: Worker, sample: Path, tmp_path: Path
) -> None:
    here, there = job(sample, open_blobs(str(tmp_path / "here"))), job(sample, open_blobs(str(tmp_path / "there")))
    answer = worker.run(there)
    assert answer.record is not None
    assert answer.record == assess_item(here, options_of(here)).record
    blobs = open_blobs(str(tmp_path / "there"))
    assert b'"schemaVersion"' in blobs.get(answer.record.id)
    assert b'"CycloneDX"' in blobs.get(answer.record.sbom)
    assert answer.usage.cpu_seconds > 0
    assert 2**24 < answer.usage.peak_bytes < 2**30


def test_where_the_cache_lies_and_how_often_it_was_assessed_changes_nothing(
    worker: Worker, sample: Path, tmp_path: Path
) -> None:
    blobs = open_blobs(str(tmp_path / "blobs"))
    cached = job(sample, blobs, cache=LayerCache(tmp_path / "cache"))
    records = [worker.run(one).record for one in (job(sample, blobs), cached, cached)]
    assert records[0] is not None
    assert records == [records[0]] * 3


def test_what_signatures_are_held_against_reaches_the_image_s_process(
    worker: Worker, sample: Path, tmp_path: Path
) -> None:
    """The sample is signed by nobody: a policy that demands a signature is not held."""
    asked = job(sample, open_blobs(str(tmp_path / "blobs")))
    without = worker.run(asked).record
    answer = worker.run(replace(asked, policy=replace(asked.policy, trust=PolicyFile(name="t.yaml", content=TRUST))))
    assert without is not None
    assert answer.record is not None, answer.failure
    assert {check.check: check.outcome for check in answer.record.checks}["SP-SIG"] != "passed"
    assert answer.record.outcome != "satisfied"
    assert answer.record.id != without.id


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGKILL, signal.SIGABRT])
def test_a_crash_is_an_answer_and_the_next_image_is_assessed(
    worker: Worker, sample: Path, tmp_path: Path, number: signal.Signals
) -> None:
    found = failure(worker.run(job(sample, bad_blobs.Kills(number=number))))
    assert (found.trouble, found.code) == (Trouble.IMAGE, "crashed")
    assert number.name in found.reason
    assert worker.run(job(sample, open_blobs(str(tmp_path / "blobs")))).record is not None


def test_a_hang_ends_in_time_with_everything_that_it_started(worker: Worker, sample: Path, tmp_path: Path) -> None:
    note = tmp_path / "note"
    found = failure(worker.run(job(sample, bad_blobs.Hangs(note=note), seconds=3.0)))
    assert (found.trouble, found.code) == (Trouble.IMAGE, "timed-out")
    assert found.reason == "it took longer than an image may: 3 seconds"
    assert not is_alive(int(note.read_text()))


def test_more_memory_than_allowed_is_an_answer(worker: Worker, sample: Path) -> None:
    answer = worker.run(job(sample, bad_blobs.Hogs(), memory=2**28))
    assert (failure(answer).trouble, failure(answer).code) == (Trouble.IMAGE, "out-of-memory")
    assert failure(answer).reason == "it needs more memory than an image may: 256 MiB"
    assert answer.usage.peak_bytes < 2**30


def test_memory_that_does_not_suffice_for_a_thread_is_the_same_answer(
    worker: Worker, sample: Path, tmp_path: Path
) -> None:
    answer = worker.run(job(sample, open_blobs(str(tmp_path / "blobs")), memory=2**22))
    assert failure(answer).code == "out-of-memory"


def test_computing_for_ever_ends_though_nobody_looks_at_the_clock(sample: Path) -> None:
    """The kernel's limit, for when the process that watches was stopped."""
    program = (
        "import os, sys; from pathlib import Path; from tests.builders import bad_blobs;"
        "from tests.builders.fleet_jobs import job; from compliance.fleet import keeper;"
        "one = job(Path(sys.argv[1]), bad_blobs.Burns(), seconds=1.0);"
        "keeper._run_child(one, keeper.options_of(one), '/tmp', os.memfd_create('answer'), os.getppid())"
    )
    run = subprocess.run([sys.executable, "-c", program, sample], timeout=60)
    assert run.returncode == -signal.SIGXCPU


@pytest.mark.parametrize(
    ("blobs", "trouble", "code", "reason"),
    [
        (bad_blobs.Refuses(), Trouble.STORE, "disk-full", "the disk is full: No space left on device"),
        (bad_blobs.Stutters(), Trouble.MOMENT, "registry-unreachable", "no answer in time [registry.example]"),
        (bad_blobs.Fails(), Trouble.IMAGE, "internal-error", "LookupError: nobody thought of this"),
        (bad_blobs.Exits(), Trouble.IMAGE, "crashed", "its process ended with status 7 and said nothing"),
    ],
    ids=["store", "network", "fault", "silent"],
)
def test_what_goes_wrong_is_told_with_whose_trouble_it_is(
    worker: Worker, sample: Path, blobs: Blobs, trouble: Trouble, code: str, reason: str
) -> None:
    found = failure(worker.run(job(sample, blobs)))
    assert (found.trouble, found.code, found.reason) == (trouble, code, reason)
    assert found.pause == (7.0 if trouble is Trouble.MOMENT else None)


def test_an_image_that_was_replaced_is_not_taken_for_the_other(worker: Worker, sample: Path, tmp_path: Path) -> None:
    other = f"sha256:{'0' * 64}"
    found = failure(worker.run(job(sample, open_blobs(str(tmp_path / "blobs")), digest=other)))
    assert found.code == "digest-mismatch"


def test_a_registry_that_does_not_answer_is_a_matter_of_the_moment(
    worker: Worker, sample: Path, tmp_path: Path
) -> None:
    asked = job(sample, open_blobs(str(tmp_path / "blobs")))
    digest = asked.item.digest
    reference = f"registry:127.0.0.1:1/none@{digest}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("compliance.ingest.transport.PAUSES", ())
        asked = replace(asked, item=replace(asked.item, reference=reference), registry=RegistryOptions(plain_http=True))
        found = assess_item(asked, options_of(asked)).failure
    assert found is not None
    assert (found.trouble, found.code) == (Trouble.MOMENT, "registry-unreachable")


def test_a_watcher_that_is_killed_costs_one_try_and_no_more(template: Template, sample: Path, tmp_path: Path) -> None:
    with closing(Worker(template)) as worker:
        note = tmp_path / "note"
        answers: list[Answer] = []
        hanging = job(sample, bad_blobs.Hangs(note=note), seconds=60.0)
        waiting = threading.Thread(target=lambda: answers.append(worker.run(hanging)))
        waiting.start()
        grandchild = wait_for(note)
        child = psutil.Process(grandchild).parent()
        assert child is not None
        keeper = child.parent()
        assert keeper is not None
        keeper.kill()
        waiting.join(30)
        assert (failure(answers[0]).trouble, failure(answers[0]).code) == (Trouble.MOMENT, "worker-lost")
        child.wait(10)  # it ends with its keeper
        assert worker.run(job(sample, open_blobs(str(tmp_path / "blobs")))).record is not None
        psutil.Process(grandchild).kill()  # only the group's end is its end, and who ends the group was killed


def test_closing_ends_what_runs_and_leaves_nothing(checkout: Path, sample: Path, tmp_path: Path) -> None:
    note = tmp_path / "note"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(checkout))
        patch.setenv("TMPDIR", str(tmp_path / "scratch"))
        (tmp_path / "scratch").mkdir()
        template = Template()
        worker = Worker(template)
        waiting = threading.Thread(target=worker.run, args=(job(sample, bad_blobs.Hangs(note=note)),))
        waiting.start()
        grandchild = wait_for(note)
        worker.close()
        template.close()
        waiting.join(30)
        assert not waiting.is_alive()
        wait_until(lambda: not is_alive(grandchild))
        wait_until(lambda: not list((tmp_path / "scratch").iterdir()))


def test_processes_end_when_the_one_that_asked_is_killed(checkout: Path, sample: Path, tmp_path: Path) -> None:
    note = tmp_path / "note"
    program = (
        "import sys; from pathlib import Path; from compliance.fleet.worker import Template, Worker;"
        "from tests.builders import bad_blobs; from tests.builders.fleet_jobs import job;"
        "Worker(Template()).run(job(Path(sys.argv[1]), bad_blobs.Hangs(note=Path(sys.argv[2]))))"
    )
    environment = {**os.environ, "PYTHONPATH": str(checkout)}
    with subprocess.Popen([sys.executable, "-c", program, sample, note], env=environment) as asking:
        grandchild = psutil.Process(wait_for(note))
        family = [grandchild, *grandchild.parents()[:3]]  # child, keeper, template
        asking.kill()
    wait_until(lambda: not any(is_alive(process.pid) for process in family))


def test_a_template_that_was_killed_is_started_again(checkout: Path, sample: Path, tmp_path: Path) -> None:
    asked: Job = job(sample, open_blobs(str(tmp_path / "blobs")))
    others = set(psutil.Process().children())
    with closing(Template()) as template:
        template.start()
        (process,) = set(psutil.Process().children()) - others
        process.kill()
        wait_until(lambda: not process.is_running() or process.status() == psutil.STATUS_ZOMBIE)
        with closing(Worker(template)) as worker:
            assert worker.run(asked).record is not None


def is_alive(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def wait_for(note: Path) -> int:
    wait_until(lambda: note.is_file() and note.read_text() != "")
    return int(note.read_text())


def wait_until(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.02)
