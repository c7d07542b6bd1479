"""SP-FIPS: OpenSSL's FIPS provider where FIPS is promised."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compliance.model.filesystem import Unread
from compliance.model.image import ImageConfig
from compliance.model.outcome import Failed, NotApplicable, Outcome, Passed, Unknown
from controls.checks.sp_fips import CHECK as SP_FIPS
from controls.checks.sp_fips import _activates, _sections
from tests.builders.elf import library
from tests.builders.evidence import Node, evidence, file

# The example of fips_module(7), and what `openssl fipsinstall` writes.
OPENSSL = """config_diagnostics = 1
openssl_conf = openssl_init

.include /usr/local/ssl/fipsmodule.cnf

[openssl_init]
providers = provider_sect
alg_section = algorithm_sect

[provider_sect]
fips = fips_sect
base = base_sect

[base_sect]
activate = 1

[algorithm_sect]
default_properties = fips=yes
"""
MODULE = """[fips_sect]
activate = 1
conditional-errors = 1
security-checks = 1
module-mac = 9B:7C:C2:27:B5:67:5D:11
"""
FILES: dict[str, Node | bytes | str] = {
    "usr/lib/ssl/openssl.cnf": OPENSSL,
    "usr/local/ssl/fipsmodule.cnf": MODULE,
    "usr/lib/ossl-modules/fips.so": file(library("fips.so")),
}
PROMISE = {"com.docker.dhi.compliance": "fips,stig,cis"}


def judged(files: dict[str, Node | bytes | str], tag: str | None = None, **more: object) -> Outcome:
    labels = {} if tag else PROMISE
    settings = {"config": ImageConfig(labels=labels), "tag": tag, "requests": SP_FIPS.requests, **more}
    return SP_FIPS.run(evidence(files, **settings))  # type: ignore[arg-type]


def test_the_configured_provider_passes_by_label_and_by_tag() -> None:
    assert isinstance(judged(FILES), Passed)
    assert isinstance(judged(FILES, tag="3.13-debian13-fips"), Passed)


@pytest.mark.parametrize(
    "changed",
    [
        {"usr/lib/ssl/openssl.cnf": OPENSSL.replace("fips=yes", "fips=no")},
        {"usr/lib/ssl/openssl.cnf": OPENSSL.replace(".include", "# .include")},
        {"usr/lib/ssl/openssl.cnf": OPENSSL.replace("fips = fips_sect\n", "")},
        {"usr/lib/ssl/openssl.cnf": OPENSSL.replace("openssl_conf =", "other =")},
        {"usr/local/ssl/fipsmodule.cnf": MODULE.replace("activate = 1", "activate = 0")},
        {"usr/local/ssl/fipsmodule.cnf": "[fips_sect]\nactivate = 1\n"},
    ],
)
def test_a_provider_that_is_not_switched_on_fails(changed: dict[str, str]) -> None:
    assert isinstance(judged(FILES | changed), Failed)


@pytest.mark.parametrize("path", FILES)
def test_taking_one_file_away_fails(path: str) -> None:
    left = {other: node for other, node in FILES.items() if other != path}
    assert isinstance(judged(left), Failed)


def test_without_openssl_or_with_gaps_it_is_unknown() -> None:
    assert isinstance(judged({}), Unknown)
    assert isinstance(judged({}, unread=(Unread(path="", reason="cut"),)), Unknown)


def test_without_a_promise_it_is_not_asked() -> None:
    assert isinstance(SP_FIPS.run(evidence(FILES)), NotApplicable)
    assert isinstance(judged(FILES, tag="fips"), NotApplicable)


@given(st.text(alphabet="[]=#.\n abfips_:", max_size=80))
def test_reading_a_configuration_never_raises(text: str) -> None:
    _sections(text)
    _activates(text)
