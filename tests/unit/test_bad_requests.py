"""A request whose body does not fit is answered with 422, whatever values it has."""

import httpx
import pytest
from pydantic import BaseModel, ConfigDict, field_validator

from isshoni.backend.http.admin_routes import MigrateRequest, create_private_app


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")

    term: int
    writer: str


@pytest.mark.parametrize(
    "body",
    [
        '{"term": 1e400, "writer": "east"}',
        '{"term": -1e400, "writer": "east"}',
        '{"term": NaN, "writer": "east"}',
        '{"term": "a\\ud800", "writer": "east"}',
        '{"term": 1, "writer": "east", "a\\ud800": 1}',
        '{"term": {"deep": [1e400, "\\udfff"]}, "writer": "east"}',
        '{"term": ',
    ],
)
async def test_values_that_json_cannot_carry_are_answered_with_422(body: str) -> None:
    app = create_private_app("test")

    @app.post("/record")
    async def record(body: _Body) -> None:
        raise AssertionError(body)

    @app.post("/migrate")
    async def migrate(body: MigrateRequest) -> None:
        raise AssertionError(body)

    headers = {"Content-Type": "application/json"}
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        for path in ("/record", "/migrate"):
            answer = await client.post(path, content=body, headers=headers)
            assert answer.status_code == 422
            assert answer.json()["detail"][0]["msg"]


class _Even(BaseModel):
    number: int

    @field_validator("number")
    @classmethod
    def _is_even(cls, number: int) -> int:
        if number % 2:
            raise ValueError(f"{number} is odd, which is not possible here")
        return number


async def test_message_of_our_own_check_has_no_prefix_of_pydantic() -> None:
    app = create_private_app("test")

    @app.post("/even")
    async def even(body: _Even) -> None:
        raise AssertionError(body)

    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        answer = await client.post("/even", json={"number": 3})
    (fault,) = answer.json()["detail"]
    assert fault["msg"] == "3 is odd, which is not possible here"
