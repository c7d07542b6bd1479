"""What may stand in a file of the project: no address of a package index, no path of one machine."""

import os
import re
import subprocess
from pathlib import Path

import pytest

FORBIDDEN = {
    "address of a package index": re.compile(
        rb"https?://[^/\s\"'<>]*(?:pypi|pythonhosted|npmjs|deb\.debian|security\.debian|archive\.ubuntu"
        rb"|proxy\.golang|crates\.io|repo\d*\.maven|rubygems)\b|https?://[^\s\"'<>]+/simple/",
        re.IGNORECASE,
    ),
    "option that names a package index": re.compile(rb"--(?:extra-)?index-url[ =]\S|--find-links[ =]\S"),
    "path of one machine": re.compile(rb"(?<![\w.~$}*-])/(?:work|root)/"),
}
# Data read from images name such paths rightly, and this file names them to find them.
EXEMPT = ("examples/images/", "tests/architecture/test_tracked_files.py")


def tracked(checkout: Path) -> tuple[Path, ...]:
    """The files git knows, and those it would add."""
    if not (checkout / ".git").exists() and os.environ.get("CI") != "true":
        pytest.skip("not a git checkout")
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=checkout,
        capture_output=True,
        check=True,
    )
    names = sorted({name for name in listing.stdout.decode().split("\0") if name})
    return tuple(path for name in names if not name.startswith(EXEMPT) and (path := checkout / name).is_file())


@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_tracked_text_file_holds(checkout: Path, what: str) -> None:
    files = tracked(checkout)
    assert checkout / "pyproject.toml" in files
    found = []
    for path in files:
        data = path.read_bytes()
        if b"\0" in data[:8192]:
            continue
        for match in FORBIDDEN[what].finditer(data):
            line = data.count(b"\n", 0, match.start()) + 1
            found.append(f"{path.relative_to(checkout)}:{line}: {match.group().decode()}")
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("what", "text"),
    [
        ("address of a package index", b"see https://pypi.org/project/x"),
        ("address of a package index", b"http://deb.debian.org/debian bookworm"),
        ("address of a package index", b"https://mirror.example/root/simple/x"),
        ("option that names a package index", b"--index-url https://mirror.example"),
        ("option that names a package index", b"--find-links /somewhere"),
        ("path of one machine", b"open('/work/main/x')"),
        ("path of one machine", b"HOME=/root/x"),
    ],
)
def test_the_search_finds(what: str, text: bytes) -> None:
    assert FORBIDDEN[what].search(text)
