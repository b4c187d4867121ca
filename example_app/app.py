"""The app, put together: an issuer over the sessions, the middleware around FastAPI, and the routes."""

import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from fastapi import FastAPI

from jwt_refresh_middleware import Cookie, DevicePolicy, Issuer, JWTRefreshMiddleware
from jwt_refresh_middleware.fastapi import document
from jwt_refresh_middleware.login_limits import LoginLimits
from jwt_refresh_middleware.stores.sqlite import SQLiteStore

from . import accounts, demo, notes, pages, places, presets, problems
from .accounts import Accounts
from .credentials import Credentials
from .database import Database
from .passwords import Passwords
from .settings import LOOPBACK, Settings


def _issuer(settings: Settings, people: Accounts, stage: demo.Stage) -> Issuer:
    return Issuer(
        settings.keys,
        SQLiteStore(settings.database),
        access_ttl=settings.access_ttl,
        refresh_ttl=settings.refresh_ttl,
        load_identity=people.load_identity,
        # The same browser from anywhere; but who is in two networks at once has to prove who they are.
        device_policy=DevicePolicy(concurrent_networks="step_up"),
        on_event=stage.count,
        locator=places.Invented(),
    )


def create_app(settings: Settings | None = None) -> FastAPI:
    """The whole app. Nothing is opened before it starts; the middleware opens and closes the session store.

    ``settings``: default, those of the process's environment. Raises SettingsError for one that cannot work.
    """
    settings = Settings.from_environment(os.environ) if settings is None else settings
    database = Database(settings.database)
    people = Accounts(database, Passwords())
    stage = demo.Stage()
    cookie = Cookie(secure=not settings.insecure_cookie)
    issuer = _issuer(settings, people, stage)
    little = presets.Presets(issuer, cookie)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as opened:
            await database.open()
            opened.push_async_callback(database.close)
            await opened.enter_async_context(little)
            yield

    # The schema but no /docs: its page loads from elsewhere, which the policy of this one forbids.
    app = FastAPI(title="Notes", lifespan=lifespan, docs_url=None, redoc_url=None)
    document(app, credentials=Credentials)
    app.include_router(accounts.routes(people, database, issuer, fresh_for=settings.fresh_for))
    app.include_router(notes.routes(database))
    app.include_router(demo.routes(stage, issuer, cookie), responses=problems.documented(409))
    little.install(app)
    pages.install(app)
    problems.install(app)
    # The one that is added last is the outermost.
    app.add_middleware(demo.Expiring, stage=stage)
    app.add_middleware(
        JWTRefreshMiddleware,
        issuer=issuer,
        authenticate=people.authenticate,
        public=[*pages.PUBLIC, "/auth/register", "/openapi.json"],
        cookie=cookie,
        trusted_proxies=LOOPBACK,
        login_limits=LoginLimits(per_account=(5, settings.login_window), per_address=(20, settings.login_window)),
    )
    app.add_middleware(demo.Losing, stage=stage, issuer=issuer, cookie=cookie)
    app.add_middleware(pages.SecurityHeaders)
    return app
