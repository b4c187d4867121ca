"""What can become of a refresh.

::

    RefreshError
    ├── SessionEnded         the session is over: log in again, then set the new tokens
    ├── StepUpRequired       the session lives, but the person must authenticate again first
    └── RefreshUnavailable   nobody knows: try again later, the session is kept
"""

import copy
from collections.abc import Mapping
from typing import Any, Self


class RefreshError(Exception):
    """The root of what a request through ``RefreshAuth`` may raise beside the errors of the HTTP library.

    No error holds a token, in its text, its arguments, its attributes or as its cause: they may be logged.

    Attributes:
        code: the server's code (``refresh_invalid``, …), or one of this client's own: ``no_tokens``, ``network``,
            ``unexpected_answer``.
        problem: the members of the server's problem (RFC 9457) that this client knows; empty without one.
    """

    def __init__(self, message: str = "", *, code: str = "", problem: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.problem: Mapping[str, Any] = dict(problem or {})

    def another(self) -> Self:
        """The same for somebody else who waits: an exception raised in two threads would mix their tracebacks."""
        return copy.copy(self)


class SessionEnded(RefreshError):
    """The server ended the session, or there are no tokens. They are forgotten: log in and set the new ones.

    Until then every request that would carry a token raises this, without any network.
    """


class StepUpRequired(RefreshError):
    """The server wants the person to authenticate again before it renews (RFC 9470). The tokens are kept.

    ``POST {prefix}/step-up`` with the refresh token and credentials, without this auth, answers with new tokens.
    """


class RefreshUnavailable(RefreshError):
    """No usable answer: network, time-out, 429, 5xx, or an answer that is not the issuer's. The tokens are kept.

    Attributes:
        retry_after: seconds until this client tries again; requests before that raise without any network.
        status: the HTTP status that came; None if none did.
    """

    def __init__(
        self,
        message: str = "",
        *,
        code: str = "",
        problem: Mapping[str, Any] | None = None,
        retry_after: float = 0.0,
        status: int | None = None,
    ) -> None:
        super().__init__(message, code=code, problem=problem)
        self.retry_after = retry_after
        self.status = status
