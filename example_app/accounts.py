"""Accounts: who somebody is, for the middleware, and the routes that begin and end an account."""

from typing import Any

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, ValidationError

from jwt_refresh_middleware import Identity, Issuer, login, logout
from jwt_refresh_middleware.errors import AuthError, TokenRevoked
from jwt_refresh_middleware.fastapi import CurrentUser, require_fresh

from .credentials import Credentials
from .database import Database, UsernameTaken
from .passwords import Passwords
from .problems import documented, problem


class Me(BaseModel):
    """Whoever asks."""

    username: str
    created_at: str
    notes: int


class Accounts:
    """What the issuer and the middleware ask the app about its users."""

    def __init__(self, database: Database, passwords: Passwords) -> None:
        self._database = database
        self._passwords = passwords

    async def create(self, credentials: Credentials) -> None:
        """Keep a new account. Raises UsernameTaken."""
        await self._database.add_user(credentials.username, await self._passwords.hash(credentials.password))

    async def authenticate(self, credentials: dict[str, Any]) -> str | None:
        """The user whose name and password these are; None for wrong ones, and for anything that cannot be any."""
        try:
            given = Credentials.model_validate(credentials, strict=True)
        except ValidationError:
            return None
        stored = await self._database.password_hash(given.username)
        return given.username if await self._passwords.verify(given.password, stored) else None

    async def load_identity(self, subject: str) -> Identity | None:
        """The user at a refresh; None for a deleted one, who gets no new access token."""
        user = await self._database.user(subject)
        return Identity(user.username) if user is not None else None


def routes(accounts: Accounts, database: Database, issuer: Issuer, *, fresh_for: int) -> APIRouter:
    """``POST /auth/register``, ``GET /api/me`` and ``DELETE /auth/account``.

    The account is only deleted by somebody who has given the password in the last ``fresh_for`` seconds.
    """
    router = APIRouter()

    @router.post("/auth/register", responses=documented(400, 403, 409, 422, 503))
    async def register(request: Request, credentials: Credentials) -> Response:
        try:
            await accounts.create(credentials)
        except UsernameTaken:
            return problem(409, "username_taken", "This user name is taken.")
        try:
            # A login that overtook the deletion of an earlier account of this name must not see the new one.
            await issuer.logout_all(credentials.username)
            return await login(request, credentials.username)
        except AuthError:  # another origin, or the store is away: what was refused has not happened
            await database.delete_user(credentials.username)
            raise

    @router.get("/api/me")
    async def me(user: CurrentUser) -> Me:
        account = await database.user(user.identity)
        if account is None:
            raise TokenRevoked
        notes = await database.notes(account.username)
        return Me(username=account.username, created_at=account.created_at, notes=len(notes))

    @router.delete("/auth/account", dependencies=[Depends(require_fresh(max_age=fresh_for))])
    async def delete(request: Request, user: CurrentUser) -> Response:
        await database.delete_user(user.identity)
        await issuer.logout_all(user.identity)
        return await logout(request)

    return router
