"""The examination of an app: all checks over every middleware in it."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from . import cookies, cors, key_files, lifetimes, processes, proxies, public, secrecy, store_findings, wiring
from .circumstances import Circumstances
from .findings import Check, Finding, Severity, in_order
from .loading import CannotExamine, load, told
from .refusals import refusals
from .second_process import other_keys
from .store_looks import look as look_at_store
from .subject import Subject, subjects
from .walking import CannotBuild

CHECKS: tuple[Check, ...] = (
    *cors.CHECKS,
    *cookies.CHECKS,
    *public.CHECKS,
    *secrecy.CHECKS,
    *processes.CHECKS,
    *proxies.CHECKS,
    *store_findings.CHECKS,
    *key_files.CHECKS,
    *lifetimes.CHECKS,
    *wiring.CHECKS,
)
"""All that is looked for."""

_LOOKS: tuple[Callable[[Subject, Circumstances], Iterator[Finding]], ...] = (
    cors.look,
    cookies.look,
    public.look,
    secrecy.look,
    processes.look,
    proxies.look,
    key_files.look,
    lifetimes.look,
    wiring.look,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What came of an examination.

    Attributes:
        target: what was examined.
        middlewares: where each middleware is that was found.
        findings: the worst first.
    """

    target: str
    middlewares: tuple[str, ...]
    findings: tuple[Finding, ...]

    def count(self, severity: Severity) -> int:
        """How many findings of one severity there are."""
        return sum(finding.severity == severity for finding in self.findings)

    @property
    def is_clean(self) -> bool:
        """Whether there is neither an error nor a warning."""
        return not self.count("error") and not self.count("warning")


def examine(
    target: str,
    circumstances: Circumstances,
    *,
    app_dir: str = ".",
    factory: bool = False,
    offline: bool = False,
    twice: bool = True,
    timeout: float = 5.0,
) -> Report:
    """Import an app, find the middleware in it and look at everything. Nothing is started, nothing is written.

    Args:
        target: ``module:attribute``.
        circumstances: how it is going to be run.
        app_dir: where modules are looked for first. Default: the working directory.
        factory: whether the attribute is a function that makes the app.
        offline: whether to leave the store alone.
        twice: whether to import the app in a second process too, and to compare the keys.
        timeout: seconds for each store.

    Raises:
        NotUnderstood: a target of another form.
        CannotExamine: the app could not be imported, or no middleware is in it.
    """
    app = load(target, app_dir=app_dir, factory=factory)
    try:
        found = [*subjects(app)]
    except CannotBuild as failed:
        refused = refusals(failed.app)
        if not refused:
            raise CannotExamine(f"its middleware cannot be made: {told(failed.error, circumstances.environ)}") from None
        return Report(target=target, middlewares=("JWTRefreshMiddleware",), findings=in_order(refused))
    if not found:
        hint = "" if factory else " (if it is a function that makes the app: --factory)"
        raise CannotExamine(f"there is no JWTRefreshMiddleware in {target}{hint}")
    findings = [finding for one in found for look in _LOOKS for finding in look(one, circumstances)]
    if twice:
        for one, differ in zip(found, other_keys(found, target, app_dir=app_dir, factory=factory), strict=True):
            findings += processes.look_at_keys(one, circumstances, differ=differ)
    if not offline:
        findings += asyncio.run(_stores(found, circumstances, timeout))
    return Report(target=target, middlewares=tuple(one.where for one in found), findings=in_order(findings))


async def _stores(found: list[Subject], circumstances: Circumstances, patience: float) -> list[Finding]:
    issuers = {id(one.settings.issuer): one.settings.issuer for one in found if one.settings.issuer is not None}
    looks = [look_at_store(issuer, patience=patience, environ=circumstances.environ) for issuer in issuers.values()]
    return [finding for findings in await asyncio.gather(*looks) for finding in findings]
