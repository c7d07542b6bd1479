"""What every test may ask for: the shared fixtures, the sample images, golden files."""

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
"""A busy machine is no failure: nothing here is timed."""

CHECKOUT = Path(__file__).resolve().parents[1]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--regenerate-golden",
        action="store_true",
        help="write the golden files from what the code gives now, and fail each test that changed one",
    )


def _demand(path: Path, what: str) -> Path:
    """`path`, or the end of this test: a skip at a desk, a failure where CI says everything is there."""
    if not path.is_dir():
        reason = f"{what} not found at {path}"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return path


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Layers are cached for one test only, and nowhere that belongs to the user."""
    monkeypatch.setenv("HULLMARK_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))


@pytest.fixture(scope="session")
def checkout() -> Path:
    """The root of the checkout."""
    return CHECKOUT


def shared_folder() -> Path:
    """The folder of fixtures, references and schemas beside the checkout; HULLMARK_SHARED overrides it."""
    return Path(os.environ.get("HULLMARK_SHARED") or CHECKOUT.parent / "shared")


@pytest.fixture(scope="session")
def shared() -> Path:
    """That folder, which must be there."""
    return _demand(shared_folder(), "shared data")


@pytest.fixture
def no_sockets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever opens a socket fails, even where somebody catches every Exception.

    Importing urllib3, which sigstore does, binds one on ::1 to learn whether there is IPv6, and sends nothing: that is
    done before.
    """
    import urllib3.util.connection  # noqa: F401

    def refuse(self: socket.socket, *arguments: object, **settings: object) -> None:
        pytest.fail(f"a socket was opened: {arguments}")  # no Exception: a blanket except would hide it

    monkeypatch.setattr(socket.socket, "__init__", refuse)


@pytest.fixture(scope="session")
def samples() -> Path:
    """The sample images of the demo, each an OCI layout: `samples / "ordinary"`, `samples / "hardened"`."""
    path = CHECKOUT / "examples" / "images"
    assert path.is_dir(), f"the samples are a part of the project, and {path} is missing"
    return path


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, bytes], None]:
    """`golden(name, actual)`: `actual` is, byte for byte, the file tests/golden/`name`."""

    def compare(name: str, actual: bytes) -> None:
        path = CHECKOUT / "tests" / "golden" / name
        expected = path.read_bytes() if path.is_file() else None
        if actual == expected:
            return
        if request.config.getoption("--regenerate-golden"):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(actual)
            pytest.fail(f"{path} was written anew: read its diff, then run without --regenerate-golden")
        assert expected is not None, f"{path} is missing: write it with --regenerate-golden"
        # As text, so that pytest shows the differing lines.
        assert actual.decode(errors="backslashreplace") == expected.decode(errors="backslashreplace")
        pytest.fail(f"{path}: bytes differ")

    return compare
