"""The public names, and one error class per row of the table."""

import inspect

import pytest

import jwt_refresh_middleware
from jwt_refresh_middleware import errors
from jwt_refresh_middleware.errors import AuthError

from .problems import TABLE

CONTRACT = {
    "Issuer", "Verifier", "JWTRefreshMiddleware", "Identity", "Device", "Session", "AccessToken", "TokenPair",
    "Cookie", "KeyRing", "DevicePolicy", "SessionStore", "MemoryStore", "login", "logout",
}  # fmt: skip

CLASSES = [
    error
    for _, error in inspect.getmembers(errors, inspect.isclass)
    if issubclass(error, AuthError) and "code" in vars(error)
]


def test_all_is_sorted_and_has_no_duplicates() -> None:
    names = jwt_refresh_middleware.__all__
    assert list(names) == sorted(set(names))


def test_all_is_what_the_contract_names() -> None:
    assert set(jwt_refresh_middleware.__all__) >= CONTRACT


def test_all_is_importable_and_complete() -> None:
    public = {
        name
        for name, value in vars(jwt_refresh_middleware).items()
        if not name.startswith("_") and not inspect.ismodule(value)
    }
    assert public == set(jwt_refresh_middleware.__all__)


def test_one_class_per_code() -> None:
    assert sorted(error.code for error in CLASSES) == sorted(TABLE)


@pytest.mark.parametrize("error", CLASSES, ids=lambda error: error.__name__)
def test_class_says_what_its_row_says(error: type[AuthError]) -> None:
    row = TABLE[error.code]
    assert (error.status, error.action, error.error) == (row.status, row.action, row.error)


@pytest.mark.parametrize("error", CLASSES, ids=lambda error: error.__name__)
def test_every_class_can_be_raised_without_arguments(error: type[AuthError]) -> None:
    raised = error()
    assert raised.code in str(raised)
    assert raised.title
    assert raised.detail


def test_class_names_are_the_codes() -> None:
    for error in CLASSES:
        assert error.__name__.lower() == error.code.replace("_", "")
