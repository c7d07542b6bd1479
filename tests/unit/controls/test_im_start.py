"""IM-EXEC, IM-HEALTH and IM-INSTALL: what starts with the container."""

from __future__ import annotations

import pytest

from compliance.model.filesystem import Unread
from compliance.model.image import ImageConfig
from compliance.model.outcome import Failed, NotApplicable, Outcome, OutcomeWord, Passed, Unknown, outcome_word
from compliance.model.request import ContentRequest
from controls.checks.im_exec import CHECK as IM_EXEC
from controls.checks.im_health import CHECK as IM_HEALTH
from controls.checks.im_install import CHECK as IM_INSTALL
from controls.entrypoint import launches, unwrap
from tests.builders.elf import Elf, build
from tests.builders.elf import static_program as elf
from tests.builders.evidence import Node, directory, evidence, file, program, symlink
from tests.builders.examiner import examiner

LOADER = "lib64/ld-linux-x86-64.so.2"
CUT = (Unread(path="", reason="the layer is cut short", layer=0),)
SHELL = b"PPID=\0OPTIND=1\0PS1=$ \0PS4=+ \0Bad substitution\0Syntax error: "
"""What makes a program an Almquist shell by content."""
KEPT = (ContentRequest(name="entry points", globs=("app/**",)),)  # as the pipeline asks for what the config names
FILES: dict[str, Node | bytes | str] = {
    "app/server": program(elf()),
    "app/dynamic": program(build(Elf(interpreter=f"/{LOADER}"))),
    LOADER: program(elf()),
    "usr/bin/python3.13": program(elf(b"an interpreter")),
    "usr/bin/python3": symlink("python3.13"),
    "usr/bin/env": program(elf(b"env")),
    "sbin/tini": program(elf(b"tini")),
    "bin/sh": symlink("dash"),
    "bin/dash": program(elf(SHELL)),
    "app/main.py": program("#!/usr/bin/python3\nimport app\n"),
    "app/start.sh": program('#!/bin/sh\nset -e\nexec "$@"\n'),
}


def exec_form(*entrypoint: str, files: dict[str, Node | bytes | str] | None = None, **config: object) -> Outcome:
    settings = ImageConfig(user="1000:1000", entrypoint=entrypoint, **config)  # type: ignore[arg-type]
    return IM_EXEC.run(evidence({**FILES, **(files or {})}, config=settings, examiner=examiner()))


@pytest.mark.parametrize(
    "argv",
    [
        ("/app/server",),
        ("/app/server", "--config", "/etc/x"),
        ("/app/dynamic",),
        ("app/server",),
        ("../app/server",),
        ("/app/main.py",),
        ("python3", "-m", "app"),
        ("/sbin/tini", "--", "/app/server"),
        ("/sbin/tini", "-g", "-p", "SIGTERM", "--", "python3", "x.py"),
        ("/usr/bin/env", "A=b", "python3"),
    ],
)
def test_exec_programs_without_a_shell_pass(argv: tuple[str, ...]) -> None:
    assert isinstance(exec_form(*argv), Passed)


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (("/bin/sh", "-c", "exec /app/server"), "in shell form"),
        (("sh", "-ec", "x"), "in shell form"),
        (("/sbin/tini", "--", "/bin/sh", "-c", "x"), "in shell form"),
        (("/bin/busybox", "sh", "-c", "x"), "in shell form"),
        (("/bin/sh",), "starts the shell /bin/sh"),
        (("/bin/dash", "script"), "starts the shell /bin/dash"),
        (("/opt/tool",), "starts the shell /opt/tool"),
        (("/app/start.sh", "/app/server"), "a script for the shell /bin/sh"),
        (("/app/gone",), "'/app/gone' is not in the image"),
        (("gone",), "'gone' is not in the image"),
        (("/app/perl.pl",), "a script for '/usr/bin/perl', which is not in the image"),
        (("/app/env.rb",), "a script for 'ruby', which is not in the image"),
        (("/app/musl",), "needs the loader /lib/ld-musl-x86_64.so.1, which is not in the image"),
        (("/app/plain",), "no execute permission for anybody"),
        (("/app/private",), "not executable for uid 1000"),
        (("/hidden/server",), "not executable for uid 1000"),
        (("/app/text",), "neither an ELF file nor a script"),
        (("/app/loop1",), "more than 5 scripts"),
    ],
)
def test_exec_counter_examples(argv: tuple[str, ...], said: str) -> None:
    files: dict[str, Node | bytes | str] = {
        "opt/tool": program(elf(SHELL)),
        "app/perl.pl": program("#!/usr/bin/perl -w\n"),
        "app/env.rb": program("#!/usr/bin/env -S ruby -w\n"),
        "app/musl": program(build(Elf(interpreter="/lib/ld-musl-x86_64.so.1"))),
        "app/plain": file(elf()),
        "app/private": file(elf(), 0o750),
        "hidden": directory(0o700),
        "hidden/server": program(elf()),
        "app/text": program("just words"),
        "app/loop1": program("#!/app/loop2\n"),
        "app/loop2": program("#!/app/loop1\n"),
    }
    outcome = exec_form(*argv, files=files)
    assert isinstance(outcome, Failed)
    assert said in outcome.observations[0].summary


def test_exec_cmd_in_shell_form_behind_an_entrypoint_is_a_shell_too() -> None:
    assert isinstance(exec_form("/app/server", cmd=("/bin/sh", "-c", "x")), Failed)


def test_exec_the_health_check_counts() -> None:
    assert isinstance(exec_form("/app/server", healthcheck=("CMD-SHELL", "curl -f localhost")), Failed)
    assert isinstance(exec_form("/app/server", healthcheck=("CMD", "/app/server", "health")), Passed)


def test_exec_path_and_working_directory_of_the_image_decide() -> None:
    assert isinstance(exec_form("server", env={"PATH": "/app"}), Passed)
    assert isinstance(exec_form("server"), Failed)
    assert isinstance(exec_form("./server", working_dir="/app"), Passed)
    assert isinstance(exec_form("./server"), Failed)


def test_exec_nothing_to_start_is_not_applicable() -> None:
    assert isinstance(exec_form(), NotApplicable)


def test_exec_less_evidence_is_unknown() -> None:
    config = ImageConfig(user="1000:1000", entrypoint=("/app/gone",))
    assert isinstance(IM_EXEC.run(evidence(FILES, without_config=True)), Unknown)
    assert isinstance(IM_EXEC.run(evidence(FILES, config=config, examiner=examiner(), unread=CUT)), Unknown)
    nobody = ImageConfig(user="node-app", entrypoint=("/app/server",))
    assert isinstance(IM_EXEC.run(evidence(FILES, config=nobody, examiner=examiner())), Unknown)


OCI = "application/vnd.oci.image.manifest.v1+json"


@pytest.mark.parametrize(
    ("test", "word"),
    [
        (None, OutcomeWord.NOT_APPLICABLE),
        ((), OutcomeWord.NOT_APPLICABLE),
        (("NONE",), OutcomeWord.FAILED),
        (("CMD",), OutcomeWord.FAILED),
        (("CMD", "/app/server", "health"), OutcomeWord.PASSED),
        (("CMD", "python3", "-c", "x"), OutcomeWord.PASSED),
        (("CMD", "/app/gone"), OutcomeWord.FAILED),
        (("CMD", "/bin/sh", "-c", "x"), OutcomeWord.FAILED),
        (("CMD", "/app/start.sh"), OutcomeWord.FAILED),
        (("CMD-SHELL", "curl -f http://localhost"), OutcomeWord.FAILED),
        (("junk",), OutcomeWord.FAILED),
    ],
)
def test_health_checks(test: tuple[str, ...] | None, word: OutcomeWord) -> None:
    config = ImageConfig(user="1000:1000", healthcheck=test)
    assert outcome_word(IM_HEALTH.run(evidence(FILES, config=config, examiner=examiner()))) is word


def test_health_missing_from_a_docker_config_fails() -> None:
    from dataclasses import replace

    oci = evidence(FILES)
    docker = replace(oci.image, media_type="application/vnd.docker.distribution.manifest.v2+json")
    assert isinstance(IM_HEALTH.run(replace(oci, image=docker)), Failed)


def test_health_less_evidence_is_unknown() -> None:
    config = ImageConfig(healthcheck=("CMD", "/app/gone"))
    assert isinstance(IM_HEALTH.run(evidence(FILES, without_config=True)), Unknown)
    assert isinstance(IM_HEALTH.run(evidence(FILES, config=config, examiner=examiner(), unread=CUT)), Unknown)


@pytest.mark.parametrize(
    ("argv", "inner"),
    [
        (("tini", "--", "a", "b"), ("a", "b")),
        (("env", "-i", "A=b", "a"), ("a",)),
        (("env", "-S", "a b", "c"), ("a", "b", "c")),
        (("env", "-Sa b"), ("a", "b")),
        (("gosu", "app:app", "a"), ("a",)),
        (("tini", "--", "gosu", "app", "env", "X=1", "a"), ("a",)),
        (("tini",), ("tini",)),
        (("env", "A=b"), ("env", "A=b")),
        ((), ()),
    ],
)
def test_starters_are_passed_through(argv: tuple[str, ...], inner: tuple[str, ...]) -> None:
    assert unwrap(argv) == inner


def test_a_shell_of_its_own_runs_the_health_check() -> None:
    config = ImageConfig(healthcheck=("CMD-SHELL", "x y"), shell=("/bin/bash", "-o", "pipefail", "-c"))  # noqa: S604
    assert launches(config)[0].argv == ("/bin/bash", "-o", "pipefail", "-c", "x y")


PIP: dict[str, Node | bytes | str] = {
    "usr/lib/python3/site-packages/pip/__main__.py": "x",
    "usr/bin/pip": program("#!/usr/bin/python3\n"),
}


def install(
    *entrypoint: str,
    files: dict[str, Node | bytes | str] | None = None,
    unread: tuple[Unread, ...] = (),
    **config: object,
) -> Outcome:
    settings = ImageConfig(user="1000:1000", entrypoint=entrypoint, **config)  # type: ignore[arg-type]
    tree = {**FILES, **(files or {})}
    return IM_INSTALL.run(evidence(tree, config=settings, examiner=examiner(), requests=KEPT, unread=unread))


def script(text: str) -> dict[str, Node | bytes | str]:
    return {"app/start.sh": program(f"#!/bin/sh\n{text}\n")}


@pytest.mark.parametrize(
    "text",
    [
        "apt-get update && apt-get install -y curl",
        "pip install -r requirements.txt",
        "exec sh -c 'apk add --no-cache bash'",
        "if [ ! -d node_modules ]; then\n  npm ci\nfi",
        "curl -fsSL https://x.example/install | sh",
        'sh -c "$(wget -qO- https://x.example)"',
        "git clone https://x.example/app /app",
        "python3 -m pip install x",
        "curl -o /tmp/t https://x.example/t\nchmod +x /tmp/t\n/tmp/t",
        "env DEBIAN_FRONTEND=noninteractive \\\n  apt-get -qq install x",
        "sh <<'EOF'\nyum -y install x\nEOF",
    ],
)
def test_install_commands_in_the_entry_point_script_fail(text: str) -> None:
    outcome = install("/app/start.sh", "/app/server", files=script(text))
    assert isinstance(outcome, Failed)
    assert outcome.observations[0].path == "app/start.sh"


@pytest.mark.parametrize(
    "text",
    [
        "# apt-get install curl",
        "echo 'run pip install x first'",
        "cat <<EOF\nnpm install\nEOF",
        "pip list",
        "apk info",
        "npm start",
        "rpm -qa",
        "curl -f http://localhost/health",
    ],
)
def test_install_mentions_and_other_commands_pass_where_nothing_can_install(text: str) -> None:
    assert isinstance(install("/app/start.sh", "/app/server", files=script(text)), Passed)


@pytest.mark.parametrize(
    ("argv", "config"),
    [
        (("pip", "install", "x"), {}),
        (("/sbin/tini", "--", "npx", "serve"), {}),
        (("/bin/sh", "-c", "apt-get update; exec /app/server"), {}),
        (("/app/server",), {"healthcheck": ("CMD-SHELL", "apk add curl && curl -f localhost")}),
        (("/app/server",), {"on_build": ("RUN pip install -r requirements.txt",)}),
        (("/app/server",), {"on_build": ('RUN ["npm", "install"]',)}),
    ],
)
def test_install_commands_in_the_config_fail(argv: tuple[str, ...], config: dict[str, object]) -> None:
    assert isinstance(install(*argv, **config), Failed)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "call",
    [". /app/lib.sh", "exec /app/lib.sh", "sh /app/lib.sh", "python3 /app/setup.py", "${TOOLS}/lib.sh", "setup.py"],
)
def test_install_scripts_that_are_called_are_read_too(call: str) -> None:
    files = script(call) | {
        "app/lib.sh": program("#!/bin/sh\napk add x\n"),
        "app/setup.py": program("#!/usr/bin/python3\nimport os\nos.system('pip install x')\n"),
    }
    outcome = install("/app/start.sh", files=files, env={"TOOLS": "/app", "PATH": "/app:/usr/bin:/bin"})
    assert isinstance(outcome, Failed)
    assert outcome.observations[0].path in ("app/lib.sh", "app/setup.py")


def test_install_a_script_given_to_an_interpreter_is_read() -> None:
    files: dict[str, Node | bytes | str] = {"app/run.py": "subprocess.run(['pip', 'install', 'x'])"}
    assert isinstance(install("python3", "/app/run.py", files=files), Failed)


def test_install_a_compiled_program_passes_only_where_no_package_manager_is() -> None:
    passed = install("/app/server")
    assert isinstance(passed, Passed)
    assert "no package manager is in the image" in passed.observations[0].summary
    unknown = install("/app/server", files=PIP)
    assert isinstance(unknown, Unknown)
    assert "/app/server" in unknown.reason


def test_install_what_cannot_be_followed_needs_the_absence_of_downloaders_too() -> None:
    dynamic = script('$COMMAND run "$1"')
    passed = install("/app/start.sh", files=dynamic)
    assert isinstance(passed, Passed)
    assert any("Not followed" in seen.summary for seen in passed.observations)
    assert isinstance(install("/app/start.sh", files={**dynamic, "usr/bin/aria2c": program(elf(b"aria"))}), Unknown)


def test_install_less_evidence_is_unknown() -> None:
    assert isinstance(install("/app/server", unread=CUT), Unknown)
    assert isinstance(IM_INSTALL.run(evidence(FILES, without_config=True)), Unknown)


def test_install_nothing_to_start_is_not_applicable() -> None:
    assert isinstance(install(), NotApplicable)
