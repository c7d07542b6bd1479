"""IM-USERWR, IM-ROFS, IM-VOLUME and IM-PATH: what the runtime user can write, and what that gives away."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compliance.model.evidence import Evidence, Variant
from compliance.model.filesystem import Unread
from compliance.model.image import ImageConfig
from compliance.model.outcome import Check, Failed, NotApplicable, Outcome, Passed, Unknown
from controls.accounts import Identity
from controls.checks.im_path import CHECK as IM_PATH
from controls.checks.im_rofs import CHECK as IM_ROFS
from controls.checks.im_userwr import CHECK as IM_USERWR
from controls.checks.im_volume import CHECK as IM_VOLUME
from controls.writability import Writability
from tests.builders.elf import Elf, build
from tests.builders.elf import static_program as elf
from tests.builders.evidence import Node, directory, evidence, file, program, symlink, tree
from tests.builders.examiner import examiner

CUT = (Unread(path="", reason="the layer is cut short", layer=0),)
USER = 1000
CLEAN: dict[str, Node | bytes | str] = {
    "usr/bin/app": program(elf()),
    "usr/lib/libx.so.1": b"x",
    "etc/app.conf": "a=b",
    "tmp": directory(0o1777),
}


def assessed(files: dict[str, Node | bytes | str], user: str = "1000:1000", **more: object) -> Evidence:
    config = more.pop("config", None) or ImageConfig(user=user)
    return evidence(files, config=config, examiner=examiner(), requests=IM_PATH.requests, **more)  # type: ignore[arg-type]


def userwr(files: dict[str, Node | bytes | str], user: str = "1000:1000", **more: object) -> Outcome:
    return IM_USERWR.run(assessed(CLEAN | files, user, **more))


def test_userwr_a_clean_tree_passes_and_says_what_was_looked_at() -> None:
    outcome = userwr({})
    assert isinstance(outcome, Passed)
    assert "uid 1000, gid 1000 can change or replace none of 2 programs and libraries and 1 configuration file" in (
        outcome.observations[0].summary
    )


@pytest.mark.parametrize(
    ("path", "node", "said"),
    [
        ("opt/a", program(b"#!/x\n", uid=USER), "uid 1000 owns the file"),
        (
            "opt/a",
            file(elf(), 0o555, uid=USER),
            "uid 1000 owns the file (mode 0555) and may write it or change its mode",
        ),
        ("opt/a", file(elf(), 0o775, gid=1000), "through group 1000 (mode 0775)"),
        ("opt/a", file(elf(), 0o777), "as any user may (mode 0777)"),
        ("opt/a.jar", file(b"PK", 0o666), "as any user may"),
        ("opt/x/site-packages/m/data.txt", file(b"", 0o666), "as any user may"),
        ("opt/node_modules/m/package.json", file(b"{}", 0o644, uid=USER), "owns the file"),
        ("usr/lib/libz.so", file(b"", 0o664, gid=1000), "through group"),
        ("etc/other.conf", file(b"", 0o644, uid=USER), "owns the file"),
    ],
)
def test_userwr_code_and_configuration_that_can_be_written_fail(path: str, node: Node, said: str) -> None:
    outcome = userwr({path: node})
    assert isinstance(outcome, Failed)
    assert [seen.path for seen in outcome.observations] == [path]
    assert said in outcome.observations[0].summary


def test_userwr_the_first_class_that_fits_decides() -> None:
    assert isinstance(userwr({"opt/a": file(elf(), 0o757, gid=5)}), Failed)
    assert isinstance(userwr({"opt/a": file(elf(), 0o757, gid=USER)}), Passed)  # the group may not, though others may


def test_userwr_supplementary_groups_count() -> None:
    accounts: dict[str, Node | bytes | str] = {
        "etc/passwd": "app:x:1000:1000::/:\n",
        "etc/group": "staff:x:50:app\n",
        "opt/a": file(elf(), 0o775, gid=50),
    }
    assert isinstance(userwr(accounts, "app"), Failed)
    assert isinstance(userwr(accounts, "app:1000"), Failed)  # containerd gives them beside a group in USER
    assert isinstance(userwr(accounts, "1001:1000"), Passed)


def test_userwr_a_writable_directory_counts_once_with_what_is_below() -> None:
    files: dict[str, Node | bytes | str] = {f"opt/app/lib/{n}.py": file(b"x", 0o444) for n in range(300)}
    files |= {"opt/app": directory(0o755, uid=USER), "opt/app/etc/run": program(elf())}
    outcome = userwr(files)
    assert isinstance(outcome, Failed)
    assert [seen.path for seen in outcome.observations] == ["opt/app"]
    assert "301 programs or libraries in or below /opt/app can be replaced" in outcome.observations[0].summary


def test_userwr_a_directory_high_above_gives_away_what_is_deep_below() -> None:
    outcome = userwr({"srv": directory(0o777), "srv/a/b/c/run": program(elf())})
    assert isinstance(outcome, Failed)
    assert outcome.observations[0].path == "srv"


def test_userwr_a_sticky_directory_gives_away_only_what_the_user_owns() -> None:
    sticky: dict[str, Node | bytes | str] = {"srv": directory(0o1777), "srv/run": program(elf())}
    assert isinstance(userwr(sticky), Passed)
    assert isinstance(userwr(sticky | {"srv/mine": symlink("run", uid=USER)}), Failed)
    assert isinstance(userwr(sticky | {"srv": directory(0o1777, uid=USER)}), Failed)


def test_userwr_what_cannot_be_reached_cannot_be_written() -> None:
    assert isinstance(userwr({"srv": directory(0o700), "srv/run": file(elf(), 0o777)}), Passed)


def test_userwr_a_link_to_code_in_a_writable_directory_can_be_turned() -> None:
    assert isinstance(userwr({"srv/bin": directory(0o777), "srv/bin/app": symlink("/usr/bin/app")}), Failed)


def test_userwr_an_acl_makes_it_unknown_and_a_finding_stays_a_failure() -> None:
    assert isinstance(userwr({"opt/a": program(elf(), acl=True)}), Unknown)
    assert isinstance(userwr({"opt": directory(acl=True), "opt/x/a": program(elf())}), Unknown)
    assert isinstance(userwr({"opt/a": program(elf(), acl=True), "opt/b": file(elf(), 0o777)}), Failed)


def test_userwr_root_is_one_finding_and_by_design_in_dev() -> None:
    outcome = userwr({}, "0")
    assert isinstance(outcome, Failed)
    assert len(outcome.observations) == 1
    assert "all code and configuration: 3 files" in outcome.observations[0].summary
    assert isinstance(userwr({}, "0", variant=Variant.DEV), NotApplicable)


def test_userwr_data_is_not_code() -> None:
    assert isinstance(userwr({"var/lib/db": directory(0o777), "var/lib/db/data": file(b"", 0o666)}), Passed)


@pytest.mark.parametrize("check", [IM_USERWR, IM_ROFS, IM_PATH], ids=lambda check: check.id)
def test_without_knowing_the_user_or_the_whole_tree_it_is_unknown(check: Check) -> None:
    assert isinstance(check.run(evidence(CLEAN, without_config=True)), Unknown)
    assert isinstance(check.run(assessed(CLEAN, "node-app")), Unknown)
    assert isinstance(check.run(assessed(CLEAN, unread=CUT)), Unknown)
    assert isinstance(check.run(assessed(CLEAN, "1000", unread=CUT)), Unknown)


@given(
    st.dictionaries(st.sampled_from(["a", "a/b", "a/b/c", "a/d", "e"]), st.integers(0, 0o1777), min_size=1),
    st.sampled_from([0, 7, 1000]),
)
def test_more_permission_never_makes_less_writable(modes: dict[str, int], owner: int) -> None:
    """Adding write and search permission for all to every directory and file only ever adds to what can be changed."""
    who = Identity(spec="1000", uid=USER, gid=USER)
    folders = {path: directory(mode, uid=owner) for path, mode in modes.items()}
    wider = {path: directory(mode | 0o333, uid=owner) for path, mode in modes.items()}
    target: dict[str, Node | bytes | str] = {"a/b/c/run": program(b"x"), "e/run": program(b"x")}
    narrow = Writability(tree({**folders, **target}), who)
    wide = Writability(tree({**wider, **target}), who)
    for path in target:
        before, after = narrow.access(narrow.tree.entries[path]), wide.access(wide.tree.entries[path])
        assert after.changes or not before.changes


def rofs(files: dict[str, Node | bytes | str], *volumes: str, user: str = "1000:1000", **more: object) -> Outcome:
    return IM_ROFS.run(assessed(CLEAN | files, config=ImageConfig(user=user, volumes=volumes), **more))  # type: ignore[arg-type]


def test_rofs_writes_only_to_volumes_and_temporary_directories() -> None:
    outcome = rofs({"data": directory(0o755, uid=USER), "run/app": directory(uid=USER)}, "/data")
    assert isinstance(outcome, Passed)
    assert "/data, /run/app, /tmp" in outcome.observations[0].summary
    nowhere = IM_ROFS.run(assessed({"etc/a": ""}))
    assert isinstance(nowhere, Passed)
    assert "can write in no directory" in nowhere.observations[0].summary


def test_rofs_a_volume_is_where_its_link_leads() -> None:
    files: dict[str, Node | bytes | str] = {"data": symlink("srv/data"), "srv/data": directory(uid=USER)}
    assert isinstance(rofs(files, "/data"), Passed)


def test_rofs_other_writable_directories_fail_by_their_topmost() -> None:
    files = {path: directory(uid=USER) for path in ("home/app", "home/app/.cache", "home/app/.cache/x", "home/b")}
    outcome = rofs({**files})
    assert isinstance(outcome, Failed)
    assert [seen.path for seen in outcome.observations] == ["home/app", "home/b"]
    assert "and 2 directories below it" in outcome.observations[0].summary


def test_rofs_root_and_acls() -> None:
    assert isinstance(rofs({}, user="0"), Failed)
    assert isinstance(rofs({}, user="0", variant=Variant.SDK), NotApplicable)
    assert isinstance(rofs({"srv": directory(acl=True)}), Unknown)


def volume(files: dict[str, Node | bytes | str], *volumes: str, **env: str) -> Outcome:
    return IM_VOLUME.run(assessed(CLEAN | files, config=ImageConfig(volumes=volumes, env=env)))


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("/", "a system directory"),
        ("/etc", "a system directory"),
        ("/usr/", "a system directory"),
        ("/usr/lib64", "a system directory"),
        ("/lib", "a system directory"),
        ("/root", "a system directory"),
        ("/proc", "of the kernel"),
        ("/sys/fs/cgroup", "of the kernel"),
        ("/dev", "of the kernel"),
        ("/var/run/docker.sock", "socket of a container engine"),
        ("/opt/tools/bin", "on PATH"),
        ("/opt/tools", "on PATH"),
        ("/alias", "a system directory"),
        ("/loop", "loop of links"),
        ("/srv/app", "1 file of code, /srv/app/main.py the first"),
    ],
)
def test_volumes_over_system_and_code_fail(place: str, said: str) -> None:
    files: dict[str, Node | bytes | str] = {
        "alias": symlink("usr/lib"),
        "loop": symlink("loop"),
        "srv/app/main.py": "x",
    }
    outcome = volume(files, place, "/data", PATH="/usr/bin:/opt/tools/bin")
    assert isinstance(outcome, Failed)
    assert len(outcome.observations) == 1
    assert said in outcome.observations[0].summary


def test_volumes_over_data_pass() -> None:
    assert isinstance(volume({"data/x.db": ""}, "/data", "/var/lib/app", "/etc/app"), Passed)
    assert isinstance(volume({}), Passed)


def test_volumes_are_unknown_without_config_or_whole_tree() -> None:
    assert isinstance(IM_VOLUME.run(evidence({}, without_config=True)), Unknown)
    assert isinstance(IM_VOLUME.run(evidence({}, config=ImageConfig(volumes=("/data",)), unread=CUT)), Unknown)


def search(files: dict[str, Node | bytes | str], user: str = "1000:1000", **env: str) -> Outcome:
    return IM_PATH.run(assessed(CLEAN | files, config=ImageConfig(user=user, env=env)))


def test_path_a_clean_image_passes_with_and_without_a_path_of_its_own() -> None:
    assert isinstance(search({}), Passed)
    assert isinstance(search({}, PATH="/usr/bin", LD_LIBRARY_PATH=""), Passed)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("PATH", "/usr/bin:.", "'.', which depends on the current directory"),
        ("PATH", "bin:/usr/bin", "'bin', which depends"),
        ("PATH", "/usr/bin:", "'', which depends"),
        ("LD_LIBRARY_PATH", ":/usr/lib", "'', which depends"),
        ("PYTHONPATH", "lib", "'lib'"),
        ("NODE_PATH", "./node_modules", "'./node_modules'"),
        ("LD_PRELOAD", "./evil.so", "'./evil.so'"),
        ("PATH", "/opt/open:/usr/bin", "uid 1000 can write or replace through /opt/open"),
        ("PATH", "/home/app/.local/bin:/usr/bin", "through /home/app"),
        ("PATH", "/linked/bin:/usr/bin", "through /opt/open"),
        ("LD_PRELOAD", "/opt/lib.so libc.so", "through /opt/lib.so"),
    ],
)
def test_path_relative_empty_and_writable_elements_fail(name: str, value: str, said: str) -> None:
    files: dict[str, Node | bytes | str] = {
        "opt/open": directory(0o777),
        "home/app": directory(0o700, uid=USER),
        "linked": symlink("opt/open/x"),
        "opt/lib.so": file(b"", 0o666),
    }
    outcome = search(files, **{name: value})
    assert isinstance(outcome, Failed)
    assert said in " ".join(seen.summary for seen in outcome.observations)


def test_path_run_paths_of_programs_count() -> None:
    def with_run_path(run_path: str) -> Outcome:
        return search({"opt/open": directory(0o777), "opt/p/run": program(build(Elf(runpath=run_path)))})

    assert isinstance(with_run_path("$ORIGIN/../lib"), Passed)
    assert isinstance(with_run_path("/usr/$LIB"), Passed)
    for bad in ("lib", "./lib", "/opt/open", "$ORIGIN/../open/x"):
        outcome = with_run_path(bad)
        assert isinstance(outcome, Failed), bad
        assert outcome.observations[0].path == "opt/p/run"


def test_path_preloaded_libraries_count() -> None:
    assert isinstance(search({"etc/ld.so.preload": "/usr/lib/libx.so.1 # fine\n"}), Passed)
    assert isinstance(search({"etc/ld.so.preload": "/srv/new.so\n", "srv": directory(0o777)}), Failed)


def test_path_root_can_write_them_all_which_is_by_design_in_dev() -> None:
    assert isinstance(search({}, "0"), Failed)
    dev = assessed(CLEAN, config=ImageConfig(user="0"), variant=Variant.DEV)
    assert isinstance(IM_PATH.run(dev), Passed)
