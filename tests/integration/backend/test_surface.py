"""What each of the two ports answers to a stranger, and what it never does."""

import re
import subprocess
import sys
from urllib.parse import urljoin, urlsplit

import httpx
import pytest
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from prometheus_client import CollectorRegistry

from isshoni.backend.http.admin import create_admin_app
from tests.support.backend import BackendProcess
from tests.support.valkey import find_free_port

DOCUMENTS = ("/docs", "/redoc", "/openapi.json", "/docs/oauth2-redirect")


def admin_routes() -> list[tuple[str, str]]:
    """List every method and path of the admin application."""
    app: FastAPI = create_admin_app(None, CollectorRegistry(), "t")  # type: ignore[arg-type]
    paths = get_openapi(title="", version="", routes=app.routes)["paths"]
    return [(method.upper(), path) for path, methods in paths.items() for method in methods]


def test_there_are_admin_routes_to_walk() -> None:
    assert ("POST", "/admin/drain") in admin_routes()
    assert ("GET", "/metrics") in admin_routes()


@pytest.mark.spec("A7")
@pytest.mark.parametrize(("method", "path"), admin_routes())
def test_no_admin_route_answers_on_the_public_port(
    backend: BackendProcess, method: str, path: str
) -> None:
    answer = httpx.request(method, backend.url + path, headers=_bearer(" admin-token-of-the-tests"))
    assert answer.status_code == 404


@pytest.mark.spec("A7")
@pytest.mark.parametrize(("method", "path"), [r for r in admin_routes() if r[1] != "/metrics"])
@pytest.mark.parametrize("token", [None, "", " wrong", " admin-token-of-the-test", " \xff"])
def test_every_admin_route_needs_the_token(
    backend: BackendProcess, method: str, path: str, token: str | None
) -> None:
    url = f"http://127.0.0.1:{backend.admin_port}{path}"
    assert httpx.request(method, url, headers=_bearer(token)).status_code == 401


def _bearer(token: str | None) -> dict[bytes, bytes]:
    return {} if token is None else {b"Authorization": b"Bearer" + token.encode("latin-1")}


@pytest.mark.spec("A7")
@pytest.mark.parametrize("path", DOCUMENTS)
def test_neither_port_shows_its_documents(backend: BackendProcess, path: str) -> None:
    assert httpx.get(backend.url + path).status_code == 404
    assert httpx.get(f"http://127.0.0.1:{backend.admin_port}{path}").status_code == 404


@pytest.mark.spec("A7")
@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_the_admin_port_refuses_a_public_address(host: str) -> None:
    environment = {
        "ISSHONI_ADMIN_TOKEN": "t",
        "ISSHONI_TICKET_SECRET": "s" * 32,
        "ISSHONI_PORT": str(find_free_port()),
        "ISSHONI_ADMIN_PORT": str(find_free_port()),
        "ISSHONI_ADMIN_HOST": host,
    }
    ended = subprocess.run(
        [sys.executable, "-m", "isshoni.backend"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=20,
    )
    assert ended.returncode in (3, 4)
    assert "ISSHONI_ADMIN" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.spec("A7")
def test_the_page_is_locked_down_and_kept_by_its_etag(backend: BackendProcess) -> None:
    page = httpx.get(backend.url + "/s/team")
    policy = page.headers["content-security-policy"]
    for rule in ("default-src 'none'", "script-src 'self'", "frame-ancestors 'none'"):
        assert rule in policy
    assert "script-src 'self' 'wasm-unsafe-eval';" in policy
    assert "unsafe-eval'" not in policy.replace("'wasm-unsafe-eval'", "")
    assert page.headers["x-content-type-options"] == "nosniff"
    assert page.headers["referrer-policy"] == "no-referrer"
    assert page.headers["cache-control"] == "no-cache"
    icon = httpx.get(backend.url + "/static/icon.svg")
    assert icon.headers["cache-control"] == "no-cache"
    again = httpx.get(
        backend.url + "/static/icon.svg", headers={"If-None-Match": icon.headers["etag"]}
    )
    assert again.status_code == 304
    for asset in find_assets(page):
        assert "immutable" in httpx.get(asset).headers["cache-control"]
    assert httpx.get(backend.url + "/readyz").headers["cache-control"] == "no-store"
    assert httpx.get(backend.url + "/static/../settings.py").status_code == 404
    assert httpx.get(backend.url + "/static/%2e%2e/settings.py").status_code == 404


@pytest.mark.spec("A7")
@pytest.mark.parametrize("path", ["/", "/s/team", "/s/team/"])
def test_the_page_names_its_assets_from_where_it_is(backend: BackendProcess, path: str) -> None:
    for asset in find_assets(httpx.get(backend.url + path)):
        assert urlsplit(asset).path.startswith("/static/assets/")


def test_a_path_that_a_proxy_left_in_is_named_with_the_remedy(backend: BackendProcess) -> None:
    answer = httpx.get(backend.url + "/draw/s/team")
    assert answer.status_code == 404
    assert "/draw/s/team" in answer.text
    assert "docs/operate.md" in answer.text


def test_a_browser_is_told_what_to_do_about_an_address_with_nothing_behind_it(
    backend: BackendProcess,
) -> None:
    browser = {"accept": "text/html,*/*;q=0.8"}
    lost = httpx.get(backend.url + "/a/<b>/c", headers=browser)
    assert (lost.status_code, lost.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert "<b>" not in lost.text
    assert 'href="../../"' in lost.text
    bad_name = httpx.get(backend.url + "/s/two%20words", headers=browser)
    assert bad_name.status_code == 404
    assert find_assets(bad_name)


@pytest.mark.parametrize(
    ("accepted", "form"),
    [
        ("gzip, deflate, br, zstd", "br"),
        ("gzip", "gzip"),
        ("br;q=0, gzip;q=0.5", "gzip"),
        ("identity", None),
        ("br;q=0.000", None),
    ],
)
def test_a_file_is_sent_in_the_smallest_form_that_the_browser_accepts(
    backend: BackendProcess, accepted: str, form: str | None
) -> None:
    asset = find_assets(httpx.get(backend.url + "/"))[0]
    answer = httpx.get(asset, headers={"accept-encoding": accepted})
    assert answer.headers.get("content-encoding") == form
    assert answer.headers["vary"] == "accept-encoding"


def find_assets(page: httpx.Response) -> list[str]:
    """List the addresses of the assets that a page names, as a browser understands them."""
    names = re.findall(r'(?:src|href)="([^"]*static/assets/[^"]+)"', page.text)
    assert names, "the page is not built, or its parts are not named by their content"
    assert not any(name.startswith("/") for name in names)
    return [urljoin(str(page.url), name) for name in names]
