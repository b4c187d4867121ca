"""What all the sample apps have in common: who may log in, and where the secret comes from."""

import os
from typing import Any

PAGES = ["https://app.example.com"]


async def check_password(credentials: dict[str, Any]) -> str | None:
    return "user-1" if credentials == {"username": "ada", "password": "correct horse"} else None


def secret() -> str:
    return os.environ["AUTH_SECRET"]
