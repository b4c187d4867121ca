"""Apps with one mistake each: the doctor finds it, and nothing else that is wrong."""

import os
from typing import Any

import pytest

from jwt_refresh_middleware import KeyRing

from ..servers import free_port
from .patients import ROOT, Surgery, serious

MISTAKES: list[tuple[str, dict[str, Any], list[str]]] = [
    ("cors_inside", {}, ["cors.inside"]),
    ("cors_without_credentials", {}, ["cors.credentials"]),
    ("cors_for_everybody", {}, ["cors.any_origin"]),
    ("cookie_elsewhere", {}, ["cookie.path"]),
    ("cookie_for_neighbours", {}, ["cookie.domain"]),
    ("cookie_without_tls", {"scheme": "https"}, ["cookie.insecure"]),
    ("public_misspelt", {}, ["public.unmatched"]),
    ("public_impossible", {}, ["public.impossible"]),
    ("public_everything", {}, ["public.everything"]),
    ("memory_store", {"workers": 4}, ["workers.memory_store"]),
    ("memory_limits", {"workers": 2}, ["workers.memory_limits"]),
    ("random_keys", {"workers": 2, "twice": True}, ["workers.random_secret"]),
    ("weak_secret", {}, ["secret.weak"]),
    ("shared_secret", {}, ["secret.shared"]),
    ("gateway_with_the_secret", {}, ["secret.gateway"]),
    ("unknown_proxy", {"proxy_headers": True}, ["proxy.nobody"]),
    ("every_proxy", {}, ["proxy.everybody"]),
    ("no_tables", {}, ["store.tables"]),
    ("no_redis", {}, ["store.unreachable"]),
    ("long_access", {}, ["lifetime.access"]),
    ("shadowed_route", {}, ["wiring.shadowed"]),
    ("nobody_guards", {}, ["wiring.unguarded"]),
    ("twice", {}, ["wiring.twice"]),
    ("deaf", {}, ["wiring.on_event"]),
    ("debugging", {}, ["wiring.debug"]),
    ("readable_keys", {}, ["keys.readable", "keys.no_next"]),
]


@pytest.fixture(autouse=True)
def environment(surgery: Surgery) -> None:
    """What single apps read beside the secret."""
    keys = surgery.directory / "keys.json"
    ring = KeyRing.generate("EdDSA")
    KeyRing(ring.held[:1], secrets=ring.secrets).save(keys)
    keys.chmod(0o644)
    surgery.set(AUTH_KEYS=str(keys), REDIS_URL=f"redis://:hunter2-the-password@127.0.0.1:{free_port()}/0")
    surgery.directory.joinpath("tests").symlink_to(ROOT / "tests")


@pytest.mark.parametrize(("app", "options", "expected"), MISTAKES, ids=[app for app, _, _ in MISTAKES])
def test_the_one_mistake_is_found_and_nothing_else(
    surgery: Surgery, app: str, options: dict[str, Any], expected: list[str]
) -> None:
    before = sorted(os.listdir(surgery.directory))
    report = surgery.examine(app, **options)
    assert serious(report) == expected
    assert surgery.secret not in repr(report)
    assert "hunter2" not in repr(report)
    assert sorted(os.listdir(surgery.directory)) == before  # nothing was made, not even a database


@pytest.mark.parametrize(
    ("app", "options"),
    [
        ("cookie_without_tls", {"scheme": "http"}),
        ("memory_store", {"workers": 1}),
        ("memory_limits", {}),
        ("unknown_proxy", {}),
        ("random_keys", {}),
        ("no_redis", {"offline": True}),
        ("no_tables", {"offline": True}),
    ],
)
def test_in_other_circumstances_it_is_none(surgery: Surgery, app: str, options: dict[str, Any]) -> None:
    assert serious(surgery.examine(app, **options)) == []


def test_nothing_is_found_in_a_sound_app(surgery: Surgery) -> None:
    report = surgery.examine("sound", scheme="https")
    assert report.findings == ()
    assert report.middlewares == ("JWTRefreshMiddleware",)
