"""What can become of a refresh.

::

    RefreshError
    ├── SessionEnded         the session is over: log in again, then set the new tokens
    ├── StepUpRequired       the session lives, but the person must authenticate again first
    ├── StepUpRefused        what the person gave for that was not right; the session lives
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

    ``RefreshAuth.step_up`` sends what the person gives for that.
    """

    @property
    def max_age(self) -> int | None:
        """How many seconds ago the person may have authenticated; None if the server does not say (RFC 9470, 3)."""
        value = self.problem.get("max_age")
        return value if isinstance(value, int) else None

    @property
    def acr_values(self) -> tuple[str, ...]:
        """Authentication contexts of which one is needed; empty if the server does not say (RFC 9470, 3)."""
        value = self.problem.get("acr_values")
        return tuple(value.split()) if isinstance(value, str) else ()


class StepUpRefused(RefreshError):
    """A step-up was answered that this is not the person of the session, mostly ``invalid_credentials``.

    The tokens are kept, and nothing of the session has changed.
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
