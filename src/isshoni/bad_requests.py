"""The answer to an HTTP request whose body or parameters do not fit."""

from typing import Any

import msgspec
from fastapi import FastAPI, Request
from fastapi.encoders import jsonable_encoder
from fastapi.exceptions import RequestValidationError
from starlette.responses import Response

from isshoni.validation import strip_prefix


def explain_bad_requests(app: FastAPI) -> None:
    """Answer a request that does not fit with 422, whatever values are in it."""
    app.exception_handler(RequestValidationError)(_explain)


async def _explain(_: Request, fault: RequestValidationError) -> Response:
    """Return FastAPI's answer; a value that JSON cannot carry is shown as text."""
    # FastAPI repeats the value, and fails to encode infinity and lone surrogates: a 500.
    errors = [{**error, "msg": strip_prefix(error)} for error in fault.errors()]
    detail = jsonable_encoder(errors, custom_encoder={float: _show_float, str: _show_text})
    content = msgspec.json.encode({"detail": detail})
    return Response(content, status_code=422, media_type="application/json")


def _show_float(value: float) -> Any:
    return value if value - value == 0 else str(value)


def _show_text(text: str) -> str:
    return text.encode(errors="backslashreplace").decode()
