"""For Starlette: guards for scopes and step-up, as decorators of endpoints. Who is asking is ``request.user``."""

from .web.guards import require_acr, require_fresh, require_scopes

__all__ = ["require_acr", "require_fresh", "require_scopes"]
