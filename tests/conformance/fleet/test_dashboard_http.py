"""The dashboard over real HTTP: who gets something and who gets nothing, and what those who may get."""

from __future__ import annotations

import hashlib
import json
import re
import socket
import ssl
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from html import unescape
from pathlib import Path

import pytest

from compliance.fleet.dashboard.access import SESSION_SECONDS, Access, read_secret
from compliance.fleet.dashboard.guard import ADDRESS_LENGTH_MAX
from compliance.fleet.dashboard.server import Certificate
from compliance.fleet.fleet_file import Fleet
from compliance.store.fleet_store import open_fleet_store
from tests.builders import fleet_documents
from tests.builders.dashboard import DOCUMENTS, NOW, SHOP, TOKEN, Served, fill_stores, fleet, served

HTML = {"Accept": "text/html"}
BEARER = {"Authorization": f"Bearer {TOKEN}"}
PAGES = (
    "/",
    f"/fleets/{SHOP}",
    f"/fleets/{SHOP}/images",
    f"/fleets/{SHOP}/checks",
    f"/fleets/{SHOP}/controls",
    f"/fleets/{SHOP}/waivers",
    f"/fleets/{SHOP}/bases",
    f"/fleets/{SHOP}/changes",
    f"/fleets/{SHOP}/runs",
    f"/fleets/{SHOP}/downloads",
)
FILES = (f"/fleets/{SHOP}/runs/1/fleet.json", "/metrics")
TELLING = (b"registry.example.org", b"shop", b"RM-SHELL", b"hullmark_fleet")
"""None of it is in what a stranger gets."""


@pytest.fixture(scope="module")
def fleets(tmp_path_factory: pytest.TempPathFactory) -> tuple[Fleet, Fleet]:
    return fill_stores(tmp_path_factory.mktemp("stores"))


@pytest.fixture(scope="module")
def guarded(fleets: Sequence[Fleet]) -> Iterator[Served]:
    """One that wants a token."""
    with served(fleets, Access(addresses=False, token=read_secret(TOKEN, "token"))) as one:
        yield one


@pytest.fixture(scope="module")
def open_one(fleets: Sequence[Fleet]) -> Iterator[Served]:
    """One on the loopback, without a token."""
    with served(fleets, Access(addresses=False)) as one:
        yield one


def nothing_told(body: bytes) -> bool:
    return not any(word in body for word in TELLING)


# Who gets nothing


@pytest.mark.parametrize("path", [*PAGES, *FILES, "/fleets/none", "/none", "/fleets/shop/images?q=a"])
@pytest.mark.parametrize("accept", ["text/html", "*/*"])
def test_who_has_no_token_gets_the_form_or_nothing(guarded: Served, path: str, accept: str) -> None:
    answer = guarded.ask(path, headers={"Accept": accept})
    assert answer.status == 401
    told = answer.body.replace(path.encode(), b"")
    assert nothing_told(told), "only the address that was asked for stands in the form"
    if accept == "*/*":
        assert answer.body == b"not signed in\n"
        assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": "Bearer wrong"},
        {"Authorization": f"Basic {TOKEN}"},
        {"Authorization": TOKEN},
        {"Authorization": f"Bearer {TOKEN}x"},
        {"Cookie": f"hullmark={TOKEN}"},
        {"Cookie": "hullmark=" + "A" * 54},
        {"Cookie": "hullmark="},
        {"X-Forwarded-User": "admin", "X-Hullmark-Proxy-Secret": TOKEN},
    ],
    ids=str,
)
def test_what_is_no_token_opens_nothing(guarded: Served, headers: dict[str, str]) -> None:
    answer = guarded.ask(f"/fleets/{SHOP}", headers=headers)
    assert answer.status == 401
    assert nothing_told(answer.body)


def test_a_token_in_the_address_opens_nothing(guarded: Served) -> None:
    assert guarded.ask(f"/?token={TOKEN}").status == 401


@pytest.mark.parametrize("path", [*PAGES, *FILES, "/healthz", "/login"])
@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
    ],
    ids=str,
)
def test_another_origin_gets_nothing_whoever_it_is(guarded: Served, path: str, headers: dict[str, str]) -> None:
    """Also with the token: a page of somebody else's could send the reader's cookie along."""
    answer = guarded.ask(path, headers={**headers, **BEARER})
    assert answer.status == 403
    assert nothing_told(answer.body)
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "10.0.0.1", ""])
@pytest.mark.parametrize("path", ["/", f"/fleets/{SHOP}", "/healthz", "/metrics", "/login"])
def test_another_host_gets_nothing(guarded: Served, open_one: Served, host: str, path: str) -> None:
    """A name that was made to resolve to this machine (DNS rebinding) is none of ours."""
    for one in (guarded, open_one):
        answer = one.ask(path, headers=BEARER, host=host)
        assert answer.status in (400, 421)
        assert nothing_told(answer.body)


def test_no_page_allows_another_origin_to_look(open_one: Served) -> None:
    answer = open_one.ask("/", method="OPTIONS", headers={"Access-Control-Request-Method": "GET"})
    assert answer.status == 405
    assert not [name for name in answer.headers if name.startswith("access-control")]


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "PROPFIND"])
@pytest.mark.parametrize("path", ["/", f"/fleets/{SHOP}", "/metrics", "/healthz"])
def test_nothing_can_be_done_but_reading(guarded: Served, method: str, path: str) -> None:
    if method == "CONNECT":
        path = "127.0.0.1:1"
    answer = guarded.ask(path, method=method, headers=BEARER)
    assert answer.status in (400, 405)
    assert nothing_told(answer.body)


@pytest.mark.parametrize("name", ["Authorization", "Origin", "Host", "Sec-Fetch-Site", "X-Hullmark-Proxy-Secret"])
def test_a_header_that_decides_something_must_not_come_twice(guarded: Served, name: str) -> None:
    values = {"Authorization": f"Bearer {TOKEN}", "Origin": guarded.address, "Host": "localhost"}
    value = values.get(name, "same-origin")
    answer = guarded.ask("/", headers=[(name, value), (name, value)], host="" if name == "Host" else None)
    assert answer.status == 400


def test_requests_have_bounds(guarded: Served) -> None:
    assert guarded.ask("/?q=" + "x" * ADDRESS_LENGTH_MAX, headers=BEARER).status == 414
    assert guarded.ask("/", headers=BEARER, body=b"x").status == 413
    assert guarded.ask("/login", method="POST", headers=BEARER, body=b"x" * 4097).status == 413
    chunked = {**BEARER, "Transfer-Encoding": "chunked"}
    assert guarded.ask("/login", method="POST", headers=chunked).status == 411


@pytest.mark.parametrize(
    "query",
    [
        "page=0",
        "page=-1",
        "page=99999999999999999999",
        "page=%D9%A1",
        "outcome=fine",
        "sort=random()",
        "q=" + "x" * 201,
        "q=a%00b",
        "q=%0d%0aSet-Cookie:x",
        "run=first",
        "run=1&run=2",
        "unknown=1",
        "&".join(f"q{number}=" for number in range(20)),
    ],
)
def test_a_parameter_out_of_bounds_is_refused_in_a_line(open_one: Served, query: str) -> None:
    answer = open_one.ask(f"/fleets/{SHOP}/images?{query}", headers=HTML)
    assert answer.status == 400
    assert b"Traceback" not in answer.body


@pytest.mark.parametrize(
    "path",
    [
        "/none",
        "/fleets/none",
        f"/fleets/{SHOP}/images/sha256:0",
        f"/fleets/{SHOP}/images?run=99",
        f"/fleets/{SHOP}/changes?from=1&to=99",
        f"/fleets/{SHOP}/runs/99/fleet.json",
        f"/fleets/{SHOP}/runs/1/passwd",
        f"/fleets/{SHOP}/assessments/{'0' * 64}/assessment.json",
        f"/fleets/{SHOP}/assessments/..%2f..%2fetc%2fpasswd/assessment.json",
        f"/fleets/{SHOP}/assessments/{'0' * 64}/..%2f..%2fetc%2fpasswd",
        "/assets/..%2fapp.py",
        "/assets/page.css",
        "/..%2f..%2fetc/passwd",
    ],
)
def test_what_is_not_there_is_said_so_in_a_line(open_one: Served, path: str) -> None:
    answer = open_one.ask(path, headers=HTML)
    assert answer.status in (404, 503)
    assert b"Traceback" not in answer.body
    assert b"root:" not in answer.body


# What every answer has


@pytest.mark.parametrize("path", [*PAGES, *FILES, "/healthz", "/login", "/none", f"/fleets/{SHOP}/images?page=0"])
def test_every_answer_is_locked_in(open_one: Served, guarded: Served, path: str) -> None:
    for answer in (open_one.ask(path), guarded.ask(path), guarded.ask(path, headers=BEARER)):
        policy = answer.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'")
        assert "unsafe" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["x-frame-options"] == "DENY"
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"
        assert answer.headers["referrer-policy"] == "same-origin"
        assert "server" not in answer.headers
        assert TOKEN.encode() not in answer.body


def test_pages_hold_no_script_and_no_style_of_their_own(open_one: Served) -> None:
    for path in PAGES:
        body = open_one.ask(path).text
        assert not re.search(r"<style|style=|<script(?! src=\"/assets/)| on[a-z]+=", body), path


# Who may


def test_a_token_opens_every_page(guarded: Served) -> None:
    for path in (*PAGES, *FILES):
        answer = guarded.ask(path, headers=BEARER)
        assert answer.status == 200, path
        assert not nothing_told(answer.body), path
        head = guarded.ask(path, headers=BEARER, method="HEAD")
        assert (head.status, head.body) == (200, b"")


def sign_in(one: Served, token: str = TOKEN, target: str = "/", **headers: str) -> tuple[int, dict[str, str], bytes]:
    body = f"token={token}&next={target}".encode()
    form = {"Content-Type": "application/x-www-form-urlencoded", "Origin": one.address, **headers}
    answer = one.ask("/login", method="POST", headers=form, body=body)
    return answer.status, dict(answer.headers), answer.body


def test_the_form_gives_a_cookie_that_opens_and_ends(guarded: Served) -> None:
    status, headers, _ = sign_in(guarded, target=f"/fleets/{SHOP}/images%3Fq%3Da")
    assert (status, headers["location"]) == (303, f"/fleets/{SHOP}/images?q=a")
    cookie, *attributes = headers["set-cookie"].split("; ")
    assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= set(attributes)
    assert TOKEN not in cookie
    assert guarded.ask(f"/fleets/{SHOP}", headers={"Cookie": f"a=b; {cookie}"}).status == 200
    assert guarded.ask(f"/fleets/{SHOP}", headers={"Cookie": cookie[:-2]}).status == 401
    gone = guarded.ask("/logout", method="POST", headers={"Cookie": cookie, "Origin": guarded.address}, body=b"")
    assert gone.status == 303
    assert "Max-Age=0" in gone.headers["set-cookie"]


def test_a_cookie_is_good_for_half_a_day(fleets: Sequence[Fleet]) -> None:
    with served(fleets, Access(addresses=False, token=read_secret(TOKEN, "token"))) as one:
        _, headers, _ = sign_in(one)  # by the test's clock, which the guard's is not
    cookie = headers["set-cookie"].partition(";")[0].partition("=")[2]
    access = Access(addresses=False, token=read_secret(TOKEN, "token"))
    assert access.is_session(cookie, NOW.timestamp() + SESSION_SECONDS - 1)
    assert not access.is_session(cookie, (NOW + timedelta(hours=12)).timestamp())


def test_a_wrong_token_gives_the_form_again(guarded: Served) -> None:
    status, headers, body = sign_in(guarded, token="x" * 40)
    assert status == 401
    assert "set-cookie" not in headers
    assert b"not the token" in body


def test_the_form_of_another_origin_signs_nobody_in(guarded: Served) -> None:
    for headers in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
        status, answered, _ = sign_in(guarded, **headers)
        assert status == 403
        assert "set-cookie" not in answered


def test_after_signing_in_nobody_is_sent_elsewhere(guarded: Served) -> None:
    for target in ("https://evil.example/", "//evil.example/", "/%5Cevil.example"):
        assert sign_in(guarded, target=target)[1]["location"] == "/"


def test_behind_a_proxy_the_proxy_has_to_prove_itself(fleets: Sequence[Fleet]) -> None:
    access = Access(
        addresses=False,
        hosts=frozenset({"dash.example"}),
        proxy_header="X-Forwarded-User",
        proxy_secret=read_secret(TOKEN, "secret"),
    )
    proved = {"X-Hullmark-Proxy-Secret": TOKEN}
    with served(fleets, access) as one:
        for refused in (
            {},
            {"X-Forwarded-User": "ann"},
            proved,
            {**proved, "X-Forwarded-User": ""},
            {"X-Hullmark-Proxy-Secret": "x" * 38, "X-Forwarded-User": "ann"},
            BEARER,
        ):
            assert one.ask("/", headers={**HTML, **refused}, host="dash.example").status == 401
        answer = one.ask("/", headers={**proved, "X-Forwarded-User": "ann <b>"}, host="dash.example")
        assert answer.status == 200
        assert "ann &lt;b&gt;" in answer.text
        assert one.ask("/login", host="dash.example").status == 404


def test_over_tls_the_cookie_stays_on_tls(fleets: Sequence[Fleet], tmp_path: Path) -> None:
    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", "key.pem")
    command = ("openssl", "req", "-x509", *key, "-days", "1", "-subj", "/CN=localhost", "-out", "chain.pem")
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    access = Access(addresses=False, token=read_secret(TOKEN, "token"), encrypted=True)
    certificate = Certificate(chain=tmp_path / "chain.pem", key=tmp_path / "key.pem")
    context = ssl.create_default_context(cafile=str(tmp_path / "chain.pem"))
    context.check_hostname = False
    with served(fleets, access, certificate=certificate) as one:
        body = f"token={TOKEN}".encode()
        request = (
            f"POST /login HTTP/1.1\r\nHost: localhost\r\nOrigin: https://localhost\r\nConnection: close\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        ).encode() + body
        with socket.create_connection(("127.0.0.1", one.port)) as plain, context.wrap_socket(plain) as secure:
            secure.sendall(request)
            answer = b"".join(iter(lambda: secure.recv(65536), b"")).decode()
    assert answer.startswith("HTTP/1.1 303")
    assert re.search(r"set-cookie: __Host-hullmark=[\w-]+; Path=/; HttpOnly; SameSite=Strict; Secure", answer)


def test_health_tells_nothing_to_anybody(guarded: Served) -> None:
    answer = guarded.ask("/healthz")
    assert (answer.status, answer.body) == (200, b"ok\n")


def test_figures_are_open_only_where_pages_are(guarded: Served, open_one: Served) -> None:
    assert guarded.ask("/metrics").status == 401
    assert guarded.ask("/metrics", headers=HTML).status == 401
    assert open_one.ask("/metrics").status == guarded.ask("/metrics", headers=BEARER).status == 200
    text = open_one.ask("/metrics").text
    assert f'hullmark_fleet_last_run_number{{fleet="{SHOP}"}} 4' in text
    assert f'hullmark_fleet_last_run_number{{fleet="{DOCUMENTS}"}} 2' in text


# What is served


@pytest.mark.parametrize("path", PAGES)
def test_a_page_that_the_browser_has_is_not_sent_again(open_one: Served, path: str) -> None:
    first = open_one.ask(path)
    again = open_one.ask(path, headers={"If-None-Match": first.headers["etag"]})
    assert (first.status, again.status, again.body) == (200, 304, b"")
    assert again.headers["etag"] == first.headers["etag"]
    assert open_one.ask(path, headers={"If-None-Match": '"other", W/"another"'}).status == 200
    assert open_one.ask(f"/fleets/{SHOP}/images?q=zzz").headers["etag"] != first.headers["etag"]


def test_another_run_makes_other_pages(tmp_path: Path) -> None:
    one_run = fleet(tmp_path, DOCUMENTS)
    with closing(open_fleet_store(str(one_run.store))) as store:
        fleet_documents.fill(store)
        with served([one_run], Access(addresses=False)) as one:
            path = f"/fleets/{DOCUMENTS}/images"
            tag = one.ask(path).headers["etag"]
            assert one.ask(path, headers={"If-None-Match": tag}).status == 304
            later = fleet_documents.START + timedelta(days=1)
            run = store.begin(fleet_documents.new_run(at=later), [fleet_documents.member(0)])
            assert one.ask(path, headers={"If-None-Match": tag}).status == 304, "an open run is nothing to report yet"
            assert "0 of 1 images" in one.ask("/").text
            fleet_documents.reuse(store, run, 0)
            assert "1 of 1 images" in one.ask("/").text
            store.end(run, later + timedelta(minutes=1))
            answer = one.ask(path, headers={"If-None-Match": tag})
            assert answer.status == 200
            assert "All 1 images" in answer.text


def links(text: str, pattern: str) -> list[str]:
    return [unescape(found) for found in re.findall(rf'href="({pattern})"', text)]


def test_documents_come_byte_for_byte_under_their_digest(open_one: Served) -> None:
    page = open_one.ask(f"/fleets/{DOCUMENTS}/images").text
    image = open_one.ask(links(page, rf"/fleets/{DOCUMENTS}/images/sha256[^\"]+")[0])
    [kept] = links(image.text, r"[^\"]+/assessment\.json")
    identifier = kept.split("/")[-2]
    answer = open_one.ask(kept)
    assert hashlib.sha256(answer.body).hexdigest() == identifier
    assert answer.headers["content-disposition"] == 'attachment; filename="assessment.json"'
    assert "sandbox" in answer.headers["content-security-policy"]
    [sbom] = links(image.text, r"[^\"]+/sbom\.cdx\.json")
    assert json.loads(open_one.ask(sbom).body)["bomFormat"] == "CycloneDX"


def test_reports_of_one_image_are_made_of_its_document(open_one: Served) -> None:
    page = open_one.ask(f"/fleets/{DOCUMENTS}/images").text
    image = open_one.ask(links(page, rf"/fleets/{DOCUMENTS}/images/sha256[^\"]+")[0]).text
    found = links(image, rf"/fleets/{DOCUMENTS}/assessments/[^\"]+")
    assert len(found) >= 12
    for address in found:
        answer = open_one.ask(address)
        assert answer.status == 200, address
        assert len(answer.body) > 100, address
        if address.endswith(".pdf"):
            assert answer.body.startswith(b"%PDF")


def test_the_report_on_a_run_is_offered_and_made(open_one: Served) -> None:
    page = open_one.ask(f"/fleets/{SHOP}/downloads?run=2").text
    found = links(page, rf"/fleets/{SHOP}/runs/2/[^\"]+")
    assert found
    for address in found:
        answer = open_one.ask(address)
        assert answer.status == 200, address
        assert answer.headers["content-disposition"].startswith('attachment; filename="run-2-')
    document = json.loads(open_one.ask(f"/fleets/{SHOP}/runs/2/fleet.json").body)
    assert (document["fleet"], document["run"]["number"]) == (SHOP, 2)


def test_a_store_that_cannot_be_read_is_said_without_its_secrets(tmp_path: Path) -> None:
    lost = replace(
        fleet(tmp_path, "lost"), store="postgresql://hullmark:a-password@127.0.0.1:1/lost", blobs=str(tmp_path)
    )
    with served([lost], Access(addresses=False), warm=False) as one:
        for path in ("/", "/fleets/lost", "/fleets/lost/images"):
            answer = one.ask(path, headers=HTML)
            assert answer.status == (200 if path == "/" else 503)
            assert b"a-password" not in answer.body
            assert b"Traceback" not in answer.body
        assert 'hullmark_fleet_store_readable{fleet="lost"} 0' in one.ask("/metrics").text
        assert one.ask("/healthz").status == 200
        assert one.errors
