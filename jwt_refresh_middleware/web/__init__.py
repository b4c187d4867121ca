"""The HTTP side: everything in here, and nothing below it, knows ASGI."""
