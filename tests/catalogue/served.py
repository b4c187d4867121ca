"""The side of the server: services that tests make in its process, and what they ask of them beside HTTP.

What is asked and answered is pickled. An object that cannot be pickled stays here, and the test gets its number; an
object is named by a number and the way from there, attribute by attribute.
"""

import io
import pickle
from collections.abc import Mapping
from functools import cache
from inspect import isawaitable
from typing import Any

from starlette.middleware.cors import CORSMiddleware

from jwt_refresh_middleware import Identity, KeyRing

from ..web.asgi import CLIENT
from ..web.support import PEOPLE, Service, Tokens

SCALARS = (str, bytes, int, float, bool, type(None))
USUAL = "127.0.1.1"
"""From where a test connects if it does not say from which address. It is not one whose proxy headers servers trust."""

Way = tuple[Any, ...]
"""The number of an object, then names of attributes; a tuple of one is a key."""


@cache
def _ring(pem: bytes) -> KeyRing:
    return KeyRing.from_pem(pem)


_dismissed: set[str] = set()


async def load_known(subject: str) -> Identity | None:
    """A ``load_identity`` that a test can take somebody away from."""
    found = PEOPLE.get(subject)
    return found if isinstance(found, Identity) and subject not in _dismissed else None


class Ours(pickle.Unpickler):
    """Reads what a test asks: what it names of ours, instead of sending it, is looked up."""

    def __init__(self, raw: bytes, served: "Served") -> None:
        super().__init__(io.BytesIO(raw))
        self._served = served

    def persistent_load(self, way: Way) -> Any:
        return self._served.find(way)


class Served:
    """The services of one process. Requests go to one of them, the *front*."""

    def __init__(self, first: Service) -> None:
        self.kept: list[Any] = [first]
        self.front = first
        self.addresses = {USUAL: CLIENT[0]}
        """Which address a connection is to have come from, by the one that it did."""

    async def answer(self, asked: bytes) -> bytes:
        """Do what is asked, and say what came of it, or what was raised."""
        try:
            verb, args, named = Ours(asked, self).load()
            said = "told", await getattr(self, verb)(*args, **named)
        except Exception as error:
            said = "raised", error
        try:
            return pickle.dumps(said)
        except Exception as error:
            return pickle.dumps(("raised", TypeError(f"what {verb} said cannot be sent: {error}")))

    def scope(self, scope: dict[str, Any]) -> dict[str, Any]:
        """What the front gets: as behind TLS, and from the address that the test says."""
        if self.front is self.kept[0]:
            return scope
        client = scope["client"] and (self.addresses.get(scope["client"][0], scope["client"][0]), scope["client"][1])
        return scope | {"scheme": "https", "client": client}

    def find(self, way: Way) -> Any:
        number, *steps = way
        found = self.kept[number]
        for step in steps:
            found = found[step[0]] if isinstance(step, tuple) else getattr(found, step)
        return found

    async def begin(
        self, pem: bytes | None, options: dict[str, Any], *, afresh: bool, login: bool
    ) -> tuple[int, str, Tokens | None]:
        """A new service: its number, the name of its cookie, and if it is asked for somebody who is logged in.

        It signs with a key of its own if ``pem`` is given. ``afresh``: the services that the test before has made are
        closed and forgotten.
        """
        if afresh:
            await self._end()
        issuer = dict(options.pop("issuer", None) or {})
        if pem is not None:
            issuer.setdefault("secret", KeyRing(_ring(pem).keys))
        self.front = service = Service(issuer=issuer, **options)
        tokens = await service.login() if login else None
        await self.forget()
        return self._keep(service), service.cookie_name, tokens

    async def to_the_front(self, number: int) -> None:
        self.front = self.kept[number]

    async def _end(self) -> None:
        for one in self.kept[1:]:
            if isinstance(one, Service):
                await one.aclose()
        del self.kept[1:]
        self.front = self.kept[0]
        self.addresses = {USUAL: CLIENT[0]}
        _dismissed.clear()

    async def dismiss(self, subject: str) -> None:
        """From now on :func:`load_known` does not know ``subject``."""
        _dismissed.add(subject)

    async def allow_reading(self, number: int, origins: list[str]) -> None:
        """CORS, outside of the middleware."""
        service = self.kept[number]
        allowed = {"allow_origins": origins, "allow_methods": ["*"], "allow_headers": ["authorization"]}
        service.app = CORSMiddleware(service.app, allow_credentials=True, **allowed)

    async def name(self, loopback: str, address: str) -> None:
        self.addresses[loopback] = address

    async def forget(self) -> None:
        """Forget what has reached the app and the store of the front."""
        self.front.inner.scopes.clear()
        self.front.store.calls.clear()

    async def seen(self) -> dict[str, list[Any]]:
        """What has reached the app and the store of the front since then, and forget it."""
        scopes, calls = [*self.front.inner.scopes], [*self.front.store.calls]
        await self.forget()
        people = [scope["user"].identity if scope["user"].is_authenticated else None for scope in scopes]
        return {"paths": [scope["path"] for scope in scopes], "people": people, "store": calls}

    async def get(self, way: Way) -> tuple[bool, Any]:
        """The value at the end of the way if it is a plain one; else only that there is something."""
        found = self.find(way)
        return isinstance(found, SCALARS), found if isinstance(found, SCALARS) else None

    async def value(self, way: Way) -> Any:
        found = self.find(way)
        return dict(found) if isinstance(found, Mapping) else found

    async def items(self, way: Way) -> list[tuple[int | None, Any]]:
        """Each its number if it stays here, itself if not."""
        return [self._sent(item) for item in self.find(way)]

    async def put(self, way: Way, name: str, value: Any) -> None:
        setattr(self.find(way), name, value)

    async def same(self, one: Any, other: Any) -> bool:
        return bool(one == other)

    async def call(self, way: Way, args: tuple[Any, ...], named: dict[str, Any]) -> tuple[bool, int | None, Any]:
        """Whether the result had to be waited for, its number if it stays here, itself if not."""
        result = self.find(way)(*args, **named)
        waited = isawaitable(result)
        if waited:
            result = await result
        return waited, *self._sent(result)

    def _sent(self, thing: Any) -> tuple[int | None, Any]:
        try:
            pickle.dumps(thing)
        except Exception:
            return self._keep(thing), None
        return None, thing

    def _keep(self, thing: Any) -> int:
        self.kept.append(thing)
        return len(self.kept) - 1
