"""The gateway of the example, as ``python -m example_app.gateway`` makes it."""

from example_app.gateway import create_gateway

gateway = create_gateway({})
