"""After the reboot: a new issuer on what the crash left, and everything that must be true then."""

import asyncio
import random
import sqlite3
from collections.abc import Awaitable, Iterable
from contextlib import closing
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

from jwt_refresh_middleware import Issuer, Session
from jwt_refresh_middleware.errors import AuthError, StoreUnavailable
from jwt_refresh_middleware.testing import Clock

from .disk import Image
from .model import Known, Model, fields_of, successor
from .recording import write_image
from .workload import DEVICE, make_issuer, store_of

T = TypeVar("T")

_SOON, _LATE = 1.0, 12 * 3600.0
"""Seconds until the clients come back: within the leeway of the last rotation, or long after it."""


class Trouble(StrEnum):
    """What a power loss must not do."""

    LOST = "an acknowledged operation is gone"
    SPENT = "a spent token was accepted"
    ALIVE = "an ended session lives"
    LOCKED_OUT = "a client with its last token was locked out"
    INVENTED = "something is there that nobody asked for"
    CORRUPT = "the database is damaged or does not open"


class Findings:
    """What was wrong with one image.

    Attributes:
        troubles: each with what it was seen on.
        lost: how many acknowledged operations are gone; a session that is gone counts for all of its own.
    """

    def __init__(self) -> None:
        self.troubles: dict[Trouble, str] = {}
        self.lost = 0

    def add(self, trouble: Trouble, details: object) -> None:
        self.troubles.setdefault(trouble, str(details))


async def examine(directory: Path, image: Image, model: Model, chance: random.Random) -> Findings:
    """Start a worker on the image as it stands after a reboot, and let every client of the model come back.

    The shared-memory index is not in the image. Uses ``directory`` for the files.
    """
    found, path = Findings(), write_image(directory, image)
    clock = Clock(model.now + chance.choice((_SOON, _LATE)))
    issuer = make_issuer(path, clock)
    try:
        await issuer.open()
        await _Visit(issuer, model, found).all(clock.now - model.now > _SOON, chance)
        with closing(sqlite3.connect(path)) as database:
            verdict = database.execute("PRAGMA integrity_check").fetchall()
        if verdict != [("ok",)]:
            found.add(Trouble.CORRUPT, verdict[0][0])
    except Exception as error:  # a damaged row may raise anything, and whatever it is, it is found
        found.add(Trouble.CORRUPT, repr(error))
    finally:
        await issuer.aclose()
        await store_of(issuer).close()  # where the issuer could not be opened, it closes nothing
    return found


async def _all(awaitables: Iterable[Awaitable[T]]) -> list[T]:
    """Wait for all of them, also where one raises, so that none is under way when the store is closed."""
    answers = await asyncio.gather(*awaitables, return_exceptions=True)
    for answer in answers:
        if isinstance(answer, BaseException):
            raise answer
    return [answer for answer in answers if not isinstance(answer, BaseException)]


class _Visit:
    """The clients of a model, one round of them."""

    def __init__(self, issuer: Issuer, model: Model, found: Findings) -> None:
        self._issuer = issuer
        self._model = model
        self._found = found
        self._rows: dict[str, Session | None] = {}

    async def all(self, is_late: bool, chance: random.Random) -> None:
        sessions = self._model.sessions
        store = store_of(self._issuer)
        self._rows = dict(zip(sessions, await _all(map(store.get, sessions)), strict=True))
        for session_id, known in sessions.items():
            self._compare(session_id, known)
        subjects = {known.subject for known in sessions.values()} | set(self._model.logins.values())
        await _all(map(self._no_others, sorted(subjects)))
        visits = []
        for session_id, known in sessions.items():
            spent = _spent_token(known, is_late)
            if known.least["ended"]:
                visits.append(self._ended(known))
            elif spent and not known.most["ended"] and chance.random() < 0.5:
                visits.append(self._thief(spent))
            else:
                visits.append(self._owner(session_id, known))
        await _all(visits)

    def _compare(self, session_id: str, known: Known) -> None:
        """The row says at least what was acknowledged, and no more than what was asked for."""
        row = self._rows[session_id]
        if row is None:
            self._found.lost += known.operations
            self._found.add(Trouble.LOST, f"session {session_id}")
            return
        for name, value in fields_of(row).items():
            if value < known.least[name]:
                self._found.lost += known.least[name] - value if name == "generation" else 1
                self._found.add(Trouble.LOST, f"{name} of {session_id} is {value}, not {known.least[name]}")
            if value > known.most[name]:
                self._found.add(Trouble.INVENTED, f"{name} of {session_id} is {value}, at most {known.most[name]}")

    async def _no_others(self, subject: str) -> None:
        """No session but those that were acknowledged, and those whose login was under way."""
        rows = await store_of(self._issuer).sessions(subject, now=self._issuer.clock())
        others = [row.id for row in rows if row.id not in self._model.sessions]
        if len(others) > list(self._model.logins.values()).count(subject):
            self._found.add(Trouble.INVENTED, f"sessions of {subject}: {others}")

    async def _ended(self, known: Known) -> None:
        """Neither of its tokens is good for anything."""
        if await self._refresh(known.refresh_token) != "refresh_invalid":
            self._found.add(Trouble.ALIVE, f"a refresh token of {known.subject}")
        try:
            self._issuer.verifier.verify(known.access_token)
        except AuthError as error:
            if error.code == "token_revoked":
                return
        self._found.add(Trouble.ALIVE, f"an access token of {known.subject}")

    async def _thief(self, spent: str) -> None:
        if await self._refresh(spent) != "refresh_invalid":
            self._found.add(Trouble.SPENT, spent)

    async def _owner(self, session_id: str, known: Known) -> None:
        """Retries the last token it was given, and goes on from there: the successors are always the same."""
        token, row = known.refresh_token, self._rows[session_id]
        if known.most["ended"] and row is not None and row.revoked_at is not None:
            if await self._refresh(token) != "refresh_invalid":
                self._found.add(Trouble.ALIVE, f"a session of {known.subject} that was being ended")
            return
        for _ in range(2):
            answer = await self._refresh(token)
            if answer != successor(token):
                generation = known.least["generation"]
                self._found.add(Trouble.LOCKED_OUT, f"{known.subject} with generation {generation}: {answer}")
                return
            token = answer

    async def _refresh(self, token: str) -> str:
        """The next refresh token, or the code of the error."""
        try:
            return (await self._issuer.refresh(token, device=DEVICE)).refresh_token
        except StoreUnavailable:
            raise
        except AuthError as error:
            return error.code


def _spent_token(known: Known, is_late: bool) -> str:
    """A token of the session that is surely spent, whatever of an unanswered refresh came through; empty if none is."""
    steps = 1 if is_late and known.least["acknowledged"] == known.least["generation"] else 2
    return successor(known.refresh_token, -steps) if known.least["generation"] >= steps else ""
