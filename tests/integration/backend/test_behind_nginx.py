"""A backend behind a real nginx, as the operator's guide shows it."""

from pathlib import Path

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from tests.integration.backend.test_surface import find_assets
from tests.support.backend import BackendProcess, RawClient
from tests.support.certificates import trusting, write_certificate
from tests.support.nginx import nginx_in_front


@pytest.mark.spec("A7")
@pytest.mark.parametrize("path", ["", "/draw"])
@pytest.mark.parametrize("host", ["$http_host", "$host:$server_port"])
async def test_page_and_websocket_work_at_the_root_and_below_a_path(
    backend: BackendProcess, tmp_path: Path, session_id: str, path: str, host: str
) -> None:
    with nginx_in_front(backend.port, tmp_path, host=host) as port:
        origin = f"http://127.0.0.1:{port}"
        async with httpx.AsyncClient(timeout=20) as http:
            for page in ("/", f"/s/{session_id}", f"/s/{session_id}/"):
                for asset in find_assets(await http.get(origin + path + page)):
                    assert asset.startswith(origin + path + "/static/")
                    assert (await http.get(asset)).status_code == 200
        url = f"ws://127.0.0.1:{port}{path}/ws/{session_id}"
        client = RawClient(await connect(url, additional_headers={"Origin": origin}), session_id)
        await client.restore()
        await client.close()


@pytest.mark.spec("A7")
async def test_page_and_websocket_work_with_tls(
    backend: BackendProcess, tmp_path: Path, session_id: str
) -> None:
    certificate = write_certificate(tmp_path)
    trusted = trusting(certificate[0])
    with nginx_in_front(backend.port, tmp_path, certificate=certificate) as port:
        origin = f"https://localhost:{port}"
        async with httpx.AsyncClient(timeout=20, verify=trusted) as http:
            assets = find_assets(await http.get(f"{origin}/s/{session_id}"))
            assert assets
            assert all([(await http.get(asset)).status_code == 200 for asset in assets])
        url = f"wss://localhost:{port}/ws/{session_id}"
        socket = await connect(url, additional_headers={"Origin": origin}, ssl=trusted)
        client = RawClient(socket, session_id)
        await client.restore()
        await client.close()


@pytest.mark.spec("A7")
async def test_a_proxy_that_keeps_the_host_to_itself_is_named_to_page_and_operator(
    backend: BackendProcess, tmp_path: Path, session_id: str
) -> None:
    with nginx_in_front(backend.port, tmp_path, host="$proxy_host") as port:
        origin = f"http://127.0.0.1:{port}"
        with pytest.raises(InvalidStatus) as refused:
            url = f"ws://127.0.0.1:{port}/ws/{session_id}"
            await connect(url, additional_headers={"Origin": origin})
        assert refused.value.response.status_code == 403
        async with httpx.AsyncClient(timeout=20) as http:
            url = f"{origin}/sessions/{session_id}/admission"
            said = await http.post(url, headers={"Origin": origin})
        assert said.status_code == 403
        for text in (said.json()["message"], backend.log):
            assert origin in text
            assert f"127.0.0.1:{backend.port}" in text
