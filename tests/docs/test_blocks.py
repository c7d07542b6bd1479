"""Every command in README and docs does what the page says, run in order in a folder like the reader's."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.builders.page_blocks import Block, blocks, run

CHECKOUT = Path(__file__).resolve().parents[2]
CHANGES_THE_PROJECT = "docs/guides/contributors.md"
"""Its commands change files of the project: they get a copy."""

MADE_FROM_CODE = ("docs/reference/", "docs/checks/")

NOT_RUN = {
    "README.md": ["the gate runs both"],
    "CONTRIBUTING.md": ["the gate, of which this test is a part"],
    "docs/start.md": [
        "the gate runs it by itself, in a fresh clone",
        "it downloads a second environment; the gate installs the wheel so",
    ],
    "docs/fleet.md": ["each serves until it is stopped"],
    "docs/waivers.md": ["cosign would write into the public transparency log"],
    "docs/guides/contributors.md": [
        "it makes the environment that these tests run in",
        "the gate itself, of which this test is a part",
    ],
}
"""Every block that is not run, with its reason: a new one is a decision."""


AS_OF = {"docs/fleet.md": "1795521600", "docs/waivers.md": "1795521600"}
"""Pages that name days, and the time (2026-11-24) as of which their commands are run."""

PREPARED = {
    "docs/fleet.md": {
        "FLEET.yaml": "schema: 1\nname: sample\ngroups:\n  samples:\n    owner: us@example.com\n"
        "    images: oci-dir:examples/images/hardened\n"
    }
}
"""Files that a page speaks of in general, as a small case that can be run."""


LEFT_OUT = {
    "docs/fleet.md": {
        "hullmark fleet run FLEET.yaml --scheduler tcp://dask.example.com:8786": "needs a Dask cluster",
        "hullmark fleet verify --store postgresql://db/hullmark --blobs s3://evidence/fleet --head production=3fc9…": (
            "needs a database and a bucket"
        ),
    }
}
"""Single lines that are not run, with their reason."""


def _pages() -> dict[str, tuple[Block, ...]]:
    paths = (CHECKOUT / "README.md", CHECKOUT / "CONTRIBUTING.md", CHECKOUT / "SECURITY.md")
    found = {}
    for path in (*paths, *sorted((CHECKOUT / "docs").rglob("*.md"))):
        name = path.relative_to(CHECKOUT).as_posix()
        found[name] = blocks(path, name)
    return found


PAGES = _pages()
RUN = [name for name, page in PAGES.items() if any(block.is_command and block.not_run is None for block in page)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where a reader stands: the sample images, and an environment with the command."""
    (tmp_path / "examples").mkdir()
    shutil.copytree(CHECKOUT / "examples" / "images", tmp_path / "examples" / "images", ignore=_not_for_readers)
    (tmp_path / ".venv").symlink_to(Path(sys.executable).parents[1])
    return tmp_path


def _not_for_readers(folder: str, names: list[str]) -> list[str]:
    return [name for name in names if name == "build"]


def _environment(folder: Path) -> dict[str, str]:
    """The command first in the path, and nothing of the user's own configuration or cache."""
    tools = os.environ.get("HULLMARK_TEST_BIN", "")
    (folder / "tmp").mkdir(exist_ok=True)
    path = [str(folder / ".venv" / "bin"), *([tools] if tools else []), os.environ.get("PATH", "/usr/bin:/bin")]
    return {
        "PATH": os.pathsep.join(path),
        "HOME": str(folder / "home"),
        "TMPDIR": str(folder / "tmp"),
        "LC_ALL": "C.UTF-8",
        "HULLMARK_CACHE_DIR": os.environ["HULLMARK_CACHE_DIR"],
    }


@pytest.mark.parametrize("name", [name for name in RUN if name != CHANGES_THE_PROJECT])
def test_the_commands_do_what_the_page_says(name: str, folder: Path) -> None:
    for file, text in PREPARED.get(name, {}).items():
        (folder / file).write_text(text)
    environment = _environment(folder)
    if name in AS_OF:
        environment["SOURCE_DATE_EPOCH"] = AS_OF[name]
    assert run(PAGES[name], folder, environment, left_out=LEFT_OUT.get(name, {})) > 0


def test_the_worked_examples_for_contributors_work(folder: Path) -> None:
    for package in ("compliance", "controls", "reports", "tests/builders"):
        shutil.copytree(CHECKOUT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
    for file in ("tests/conftest.py", "pyproject.toml"):
        shutil.copy(CHECKOUT / file, folder / file)
    # The environment's own project is the checkout: the copy comes before it.
    environment = {**_environment(folder), "PYTHONPATH": str(folder)}
    page = PAGES[CHANGES_THE_PROJECT]
    assert run(page, folder, environment) == 4
    written = [block.title for block in page if block.title is not None and block.title.endswith(".py")]
    for rules in (["check"], ["format", "--check", "--diff"]):
        command = [str(folder / ".venv/bin/ruff"), *rules, "--no-cache", *written]
        checked = subprocess.run(command, cwd=folder, capture_output=True, text=True)
        assert checked.returncode == 0, checked.stdout + checked.stderr


def test_what_is_not_run_is_listed_here() -> None:
    found = {
        name: [block.not_run for block in page if block.not_run is not None]
        for name, page in PAGES.items()
        if any(block.not_run is not None for block in page)
    }
    assert found == NOT_RUN


def test_a_page_made_from_code_has_no_commands_of_its_own() -> None:
    """Else nobody would see that they fail: the generator writes them, not a person."""
    assert [name for name in RUN if name.startswith(MADE_FROM_CODE)] == []


@pytest.mark.parametrize(
    ("page", "reason"),
    [
        ("```sh\nfalse\n```\n", "exit code 1, not 0"),
        ("<!-- exit code: 10 -->\n```sh\ntrue\n```\n", "exit code 0, not 10"),
        ("```sh\nfalse\ntrue\n```\n", "exit code 1, not 0"),
        ("```sh\necho one\n```\n\n<!-- output -->\n```text\ntwo\n```\n", "is not in what the command printed"),
        ("```sh\necho one; echo two\n```\n\n<!-- output -->\n```text\ntwo\none\n```\n", "is not in what"),
    ],
)
def test_a_page_that_is_wrong_fails(page: str, reason: str, tmp_path: Path) -> None:
    (tmp_path / "page.md").write_text(page)
    with pytest.raises(pytest.fail.Exception, match=reason):
        run(blocks(tmp_path / "page.md", "page.md"), tmp_path, {"PATH": os.environ["PATH"]})


def test_files_are_written_and_blocks_share_a_folder(tmp_path: Path) -> None:
    text = (
        '```yaml title="a/b.yaml"\nkey: 1\n```\n\n'
        "- in a list:\n\n    ```sh\n    cat a/b.yaml >c\n    ```\n\n"
        "```sh\ncat c\n```\n"
    )
    (tmp_path / "page.md").write_text(f"{text}\n<!-- output -->\n```text\nkey: …\n```\n")
    assert run(blocks(tmp_path / "page.md", "page.md"), tmp_path, {"PATH": os.environ["PATH"]}) == 2
