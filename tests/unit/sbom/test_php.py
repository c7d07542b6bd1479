"""PHP packages of Composer, pear and pecl."""

from __future__ import annotations

import json
from typing import Any

import pytest

from compliance.model.inventory import Cataloged
from compliance.sbom.catalogers.php import CATALOGER
from tests.builders.evidence import Node, tree

STATED: dict[str, Any] = {
    "name": "Symfony/Console",
    "version": "v6.1.0",
    "license": ["MIT", "GPL-2.0-or-later"],
    "authors": [{"name": "F", "email": "f@b.org"}],
    "homepage": "https://symfony.com",
    "dist": {"shasum": "a" * 40},
    "require": {"php": ">=8", "ext-json": "*", "psr/log": "^3"},
    "replace": {"symfony/old": "self.version"},
}
INSTALLED = "srv/vendor/composer/installed.json"


def catalog(nodes: dict[str, Node | bytes | str]) -> Cataloged:
    return CATALOGER.catalog(tree(nodes, requests=CATALOGER.requests), None)


@pytest.mark.parametrize("document", [{"packages": [STATED], "dev": False}, [STATED]], ids=["composer 2", "composer 1"])
def test_installed_package_with_what_it_states(document: Any) -> None:
    (package,) = catalog({INSTALLED: json.dumps(document)}).packages
    assert package.purl == "pkg:composer/symfony/console@v6.1.0"
    assert (package.supplier, package.homepage, package.declared) == ("F <f@b.org>", "https://symfony.com", False)
    assert [licence.expression for licence in package.licenses] == ["MIT OR GPL-2.0-or-later"]
    assert package.digests == (("SHA-1", "a" * 40),)
    assert (package.depends, package.provides) == (("psr/log",), ("symfony/old",))


def test_lock_file_declares_without_what_is_for_development() -> None:
    document = {"packages": [STATED], "packages-dev": [{**STATED, "name": "phpunit/phpunit"}]}
    (package,) = catalog({"srv/composer.lock": json.dumps(document)}).packages
    assert package.declared


def test_lock_file_beside_what_it_installed_adds_nothing() -> None:
    document = json.dumps({"packages": [STATED, {**STATED, "name": "a/dev-only"}]})
    found = catalog({INSTALLED: json.dumps([STATED]), "srv/composer.lock": document})
    assert [package.declared for package in found.packages] == [False]


def serialized(value: Any) -> str:
    if isinstance(value, dict):
        return f"a:{len(value)}:{{" + "".join(serialized(key) + serialized(part) for key, part in value.items()) + "}"
    if isinstance(value, bool):
        return f"b:{int(value)};"
    if isinstance(value, int):
        return f"i:{value};"
    if value is None:
        return "N;"
    return f's:{len(value.encode())}:"{value}";'


def test_extension_that_pecl_installed() -> None:
    record = {
        "name": "redis",
        "channel": "pecl.php.net",
        "version": {"release": "5.3.7", "api": "5.3.0"},
        "license": {"attribs": {"uri": "x"}, "_content": "PHP-3.01"},
        "lead": {0: {"name": "M", "email": "m@b.org", "active": True}},
        "filelist": {
            "redis.so": {"role": "ext", "md5sum": "b" * 32, "installed_as": "/usr/lib/php/redis.so"},
            "config.m4": {"role": "src", "nothing": None},
        },
    }
    path = "usr/lib/php/.registry/.channel.pecl.php.net/redis.reg"
    (package,) = catalog({path: serialized(record)}).packages
    assert package.purl == "pkg:pear/pecl.php.net/redis@5.3.7"
    assert package.supplier == "M <m@b.org>"
    assert [licence.expression for licence in package.licenses] == ["PHP-3.01"]
    assert package.files == (path, "usr/lib/php/redis.so")
    assert package.file_digests == {"usr/lib/php/redis.so": "md5:" + "b" * 32}


def test_old_record_of_the_default_channel() -> None:
    record = serialized({"package": "Old", "version": "1.0", "release_license": "BSD-3-Clause"})
    (package,) = catalog({"usr/share/php/.registry/old.reg": record}).packages
    assert package.purl == "pkg:pear/pear.php.net/Old@1.0"


@pytest.mark.parametrize(
    ("path", "content"),
    [
        (INSTALLED, "{"),
        ("srv/composer.lock", "[]"),
        ("x/.registry/a.reg", 'O:8:"stdClass":0:{}'),
        ("x/.registry/a.reg", "a:1:{" * 5000),
        ("x/.registry/a.reg", "a:999999999:{i:0;N;"),
        ("x/.registry/a.reg", "a:0:{}"),
        ("x/.registry/a.reg", "i:12"),
    ],
)
def test_damaged_file_is_an_unknown(path: str, content: str) -> None:
    found = catalog({path: content})
    assert (found.packages, [unknown.path for unknown in found.unknowns]) == ((), [path])
