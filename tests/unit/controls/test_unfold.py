"""Shell scripts as entry points without a shell: what is carried over, and which line stands in the way."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controls.shell_script import statements
from controls.unfold import Source, Unfolded, unfold, without_starters

Scripts = Mapping[str, str]


def told(
    text: str,
    *arguments: str,
    env: Mapping[str, str] | None = None,
    files: Scripts | None = None,
    working_dir: str = "/",
) -> Unfolded:
    def follow(word: str, folder: str) -> Source | None:
        found = (files or {}).get(word)
        return None if found is None else Source(text=found, path=word.strip("/"), layer=0)

    source = Source(text=text, path="entrypoint.sh", layer=0)
    return unfold(source, arguments=arguments, environment=env or {}, working_dir=working_dir, follow=follow)


def obstacles(text: str, *arguments: str, env: Mapping[str, str] | None = None) -> list[tuple[int | None, str]]:
    return [(one.place.line, one.reason) for one in told(text, *arguments, env=env).obstacles]


def test_the_program_of_exec_with_the_arguments_that_the_user_may_replace() -> None:
    found = told('#!/bin/sh\nset -eu\nexec /srv/app --fast "$@"\n', "--port", "80")
    assert (found.entrypoint, found.cmd, found.obstacles) == (("/srv/app", "--fast"), ("--port", "80"), ())


def test_all_of_the_command_where_the_script_only_prepares_for_it() -> None:
    found = told('#!/bin/sh\nexec "$@"\n', "nginx", "-g", "daemon off;")
    assert (found.entrypoint, found.cmd) == ((), ("nginx", "-g", "daemon off;"))


def test_the_last_command_without_exec_is_the_program_too() -> None:
    assert told("cd /srv\n./app -v\n", working_dir="/").entrypoint == ("./app", "-v")
    assert told("cd /srv\n./app -v\n").working_dir == "/srv"


def test_arguments_that_the_script_does_not_hand_on_are_dropped() -> None:
    found = told("exec /srv/app\n", "ignored")
    assert (found.entrypoint, found.cmd) == (("/srv/app",), ())


def test_a_default_of_a_variable_becomes_environment_that_the_start_can_still_change() -> None:
    found = told('export MODE="${MODE:-serve}" LEVEL=3\nexec /srv/app\n')
    assert (dict(found.environment), found.remarks) == ({"MODE": "serve", "LEVEL": "3"}, ())


def test_a_variable_that_is_not_exported_is_no_environment() -> None:
    assert told("A=1\nexec /srv/app\n").environment == ()


def test_a_variable_of_the_image_that_the_script_changes_is_changed() -> None:
    assert dict(told("A=2\nexec /srv/app\n", env={"A": "1"}).environment) == {"A": "2"}


def test_a_value_that_the_start_could_change_is_told_to_be_fixed() -> None:
    found = told(': "${PORT:=8080}"\nexec /srv/app --port "$PORT"\n')
    assert found.entrypoint == ("/srv/app", "--port", "8080")
    (remark,) = found.remarks
    assert remark.place.line == 2
    assert remark.what.startswith("PORT=8080 is fixed")


def test_a_constant_of_the_script_is_no_remark() -> None:
    found = told("PORT=8080\nexec /srv/app $PORT\n")
    assert (found.entrypoint, found.remarks) == (("/srv/app", "8080"), ())


def test_an_option_that_depends_on_a_variable_is_told() -> None:
    found = told('exec /srv/app ${DEBUG:+--debug} "$@"\n')
    assert found.entrypoint == ("/srv/app",)
    assert found.remarks[0].what.startswith("whether DEBUG is set is fixed")


def test_unquoted_values_are_split_and_quoted_ones_are_not() -> None:
    script = 'O="-a -b"\nE=""\nexec /srv/app $O "$O" $E "$E"\n'
    assert told(script).entrypoint == ("/srv/app", "-a", "-b", "-a -b", "")


def test_quotes_escapes_and_continued_lines() -> None:
    script = 'exec /srv/app \\\n  \'a $b\' "c\\"d" e\\ f # comment\n'
    assert told(script).entrypoint == ("/srv/app", "a $b", 'c"d', "e f")


def test_directories_that_are_made_or_given_away_are_to_be_writable() -> None:
    found = told(
        "mkdir -p /var/lib/app logs\nchown -R app:app /data || true\nexec gosu app /srv/app\n", working_dir="/w"
    )
    assert [path for path, _ in found.directories] == ["/var/lib/app", "/w/logs", "/data"]
    assert [place.line for _, place in found.directories] == [1, 1, 2]
    assert found.entrypoint == ("/srv/app",)
    assert [one.place.line for one in found.switches] == [3]


def test_env_before_the_program_sets_variables() -> None:
    found = told("exec env A=1 B=2 /srv/app\n")
    assert (found.entrypoint, dict(found.environment)) == (("/srv/app",), {"A": "1", "B": "2"})


def test_arguments_that_are_set_anew_stay_where_the_program_expects_them() -> None:
    found = told('set -- /srv/app "$@"\nexec "$@"\n', "--port", "80")
    assert (found.entrypoint, found.cmd) == (("/srv/app",), ("--port", "80"))


def test_scripts_that_are_sourced_and_started_are_followed() -> None:
    files = {"/env.sh": "export A=1\n", "/run.sh": 'exec /srv/app "$@"\n'}
    found = told('. /env.sh\nexec /run.sh -x "$@"\n', "y", files=files)
    assert (found.entrypoint, found.cmd, dict(found.environment)) == (("/srv/app", "-x"), ("y",), {"A": "1"})
    assert found.scripts == ("entrypoint.sh", "run.sh")


def test_an_obstacle_in_a_sourced_file_is_told_with_its_path() -> None:
    (obstacle,) = told(". /env.sh\nexec /srv/app\n", files={"/env.sh": "A=1\nB=$(date)\n"}).obstacles
    assert (obstacle.place.path, obstacle.place.line, obstacle.reason) == ("env.sh", 2, "the output of a command")


def test_scripts_that_start_each_other_end() -> None:
    assert "too deep" in told("exec /a\n", files={"/a": "exec /a\n"}).obstacles[0].reason


@pytest.mark.parametrize(
    ("script", "line", "reason"),
    [
        ('if [ "$1" = x ]; then\n  y\nfi\nexec /srv/app\n', 1, "a condition"),
        ('[ -n "$A" ] && B=1\nexec /srv/app\n', 1, "a condition"),
        ("[[ -n $A ]]\nexec /srv/app\n", 1, "a condition"),
        ("for i in a b; do\n  echo $i\ndone\nexec /srv/app\n", 1, "a loop"),
        ("A=1\nwhile ! nc -z db 5432; do sleep 1; done\nexec /srv/app\n", 2, "a loop"),
        ("case $1 in\n  a) b;;\nesac\nexec /srv/app\n", 1, "a choice by pattern"),
        ("\n\nA=$(nproc)\nexec /srv/app\n", 3, "the output of a command"),
        ("A=`nproc`\nexec /srv/app\n", 1, "the output of a command"),
        ("/srv/app | tee /log\n", 1, "a pipe"),
        ("/srv/helper &\nexec /srv/app\n", 1, "a command in the background"),
        ("cat > /etc/app.conf <<EOF\nport\nEOF\nexec /srv/app\n", 1, "a here-document"),
        ("f() {\n  x\n}\nexec /srv/app\n", 1, "a subshell or a function"),
        ("(cd /x; y)\nexec /srv/app\n", 1, "a subshell or a function"),
        ("exec /srv/app *.conf\n", 1, "a file name pattern"),
        ("exec /srv/app ~/x\n", 1, "a text that the shell expands"),
        ("exec /srv/app ${A#x}\n", 1, "a change of a variable's text"),
        ('exec /srv/app "$DATABASE"\n', 1, "reads DATABASE, which neither the image nor the script sets"),
        ('exec /srv/app "$1"\n', 1, "uses $1, which only the start of the container tells"),
        ("exec /srv/app > /var/log/app\n", 1, "sends input or output to a file"),
        ("python manage.py migrate\nexec /srv/app\n", 1, "runs python before the program"),
        ("curl -f http://x || wget y\nexec /srv/app\n", 1, "an alternative if a command fails (||)"),
        ("trap stop TERM\nexec /srv/app\n", 1, "runs trap before the program"),
        ("umask 0077\nexec /srv/app\n", 1, "sets the mode of new files"),
        ("unset A\nexec /srv/app\n", 1, "takes a variable out of the environment"),
        ("exec bash\n", None, "starts the shell bash"),
        ("exit 0\n", 1, "the script ends here without starting a program"),
        ("", None, "the script starts no program that lasts"),
        ("exec '/srv/app\n", 1, "a quote that is not closed"),
        ('exec /srv/app "$@" --last\n', 1, "has words behind the arguments that it is given"),
    ],
)
def test_what_stands_in_the_way_is_named_with_its_line(script: str, line: int | None, reason: str) -> None:
    found = obstacles(script, "arg", env={"A": "1"})
    assert (line, reason) in found


def test_every_line_that_stands_in_the_way_is_named_not_only_the_first() -> None:
    script = "A=$(x)\nif y; then\n  z\nfi\nB=$(w)\nexec /srv/app $A\n"
    assert [line for line, _ in obstacles(script)] == [1, 2, 5]


def test_a_starter_is_passed_with_what_it_sets() -> None:
    assert without_starters(("gosu", "app", "/srv/app", "-x")) == (("/srv/app", "-x"), (), "gosu")
    assert without_starters(("env", "A=1", "/srv/app")) == (("/srv/app",), (("A", "1"),), None)
    assert without_starters(("env", "-i", "/srv/app")) == (("env", "-i", "/srv/app"), (), None)
    assert without_starters(("/srv/app",)) == (("/srv/app",), (), None)


@given(st.text(alphabet="ab$\"'\\`{}()<>|&;\n#=@*[]~ !?-+:/0if", max_size=80))
def test_no_text_breaks_the_reader_or_the_unfolding(text: str) -> None:
    assert all(statement.line >= 1 for statement in statements(text))
    found = told(text, "a", "b")
    assert found.obstacles or found.entrypoint or found.cmd


@pytest.fixture(scope="module")
def probe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A program that prints where and how it was started."""
    path = tmp_path_factory.mktemp("probe") / "probe"
    path.write_text('#!/bin/sh\nprintf \'%s\\0\' "$PWD" "${A-unset}" "${B-unset}" "$#" "$@"\n')
    path.chmod(0o755)
    return path


@given(
    st.lists(
        st.sampled_from(
            ["A=1", 'A="b c"', "export A", "export B=${B:-x}", ': "${C:=d e}"', "cd /tmp", "set -e", "A=$B$A", "true"]
        ),
        max_size=6,
    ),
    st.sampled_from(['exec ENV $A "$B" "$@"', 'ENV "$@" ', "exec ENV ${A:-y} ${C}", "exec ENV ${B:+z} '$A' \"${A}x\""]),
    st.lists(st.sampled_from(["1", "x y", "", "--z"]), max_size=2),
)
def test_what_is_unfolded_is_what_a_shell_would_have_started(
    probe: Path, lines: list[str], last: str, given_: list[str]
) -> None:
    """Against the machine's shell: the same words, the same working directory, the same environment."""
    shell = shutil.which("dash") or shutil.which("sh")
    assert shell is not None
    script = "\n".join([*lines, last.replace("ENV", "/probe"), ""])
    environment = {"B": "bee bee"}
    found = told(script, *given_, env=environment)
    if found.obstacles:
        return
    run = subprocess.run(
        [shell, "-c", script.replace("/probe", str(probe)), "sh", *given_],
        env={**environment, "PATH": os.environ["PATH"]},
        cwd="/",
        capture_output=True,
    )
    where, a, b, number, *words = run.stdout.decode().split("\0")[:-1]
    ours = (*found.entrypoint, *found.cmd)
    assert [str(len(ours) - 1), *ours[1:]] == [number, *words]
    assert found.working_dir == where
    seen = {**environment, **dict(found.environment)}
    assert (seen.get("A", "unset"), seen.get("B", "unset")) == (a, b)


_PROBES: dict[str, Path] = {}


def _probe(body: str) -> Path:
    """A program that prints where and how it was started."""
    import tempfile

    if body not in _PROBES:
        path = Path(tempfile.mkdtemp()) / "probe"
        path.write_text(f"#!/bin/sh\n{body}\n")
        path.chmod(0o755)
        _PROBES[body] = path
    return _PROBES[body]
