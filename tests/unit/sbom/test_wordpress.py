"""WordPress plugins."""

from __future__ import annotations

from compliance.model.inventory import Package
from compliance.sbom.catalogers.wordpress import CATALOGER
from tests.builders.evidence import Node, tree

HEADER = """<?php
/**
 * Plugin Name: My Plugin
 * Plugin URI: https://p.example/
 * Version: 5.3 */
/*
Author: A & B
License: GPLv2 or later
*/
"""
CONTENT = "var/www/html/wp-content"


def packages(nodes: dict[str, Node | bytes | str]) -> tuple[Package, ...]:
    return CATALOGER.catalog(tree(nodes, requests=CATALOGER.requests), None).packages


def test_plugin_with_what_its_header_states() -> None:
    (plugin,) = packages({f"{CONTENT}/plugins/my-plugin/main.php": HEADER})
    assert plugin.purl == "pkg:wordpress/plugin/my-plugin@5.3"
    assert (plugin.name, plugin.version, plugin.supplier) == ("My Plugin", "5.3", "A & B")
    assert plugin.homepage == "https://p.example/"
    assert [licence.expression for licence in plugin.licenses] == ["GPL-2.0-or-later"]


def test_plugin_of_a_single_file_is_known_by_its_name() -> None:
    (plugin,) = packages({f"{CONTENT}/plugins/hello.php": HEADER})
    assert plugin.purl == "pkg:wordpress/plugin/hello@5.3"


def test_other_php_files_and_headers_too_far_down_are_none() -> None:
    nodes: dict[str, Node | bytes | str] = {
        f"{CONTENT}/plugins/a/include.php": "<?php\n// Version: 1\n",
        f"{CONTENT}/plugins/a/late.php": " " * 9000 + HEADER,
        f"{CONTENT}/plugins/a/nameless.php": HEADER.replace("Version", "Release"),
        f"{CONTENT}/plugins/a/deep/below/main.php": HEADER,
        "srv/plugins/a/main.php": HEADER,
    }
    assert packages(nodes) == ()
