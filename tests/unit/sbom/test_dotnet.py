"""NuGet packages of applications and lock files."""

from __future__ import annotations

import base64
import json
from typing import Any

from compliance.model.inventory import Cataloged, Package
from compliance.sbom.catalogers.dotnet import CATALOGER
from tests.builders.evidence import Node, tree

SHA512 = bytes(range(64))
DEPS: dict[str, Any] = {
    "targets": {
        ".NETCoreApp,Version=v8.0": {},
        ".NETCoreApp,Version=v8.0/linux-x64": {
            "App/1.0.0": {"dependencies": {"Serilog": "2.10.0"}, "runtime": {"App.dll": {}}},
            "Serilog/2.10.0": {"runtime": {"lib/net8.0/Serilog.dll": {}}},
            "Local/1.0.0": {"resources": {"lib/net8.0/de/Local.resources.dll": {"locale": "de"}}},
            "Gone/3.0.0": {"runtime": {"lib/net8.0/Gone.dll": {}}},
            "Analyzer/4.0.0": {"compileOnly": True},
            "runtimepack.Microsoft.NETCore.App.Runtime.linux-x64/8.0.1": {"native": {"libclrjit.so": {}}},
        },
    },
    "libraries": {"Serilog/2.10.0": {"type": "package", "sha512": f"sha512-{base64.b64encode(SHA512).decode()}"}},
}


def catalog(nodes: dict[str, Node | bytes | str]) -> Cataloged:
    return CATALOGER.catalog(tree(nodes, requests=CATALOGER.requests), None)


def application() -> dict[str, Package]:
    nodes: dict[str, Node | bytes | str] = {
        "app/App.deps.json": json.dumps(DEPS),
        "app/App.dll": "x",
        "app/Serilog.dll": "x",
        "app/de/Local.resources.dll": "x",
        "app/libclrjit.so": "x",
    }
    return {package.name: package for package in catalog(nodes).packages}


def test_packages_of_an_application_with_the_files_that_are_there() -> None:
    found = application()
    assert found["Serilog"].purl == "pkg:nuget/Serilog@2.10.0"
    assert found["Serilog"].files == ("app/Serilog.dll",)
    assert found["Serilog"].digests == (("SHA-512", SHA512.hex()),)
    assert found["App"].depends == ("Serilog",)
    assert found["Local"].files == ("app/de/Local.resources.dll",)
    assert found["Microsoft.NETCore.App.Runtime.linux-x64"].version == "8.0.1"


def test_package_without_any_of_its_files_is_only_declared() -> None:
    assert {name for name, package in application().items() if package.declared} == {"Gone"}


def test_package_that_only_compiling_needs_is_none() -> None:
    assert "Analyzer" not in application()


def test_lock_file_declares_each_version_once() -> None:
    part = {"type": "Direct", "resolved": "2.0.5", "contentHash": "x", "dependencies": {"A": "1"}}
    document = {
        "version": 1,
        "dependencies": {
            "net8.0": {"log4net": part, "My.Project": {"type": "Project"}},
            "net8.0/linux-x64": {"log4net": part},
            "net9.0": {"log4net": {**part, "resolved": "3.0.0"}},
        },
    }
    found = catalog({"src/packages.lock.json": json.dumps(document)}).packages
    assert [package.purl for package in found] == ["pkg:nuget/log4net@2.0.5", "pkg:nuget/log4net@3.0.0"]
    assert all(package.declared for package in found)
    assert (found[0].depends, found[0].digests) == (("A",), ())


def test_file_that_is_no_json_is_an_unknown() -> None:
    assert [unknown.path for unknown in catalog({"app/x.deps.json": "{"}).unknowns] == ["app/x.deps.json"]
