"""The fuzzing harnesses over their own seeds: nothing comes out of any of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fuzz.harnesses import HARNESSES, Harness
from tests.fuzz.seeds import SEEDS

EACH = pytest.mark.parametrize("harness", HARNESSES, ids=lambda harness: harness.name)


@EACH
def test_seeds_are_read_or_refused(harness: Harness, shared: Path) -> None:
    fitting = [seed for seed in SEEDS[harness.name](shared) if len(seed) <= harness.max_len]
    assert len(fitting) >= 3
    for seed in fitting:
        harness.run(seed)


@EACH
@pytest.mark.parametrize("content", [b"", b"\0", b"\n%%\n", b"[" * 5000, bytes(1024)], ids=repr)
def test_nearly_nothing_is_read_or_refused(harness: Harness, content: bytes) -> None:
    harness.run(content)
