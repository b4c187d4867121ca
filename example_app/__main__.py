"""``python -m example_app``: check the settings, say which page to open, serve."""

import logging
import os
import sys

import uvicorn

from .app import create_app
from .settings import Settings, SettingsError


def main() -> int:
    """Serve until interrupted; 2 for settings that cannot work."""
    logging.basicConfig(format="%(levelname)s: %(name)s: %(message)s")
    try:
        settings = Settings.from_environment(os.environ)
    except SettingsError as error:
        sys.stderr.write(f"example_app: {error}\n")
        return 2
    app = create_app(settings)
    seconds = int(settings.access_ttl.total_seconds())
    sys.stdout.write(f"Open {settings.url} in a browser. An access token lives {seconds} s (ACCESS_TTL).\n")
    sys.stdout.flush()
    # Which X-Forwarded-For is believed is the middleware's business.
    uvicorn.run(app, host=settings.host, port=settings.port, proxy_headers=False, server_header=False)
    return 0


if __name__ == "__main__":
    sys.exit(main())
