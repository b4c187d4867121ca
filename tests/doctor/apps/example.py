"""The example and its gateway, as they are made for a server. A module that is imported anew for each examination."""

from example_app.app import create_app
from example_app.gateway import create_gateway

__all__ = ["create_app", "gateway"]

gateway = create_gateway({})
