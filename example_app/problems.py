"""The app's own errors, in the shape of the middleware's (RFC 9457), so that the page reads one kind only."""

from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException


def problem(status: int, code: str, detail: str) -> JSONResponse:
    """An error as ``application/problem+json``."""
    content = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "code": code,
        "detail": detail,
        "action": "none",
        "error": None,
    }
    return JSONResponse(content, status, media_type="application/problem+json", headers={"Cache-Control": "no-store"})


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """What FastAPI is told of these errors; the schema of all of them is the middleware's."""
    content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/AuthProblem"}}}
    return {status: {"description": HTTPStatus(status).phrase, "content": content} for status in statuses}


async def _invalid_request(_request: Request, error: Exception) -> JSONResponse:
    """What was wrong, without FastAPI's echo of the input: that may be a password."""
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    cause = first.get("ctx", {}).get("error")
    if isinstance(cause, ValueError):
        return problem(422, "invalid_input", str(cause))
    where = ".".join(str(part) for part in first["loc"][1:])
    return problem(422, "invalid_input", f"{where}: {first['msg']}" if where else first["msg"])


async def _http_error(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    answer = problem(error.status_code, HTTPStatus(error.status_code).name.lower(), str(error.detail))
    answer.headers.update(error.headers or {})
    return answer


def install(app: FastAPI) -> None:
    """Answer the app's errors as problems."""
    app.add_exception_handler(RequestValidationError, _invalid_request)
    app.add_exception_handler(HTTPException, _http_error)
