"""Compatibility advice: each one where its evidence is, none where it is not, and what is not known said to be so."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compliance.formats.dockerfile import parse_dockerfile
from compliance.model.advice import Advice, CompatibilityAdvice, Impact, Place
from compliance.model.evidence import Evidence
from compliance.model.filesystem import Unread
from compliance.model.image import ImageConfig
from compliance.model.inventory import Location, Package
from controls.advice import REQUESTS, advise
from tests.builders import elf as make
from tests.builders.evidence import Node, directory, evidence, file, program, symlink
from tests.builders.examiner import examiner

Files = Mapping[str, Node | bytes | str]
LIB = "usr/lib/x86_64-linux-gnu"
DASH = b"\0".join((b"PPID=", b"OPTIND=1", b"PS1=$ ", b"PS4=+ ", b"Bad substitution", b"Syntax error: "))
SHELL: Files = {
    "bin/sh": program(make.program(DASH)),
    "bin/rm": program(make.program()),
    "bin/mkdir": program(make.program()),
    "bin/chmod": program(make.program()),
    "lib64/ld-linux-x86-64.so.2": file(make.library("ld-linux-x86-64.so.2")),
}
APP: Files = {"srv/app": program(make.static_program())}


def image(
    files: Files, packages: tuple[Package, ...] = (), *, unread: tuple[Unread, ...] = (), **config: Any
) -> Evidence:
    return evidence(
        {**files},
        config=ImageConfig(**config),
        packages=packages,
        examiner=examiner(),
        requests=REQUESTS,
        unread=unread,
        layers=3,
    )


def found(advice: CompatibilityAdvice) -> dict[str, Advice]:
    return {one.id: one for one in advice.advice}


def ids(advice: CompatibilityAdvice) -> set[str]:
    return set(found(advice))


def lines(advice: CompatibilityAdvice) -> list[str]:
    assert advice.proposal is not None
    return advice.proposal.text.splitlines()


def package(name: str, *files: str, depends: tuple[str, ...] = (), source: str | None = None) -> Package:
    return Package(
        name=name,
        version="1",
        type="deb",
        purl=f"pkg:deb/debian/{name}@1",
        found_by="dpkg",
        locations=(Location(path="var/lib/dpkg/status", layer=0),),
        files=files,
        depends=depends,
        source_name=source,
    )


def test_a_static_program_that_runs_by_number_needs_no_advice() -> None:
    advice = advise(image(APP, entrypoint=("/srv/app",), user="65532:65532"))
    assert advice.advice == ()
    assert not any(gap.decisive for gap in advice.gaps)
    assert 'ENTRYPOINT ["/srv/app"]' in lines(advice)
    assert "COPY --from=application --chown=0:0 /srv /srv" in lines(advice)


def test_an_advice_without_a_place_is_refused() -> None:
    with pytest.raises(ValueError, match="what it rests on"):
        Advice(id="x", impact=Impact.BREAKS, what="", places=(), way_out="")


def test_shell_form_is_unfolded() -> None:
    advice = advise(image({**SHELL, **APP}, cmd=("/bin/sh", "-c", "exec /srv/app -v"), user="1"))
    assert found(advice)["shell-form"].impact is Impact.BREAKS
    assert "exec form: /srv/app -v" in found(advice)["shell-form"].way_out
    assert 'ENTRYPOINT ["/srv/app", "-v"]' in lines(advice)


def test_a_script_that_goes_elsewhere_first() -> None:
    script = program("#!/bin/sh\ncd /srv\nexec ./app -v\n")
    advice = advise(image({**SHELL, **APP, "run.sh": script}, entrypoint=("/run.sh",), working_dir="/data"))
    assert "cannot-start" not in ids(advice)
    assert [line for line in lines(advice) if line.startswith(("WORKDIR", "ENTRYPOINT"))] == [
        "WORKDIR /srv",
        'ENTRYPOINT ["/srv/app", "-v"]',
    ]


def test_a_working_directory_of_the_target_is_not_taken_over() -> None:
    target = image({"home/nonroot": directory()}, working_dir="/home/nonroot")
    assert "WORKDIR /" in lines(advise(image(APP, entrypoint=("/srv/app",)), target=target))


def test_folders_that_are_links_in_the_target_are_followed() -> None:
    target = image({"srv": symlink("usr/srv"), "usr/srv/other": ""})
    advice = advise(image({**APP, "etc/x": ""}, entrypoint=("/srv/app",)), target=target)
    assert not any(gap.decisive for gap in advice.gaps)


def test_an_entry_point_script_with_tini_in_front() -> None:
    script = program('#!/bin/sh\nexec /srv/app "$@"\n')
    files = {**SHELL, **APP, "run.sh": script, "usr/bin/tini": program(make.static_program())}
    advice = advise(image(files, entrypoint=("tini", "--", "/run.sh"), cmd=("-v",)))
    assert 'ENTRYPOINT ["/usr/bin/tini", "--", "/srv/app"]' in lines(advice)
    assert 'CMD ["-v"]' in lines(advice)
    assert not any("/run.sh" in line for line in lines(advice) if line.startswith("COPY"))


def test_a_script_that_can_not_be_unfolded_names_its_lines_and_leaves_the_entry_point_out() -> None:
    script = program("#!/bin/sh\nif true; then\n  x\nfi\nexec /srv/app\n")
    advice = advise(image({**SHELL, **APP, "run.sh": script}, entrypoint=("/run.sh",)))
    assert advice.proposal is not None
    (obstacle,) = advice.proposal.obstacles
    assert (obstacle.place.path, obstacle.place.layer, obstacle.place.line) == ("run.sh", 0, 2)
    assert "#   /run.sh, line 2: a condition: if true; then …" in lines(advice)
    assert not any(line.startswith(("ENTRYPOINT", "CMD")) for line in lines(advice))
    assert found(advice)["shell-script"].places[-1] == obstacle.place


def test_a_bare_shell_is_no_application_to_move() -> None:
    advice = advise(image(SHELL, cmd=("sh",)))
    assert found(advice)["shell-only"].impact is Impact.BREAKS
    assert advice.proposal is None
    assert any(gap.decisive for gap in advice.gaps)


def test_commands_of_scripts_are_named_with_their_lines_where_the_target_lacks_them() -> None:
    script = program("#!/bin/sh\n# sed is not called\necho sed\nsed -i x /etc/y\nexec /srv/app\n")
    files = {**SHELL, **APP, "run.sh": script, "bin/sed": program(make.static_program())}
    advice = advise(image(files, entrypoint=("/run.sh",)))
    places = found(advice)["commands"].places
    assert [(place.path, place.line, place.text) for place in places] == [("run.sh", 4, "sed -i x /etc/y")]
    target = image({"bin/sed": program(make.static_program())})
    assert "commands" not in ids(advise(image(files, entrypoint=("/run.sh",)), target=target))


def test_a_switch_of_the_user_breaks() -> None:
    script = program("#!/bin/sh\nchown -R app /data\nexec gosu app /srv/app\n")
    files = {**SHELL, **APP, "run.sh": script, "usr/bin/gosu": program(make.static_program()), "data": directory()}
    advice = advise(image(files, entrypoint=("/run.sh",)))
    assert [place.line for place in found(advice)["user-switch"].places] == [3]
    assert 'ENTRYPOINT ["/srv/app"]' in lines(advice)
    assert "COPY --from=application --chown=65532:65532 /data /data" in lines(advice)
    assert 'VOLUME ["/data"]' in lines(advice)
    assert not any("gosu" in line for line in lines(advice))


def test_libraries_are_copied_by_the_name_they_are_loaded_by() -> None:
    files: Files = {
        "srv/app": program(make.program(needed=("liba.so.1",))),
        f"{LIB}/liba.so.1": symlink("liba.so.1.2"),
        f"{LIB}/liba.so.1.2": file(make.library("liba.so.1", needed=("libb.so.1",))),
        f"{LIB}/libb.so.1": file(make.library("libb.so.1")),
        f"{LIB}/libunused.so.1": file(make.library("libunused.so.1")),
        "lib64/ld-linux-x86-64.so.2": file(make.library("ld-linux-x86-64.so.2")),
    }
    advice = advise(image(files, entrypoint=("/srv/app",), user="1"))
    copies = [line.split()[-2:] for line in lines(advice) if line.startswith("COPY --from")]
    assert [f"/{LIB}/liba.so.1.2", f"/{LIB}/liba.so.1"] in copies
    assert [f"/{LIB}/libb.so.1", f"/{LIB}/libb.so.1"] in copies
    assert ["/lib64/ld-linux-x86-64.so.2"] * 2 in copies
    assert not any("unused" in source for source, _ in copies)
    assert found(advice)["libraries"].impact is Impact.BREAKS
    assert not any(gap.decisive for gap in advice.gaps)


def test_libraries_outside_of_the_search_path_get_it_named() -> None:
    files: Files = {
        "srv/app": program(make.program(needed=("liba.so.1",))),
        "opt/x/liba.so.1": file(make.library("liba.so.1")),
        "etc/ld.so.conf": "/opt/x\n",
        "lib64/ld-linux-x86-64.so.2": file(make.library("ld-linux-x86-64.so.2")),
    }
    advice = advise(image(files, packages=(package("x", "opt/x/liba.so.1"),), entrypoint=("/srv/app",), user="1"))
    assert 'ENV LD_LIBRARY_PATH="/opt/x"' in lines(advice)
    assert not any(gap.decisive for gap in advice.gaps)


def test_what_the_target_ships_is_not_copied_and_another_build_of_it_is_told() -> None:
    files: Files = {
        "srv/app": program(make.program(needed=("liba.so.1", "libb.so.1"))),
        f"{LIB}/liba.so.1": file(make.library("liba.so.1")),
        f"{LIB}/libb.so.1": file(make.library("libb.so.1")),
        "lib64/ld-linux-x86-64.so.2": file(make.library("ld-linux-x86-64.so.2")),
    }
    target = image({**files, f"{LIB}/libb.so.1": file(make.library("libb.so.1", text=b"another build"))}, user="65532")
    advice = advise(image(files, entrypoint=("/srv/app",), user="1"), target=target)
    assert "libraries" not in ids(advice)
    assert [place.path for place in found(advice)["library-builds"].places] == [f"{LIB}/libb.so.1"]
    assert [line.split()[-1] for line in lines(advice) if line.startswith("COPY")] == ["/srv"]


def test_a_target_of_another_libc_lacks_the_loader() -> None:
    files: Files = {
        "srv/app": program(make.program(needed=("libc.so.6",))),
        f"{LIB}/libc.so.6": file(make.library("libc.so.6")),
        "lib64/ld-linux-x86-64.so.2": file(make.library("ld-linux-x86-64.so.2")),
    }
    target = image({"lib/ld-musl-x86_64.so.1": file(make.library("libc.musl-x86_64.so.1"))})
    advice = advise(image(files, entrypoint=("/srv/app",)), target=target)
    assert {place.path for place in found(advice)["libraries"].places} == {
        f"{LIB}/libc.so.6",
        "lib64/ld-linux-x86-64.so.2",
    }


def test_a_library_that_nobody_finds_is_told_and_not_hidden() -> None:
    files: Files = {
        "srv/app": program(make.program(needed=("libgone.so.1",))),
        "lib64/ld-linux-x86-64.so.2": file(make.library("ld-linux-x86-64.so.2")),
    }
    advice = advise(image(files, entrypoint=("/srv/app",), user="1"))
    assert found(advice)["library-unresolved"].places[0].text == "libgone.so.1"


PYTHON = b"Py_InitializeFromConfig\0PyRun_SimpleStringFlags\0Python/pythonrun.c\0PYTHONHOME\0python3.11\0"


def python_image(**config: Any) -> Evidence:
    interpreter = "usr/bin/python3.11"
    files: Files = {
        interpreter: program(make.static_program(PYTHON)),
        "usr/bin/python3": symlink("python3.11"),
        "app/main.py": program("#!/usr/bin/env python3\nprint()\n"),
        "usr/bin/env": program(make.static_program()),
    }
    return image(
        files,
        packages=(package("python3.11", interpreter, "usr/bin/python3"), package("coreutils", "usr/bin/env")),
        **config,
    )


def test_an_interpreted_application_without_a_target_is_not_determined() -> None:
    advice = advise(python_image(cmd=("python3", "/app/main.py"), user="1"))
    assert found(advice)["interpreter"].impact is Impact.MAY_BREAK
    assert any(gap.decisive and "no target was named" in gap.what for gap in advice.gaps)
    assert "FROM runtime-image" in lines(advice)
    assert 'ENTRYPOINT ["python3"]' in lines(advice)


def test_the_target_s_interpreter_is_named_where_env_is_gone() -> None:
    target = image(
        {
            "opt/python/bin/python3.11": program(make.static_program(PYTHON)),
            "opt/python/bin/python3": symlink("python3.11"),
        },
        env={"PATH": "/opt/python/bin"},
    )
    advice = advise(python_image(entrypoint=("/app/main.py",), user="1"), target=target)
    assert "interpreter-path" in ids(advice)
    assert 'ENTRYPOINT ["/opt/python/bin/python3", "/app/main.py"]' in lines(advice)


def test_another_version_of_the_interpreter_breaks_and_a_missing_one_too() -> None:
    newer = program(make.static_program(PYTHON + b"3.13"))
    other = image({"usr/bin/python3.13": newer, "usr/bin/python3": symlink("python3.13")})
    advice = advise(python_image(cmd=("python3", "/app/main.py"), user="1"), target=other)
    assert "Python 3.11, and the target has 3.13" in found(advice)["interpreter-version"].what
    advice = advise(python_image(cmd=("python3", "/app/main.py"), user="1"), target=image(APP))
    assert found(advice)["interpreter-missing"].impact is Impact.BREAKS


def test_a_virtual_environment_is_started_by_the_target_s_python() -> None:
    files: Files = {
        "usr/bin/python3.11": program(make.static_program(PYTHON)),
        "usr/bin/python3": symlink("python3.11"),
        "venv/pyvenv.cfg": "home = /usr/bin\n",
        "venv/bin/python": symlink("/usr/bin/python3"),
        "venv/bin/serve": program("#!/venv/bin/python\n"),
        "venv/lib/python3.11/site-packages/x.py": "",
    }
    target = image(
        {
            "usr/local/bin/python3.11": program(make.static_program(PYTHON)),
            "usr/local/bin/python3": symlink("python3.11"),
        }
    )
    owner = (package("python3.11", "usr/bin/python3.11", "usr/bin/python3"),)
    advice = advise(image(files, packages=owner, entrypoint=("/venv/bin/serve",)), target=target)
    assert 'ENTRYPOINT ["/usr/local/bin/python3.11", "/venv/bin/serve"]' in lines(advice)
    assert 'ENV PYTHONPATH="/venv/lib/python3.11/site-packages"' in lines(advice)


def test_package_managers_in_the_application_s_folders_are_removed_while_building() -> None:
    files: Files = {
        **SHELL,
        **APP,
        "srv/lib/site-packages/pip/__init__.py": "",
        "srv/lib/site-packages/pip/__main__.py": "import sys\n",
        "srv/lib/site-packages/pip-1.dist-info/METADATA": "",
        "srv/lib/site-packages/own.py": "",
    }
    advice = advise(image(files, entrypoint=("/srv/app",), user="1"))
    assert "RUN rm -rf -- /srv/lib/site-packages/pip-1.dist-info /srv/lib/site-packages/pip" in lines(advice)
    assert "COPY --from=prepared --chown=0:0 /srv /srv" in lines(advice)


def test_files_that_others_may_not_read_break_and_are_opened_while_building() -> None:
    files: Files = {**SHELL, **APP, "srv/key.pem": file("secret", 0o600, layer=2), "srv/free": file("", 0o644)}
    advice = advise(image(files, entrypoint=("/srv/app",)))
    (place,) = found(advice)["unreadable"].places
    assert (place.path, place.layer) == ("srv/key.pem", 2)
    assert "RUN chmod -R a+rX,go-w -- /srv" in lines(advice)


@pytest.mark.parametrize(
    ("port", "advised"), [("80/tcp", True), ("1023", True), ("1024/tcp", False), ("8080/tcp", False)]
)
def test_ports_that_need_a_privilege(port: str, advised: bool) -> None:
    advice = advise(image(APP, entrypoint=("/srv/app",), user="1", exposed_ports=(port,)))
    assert ("port" in ids(advice)) is advised
    assert f"EXPOSE {port}" in lines(advice)


@pytest.mark.parametrize(
    ("user", "id_"),
    [
        ("", "user-root"),
        ("0", "user-root"),
        ("root", "user-root"),
        ("app", "user-name"),
        ("nobody-here", "user-unresolved"),
    ],
)
def test_the_user_of_the_image(user: str, id_: str) -> None:
    accounts = {"etc/passwd": "root:x:0:0::/root:\napp:x:1000:1000::/srv:\n"}
    advice = advise(image({**APP, **accounts}, entrypoint=("/srv/app",), user=user))
    told = {one for one in ids(advice) if one.startswith("user")}
    assert told == {id_}
    assert "USER 65532:65532" in lines(advice)


def test_a_name_that_the_target_has_too_starts_there() -> None:
    accounts = {"etc/passwd": "app:x:65532:65532::/srv:\n"}
    advice = advise(image({**APP, **accounts}, entrypoint=("/srv/app",), user="app"), target=image(accounts))
    assert "user-name" not in ids(advice)


def test_directories_of_the_present_user() -> None:
    files: Files = {**APP, "srv/data": directory(uid=1000, layer=1), "srv/data/sub": directory(uid=1000)}
    advice = advise(image(files, entrypoint=("/srv/app",), user="1000"))
    assert [(place.path, place.layer) for place in found(advice)["uid-changes"].places] == [("srv/data", 1)]


def test_volumes_that_root_owns_must_become_writable() -> None:
    advice = advise(image({**APP, "data": directory()}, entrypoint=("/srv/app",), user="1", volumes=("/data", "/new")))
    assert [place.config for place in found(advice)["writable"].places] == ["Volumes", "Volumes"]
    assert "COPY --from=application --chown=65532:65532 /data /data" in lines(advice)
    assert any("/new is not in the image" in gap.what for gap in advice.gaps)


def test_code_in_a_writable_place_stays_root_s() -> None:
    advice = advise(image(APP, entrypoint=("/srv/app",), user="1", volumes=("/srv",)))
    assert "writable-code" in ids(advice)
    assert not any("65532:65532 /srv" in line for line in lines(advice))


def test_a_health_check_by_curl_goes_and_one_by_the_program_stays() -> None:
    curl: Files = {**SHELL, **APP, "usr/bin/curl": program(make.static_program())}
    owner = (package("curl", "usr/bin/curl"),)
    advice = advise(
        image(curl, packages=owner, entrypoint=("/srv/app",), healthcheck=("CMD-SHELL", "curl -f http://x || exit 1"))
    )
    assert {"shell-form", "health-check"} <= ids(advice)
    assert "HEALTHCHECK NONE" in lines(advice)
    advice = advise(
        image({**SHELL, **APP}, entrypoint=("/srv/app",), healthcheck=("CMD-SHELL", "/srv/app ping || exit 1"))
    )
    assert 'HEALTHCHECK CMD ["/srv/app", "ping"]' in lines(advice)
    assert "health-check" not in ids(advice)


def test_certificates_time_zone_and_locale() -> None:
    files: Files = {
        **APP,
        "etc/ssl/certs/ca-certificates.crt": "x",
        "usr/share/zoneinfo/Europe/Berlin": "TZif",
        "usr/lib/locale/de_DE.utf8/LC_TIME": "x",
    }
    env = {"TZ": "Europe/Berlin", "LANG": "de_DE.UTF-8", "SSL_CERT_FILE": "/etc/gone.pem"}
    advice = advise(image(files, entrypoint=("/srv/app",), user="1", env=env))
    assert {"certificates", "certificates-path", "locale"} <= ids(advice)
    assert "time-zone" not in ids(advice), "its data are copied"
    copied = [line.split()[-1] for line in lines(advice) if line.startswith("COPY --from")]
    assert {
        "/etc/ssl/certs/ca-certificates.crt",
        "/usr/share/zoneinfo/Europe/Berlin",
        "/usr/lib/locale/de_DE.utf8",
    } <= {*copied}
    lacking = advise(image(APP, entrypoint=("/srv/app",), user="1", env={"TZ": "Mars/Base", "LANG": "C.UTF-8"}))
    assert {"time-zone", "locale"} & ids(lacking) == {"time-zone"}


def test_files_in_root_s_home_and_privileged_files() -> None:
    files: Files = {
        **APP,
        "root/.app.conf": "x",
        "root/.bashrc": "x",
        "srv/ping": file(make.static_program(), 0o4755, layer=1),
    }
    advice = advise(image(files, entrypoint=("/srv/app",), user="1"))
    assert [place.path for place in found(advice)["home"].places] == ["root/.app.conf"]
    assert found(advice)["privileged-file"].places[0].path == "srv/ping"


def test_a_program_of_a_package_moves_with_the_files_of_its_source_package_alone() -> None:
    files: Files = {
        "usr/sbin/daemon": program(make.static_program()),
        "etc/daemon/daemon.conf": "x",
        "usr/share/doc/daemon/copyright": "x",
        "usr/bin/other": program(make.static_program()),
    }
    packages = (
        package("daemon", "usr/sbin/daemon", "usr/share/doc/daemon/copyright", source="daemon"),
        package("other", "usr/bin/other"),
    )
    advice = advise(image(files, packages=packages, entrypoint=("/usr/sbin/daemon",), user="1"))
    copied = [line.split()[-1] for line in lines(advice) if line.startswith("COPY --from")]
    assert copied == ["/usr/sbin/daemon"]
    assert found(advice)["package-record"].places[0].package == "pkg:deb/debian/daemon@1"


def test_what_was_not_wholly_read_is_a_decisive_gap() -> None:
    unread = (Unread(path="srv/big", reason="too large", layer=1),)
    advice = advise(image(APP, unread=unread, entrypoint=("/srv/app",), user="65532"))
    assert any(gap.decisive and "/srv/big" in gap.what for gap in advice.gaps)


def test_a_root_filesystem_and_an_image_without_a_command() -> None:
    advice = advise(evidence(APP, without_config=True, examiner=examiner()))
    assert advice.proposal is None
    assert any(gap.decisive for gap in advice.gaps)
    assert any(gap.decisive and "neither" in gap.what for gap in advise(image(APP)).gaps)


def test_secrets_of_the_environment_are_not_written_down() -> None:
    env = {"DB_PASSWORD": "hunter2", "MODE": "a"}
    advice = advise(image(APP, entrypoint=("/srv/app", "--token", "hunter2", "--key=x", "--api-key=hunter2"), env=env))
    text = "\n".join(lines(advice))
    assert "hunter2" not in text
    assert 'ENV MODE="a"' in text
    assert "[withheld]" in text


def test_names_that_would_add_lines_to_the_file_are_left_out() -> None:
    files: Files = {**APP, "x\nUSER root": "x", "srv2/y": "x", "srv3/$HOME *?[x] y": "x"}
    advice = advise(image(files, entrypoint=("/srv/app",), env={"A": "b\nUSER root", "B\nC": "x", "D": "$PATH \"'"}))
    parsed = parse_dockerfile("\n".join(lines(advice)).encode())
    assert [one.arguments for stage in parsed.stages for one in stage.named("USER")] == ["65532:65532"]
    assert 'ENV D="\\$PATH \\"\'"' in lines(advice)
    assert "COPY --from=application --chown=0:0 /srv3 /srv3" in lines(advice)
    assert advice.proposal is not None
    assert any("can't be written" in text for text in advice.proposal.left_out)


DOCKERFILE = b"""ARG BASE=debian:12
FROM golang AS build
RUN go build -o /out/app .

FROM ${BASE}
RUN apt-get update && \\
    apt-get install -y curl
COPY --from=build /out/app /srv/app
COPY run.sh /run.sh
ENV PORT=80
EXPOSE ${PORT}
USER app
ENTRYPOINT ["/run.sh"]
"""


def test_advice_names_the_lines_of_the_dockerfile_and_the_proposal_keeps_its_stages() -> None:
    files: Files = {
        **SHELL,
        **APP,
        "run.sh": program('#!/bin/sh\nexec /srv/app "$@"\n'),
        "usr/bin/curl": program(make.static_program()),
        "etc/passwd": "app:x:1000:1000::/:\n",
    }
    seen = image(
        files,
        packages=(package("curl", "usr/bin/curl"),),
        entrypoint=("/run.sh",),
        user="app",
        exposed_ports=("80",),
        env={"PORT": "80"},
    )
    advice = advise(seen, dockerfile=parse_dockerfile(DOCKERFILE), dockerfile_name="Dockerfile")
    by_id = found(advice)
    assert [place.dockerfile_line for place in by_id["run-in-last-stage"].places] == [6]
    assert by_id["shell-script"].places[0].dockerfile_line == 13
    assert by_id["shell-script"].places[1].dockerfile_line == 9
    assert by_id["port"].places[0].dockerfile_line == 11
    assert by_id["user-name"].places[0].dockerfile_line == 12
    tools = {place.path: place.dockerfile_line for place in by_id["build-tools"].places}
    assert tools["usr/bin/curl"] == 6
    text = lines(advice)
    assert text[0] == "# syntax=docker/dockerfile:1"
    assert "FROM golang AS build" in text
    assert "FROM ${BASE} AS application" in text
    parsed = parse_dockerfile("\n".join(text).encode())
    assert [stage.name for stage in parsed.stages] == ["build", "application", None]
    assert parsed.stages[-1].base == "scratch"


def test_a_dockerfile_of_another_image_is_told() -> None:
    dockerfile = parse_dockerfile(b'FROM a\nENTRYPOINT ["/other"]\n')
    advice = advise(image(APP, entrypoint=("/srv/app",)), dockerfile=dockerfile)
    assert any("line 2" in gap.what for gap in advice.gaps)


def test_the_same_evidence_gives_the_same_advice() -> None:
    files: Files = {
        **SHELL,
        **APP,
        "run.sh": program("#!/bin/sh\nsed x\nexec /srv/app\n"),
        "bin/sed": program(b"#!/x\n"),
    }
    first, second = (advise(image(files, entrypoint=("/run.sh",))) for _ in range(2))
    assert first == second


def test_a_place_that_a_reader_can_open() -> None:
    advice = advise(image({**APP, "data": directory()}, entrypoint=("/srv/app",), volumes=("/data",)))
    assert all(isinstance(place, Place) for one in advice.advice for place in one.places)
    assert found(advice)["writable"].places[0] == Place(
        config="Volumes", path="data", layer=0, text="owner 0, mode 0755"
    )


WORDS = st.sampled_from(
    (
        "", "-", "--", "/run.sh", "/srv/app", "sh", "-c", "exec /srv/app $X", "env", "-S", "A=1", "gosu", "tini",
        "/loop", "../x", "/", "$(x)", "\n", "\x1b[0m", "/srv", "python3", "busybox", "timeout", "5", "/text",
    )
)  # fmt: skip
LISTS = st.lists(WORDS, max_size=4).map(tuple)


@settings(max_examples=150, deadline=None)
@given(
    entrypoint=LISTS,
    cmd=LISTS,
    health=st.one_of(
        st.none(), LISTS.map(lambda words: ("CMD", *words)), LISTS.map(lambda words: ("CMD-SHELL", *words))
    ),
    volumes=LISTS,
    env=st.dictionaries(st.sampled_from(("PATH", "HOME", "TZ", "LANG", "SSL_CERT_FILE", "A B", "")), WORDS, max_size=3),
    working_dir=st.one_of(st.none(), WORDS),
    user=WORDS,
)
def test_no_configuration_breaks_the_advice_and_the_proposal_is_a_dockerfile(
    entrypoint: tuple[str, ...],
    cmd: tuple[str, ...],
    health: tuple[str, ...] | None,
    volumes: tuple[str, ...],
    env: dict[str, str],
    working_dir: str | None,
    user: str,
) -> None:
    files: Files = {
        **SHELL,
        **APP,
        "run.sh": program('#!/bin/sh\nmkdir -p $X /srv /\n. /run.sh\nexec "$@"\n'),
        "loop": symlink("/loop"),
        "text": program("exec /text\n"),
    }
    seen = image(
        files,
        entrypoint=entrypoint,
        cmd=cmd,
        healthcheck=health,
        volumes=volumes,
        env=env,
        working_dir=working_dir,
        user=user,
        exposed_ports=("99999/tcp", "x"),
    )
    advice = advise(seen)
    if advice.proposal is not None:
        last = parse_dockerfile(advice.proposal.text.encode()).stages[-1]
        assert [one.arguments for one in last.named("USER")] == ["65532:65532"]
        assert all(one.form for one in last.named("ENTRYPOINT", "CMD", "VOLUME"))
