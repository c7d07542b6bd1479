"""The locks are what the set-up can trust: exact, hashed, in step with pyproject.toml, and of one another."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

# `name==version ; marker` and then its hashes, one a line.
ENTRY = re.compile(
    r"^(?P<requirement>[a-z0-9][^\\\n]*?) \\\n(?P<hashes>(?: {4}--hash=sha256:[0-9a-f]{64}(?: \\)?\n)+)",
    re.MULTILINE,
)

LOCKS = ("runtime", "test")


def read(checkout: Path, lock: str) -> dict[str, tuple[Requirement, ...]]:
    """The entries of a lock by canonical name; a name has several where markers part them."""
    text = (checkout / "requirements" / f"{lock}.txt").read_text()
    rest = re.sub(r"^ *#.*\n", "", ENTRY.sub("", text), flags=re.MULTILINE)
    assert not rest.strip(), f"not an exact, hashed entry: {rest[:200]}"
    entries: dict[str, tuple[Requirement, ...]] = {}
    for match in ENTRY.finditer(text):
        requirement = Requirement(match["requirement"])
        name = canonicalize_name(requirement.name)
        entries[name] = (*entries.get(name, ()), requirement)
    return entries


def version_of(requirement: Requirement) -> str:
    (specifier,) = requirement.specifier
    assert specifier.operator == "==", f"{requirement} is not exact"
    assert "*" not in specifier.version, f"{requirement} is not exact"
    return specifier.version


def wanted(checkout: Path, lock: str) -> tuple[Requirement, ...]:
    """What pyproject.toml asks of a lock."""
    project = tomllib.loads((checkout / "pyproject.toml").read_text())
    groups = {"runtime": ("build",), "test": ("build", "test", "interop")}[lock]
    texts = (
        *project["project"]["dependencies"],
        *(text for g in groups for text in project["dependency-groups"][g]),
    )
    return tuple(Requirement(text) for text in texts)


@pytest.mark.parametrize("lock", LOCKS)
def test_every_entry_is_one_exact_version_with_hashes(checkout: Path, lock: str) -> None:
    entries = read(checkout, lock)
    assert len(entries) > len(wanted(checkout, lock))
    for requirements in entries.values():
        for requirement in requirements:
            version_of(requirement)


@pytest.mark.parametrize("lock", LOCKS)
def test_the_lock_answers_pyproject(checkout: Path, lock: str) -> None:
    entries = read(checkout, lock)
    for requirement in wanted(checkout, lock):
        locked = entries.get(canonicalize_name(requirement.name))
        assert locked, f"{requirement} is not in requirements/{lock}.txt: run make lock"
        for entry in locked:
            assert requirement.specifier.contains(version_of(entry)), f"{entry} against {requirement}: run make lock"


def test_the_runtime_lock_is_a_part_of_the_test_lock(checkout: Path) -> None:
    runtime, test = read(checkout, "runtime"), read(checkout, "test")
    for name, requirements in runtime.items():
        tested = {version_of(requirement) for requirement in test.get(name, ())}
        assert {version_of(requirement) for requirement in requirements} <= tested, name


@pytest.mark.parametrize("python", ["3.11", "3.12", "3.13"])
@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_each_platform_gets_one_version_of_a_name(checkout: Path, python: str, machine: str) -> None:
    environment = {
        "python_version": python,
        "python_full_version": f"{python}.0",
        "platform_machine": machine,
        "sys_platform": "linux",
        "platform_python_implementation": "CPython",
        "implementation_name": "cpython",
    }
    for name, requirements in read(checkout, "test").items():
        chosen = [r for r in requirements if r.marker is None or r.marker.evaluate(environment)]
        assert len(chosen) <= 1, f"{name}: {chosen}"
