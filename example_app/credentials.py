"""What may be a user name and a password. One place says it, for the registration and for the login."""

import unicodedata
from typing import Annotated

from pydantic import AfterValidator, BaseModel, Field

MAX_USERNAME = 64
MIN_PASSWORD = 8
MAX_PASSWORD = 1024


def clean_username(text: str) -> str:
    """The one spelling of a user name (Unicode NFC: keyboards differ).

    Raises:
        ValueError: not 1 to 64 printable characters without spaces.
    """
    name = unicodedata.normalize("NFC", text)
    if not 1 <= len(name) <= MAX_USERNAME or " " in name or not name.isprintable():
        raise ValueError(f"A user name is 1 to {MAX_USERNAME} printable characters without spaces.")
    return name


def clean_password(text: str) -> str:
    """The one spelling of a password (Unicode NFC, as RFC 8265, 4.2.2).

    Raises:
        ValueError: under 8 or over 1024 characters, or not text that can be encoded.
    """
    password = unicodedata.normalize("NFC", text)
    if not MIN_PASSWORD <= len(password) <= MAX_PASSWORD:
        raise ValueError(f"A password has {MIN_PASSWORD} to {MAX_PASSWORD} characters.")
    try:
        password.encode("utf-8")
    except UnicodeEncodeError:
        raise ValueError("A password is text.") from None
    return password


# What JSON Schema can say of the same: classes of Unicode, as str.isprintable() has them.
_USERNAME = {"minLength": 1, "maxLength": MAX_USERNAME, "pattern": r"^[\p{L}\p{M}\p{N}\p{P}\p{S}]+$"}
_PASSWORD = {"minLength": MIN_PASSWORD, "maxLength": MAX_PASSWORD, "format": "password"}


class Credentials(BaseModel):
    """A user name and a password, clean."""

    username: Annotated[str, AfterValidator(clean_username), Field(json_schema_extra=_USERNAME)]
    password: Annotated[str, AfterValidator(clean_password), Field(json_schema_extra=_PASSWORD)]
