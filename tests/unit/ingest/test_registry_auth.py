"""Challenges of registries, and the logins that docker and podman keep."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compliance.errors import SourceError, UsageError
from compliance.ingest.auth import Challenge, Credential, find_credential, parse_challenges


def encoded(text: str) -> dict[str, str]:
    return {"auth": base64.b64encode(text.encode()).decode()}


def login(username: str, word: str) -> Credential:
    return Credential(username=username, secret=word)


def write(path: Path, config: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(config))
    return path


def helper(folder: Path, name: str, script: str) -> None:
    folder.mkdir(exist_ok=True)
    program = folder / f"docker-credential-{name}"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)


class TestChallenges:
    @pytest.mark.parametrize(
        ("header", "expected"),
        [
            (
                'Bearer realm="https://auth.example/token",service="registry",scope="repository:a/b:pull,push"',
                [
                    (
                        "bearer",
                        {
                            "realm": "https://auth.example/token",
                            "service": "registry",
                            "scope": "repository:a/b:pull,push",
                        },
                    )
                ],
            ),
            ('Basic realm="a \\"quoted\\" realm"', [("basic", {"realm": 'a "quoted" realm'})]),
            ("BASIC Realm=plain", [("basic", {"realm": "plain"})]),
            (
                'Basic realm="x", Bearer realm="y" , service = z',
                [("basic", {"realm": "x"}), ("bearer", {"realm": "y", "service": "z"})],
            ),
            ('Bearer realm="first",realm="second"', [("bearer", {"realm": "first"})]),
            ("Negotiate", [("negotiate", {})]),
            ("", []),
            ('realm="of nobody"', []),
        ],
    )
    def test_are_read(self, header: str, expected: list[tuple[str, dict[str, str]]]) -> None:
        assert parse_challenges(header) == tuple(
            Challenge(scheme=scheme, parameters=parameters) for scheme, parameters in expected
        )

    @given(st.text(max_size=200))
    def test_whatever_the_header_there_is_an_answer(self, header: str) -> None:
        assert all(item.scheme == item.scheme.lower() for item in parse_challenges(header))


class TestFiles:
    def find(
        self, home: Path, host: str = "host:5000", name: str = "a/b", variables: Mapping[str, Path] | None = None
    ) -> Credential | None:
        environment = {"HOME": str(home), **{key: str(value) for key, value in (variables or {}).items()}}
        return find_credential(host, name, environment)

    def test_no_file_is_no_login(self, tmp_path: Path) -> None:
        assert self.find(tmp_path) is None
        assert find_credential("host", "a", {}) is None

    def test_secret_is_shown_by_no_message(self) -> None:
        assert "word" not in repr(login("u", "word"))

    @pytest.mark.parametrize(
        "key", ["host:5000", "https://host:5000", "https://host:5000/v1/", "http://host:5000/v2/", "host:5000/"]
    )
    def test_addresses_are_for_their_host(self, tmp_path: Path, key: str) -> None:
        write(tmp_path / ".docker/config.json", {"auths": {key: encoded("u:p:w")}})
        assert self.find(tmp_path) == login("u", "p:w")

    @pytest.mark.parametrize(
        "key", ["host", "host:5001", "other", "host:5000/a/bc", "host:5000/x", "https://other/host:5000"]
    )
    def test_logins_of_others_are_never_used(self, tmp_path: Path, key: str) -> None:
        write(tmp_path / ".docker/config.json", {"auths": {key: encoded("u:p")}})
        assert self.find(tmp_path) is None

    @pytest.mark.parametrize("key", ["https://index.docker.io/v1/", "docker.io", "index.docker.io"])
    def test_default_registry_has_an_old_name(self, tmp_path: Path, key: str) -> None:
        write(tmp_path / ".docker/config.json", {"auths": {key: encoded("u:p")}})
        assert self.find(tmp_path, host="docker.io", name="library/x") == login("u", "p")

    def test_longest_name_counts(self, tmp_path: Path) -> None:
        auths = {"host:5000": encoded("host:x"), "host:5000/a": encoded("part:x"), "host:5000/a/b": encoded("whole:x")}
        write(tmp_path / ".docker/config.json", {"auths": auths})
        users = {
            name: found.username
            for name in ("a/b", "a/c", "d/e")
            if (found := self.find(tmp_path, name=name)) is not None
        }
        assert users == {"a/b": "whole", "a/c": "part", "d/e": "host"}

    def test_files_are_looked_at_in_order_and_a_named_one_replaces_its_default(self, tmp_path: Path) -> None:
        write(tmp_path / ".docker/config.json", {"auths": {"host:5000": encoded("docker:x")}})
        write(tmp_path / ".config/containers/auth.json", {"auths": {"host:5000": encoded("podman:x")}})
        write(tmp_path / "run/containers/auth.json", {"auths": {"host:5000": encoded("runtime:x")}})
        write(tmp_path / "named/config.json", {"auths": {}})
        write(tmp_path / "file.json", {"auths": {"host:5000": encoded("file:x")}})
        settings: list[tuple[str, dict[str, Path]]] = [
            ("docker", {}),
            ("podman", {"DOCKER_CONFIG": tmp_path / "named"}),
            ("runtime", {"DOCKER_CONFIG": tmp_path / "named", "XDG_RUNTIME_DIR": tmp_path / "run"}),
            ("file", {"REGISTRY_AUTH_FILE": tmp_path / "file.json"}),
        ]
        for user, variables in settings:
            found = self.find(tmp_path, variables=variables)
            assert found is not None
            assert found.username == user

    def test_identity_token_is_no_password(self, tmp_path: Path) -> None:
        entry = {**encoded("u:"), "identitytoken": "refresh"}
        write(tmp_path / ".docker/config.json", {"auths": {"host:5000": entry}})
        found = self.find(tmp_path)
        assert found is not None
        assert (found.secret, found.is_identity_token) == ("refresh", True)

    @pytest.mark.parametrize(
        "content",
        [
            b"{",
            b"[]",
            b"\xff",
            b'{"auths": []}',
            b'{"auths": {"host:5000": {"auth": "%"}}}',
            b'{"auths": {"host:5000": {"auth": "/w=="}}}',
            b'{"credsStore": 1}',
            b'{"credsStore": "../../bin/x"}',
            b'{"credHelpers": {"host:5000": "a/b"}}',
            b"[" * 100_000,
            b" " * (2**20 + 1),
        ],
    )
    def test_damaged_file_is_named(self, tmp_path: Path, content: bytes) -> None:
        write(tmp_path / ".docker/config.json", {}).write_bytes(content)
        with pytest.raises(UsageError, match="login configuration") as caught:
            self.find(tmp_path)
        assert str(tmp_path / ".docker/config.json") in str(caught.value)


class TestHelpers:
    @pytest.fixture
    def bin_folder(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=":")
        return tmp_path / "bin"

    def find(self, tmp_path: Path, config: object, host: str = "host") -> Credential | None:
        write(tmp_path / "config.json", config)
        return find_credential(host, "a", {"DOCKER_CONFIG": str(tmp_path), "HOME": str(tmp_path)})

    def test_helper_of_the_host_goes_before_the_store(self, tmp_path: Path, bin_folder: Path) -> None:
        helper(bin_folder, "one", 'echo \'{"Username": "one", "Secret": "s"}\'')
        helper(bin_folder, "all", 'echo \'{"Username": "all", "Secret": "s"}\'')
        config = {"credHelpers": {"host": "one"}, "credsStore": "all"}
        users = [found.username for host in ("host", "other") if (found := self.find(tmp_path, config, host))]
        assert users == ["one", "all"]

    def test_store_that_knows_nothing_leaves_it_to_the_file(self, tmp_path: Path, bin_folder: Path) -> None:
        helper(bin_folder, "all", "echo 'credentials not found in native keychain'; exit 1")
        config = {"credsStore": "all", "auths": {"host": encoded("file:s")}}
        assert self.find(tmp_path, config) == login("file", "s")

    def test_default_registry_is_asked_for_by_its_old_name(self, tmp_path: Path, bin_folder: Path) -> None:
        helper(bin_folder, "all", f'cat > {tmp_path}/asked; echo \'{{"Username": "<token>", "Secret": "s"}}\'')
        found = self.find(tmp_path, {"credsStore": "all"}, host="docker.io")
        assert found is not None
        assert found.is_identity_token
        assert (tmp_path / "asked").read_text() == "https://index.docker.io/v1/"

    @pytest.mark.parametrize(
        ("script", "why"),
        [
            ("echo 'no keychain \033[31mhere'; exit 1", "no keychain �[31mhere"),
            ("exit 3", "exit status 3"),
            ("echo nonsense", "not a user name"),
            ("echo '{\"Username\": 1}'", "not a user name"),
            ("sleep 5", "no answer in 0.2 s"),
        ],
    )
    def test_failing_helper_is_told(
        self, tmp_path: Path, bin_folder: Path, monkeypatch: pytest.MonkeyPatch, script: str, why: str
    ) -> None:
        monkeypatch.setattr("compliance.ingest.auth.HELPER_SECONDS", 0.2 if "sleep" in script else 20)
        helper(bin_folder, "bad", f"exec 2>/dev/null\n{script}")
        with pytest.raises(SourceError, match="docker-credential-bad failed") as caught:
            self.find(tmp_path, {"credsStore": "bad"})
        assert why in str(caught.value)

    def test_missing_helper_is_told(self, tmp_path: Path, bin_folder: Path) -> None:
        with pytest.raises(SourceError, match="it is not installed"):
            self.find(tmp_path, {"credsStore": "absent-helper"})
