"""The clients: JavaScript for browsers, and :mod:`.httpx` for Python. They know nothing of the server."""
