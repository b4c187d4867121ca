"""The example, as ``python -m example_app`` makes it."""

import os

from fastapi import FastAPI

from example_app.app import create_app
from example_app.gateway import create_gateway
from example_app.settings import Settings


def app() -> FastAPI:
    return create_app(Settings.from_environment(os.environ))


gateway = create_gateway({})
