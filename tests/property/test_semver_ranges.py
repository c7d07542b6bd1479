"""Our ranges mean what npm's mean: the same answers as its own program, for generated ranges and versions."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from compliance.formats.semver import parse_range, parse_version
from tests.builders.program import program

_PLACES = ("/usr/share/nodejs/semver", "/usr/lib/node_modules/npm/node_modules/semver")
_SCRIPT = """
const semver = require(process.argv[1]);
const lines = require('fs').readFileSync(0, 'utf8').trim().split('\\n').map(JSON.parse);
const answer = ([range, version]) => semver.satisfies(version, range, {includePrerelease: true});
const order = ([, version, other]) => semver.compare(version, other);
console.log(JSON.stringify(lines.map(line => [answer(line), order(line)])));
"""

numbers = st.integers(0, 3).map(str)
pre = st.sampled_from(["", "-rc.1", "-rc.2", "-alpha", "-0", "-rc.1.x-y", "-10", "-9"])
versions = st.tuples(numbers, numbers, numbers, pre).map(lambda parts: ".".join(parts[:3]) + parts[3])
partial = st.one_of(
    numbers, st.tuples(numbers, numbers).map(".".join), versions, st.sampled_from(["*", "1.x", "2.1.x", "x"])
)
operators = st.sampled_from(["", ">", ">=", "<", "<=", "=", "^", "~"])
comparators = st.tuples(operators, partial).map("".join)
ranges = st.lists(st.lists(comparators, min_size=1, max_size=2).map(" ".join), min_size=1, max_size=2).map(" || ".join)


@given(st.lists(st.tuples(ranges, versions, versions), min_size=60, max_size=60))
@settings(max_examples=20, suppress_health_check=[HealthCheck.too_slow, HealthCheck.large_base_example])
def test_the_same_as_npm(cases: list[tuple[str, str, str]]) -> None:
    node = program("node")
    place = next((place for place in _PLACES if Path(place).is_dir()), None)
    if place is None:
        pytest.skip("npm's semver is not installed: apt-get install npm")
    told = subprocess.run(
        [node, "-e", _SCRIPT, place],
        input="\n".join(map(json.dumps, cases)),
        capture_output=True,
        text=True,
        check=True,
    )
    for (text, one, other), (inside, order) in zip(cases, json.loads(told.stdout), strict=True):
        first, second = parse_version(one), parse_version(other)
        assert first is not None
        assert second is not None
        assert parse_range(text).has(first) is inside, (text, one)
        assert (first > second) - (first < second) == order, (one, other)
