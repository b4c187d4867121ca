"""Faults in the step-up over HTTP and in guards: every single check there is, and what is done in which order."""

from .every_check import every_check
from .fault import Fault

_WEB = "tests/web/test_"
_ROUTE = _WEB + "step_up.py"
_STEP = _ROUTE + "::test_"
_WRONG = _STEP + "wrong_and_right_for_somebody_else_are_one_answer"

FAULTS = (
    *every_check("web/step_up.py", (_ROUTE, _WEB + "handlers.py")),
    *every_check("web/demands.py", (_WEB + "demands.py",)),
    *every_check("web/guards.py", (_WEB + "guards.py",), apart={"_finder": (_WEB + "demands.py",)}),
    *every_check("web/connections.py", (_WEB + "guards.py", "tests/fastapi/test_dependencies.py")),
    Fault(
        name="a-step-up-for-anybody-with-a-password",
        file="web/step_up.py",
        old="return who if subject == session.subject else None",
        new="return who",
        tests=(_WRONG,),
    ),
    Fault(
        name="a-step-up-before-the-credentials",
        file="web/step_up.py",
        old="        amr, acr = await self._proof(session, credentials, device)\n"
        "        return await self._issuer.step_up(refresh_token, device=device, amr=amr, acr=acr)\n",
        new="        pair = await self._issuer.step_up(refresh_token, device=device)\n"
        "        await self._proof(session, credentials, device)\n"
        "        return pair\n",
        tests=(_WRONG,),
    ),
    Fault(
        name="a-step-up-without-a-limit",
        file="web/step_up.py",
        old="await self._tokens.throttle.step_up(session, device, ask)",
        new="await ask()",
        tests=(_STEP + "after_five_failures_nobody_is_asked_any_more",),
    ),
    Fault(
        name="a-refused-step-up-of-nobody",
        file="web/step_up.py",
        old="self._issuer.login_failed(device, session)",
        new="self._issuer.login_failed(device)",
        tests=(_WRONG,),
    ),
    Fault(
        name="authenticate-sees-the-refresh-token",
        file="web/step_up.py",
        old='_NAMES_OF_TOKEN = ("refresh_token", "refreshToken")',
        new='_NAMES_OF_TOKEN = ("refresh_token",)',
        tests=(_STEP + "by_body_it_is_answered_in_the_body",),
    ),
    Fault(
        name="a-step-up-that-says-not-how",
        file="web/step_up.py",
        old="device=device, amr=amr, acr=acr)\n\n    async def _with_access",
        new="device=device)\n\n    async def _with_access",
        tests=(_STEP + "how_and_how_well_is_in_the_token_and_nothing_else_of_it",),
    ),
    Fault(
        name="a-confirmed-token-grants-what-the-login-did",
        file="web/step_up.py",
        old="scopes=access.scopes, claims=claims, ",
        new="",
        tests=(_STEP + "by_access_token_it_grants_no_more_than_that",),
    ),
    Fault(
        name="a-confirmed-token-acknowledges-what-did-not-arrive",
        file="web/step_up.py",
        old=", generation=access.generation or 0)",
        new=")",
        tests=(_STEP + "by_access_token_no_answer_is_taken_as_arrived_that_may_not_have",),
    ),
    Fault(
        name="a-step-up-without-authenticate",
        file="web/routes.py",
        old="            if authenticate is not None:\n",
        new="            if True:\n",
        tests=(_STEP + "without_authenticate_the_path_is_the_apps",),
    ),
    Fault(
        name="a-confirmation-from-nowhere",
        file="web/handlers.py",
        old="await confirmed(tokens, token_of(request), device, amr=amr, acr=acr)",
        new="await confirmed(tokens, token_of(request), Device(), amr=amr, acr=acr)",
        tests=(_WEB + "handlers.py::test_confirm_takes_where_the_person_is",),
    ),
)
