"""Which libraries can be loaded, as glibc's and musl's loaders search them."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from compliance.formats.examine import Examiner
from compliance.model.image import ImageConfig
from controls.load_closure import NAMING, REQUEST, TEXT_NAMES_MAX, Use, closure_of, load_closure, names_in_text
from tests.builders import elf as make
from tests.builders.evidence import Node, evidence, file, program, symlink

EXAMINER = Examiner(())
LIB = "usr/lib/x86_64-linux-gnu"
Files = dict[str, Node | bytes | str]


def uses(files: Files, env: Mapping[str, str] | None = None) -> dict[str, Use]:
    seen = evidence(files, examiner=EXAMINER, requests=(REQUEST, NAMING), config=ImageConfig(env=env or {}))
    return {library.entry.path: library.use for library in load_closure(seen).libraries}


def app(*needed: str, **more: object) -> Node:
    return program(make.program(needed=needed, **more))  # type: ignore[arg-type]


def lib(soname: str, *needed: str, **more: object) -> Node:
    return file(make.library(soname, needed=needed, **more))  # type: ignore[arg-type]


def test_what_a_program_needs_is_used_with_what_that_needs() -> None:
    found = uses(
        {
            "bin/app": app("liba.so.1"),
            f"{LIB}/liba.so.1": symlink("liba.so.1.2"),
            f"{LIB}/liba.so.1.2": lib("liba.so.1", "libb.so.1"),
            f"{LIB}/libb.so.1": lib("libb.so.1"),
            f"{LIB}/libc.so.1": lib("libc.so.1"),
        }
    )
    assert found == {
        f"{LIB}/liba.so.1.2": Use.USED,
        f"{LIB}/libb.so.1": Use.USED,
        f"{LIB}/libc.so.1": Use.UNUSED,
    }


def test_the_loader_of_a_program_is_used() -> None:
    assert uses({"bin/app": app(), "lib64/ld-linux-x86-64.so.2": lib("ld-linux-x86-64.so.2")}) == {
        "lib64/ld-linux-x86-64.so.2": Use.USED
    }


def test_a_needed_library_for_another_machine_is_passed_over() -> None:
    found = uses(
        {
            "bin/app": app("liba.so.1"),
            "lib/liba.so.1": lib("liba.so.1", machine=make.AARCH64),
            "usr/lib/liba.so.1": lib("liba.so.1"),
        }
    )
    assert found == {"lib/liba.so.1": Use.UNUSED, "usr/lib/liba.so.1": Use.USED}


@pytest.mark.parametrize("where", ["rpath", "runpath"])
def test_search_paths_of_the_program_are_followed_from_its_own_folder(where: str) -> None:
    found = uses({"opt/app/bin/x": app("liba.so", **{where: "$ORIGIN/../lib"}), "opt/app/lib/liba.so": lib("liba.so")})
    assert found == {"opt/app/lib/liba.so": Use.USED}


def test_rpath_is_inherited_and_runpath_is_not() -> None:
    def files(where: str) -> Files:
        return {
            "opt/x": app("liba.so", **{where: "/opt/lib"}),
            "opt/lib/liba.so": lib("liba.so", "libb.so"),
            "opt/lib/libb.so": lib("libb.so"),
        }

    assert uses(files("rpath"))["opt/lib/libb.so"] is Use.USED
    assert uses(files("runpath"))["opt/lib/libb.so"] is Use.POSSIBLY


def test_ld_library_path_of_the_config_is_searched() -> None:
    files: Files = {"bin/app": app("liba.so"), "opt/l/liba.so": lib("liba.so")}
    assert uses(files) == {"opt/l/liba.so": Use.POSSIBLY}
    assert uses(files, {"LD_LIBRARY_PATH": "/nowhere:/opt/l"}) == {"opt/l/liba.so": Use.USED}


def test_folders_of_ld_so_conf_and_of_the_cache_are_searched() -> None:
    files: Files = {"bin/app": app("liba.so"), "opt/l/liba.so": lib("liba.so")}
    assert uses({**files, "etc/ld.so.conf.d/x.conf": "# mine\n/opt/l\n"}) == {"opt/l/liba.so": Use.USED}
    cache = b"glibc-ld.so.cache1.1\0liba.so\0/opt/l/liba.so\0"
    assert uses({**files, "etc/ld.so.cache": cache}) == {"opt/l/liba.so": Use.USED}


def test_variants_for_better_hardware_are_searched() -> None:
    path = f"{LIB}/glibc-hwcaps/x86-64-v3/liba.so"
    assert uses({"bin/app": app("liba.so"), path: lib("liba.so")}) == {path: Use.USED}


def test_musl_searches_its_own_folders() -> None:
    files: Files = {
        "bin/app": app("liba.so", loader=make.MUSL_LOADER),
        "lib64/liba.so": lib("liba.so"),
        "usr/local/lib/libb.so": lib("libb.so"),
    }
    assert uses(files) == {"lib64/liba.so": Use.POSSIBLY, "usr/local/lib/libb.so": Use.UNUSED}
    assert uses({**files, "etc/ld-musl-x86_64.path": "/lib64\n"})["lib64/liba.so"] is Use.USED


def test_musl_hands_on_runpath_too_and_is_its_own_c_library() -> None:
    files: Files = {
        "bin/app": app("liba.so", "libc.so", "libpthread.so.0", loader=make.MUSL_LOADER, runpath="/opt/lib"),
        "opt/lib/liba.so": lib("liba.so", "libb.so"),
        "opt/lib/libb.so": lib("libb.so", "libc.musl-x86_64.so.1"),
    }
    seen = evidence(files, examiner=EXAMINER, config=ImageConfig())
    closure = closure_of(seen, [seen.filesystem.entries["bin/app"]])
    assert {library.entry.path: library.use for library in closure.libraries} == {
        "opt/lib/liba.so": Use.USED,
        "opt/lib/libb.so": Use.USED,
    }
    assert closure.missing == ()


def test_what_is_found_by_an_inherited_search_path_is_not_missing() -> None:
    files: Files = {
        "opt/x": app("liba.so", rpath="/opt/lib"),
        "opt/lib/liba.so": lib("liba.so", "libb.so"),
        "opt/lib/libb.so": lib("libb.so"),
    }
    seen = evidence(files, examiner=EXAMINER, config=ImageConfig())
    assert closure_of(seen, [seen.filesystem.entries["opt/x"]]).missing == ()


def test_names_for_dlopen_make_a_library_possibly_used_with_what_it_needs() -> None:
    found = uses(
        {
            "bin/app": program(make.program(b"\0libplug.so\0libexact.so.2\0")),
            f"{LIB}/libplug.so.4": lib("libplug.so.4", "libdeep.so"),
            f"{LIB}/libdeep.so": lib("libdeep.so"),
            f"{LIB}/libexact.so.2": lib("libexact.so.2"),
            f"{LIB}/libexact.so.3": lib("libexact.so.3"),
        }
    )
    assert found == {
        f"{LIB}/libplug.so.4": Use.POSSIBLY,
        f"{LIB}/libdeep.so": Use.POSSIBLY,
        f"{LIB}/libexact.so.2": Use.POSSIBLY,
        f"{LIB}/libexact.so.3": Use.UNUSED,
    }


def test_names_in_a_library_that_nothing_loads_count_for_nothing() -> None:
    found = uses(
        {"bin/app": app(), f"{LIB}/liba.so": lib("liba.so", text=b"\0libb.so\0"), f"{LIB}/libb.so": lib("libb.so")}
    )
    assert set(found.values()) == {Use.UNUSED}


def test_more_names_than_are_kept_make_every_library_possibly_used() -> None:
    text = b"\0".join(b"libn%d.so" % number for number in range(600))
    found = uses({"bin/app": program(make.program(text)), f"{LIB}/libz.so.1": lib("libz.so.1")})
    assert found == {f"{LIB}/libz.so.1": Use.POSSIBLY}


@pytest.mark.parametrize("path", [f"{LIB}/gconv/X.so", "opt/app/plugins/x.so", f"{LIB}/libnss_files.so.2"])
def test_plugins_are_possibly_used(path: str) -> None:
    assert uses({"bin/app": app(), path: lib("x.so")}) == {path: Use.POSSIBLY}


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("entrypoint.sh", "#!/bin/sh\nexport LD_PRELOAD=/usr/lib/x86_64-linux-gnu/libjemalloc.so.2\nexec app\n"),
        ("etc/alternatives.conf", "allocator = libjemalloc.so.2\n"),
        ("opt/app/my.cnf", "malloc-lib=/usr/lib/libjemalloc.so\n"),
        ("usr/share/vulkan/icd.d/x.json", '{"library_path": "libjemalloc.so.2"}'),
    ],
)
def test_what_a_script_or_a_configuration_file_names_is_possibly_used(path: str, text: str) -> None:
    library = f"{LIB}/libjemalloc.so.2"
    files: Files = {
        "bin/app": app(),
        library: lib("libjemalloc.so.2", "libdeep.so"),
        f"{LIB}/libdeep.so": lib("libdeep.so"),
    }
    assert set(uses(files).values()) == {Use.UNUSED}
    assert set(uses({**files, path: text}).values()) == {Use.POSSIBLY}


def test_what_the_image_config_names_is_possibly_used() -> None:
    files: Files = {"bin/app": app(), f"{LIB}/libagent.so": lib("libagent.so")}
    assert set(uses(files, {"JAVA_TOOL_OPTIONS": "-agentpath:/usr/lib/libagent.so=x"}).values()) == {Use.POSSIBLY}


def test_the_cache_and_the_folders_of_the_loader_name_no_use() -> None:
    files: Files = {"bin/app": app(), f"{LIB}/liba.so": lib("liba.so"), "etc/ld.so.conf": "# liba.so\n"}
    assert set(uses({**files, "etc/ld.so.cache": b"liba.so\0/usr/lib/liba.so\0"}).values()) == {Use.UNUSED}


def test_a_module_among_the_libraries_is_possibly_used() -> None:
    assert uses({"bin/app": app(), f"{LIB}/p11-kit-proxy.so": lib("libp11.so")}) == {
        f"{LIB}/p11-kit-proxy.so": Use.POSSIBLY
    }


def test_more_names_in_a_text_than_are_kept_stand_for_every_library() -> None:
    text = b" ".join(b"libn%d.so" % number for number in range(TEXT_NAMES_MAX + 1))
    assert names_in_text(text) == ("*",)
    assert names_in_text(b"/usr/lib/liba-b+c.so.1.2 x.sox a.so,b.so") == ("a.so", "b.so", "liba-b+c.so.1.2")


def test_preloaded_libraries_are_used() -> None:
    files: Files = {"bin/app": app(), "usr/lib/liba.so": lib("liba.so"), "usr/lib/libb.so": lib("libb.so")}
    files["etc/ld.so.preload"] = "/usr/lib/libb.so\n"
    assert set(uses(files, {"LD_PRELOAD": "/usr/lib/liba.so"}).values()) == {Use.USED}


def test_libraries_that_need_each_other_end() -> None:
    found = uses(
        {"bin/app": app("liba.so"), "lib/liba.so": lib("liba.so", "libb.so"), "lib/libb.so": lib("libb.so", "liba.so")}
    )
    assert set(found.values()) == {Use.USED}


def test_a_chain_longer_than_the_stack_is_followed() -> None:
    files: Files = {f"lib/l{number}.so": lib(f"l{number}.so", f"l{number + 1}.so") for number in range(1500)}
    assert set(uses({**files, "bin/app": app("l0.so")}).values()) == {Use.USED}


def test_without_libraries_the_closure_is_empty() -> None:
    seen = evidence({"bin/app": program(make.static_program())}, examiner=EXAMINER)
    assert (load_closure(seen).libraries, load_closure(seen).roots) == ((), 1)


def test_the_closure_of_some_programs_is_theirs_alone_and_names_what_is_missing() -> None:
    seen = evidence(
        {
            "bin/app": app("liba.so.1", "libgone.so.1"),
            "bin/other": app("libb.so.1"),
            f"{LIB}/liba.so.1": lib("liba.so.1", text=b"\0libc.so.9\0"),
            f"{LIB}/libb.so.1": lib("libb.so.1"),
            f"{LIB}/libc.so.9": lib("libc.so.9"),
            f"{LIB}/gconv/UTF-7.so": file(make.library(None)),
        },
        examiner=EXAMINER,
        requests=(REQUEST,),
        config=ImageConfig(),
    )
    closure = closure_of(seen, [seen.filesystem.entries["bin/app"]])
    assert {library.entry.path: library.use for library in closure.libraries} == {
        f"{LIB}/gconv/UTF-7.so": Use.UNUSED,
        f"{LIB}/liba.so.1": Use.USED,
        f"{LIB}/libb.so.1": Use.UNUSED,
        f"{LIB}/libc.so.9": Use.POSSIBLY,
    }
    assert [(name, needing.path) for name, needing in closure.missing] == [("libgone.so.1", "bin/app")]
    assert closure.roots == 1
