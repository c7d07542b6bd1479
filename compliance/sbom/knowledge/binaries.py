"""Programs that tell their version in their own bytes, and where: the rules of the `binary` cataloger.

A rule names the files that may hold a program and, in the order in which they are tried, the signs by which one
is told. A sign is either

- `Text`: fixed words with the version among them (``BusyBox v1.36.1``). `at` is searched for in the whole file,
  `regex` only around its places; ``<V>`` in it is the version in its usual form, else group 1 is; or
- `Lone`: a version that stands alone as a C string or as a string set by the Go linker (``-X``), between a byte
  that is no printable character and a zero. Which of many such strings is the program's is known by its form
  only, so it counts when there is one of that form in the file, and with less confidence.

What a sign finds in more than one version tells nothing. Each rule was written from builds of the program itself:
those of Debian 12, upstream's own, or a piece of one.
"""

from __future__ import annotations

from typing import NamedTuple

VERSION = rb"""(?<![\w.])v?(\d+(?:\.\d+)+(?:[-.~]?(?:alpha|beta|rc|preview|RC|M)[-.]?\d+(?:\.\d+)*|-(?:dev|DEV)\d*)?)"""
"""``<V>``: numbers and dots, perhaps a pre-release; what a distribution adds behind it is not part of it."""


class Program(NamedTuple):
    """How a program is named: purl parts, vendor and product of its CPEs ("" without), a name other than the purl's."""

    name: str
    cpe: str = ""
    type: str = "generic"
    namespace: str | None = None
    shown: str | None = None


class Text(NamedTuple):
    """A version among fixed words."""

    program: Program
    at: bytes
    regex: bytes


class Lone(NamedTuple):
    """A version that stands alone; `regex` is matched against the whole of it."""

    program: Program
    regex: bytes


class Rule(NamedTuple):
    """The signs of what a file of such a name may be.

    `go` begins the import path of the Go program meant: another of that name is not it. A program with a file
    `stated_in` in the folder above its own is left to the cataloger that reads that file.
    """

    id: str
    globs: tuple[str, ...]
    signs: tuple[Text | Lone, ...]
    go: str | None = None
    stated_in: str | None = None


def _named(*names: str) -> tuple[str, ...]:
    """Globs of files of these names in any folder."""
    return tuple(f"**/{name}" for name in names)


_MINORS = range(3, 20)
_PYTHON = Program("python", "python:python")
_PYPY = Program("pypy")
_NODE = Program("node", "nodejs:node.js")
_DENO = Program("deno", "deno:deno")
_BUN = Program("bun")
_GO = Program("go", "golang:go")
_RUST = Program("rust", "rust-lang:rust")
_PERL = Program("perl", "perl:perl")
_PHP_CLI = Program("php-cli", "php:php")
_PHP_CGI = Program("php-cgi", "php:php")
_PHP_FPM = Program("php-fpm", "php:php")
_PHP_MODULE = Program("libphp", "php:php")
_RUBY = Program("ruby", "ruby-lang:ruby")
_ERLANG = Program("erlang", "erlang:erlang\\/otp")
_ELIXIR = Program("elixir")
_JULIA = Program("julia")
_DART = Program("dart", "dart:dart_software_development_kit")
_SWIPL = Program("swipl")
_LUA = Program("lua", "lua:lua")
_LUAJIT = Program("luajit", "luajit:luajit")
_OPENJDK = Program("openjdk", "oracle:openjdk", namespace="oracle")
_JRE = Program("jre", "oracle:jre", namespace="oracle")
_JDK = Program("jdk", "oracle:jdk", namespace="oracle")
_GRAALVM = Program("graalvm", namespace="oracle")
_GHC = Program("ghc", namespace="haskell", shown="haskell/ghc")
_CABAL = Program("cabal", namespace="haskell", shown="haskell/cabal")
_STACK = Program("stack", namespace="haskell", shown="haskell/stack")
_GCC = Program("gcc", "gnu:gcc")
_NGINX = Program("nginx", "f5:nginx")
_INGRESS = Program("nginx-ingress-controller", "kubernetes:ingress-nginx")
_ENVOY = Program("envoy", "envoyproxy:envoy")
_HTTPD = Program("httpd", "apache:http_server")
_HAPROXY = Program("haproxy", "haproxy:haproxy")
_TRAEFIK = Program("traefik", "traefik:traefik")
_LIGHTTPD = Program("lighttpd", "lighttpd:lighttpd")
_PROFTPD = Program("proftpd", "proftpd:proftpd")
_VARNISH = Program("varnish")
_SQUID = Program("squid", "squid-cache:squid")
_PILOT_AGENT = Program("istio", "istio:istio", shown="pilot-agent")
_PILOT_DISCOVERY = Program("istio", "istio:istio", shown="pilot-discovery")
_REDIS = Program("redis", "redis:redis")
_VALKEY = Program("valkey", "lfprojects:valkey")
_MEMCACHED = Program("memcached", "memcached:memcached")
_POSTGRESQL = Program("postgresql", "postgresql:postgresql")
_PGBOUNCER = Program("pgbouncer", "pgbouncer:pgbouncer")
_MYSQL = Program("mysql", "oracle:mysql")
_MYSQL_CLUSTER = Program("mysql-cluster", "oracle:mysql_cluster")
_PERCONA = Program("percona-server", "percona:percona_server")
_XTRABACKUP = Program("percona-xtrabackup", "percona:xtrabackup")
_MARIADB = Program("mariadb", "mariadb:mariadb")
_MONGODB = Program("mongodb", "mongodb:mongodb")
_ARANGODB = Program("arangodb", "arangodb:arangodb")
_SQLITE = Program("sqlite", "sqlite:sqlite")
_SQLCIPHER = Program("sqlcipher", "zetetic:sqlcipher")
_MOSQUITTO = Program("mosquitto", "eclipse:mosquitto")
_CONSUL = Program("consul", "hashicorp:consul", "golang", "github.com/hashicorp")
_VAULT = Program("vault", "hashicorp:vault", "golang", "github.com/hashicorp", "github.com/hashicorp/vault")
_HELM = Program("helm", "helm:helm", "golang", "helm.sh")
_GRAFANA = Program("grafana", "grafana:grafana")
_FLUENT_BIT = Program("fluent-bit", "treasuredata:fluent_bit", "github", "fluent")
_OPENSSL = Program("openssl", "openssl:openssl")
_LIBRESSL = Program("libressl", "openbsd:libressl")
_AWS_LC = Program("aws-lc")
_OPENSSH = Program("openssh", "openbsd:openssh")
_DROPBEAR = Program("dropbear", "dropbear_ssh_project:dropbear_ssh")
_BASH = Program("bash", "gnu:bash")
_BUSYBOX = Program("busybox", "busybox:busybox")
_UTIL_LINUX = Program("util-linux", "kernel:util-linux")
_CURL = Program("curl", "haxx:curl")
_LIBCURL = Program("libcurl", "haxx:libcurl")
_GIT = Program("git", "git-scm:git")
_JQ = Program("jq", "jqlang:jq")
_XZ = Program("xz", "tukaani:xz")
_ZSTD = Program("zstd", "facebook:zstandard")
_GZIP = Program("gzip", "gnu:gzip")
_ZLIB = Program("zlib", "zlib:zlib")
_EXPAT = Program("expat", "libexpat_project:libexpat")
_GAWK = Program("gawk", "gnu:gawk")
_TINI = Program("tini")
_FFMPEG = Program("ffmpeg", "ffmpeg:ffmpeg")
_QT = Program("qtbase", "qt:qt")
_CHROME = Program("chrome", "google:chrome")
_COMPOSER = Program("composer", "getcomposer:composer")
_WP_CLI = Program("wp-cli", "wp-cli:wp-cli")

_PHP = rb"X-Powered-By: PHP/(\d+\.\d+\.\d+(?:(?:alpha|beta|RC)\d+|-dev)?)"
_JAVA_VERSION = rb"(\d+(?:\.\d+)*[+_][\w.+-]+)"
_REDIS_BUILD = rb"(?:[0-9a-f]{12}-|[a-zA-Z][\w.-]*-|)\d{10}0{9}\0"  # host and time follow the version without a gap
_OPENSSL_DATED = (
    rb"OpenSSL (\d+\.\d+\.\d+[a-z]{0,2}(?:-(?:alpha|beta|pre)\d+|-dev)?)(?:-fips)? +\d\d? [A-Z][a-z]{2} \d{4}"
)
_ISTIO = rb"(1\.\d+(?:\.\d+(?:-(?:alpha|beta|rc)\.\d+|-dev)?|-dev))"
_BEATS = ("auditbeat", "filebeat", "heartbeat", "metricbeat", "packetbeat")


def _php(id_: str, program: Program, *names: str) -> Rule:
    return Rule(id_, _named(*names), (Text(program, b"X-Powered-By: PHP/", _PHP),))


def _redis(id_: str, program: Program, *names: str) -> Rule:
    return Rule(
        id_,
        _named(*names),
        (
            Text(program, b"Redis version ", rb"Redis version <V>"),
            Text(program, b"builtin\0", rb"\0<V>\0(?:c11|atomic|sync)-builtin\0"),
            Text(program, b"000000000\0", rb"(?<![\d.])(\d+\.\d+\.\d{1,3}(?:-rc\d+)?)" + _REDIS_BUILD),
        ),
    )


def _beat(name: str) -> Rule:
    """The version is a constant among others of its length, whose neighbours depend on that."""
    program = Program(name, f"elastic:{name}")
    signs = (
        Text(program, b"Test ", rb"[a-z]Test (\d\.\d+\.\d+)(?=[%a-z])"),
        Text(program, b"plugin", rb"plugin(\d\.\d+\.\d+)(?=[a-z])"),
        Text(program, b"5m.rate", rb"5m\.rate(\d\.\d+\.\d+)(?=-?\d{7})"),
        Text(program, b".rate", rb"\.rate(\d\.\d+\.\d+)-"),
        Text(program, b".", rb"(?<![\d.v])([5-9]\.\d{1,2}\.\d{1,2})(?![\d.])"),
    )
    return Rule(name, _named(name), signs, go="github.com/elastic/beats")


def _java_launcher(name: str, unbranded: Program) -> Rule:
    """A launcher of the JDK, which holds its own name beside its version; `unbranded` is what says no brand."""
    program = name.encode()
    return Rule(
        name,
        _named(name),
        (
            Text(_GRAALVM, b"-jvmci-", rb"\0(\d+(?:\.\d+)*[+_][\w.+-]*-jvmci-[\w.-]+)\0"),
            Text(
                _OPENJDK,
                b"openjdk\0" + program + b"\0",
                rb"openjdk\0+" + program + rb"\0+\d+\.\d+\0+" + _JAVA_VERSION + rb"\0",
            ),
            Text(
                _OPENJDK,
                b"openjdk\0" + program + b"\0",
                rb"\0" + _JAVA_VERSION + rb"\0+openjdk\0+" + program + rb"\0",
            ),
            Text(unbranded, program + b"\0", rb"\0" + _JAVA_VERSION + rb"\0+(?:\d+\.\d+\0+)?" + program + rb"\0"),
            Text(
                unbranded,
                program + b"\0",
                rb"(?<!openjdk)\0" + program + rb"\0+\d+\.\d+\0+" + _JAVA_VERSION + rb"\0",
            ),
        ),
        stated_in="release",
    )


RULES: tuple[Rule, ...] = (
    # Languages.
    Rule(
        "python",
        (
            *_named("python", "python2", "python2.7", "python3", *(f"python3.{n}" for n in _MINORS)),
            *_named("libpython2.7.so*", "libpython3*.so*"),
        ),
        (Lone(_PYTHON, rb"((?:2\.[5-7]|3\.(?:[3-9]|1\d))\.\d+(?:(?:a|b|rc)\d+)?)\+?"),),
    ),
    Rule(
        "pypy",
        _named("libpypy*-c.so*"),
        (Text(_PYPY, b"[PyPy ", rb"\[PyPy (\d+\.\d+\.\d+(?:-?(?:alpha|beta|rc)\d+)?)"),),
    ),
    Rule(
        "node",
        _named("node", "nodejs", "libnode.so*"),
        (Text(_NODE, b"node.js/v", rb"node\.js/v(\d+\.\d+\.\d+(?:-[\w.]+)?)"),),
    ),
    Rule(
        "deno",
        _named("deno"),
        (
            Text(_DENO, b"Deno/", rb"(?<!-)Deno/(\d+\.\d+\.\d+(?:-(?:rc|alpha|beta)\.\d+)?)"),
            Text(_DENO, b"release/", rb"deno-[0-9a-f]{40}(\d+\.\d+\.\d+)release/"),
        ),
    ),
    Rule("bun", _named("bun", "bunx"), (Text(_BUN, b"Bun v", rb"Bun v(\d+\.\d+\.\d+)"),)),
    Rule("go", _named("go"), (Lone(_GO, rb"go(\d+\.\d+(?:\.\d+)?(?:(?:alpha|beta|rc)\d+)?)"),), go="cmd/go"),
    Rule(
        "go-version",
        _named("go/VERSION"),
        (Text(_GO, b"go", rb"\Ago(\d+\.\d+(?:\.\d+)?(?:(?:alpha|beta|rc)\d+)?)(?=\s|\Z)"),),
    ),
    Rule(
        "rust",
        _named("libstd-*.so", "libstd-*.dylib"),
        (
            Text(_RUST, b"rustc version ", rb"rustc version (\d+\.\d+\.\d+(?:-(?:beta|nightly)[.\d]*)?) \("),
            Text(_RUST, b"/rustc-", rb"/rustc-(\d+\.\d+\.\d+)(?:-src)?/library/"),
            Text(_RUST, b" (", rb"(\d+\.\d+\.\d+(?:-(?:beta|nightly)[.\d]*)?) \([0-9a-f]{7,10} \d{4}-\d\d-\d\d\)"),
        ),
    ),
    Rule(
        "perl",
        _named("perl", "perl5*", "libperl.so*"),
        (
            Text(_PERL, b"/perl", rb"/perl5?/(?:site_perl/|vendor_perl/|core_perl/)?(5\.\d+\.\d+)(?=[/\0])"),
            Text(_PERL, b"v5.", rb"\0v(5\.\d+\.\d+)\0"),
        ),
    ),
    _php("php", _PHP_CLI, "php", "php5", *(f"php{n}" for n in ("5.6", "7.0", "7.1", "7.2", "7.3", "7.4")), "php8*"),
    _php("php-cgi", _PHP_CGI, "php-cgi*"),
    _php("php-fpm", _PHP_FPM, "php-fpm*"),
    _php("php-module", _PHP_MODULE, "libphp*.so"),
    Rule(
        "ruby",
        _named("ruby", "libruby*.so*"),
        (Text(_RUBY, b"ruby ", rb"ruby (\d+\.\d+\.\d+(?:(?:p|preview|rc|dev)\d*)?) \(\d{4}-"),),
    ),
    Rule(
        "erlang",
        _named("erlexec", "beam.smp", "beam", "liberts_internal.a", "liberts_internal_r.a", "erl_child_setup", "epmd"),
        (Text(_ERLANG, b"/erts", rb"/(?:otp_src_|otp[-_]|erlang-)(\d+(?:\.\d+)+(?:-rc\d+)?)[^/\0 ]*/erts"),),
    ),
    Rule(
        "elixir", _named("elixir"), (Text(_ELIXIR, b"ELIXIR_VERSION=", rb"ELIXIR_VERSION=(\d+\.\d+\.\d+(?:-[\w.]+)?)"),)
    ),
    Rule("elixir-app", _named("elixir.app"), (Text(_ELIXIR, b"{vsn,", rb'\{vsn, ?"(\d+\.\d+\.\d+(?:-[\w.]+)?)"\}'),)),
    Rule(
        "julia", _named("libjulia-internal.so*"), (Lone(_JULIA, rb"([01]\.\d+\.\d+(?:-(?:alpha|beta|rc|DEV)[.\d]*)?)"),)
    ),
    Rule(
        "dart",
        _named("dart"),
        (Text(_DART, b" (", rb"(?<![\d.])(\d+\.\d+\.\d+(?:-[\w.]+)?) \((?:stable|beta|dev|main)\) \("),),
    ),
    Rule("swipl", _named("swipl"), (Text(_SWIPL, b"swipl-", rb"swipl-(?:devel-)?(\d+\.\d+\.\d+)(?=[/\0])"),)),
    Rule(
        "lua",
        _named("lua", "lua5.1", "lua5.2", "lua5.3", "lua5.4", "liblua*.so*"),
        (Text(_LUA, b"Lua 5.", rb"Lua (5\.\d+\.\d+) +Copyright"),),
    ),
    Rule(
        "luajit",
        _named("luajit", "libluajit*.so*"),
        (Text(_LUAJIT, b"LuaJIT ", rb"LuaJIT (\d+\.\d+\.\d+(?:-beta\d+)?)"),),
    ),
    _java_launcher("java", _JRE),
    _java_launcher("jdb", _JDK),
    Rule(
        "ghc",
        _named("ghc", "ghc-[0-9]*.[0-9]"),
        (
            Text(_GHC, b"libHSghc-", rb"libHSghc-(\d+\.\d+\.\d+(?:\.\d+)?)-"),
            Text(_GHC, b"/ghc-", rb"/ghc-(\d+\.\d+\.\d+)/"),
        ),
    ),
    Rule("cabal", _named("cabal"), (Text(_CABAL, b"cabal-install-", rb"cabal-install-(\d+(?:\.\d+)+)"),)),
    Rule("stack", _named("stack"), (Text(_STACK, b"stack-", rb"(?<![\w-])stack-(\d+\.\d+\.\d+(?:\.\d+)?)(?=[-\0/])"),)),
    Rule(
        "gcc",
        _named("gcc", "g++", "c++", "cpp", "cc"),
        (Text(_GCC, b"gcc version ", rb"\0<V>\0[^\0]*\0+gcc version %s"),),
    ),
    # Servers.
    Rule(
        "nginx",
        _named("nginx", "nginx-debug"),
        (Text(_NGINX, b"nginx version: ", rb"nginx version: (?:nginx|openresty)/(\d+\.\d+\.\d+)"),),
    ),
    Rule(
        "nginx-ingress",
        _named("nginx-ingress-controller"),
        (Lone(_INGRESS, rb"v([0-9]\.\d+\.\d+(?:-(?:alpha|beta|rc)\.\d+)?)"),),
        go="k8s.io/ingress-nginx",
    ),
    Rule("envoy", _named("envoy", "envoy-contrib"), (Lone(_ENVOY, rb"(1\.(?:[5-9]|[1-9]\d)\.\d+(?:-dev)?)"),)),
    Rule("httpd", _named("httpd", "apache2"), (Text(_HTTPD, b"Apache/2.", rb"Apache/(2\.\d+\.\d+)"),)),
    Rule(
        "haproxy",
        _named("haproxy"),
        (
            Text(
                _HAPROXY,
                b"HAProxy version follows",
                rb"\0(\d+\.\d+(?:\.\d+|-dev\d+|-rc\d+))[^\0]*\0+HAProxy version follows",
            ),
            Text(_HAPROXY, b"HA-Proxy version ", rb"HA-Proxy version (\d+\.\d+(?:\.\d+|-dev\d+|-rc\d+))"),
        ),
    ),
    Rule(
        "traefik",
        _named("traefik"),
        (Lone(_TRAEFIK, rb"v?([123]\.\d+\.\d+(?:-(?:alpha|beta|rc|ea)\.?\d+)?)"),),
        go="github.com/",
    ),
    Rule(
        "lighttpd", _named("lighttpd", "lighttpd-angel"), (Text(_LIGHTTPD, b"lighttpd/", rb"lighttpd/(\d+\.\d+\.\d+)"),)
    ),
    Rule(
        "proftpd",
        _named("proftpd"),
        (Text(_PROFTPD, b"ProFTPD Version ", rb"ProFTPD Version (\d+\.\d+\.\d+(?:rc\d+|[a-z])?)"),),
    ),
    Rule("varnish", _named("varnishd"), (Text(_VARNISH, b"varnish-", rb"varnish-(\d+\.\d+\.\d+) revision"),)),
    Rule("squid", _named("squid"), (Text(_SQUID, b"squid/", rb"squid/(\d+\.\d+(?:\.\d+)*)"),)),
    Rule(
        "pilot-agent",
        _named("pilot-agent"),
        (Lone(_PILOT_AGENT, _ISTIO),),
        go="istio.io/istio",
    ),
    Rule(
        "pilot-discovery",
        _named("pilot-discovery"),
        (Lone(_PILOT_DISCOVERY, _ISTIO),),
        go="istio.io/istio",
    ),
    _redis("redis", _REDIS, "redis-server", "redis-check-rdb", "redis-check-aof", "redis-sentinel"),
    _redis("valkey", _VALKEY, "valkey-server", "valkey-check-rdb", "valkey-check-aof", "valkey-sentinel"),
    Rule(
        "memcached",
        _named("memcached"),
        (Text(_MEMCACHED, b"memcached ", rb"\0memcached (\d+\.\d+\.\d+(?:-(?:beta|rc)\d+)?)"),),
    ),
    Rule(
        "postgresql",
        _named("postgres", "psql"),
        (
            Text(_POSTGRESQL, b"PostgreSQL) ", rb"\(PostgreSQL\) (\d+(?:\.\d+)*(?:(?:beta|rc|alpha)\d+|devel)?)"),
            Text(_POSTGRESQL, b"PostgreSQL ", rb"\0PostgreSQL (\d+(?:\.\d+)*(?:(?:beta|rc|alpha)\d+|devel)?) "),
        ),
    ),
    Rule("pgbouncer", _named("pgbouncer"), (Text(_PGBOUNCER, b"PgBouncer ", rb"PgBouncer (\d+\.\d+\.\d+)"),)),
    Rule(
        "mysql",
        _named("mysqld", "mysql", "mysqldump", "mysqladmin", "mariadbd", "mariadb", "mariadb-dump", "mariadb-admin"),
        (
            Text(_MYSQL_CLUSTER, b"/mysql-cluster-", rb"/mysql-cluster-(?:gpl|commercial)-(\d+\.\d+\.\d+)[^/]*/"),
            Text(_PERCONA, b"/percona-server-", rb"/percona-server-(\d+\.\d+\.\d+(?:-\d+(?:\.\d+)?)?)/"),
            Text(_MARIADB, b"-MariaDB", rb"\0(\d+\.\d+\.\d+)-MariaDB"),
            Text(_MARIADB, b"/mariadb-", rb"/mariadb-(\d+\.\d+\.\d+)[^/]*/"),
            Text(_MYSQL, b"/mysql-", rb"/mysql-(?:community-|commercial-)?(\d+\.\d+\.\d+(?:-(?:rc|dmr|labs))?)/"),
            Text(_MYSQL, b"\0mysql_real_escape_string", rb"\0(\d+\.\d+\.\d+(?:-\w+)?)\0+mysql_real_escape_string"),
        ),
    ),
    Rule(
        "ndb",
        _named("ndbd", "ndbmtd", "ndb_mgmd"),
        (Text(_MYSQL_CLUSTER, b"/mysql-cluster-", rb"/mysql-cluster-(?:gpl|commercial)-(\d+\.\d+\.\d+)[^/]*/"),),
    ),
    Rule(
        "xtrabackup",
        _named("xtrabackup"),
        (Text(_XTRABACKUP, b"/percona-xtrabackup-", rb"/percona-xtrabackup-(\d+\.\d+\.\d+(?:-\d+(?:\.\d+)?)?)/"),),
    ),
    Rule(
        "mongodb",
        _named("mongod", "mongos"),
        (
            Text(_MONGODB, b"\0tcmalloc", rb"\0(\d+\.\d+\.\d+(?:-(?:rc|alpha)\d+)?)\0tcmalloc"),
            Text(_MONGODB, b"\0cppdefines\0", rb"\0(\d+\.\d+\.\d+(?:-(?:rc|alpha)\d+)?)\0cppdefines\0"),
            Lone(_MONGODB, rb"([2-9]\.\d\.\d+(?:-rc\d+)?)"),
        ),
    ),
    Rule(
        "arangodb",
        _named("arangod", "arangosh"),
        (Text(_ARANGODB, b"ArangoDB ", rb"ArangoDB \0?(\d+\.\d+\.\d+(?:-[\w.]+)?) \["),),
    ),
    Rule("sqlite", _named("sqlite3", "libsqlite3.so*"), (Lone(_SQLITE, rb"(3\.\d+\.\d+(?:\.\d+)?)"),)),
    Rule(
        "sqlcipher",
        _named("sqlcipher", "libsqlcipher.so*"),
        (Text(_SQLCIPHER, b"\0%s %s\0", rb"\0(\d+\.\d+\.\d+)\0%s %s\0"), Lone(_SQLCIPHER, rb"(4\.\d+\.\d+)")),
    ),
    Rule(
        "mosquitto",
        _named("mosquitto"),
        (Text(_MOSQUITTO, b"mosquitto version ", rb"\0(\d+\.\d+\.\d+)\0mosquitto version %s"),),
    ),
    # Programs of clouds.
    Rule(
        "consul",
        _named("consul"),
        (
            Text(_CONSUL, b"CONSUL_VERSION: ", rb"CONSUL_VERSION: (\d+\.\d+\.\d+(?:-(?:alpha|beta|rc|dev)\d*)?)"),
            Text(
                _CONSUL,
                b"version.GitDescribe=",
                rb"consul/version\.GitDescribe=v?(\d+\.\d+\.\d+(?:-(?:alpha|beta|rc)\d*)?)",
            ),
        ),
        go="github.com/hashicorp/consul",
    ),
    Rule(
        "vault",
        _named("vault"),
        (
            Lone(_VAULT, rb"([01]\.\d+\.\d+(?:-(?:beta|rc)\d*)?)"),
            Text(
                _VAULT, b"0x%016x1.", rb"0x%016x(1\.\d\d\.\d\d)"
            ),  # among constants of seven characters, in their order
            Text(_VAULT, b"revoke1.", rb"revoke(1\.\d\d\.\d)(?=\D)"),
            Text(_VAULT, b"1.", rb"(?<![\d.v])(?<!go)(1\.(?:[4-9]|[1-4]\d)\.\d{1,2})(?![\d.])"),
        ),
        go="github.com/hashicorp/vault",
    ),
    Rule("helm", _named("helm"), (Lone(_HELM, rb"v([234]\.\d+\.\d+(?:-(?:alpha|beta|rc)\.\d+)?)"),), go="helm.sh/helm"),
    Rule(
        "grafana",
        _named("grafana", "grafana-server", "grafana-cli"),
        (Lone(_GRAFANA, rb"(?:release-|v)?((?:[5-9]|[1-3]\d)\.\d+\.\d+(?:-[\w.]+)?)(?:\+security-\d+)?"),),
        go="github.com/grafana/grafana",
    ),
    Rule(
        "fluent-bit",
        _named("fluent-bit"),
        (
            Text(_FLUENT_BIT, b"Fluent Bit v", rb"\0v?(\d+\.\d+\.\d+)\0+(?:\x1b[^\0]*\0+)*[^\0]{0,8}Fluent Bit v%s"),
            Lone(_FLUENT_BIT, rb"v?([0-5]\.\d+\.\d+)"),
        ),
    ),
    *(_beat(name) for name in _BEATS),
    # Tools and libraries.
    Rule(
        "openssl",
        _named("openssl", "libcrypto.so*", "libssl.so*"),
        (
            Text(_AWS_LC, b"AWS-LC ", rb"AWS-LC (?:FIPS )?(\d+\.\d+\.\d+)"),
            Text(_LIBRESSL, b"LibreSSL ", rb"LibreSSL (\d+\.\d+\.\d+)"),
            Text(_OPENSSL, b"OpenSSL ", _OPENSSL_DATED),
        ),
    ),
    Rule("openssh", _named("ssh", "sshd"), (Text(_OPENSSH, b"OpenSSH_", rb"\0OpenSSH_(\d+\.\d+p\d+)"),)),
    Rule(
        "dropbear",
        _named("dropbear", "dropbearmulti"),
        (Text(_DROPBEAR, b"dropbear_", rb"SSH-2\.0-dropbear_(\d{4}\.\d+|0\.\d+)"),),
    ),
    Rule(
        "bash",
        _named("bash"),
        (Text(_BASH, b"Bash version ", rb"@\(#\)Bash version (\d+\.\d+\.\d+)\(\d+\) (?:release|rc\d|beta|alpha)"),),
    ),
    Rule("busybox", _named("busybox", "[", "sh"), (Text(_BUSYBOX, b"BusyBox v", rb"BusyBox v(\d+\.\d+\.\d+)"),)),
    Rule(
        "util-linux",
        _named("getopt"),
        (Text(_UTIL_LINUX, b"util-linux ", rb"util-linux (\d+\.\d+(?:\.\d+)?(?:-rc\d+)?)"),),
    ),
    Rule("curl", _named("curl"), (Text(_CURL, b"curl/", rb"(?<![\w/])curl/(\d+\.\d+\.\d+)"),)),
    Rule(
        "libcurl",
        _named("libcurl.so*", "libcurl-gnutls.so*"),
        (Text(_LIBCURL, b"libcurl/", rb"libcurl/(\d+\.\d+\.\d+)"),),
    ),
    Rule("git", _named("git"), (Text(_GIT, b"git/", rb"(?<![\w-])git/(\d+\.\d+\.\d+(?:\.\d+)?(?:[-.]rc\d+)?)"),)),
    Rule("jq", _named("jq"), (Lone(_JQ, rb"(?:jq-)?(1\.\d+(?:\.\d+)?(?:rc\d+)?)"),)),
    Rule("xz", _named("xz"), (Text(_XZ, b"(XZ Utils) ", rb"\(XZ Utils\) (\d+\.\d+\.\d+(?:alpha|beta)?)"),)),
    Rule(
        "zstd",
        _named("zstd"),
        (Text(_ZSTD, b"\0Zstandard CLI", rb"\0v(\d+\.\d+\.\d+)\0Zstandard CLI"), Lone(_ZSTD, rb"v(1\.\d+\.\d+)")),
    ),
    Rule("gzip", _named("gzip"), (Lone(_GZIP, rb"(1\.\d{1,2})"),)),
    Rule("zlib", _named("libz.so*"), (Text(_ZLIB, b"flate 1.", rb"(?:in|de)flate (1\.\d+(?:\.\d+)+) Copyright"),)),
    Rule("expat", _named("libexpat.so*"), (Text(_EXPAT, b"expat_", rb"expat_(\d+\.\d+\.\d+)"),)),
    Rule("gawk", _named("gawk"), (Text(_GAWK, b"GNU Awk ", rb"GNU Awk (\d+\.\d+\.\d+)"),)),
    Rule(
        "tini",
        _named("tini", "tini-static", "docker-init"),
        (Text(_TINI, b"tini version ", rb"tini version (\d+\.\d+\.\d+)"),),
    ),
    Rule(
        "ffmpeg",
        _named(
            "ffmpeg",
            "ffprobe",
            "ffplay",
            *(f"libav{part}.so*" for part in ("codec", "device", "filter", "format", "util")),
            "libswresample.so*",
            "libswscale.so*",
        ),
        (
            Text(_FFMPEG, b"%s version ", rb"%s version n?(\d+\.\d+(?:\.\d+)*)"),
            Text(_FFMPEG, b"FFmpeg version ", rb"FFmpeg version n?(\d+\.\d+(?:\.\d+)*)"),
        ),
    ),
    Rule("qt", _named("libQt[0-9]Core.so*"), (Text(_QT, b"Qt ", rb"Qt (\d+\.\d+\.\d+) \("),)),
    Rule("chrome", _named("chrome", "chromium"), (Lone(_CHROME, rb"(\d{2,3}\.0\.\d{4}\.\d{1,3})"),)),
    Rule(
        "composer",
        _named("composer", "composer.phar"),
        (
            Text(
                _COMPOSER,
                b"composer/composer",
                rb"composer/composer(?: |',\s+'pretty_version' => ')(\d+\.\d+\.\d+(?:-(?:alpha|beta|RC)\d+)?)",
            ),
        ),
    ),
    Rule(
        "wp-cli",
        _named("wp", "wp-cli.phar"),
        (Text(_WP_CLI, b"wp-cli/wp-cli ", rb"wp-cli/wp-cli v?(\d+\.\d+\.\d+(?:-[\w.]+)?)"),),
    ),
)
