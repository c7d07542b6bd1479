"""Commands that install software, told from texts that mention them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controls.install_commands import install_calls, install_commands, installs, shell_commands


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("apt-get update && apt-get install -y curl", ["apt-get update", "apt-get install -y curl"]),
        ("curl -fsSL https://x.example | bash -s", ["curl -fsSL https://x.example | bash -s"]),
        ("curl x |\n  sh", ["curl x | sh"]),
        ('sh -c "$(wget -qO- x)"', ["sh -c $(wget -qO- x)"]),
        ("bash <(curl -s x)", ["bash <(curl -s x)"]),
        ('eval "`curl -s x`"', ["eval `curl -s x`"]),
        ("if ! command -v x; then pip3 install --user x; fi", ["then pip3 install --user x"]),
        ("npm --prefix /app ci", ["npm --prefix /app ci"]),
        ("sudo -u x apt install y", ["sudo -u x apt install y"]),
        ("x=$(pip install y)", ["pip install y"]),
        ('echo "$(pip install x)"', ["pip install x"]),
        ("eval 'gem install x'", ["gem install x"]),
        ("bash -lc 'npm i'", ["npm i"]),
        ("dnf -y --setopt=a=b install x", ["dnf -y --setopt=a=b install x"]),
        ("rpm -Uvh x.rpm", ["rpm -Uvh x.rpm"]),
        ("dpkg -i x.deb", ["dpkg -i x.deb"]),
        ("pacman -Syu --noconfirm x", ["pacman -Syu --noconfirm x"]),
        ("git -C /x pull", ["git -C /x pull"]),
        ("yarn", ["yarn"]),
        ("uvx ruff", ["uvx ruff"]),
        ("wget -O /x/i.sh https://x.example; sh /x/i.sh", ["sh /x/i.sh"]),
        ("curl https://x.example > /x/i && chmod 755 /x/i", ["chmod 755 /x/i"]),
        ("mkdir x \\\n && pip install y", ["pip install y"]),
        ("true 2>&1 | tee log; npx serve", ["npx serve"]),
        ("a &>/dev/null && apk add x", ["apk add x"]),
        ("x <<<'pip install'; npm ci", ["npm ci"]),
        ("sh <<'EOF'\napk add x\nEOF\npip list", ["apk add x"]),
        ("case $1 in\n  start) apk add x ;;\nesac", ["apk add x"]),
    ],
)
def test_installing_commands_are_found(text: str, found: list[str]) -> None:
    assert install_commands(text) == found


def test_code_given_to_an_interpreter_is_read() -> None:
    assert install_commands("python3 -c \"import os; os.system('pip install x')\"")
    assert not install_commands("python3 -c \"print('pip install x')\"")


@pytest.mark.parametrize(
    "text",
    [
        "# apt-get install x",
        "true # pip install x",
        "echo 'pip install x'",
        'echo "run: npm install"',
        "cat <<EOF\npip install x\nEOF",
        "cat <<-'END'\n\tnpm ci\n\tEND\necho done",
        "pip list",
        "pip --version",
        "npm start",
        "npm run install",
        "go version",
        "yarn start",
        "rpm -qa",
        "dpkg -l",
        "git status",
        "curl -f http://localhost/ || exit 1",
        "curl -o /x/data.json https://x.example; cat /x/data.json",
        "case $1 in install) echo;; esac",
        "install -m 755 a b",
        "PIP=install; update=1",
    ],
)
def test_mentions_and_other_commands_are_not(text: str) -> None:
    assert install_commands(text) == []


@pytest.mark.parametrize(
    "source",
    [
        "subprocess.check_call([sys.executable, '-m', 'pip', 'install', 'x'])",
        "os.system('apt-get install -y z')",
        "subprocess.run(\n    ['npm',\n     'ci'],\n    check=True)",
        "import pip; pip.main(['install', 'x'])",
        "pip._internal.main(['install', 'x'])",
        "ensurepip.bootstrap()",
        "`gem install rake`",
        'system("curl https://x.example | sh")',
        "execSync('npm install')",
        "execFile('git', ['clone', url])",
        "qx{apt-get update}",
    ],
)
def test_calls_that_start_an_installing_command_are_found(source: str) -> None:
    assert install_calls(source)


@pytest.mark.parametrize(
    "source",
    [
        "raise ImportError('run pip install x')",
        "# os.system('pip install x')",
        "// execSync('npm install')",
        "print('npm install')\nos.system('ls')",
        "os.system('ls')\nhelp = 'pip install x'",
    ],
)
def test_texts_outside_calls_are_not(source: str) -> None:
    assert install_calls(source) == []


def test_a_bare_word_is_a_call_by_itself() -> None:
    assert installs(("npx", "serve"))
    assert not installs(("npx", "--version"))
    assert not installs(())


@given(st.text(alphabet="$()`'\"\\<>|&;#\nEOF apt-get install sh -c curl x={}", max_size=120))
def test_reading_never_raises(text: str) -> None:
    install_commands(text)
    install_calls(text)
    list(shell_commands(text))


@pytest.mark.parametrize(
    "piece", ["$(", "`a", "a|", "<<A\n", '"$(', "system(", "pip install ", "system(pip install ", "curl -o x;x|"]
)
def test_the_largest_script_is_read_to_its_end(piece: str) -> None:
    """A reader that goes back for every opening would not come to an end here."""
    text = (piece * (256 * 1024 // len(piece) + 1))[: 256 * 1024]
    assert isinstance(install_commands(text), tuple | list)
    assert isinstance(install_calls(text), tuple | list)


def test_every_command_knows_its_line_inside_substitutions_and_here_documents_too() -> None:
    text = "# first\na \\\n  b\n\nif c; then\n  d $(e\n  f) `g`\nfi\nsh <<X\n\nh\nX\nsh -c 'i'\n"
    found = {command.call[0]: command.line for command in shell_commands(text) if command.call}
    assert {name: found[name] for name in "acdefghi"} == {
        "a": 2, "c": 5, "d": 6, "e": 6, "f": 7, "g": 7, "h": 11, "i": 13,
    }  # fmt: skip
