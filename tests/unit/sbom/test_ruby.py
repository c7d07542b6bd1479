"""Ruby gems, installed and locked."""

from __future__ import annotations

from compliance.model.inventory import Cataloged, Package
from compliance.sbom.catalogers.ruby import CATALOGER
from tests.builders.evidence import Node, tree

HOME = "usr/lib/ruby/gems/3.2.0"
SPECIFICATION = r"""# -*- encoding: utf-8 -*-
# stub: nokogiri 1.15.4 x86_64-linux lib

Gem::Specification.new do |s|
  s.name = "nokogiri".freeze
  s.version = "1.15.4"
  s.platform = "x86_64-linux".freeze
  s.authors = ["Andr\u00E9".freeze, "B".freeze]
  s.files = ["lib/a[1].rb".freeze, "lib/b.rb".freeze]
  s.homepage = "https://nokogiri.org".freeze
  s.licenses = ["MIT".freeze]
  s.specification_version = 4
  if s.respond_to? :add_runtime_dependency then
    s.add_runtime_dependency(%q<racc>.freeze, ["~> 1.4"])
    s.add_development_dependency(%q<rake>.freeze, ["~> 13"])
  else
    s.add_dependency(%q<racc>.freeze, ["~> 1.4"])
    s.add_dependency(%q<rake>.freeze, ["~> 13"])
  end
end
"""
LOCK = """GEM
  remote: https://gems.example/
  specs:
    nokogiri (1.15.4-x86_64-linux)
      racc (~> 1.4)
    racc (1.7.1)

BAD-SECTION
    bad (5.5.5)

CHECKSUMS
  racc (1.7.1) sha256={digest}

BUNDLED WITH
   2.4.1
""".format(digest="a" * 64)


def catalog(nodes: dict[str, Node | bytes | str]) -> Cataloged:
    return CATALOGER.catalog(tree(nodes, requests=CATALOGER.requests), None)


def by_purl(found: Cataloged) -> dict[str, Package]:
    return {package.purl: package for package in found.packages}


def test_installed_gem_with_what_its_specification_states() -> None:
    path = f"{HOME}/specifications/nokogiri-1.15.4-x86_64-linux.gemspec"
    (gem,) = catalog({path: SPECIFICATION}).packages
    assert gem.purl == "pkg:gem/nokogiri@1.15.4?platform=x86_64-linux"
    assert (gem.supplier, gem.homepage, gem.declared) == ("André", "https://nokogiri.org", False)
    assert [licence.expression for licence in gem.licenses] == ["MIT"]
    assert gem.depends == ("racc",)
    folder = f"{HOME}/gems/nokogiri-1.15.4-x86_64-linux"
    assert gem.files == (path, f"{folder}/lib/a[1].rb", f"{folder}/lib/b.rb")


def test_stub_line_tells_what_the_assignments_compute() -> None:
    source = "# stub: json 2.6.1 ruby lib\nGem::Specification.new do |s|\n  s.name = NAME\n  s.version = VERSION\nend\n"
    (gem,) = catalog({f"{HOME}/specifications/default/json-2.6.1.gemspec": source}).packages
    assert gem.purl == "pkg:gem/json@2.6.1"


def test_specification_that_states_nothing_is_an_unknown() -> None:
    found = catalog({f"{HOME}/specifications/x.gemspec": "Gem::Specification.new { |s| s.version = V }"})
    assert (found.packages, len(found.unknowns)) == ((), 1)


def test_lock_file_declares_gems_of_its_sources_only() -> None:
    found = by_purl(catalog({"app/Gemfile.lock": LOCK}))
    assert set(found) == {"pkg:gem/nokogiri@1.15.4?platform=x86_64-linux", "pkg:gem/racc@1.7.1"}
    assert all(gem.declared for gem in found.values())
    assert found["pkg:gem/racc@1.7.1"].digests == (("SHA-256", "a" * 64),)
    assert found["pkg:gem/nokogiri@1.15.4?platform=x86_64-linux"].depends == ("racc",)


def test_lock_file_beside_the_installed_gems_adds_nothing() -> None:
    found = catalog({f"{HOME}/specifications/nokogiri.gemspec": SPECIFICATION, "app/Gemfile.lock": LOCK})
    assert [gem.declared for gem in found.packages] == [False]


def test_lock_file_inside_a_gem_is_its_authors_own() -> None:
    assert catalog({f"{HOME}/gems/rbs-2.7.0/Gemfile.lock": LOCK}).packages == ()
