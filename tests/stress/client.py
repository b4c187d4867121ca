"""Honest clients: a session as the browser that holds it sees it, and the count of what happened to all of them."""

import asyncio
import base64
import json
import secrets
import time
from collections import Counter
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from .fleet import Answer, Fleet, Lost, Server
from .history import NEW, REFUSED, Operation, State, linearizable

_numbers = count()


@dataclass(slots=True)
class Tally:
    """What all clients of a phase have seen. ``examples`` are for whoever has to find out why."""

    sent: int = 0
    ok: int = 0
    refused: int = 0
    unavailable: int = 0
    failed: int = 0
    lost: int = 0
    doubles: int = 0
    crossed: int = 0
    used: int = 0
    shut_out: int = 0
    milliseconds: list[float] = field(default_factory=list)
    histories: Counter[bool | None] = field(default_factory=Counter)
    examples: list[str] = field(default_factory=list)

    @property
    def answered(self) -> int:
        return self.sent - self.lost

    def example(self, text: str) -> None:
        if len(self.examples) < 10:
            self.examples.append(text)

    def count(self, answer: Answer) -> None:
        """Count the answer to a refresh."""
        self.milliseconds.append(answer.seconds * 1000)
        if answer.status == 200:
            self.ok += 1
        elif answer.status == 503:
            self.unavailable += 1
        elif answer.status in (401, 403):
            self.refused += 1
        else:
            self.failed += 1
            self.example(f"a refresh was answered {answer.status} {answer.code}")


def claims(access_token: str) -> dict[str, Any]:
    payload = access_token.split(".")[1]
    content: dict[str, Any] = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return content


class Client:
    """One session.

    Attributes:
        generation: of the newest refresh token that has arrived.
        refresh_tokens, access_tokens: every one that has arrived, by generation.
        history: what was asked of the session, for ``history.py``.
        ended: whether an answer has said that the session is over.
    """

    def __init__(self, tally: Tally, name: str = "") -> None:
        self.tally = tally
        self.name = name or f"user-{next(_numbers)}-{secrets.token_hex(3)}"
        self.session_id = ""
        self.generation = 0
        self.ended = False
        self.refresh_tokens: dict[int, str] = {}
        self.access_tokens: dict[int, str] = {}
        self.history: list[Operation] = []
        self._successors: dict[int, str] = {}

    async def login(self, server: Server) -> "Client":
        """Log in, however often that has to be tried."""
        while True:
            try:
                answer = await server.ask("POST", "/auth/login", {"username": self.name})
            except Lost:
                answer = None
            if answer is not None and answer.status == 200:
                break
            if answer is not None and answer.status != 503:
                raise AssertionError(f"a login was answered {answer.status} {answer.body}")
            await asyncio.sleep(0.02)
        said = claims(answer.body["access_token"])
        self.session_id = said["sid"]
        self._keep(answer, said["gen"])
        return self

    def _keep(self, answer: Answer, generation: int) -> None:
        self.refresh_tokens[generation] = answer.body["refresh_token"]
        self.access_tokens[generation] = answer.body["access_token"]
        self.generation = max(self.generation, generation)

    async def refresh(self, server: Server, generation: int | None = None, *, ignored: bool = False) -> Answer | None:
        """Exchange the newest refresh token, or the one of ``generation``. None if the connection broke.

        An ``ignored`` answer is looked at by the harness, but not by the client.
        """
        presented = self.generation if generation is None else generation
        operation = Operation(presented, time.monotonic())
        self.history.append(operation)
        self.tally.sent += 1
        try:
            answer = await server.ask("POST", "/auth/refresh", {"refresh_token": self.refresh_tokens[presented]})
        except Lost:
            self.tally.lost += 1
            return None
        self.tally.count(answer)
        if answer.status == 200:
            operation.answered, operation.outcome = time.monotonic(), self._take(answer, presented, ignored)
        elif answer.status in (401, 403):
            operation.answered, operation.outcome = time.monotonic(), REFUSED
            self.ended = True
        return answer

    async def refresh_and_leave(self, server: Server, number: str, after: float) -> None:
        """Send a refresh and drop the connection after so many seconds."""
        self.history.append(Operation(self.generation, time.monotonic()))
        self.tally.sent += 1
        self.tally.lost += 1
        body = {"refresh_token": self.refresh_tokens[self.generation]}
        await server.ask_and_leave("/auth/refresh", body, number, after)

    def _take(self, answer: Answer, presented: int, ignored: bool) -> int:
        """Look at a new pair; returns its generation."""
        said = claims(answer.body["access_token"])
        if (said["sid"], said["sub"]) != (self.session_id, self.name):
            self.tally.crossed += 1
            self.tally.example(f"{self.name} {self.session_id} was given a token of {said['sub']} {said['sid']}")
        successor = answer.body["refresh_token"]
        if self._successors.setdefault(presented, successor) != successor:
            self.tally.doubles += 1
            self.tally.example(f"{self.session_id}: generation {presented} has two successors")
        generation: int = said["gen"]
        if not ignored:
            self._keep(answer, generation)
        return generation

    async def use(self, server: Server, generation: int | None = None) -> Answer | None:
        """Ask a protected route with the newest access token; a refusal is counted as such."""
        token = self.access_tokens[self.generation if generation is None else generation]
        try:
            answer = await server.ask("GET", "/me", token=token)
        except Lost:
            return None
        self.tally.used += 1
        if answer.status != 200:
            self.tally.shut_out += 1
            self.tally.example(f"a good access token was answered {answer.status} {answer.code}")
        elif answer.body["subject"] != self.name:
            self.tally.crossed += 1
            self.tally.example(f"{self.name} was taken for {answer.body['subject']}")
        return answer

    async def end(self, server: Server, method: str, path: str, body: dict[str, Any] | None, token: str) -> bool:
        """End the session by a request, however often that has to be tried; False if the connection broke."""
        while True:
            operation = Operation(None, time.monotonic())
            self.history.append(operation)
            try:
                answer = await server.ask(method, path, body, token=token)
            except Lost:
                return False
            if answer.status in (200, 204, 404):
                operation.answered, operation.outcome = time.monotonic(), 0
                return True
            if answer.status != 503:
                raise AssertionError(f"{method} {path} was answered {answer.status} {answer.body}")
            await asyncio.sleep(0.02)

    async def logout(self, server: Server, generation: int | None = None) -> bool:
        presented = self.generation if generation is None else generation
        return await self.end(server, "POST", "/auth/logout", {"refresh_token": self.refresh_tokens[presented]}, "")

    def check_history(self, start: State = NEW, *, reuse_of_previous: bool = False) -> None:
        """Check what has been recorded since the last check."""
        history, self.history = self.history, []
        verdict = linearizable(history, start, reuse_of_previous=reuse_of_previous)
        self.tally.histories[verdict] += 1
        if verdict is False:
            told = ", ".join(f"{one.presented}->{one.outcome}" for one in history[-12:])
            self.tally.example(f"{self.session_id}: a history that cannot be, ending in {told}")


async def acknowledged(clients: list[Client], fleet: Fleet) -> None:
    """Let every client show its newest access token, which says that it has the refresh token beside it as well."""
    await asyncio.gather(
        *(client.use(fleet.servers[number % len(fleet.servers)]) for number, client in enumerate(clients))
    )
