"""Whatever clients, thieves and restarts do, a model of a few lines says what has to come out of it."""

import asyncio
import secrets
import sqlite3
from collections.abc import Coroutine
from contextlib import closing
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from jwt_refresh_middleware import Device, DevicePolicy, Issuer, MemoryStore, SessionStore, TokenPair
from jwt_refresh_middleware.errors import TokenError

from ..kinds import KINDS, Servers, make_store
from .support import CHROME, FIREFOX, Clock, Listener, make_issuer, outcome

T = TypeVar("T")
LEEWAY, ACCESS, IDLE, ABSOLUTE = 10, 100, 1000, 3000
LIFETIMES = {
    "reuse_leeway": timedelta(seconds=LEEWAY),
    "access_ttl": timedelta(seconds=ACCESS),
    "refresh_ttl": timedelta(seconds=IDLE),
    "reauth_after": timedelta(seconds=ABSOLUTE),
}
PICKS = st.integers(0, 7)
WAITS = st.sampled_from([0, 0.5, 9.5, 10, 11, 11, 60])
AWAY = Device(ip="198.51.100.1", user_agent=FIREFOX.user_agent)
DEVICES = st.sampled_from([FIREFOX, FIREFOX, FIREFOX, AWAY, CHROME])
GRANTED = {"rotated", "repeated", "late_repeated"}


@dataclass(eq=False)
class Model:
    """One session, as the person who wrote the design would keep it on paper."""

    id: str
    subject: str
    began: float
    rotated_at: float
    idle_end: float
    generation: int = 0
    over: bool = False
    gone: bool = False
    proven: int = -1  # the newest generation that an access token has shown the client to hold
    written: int = -1  # what of that the store knows
    late: set[int] = field(default_factory=set)  # generations that were handed out late
    tokens: list[str] = field(default_factory=list)  # the refresh token of each generation
    held: int = 0  # the generation that the owner holds: some answers never arrive
    access: list[tuple[str, int, float]] = field(default_factory=list)  # token, generation, expiry
    device: Device = FIREFOX  # where it lives
    settling: bool = False  # the person has proven who they are, but not from where
    authenticated_at: float = 0.0

    def expired(self, now: float) -> bool:
        return now >= min(self.idle_end, self.began + ABSOLUTE)

    def predict(self, presented: int, *, device: Device, proof: bool, now: float) -> str:
        """What happens to a token of generation ``presented``, with a ``proof`` of the person or without."""
        granted = self.grant(presented, here=device.user_agent == FIREFOX.user_agent, now=now)
        if granted in GRANTED and device != self.device and not proof and not self.settling:
            return "step_up_required"
        return granted

    def grant(self, presented: int, *, here: bool, now: float) -> str:
        """The same for somebody who needs no proof; ``here``: on the session's own device."""
        if self.gone or self.over:
            return "refresh_invalid"
        if self.expired(now):
            return "refresh_expired"
        if presented == self.generation:
            return "rotated" if here else "device_mismatch"
        if presented == self.generation - 1 and here:
            if now < self.rotated_at + LEEWAY:
                return "repeated"
            needed_it_already = presented in self.late and self.proven < presented
            if self.proven < self.generation and (self.generation in self.late or not needed_it_already):
                return "late_repeated"
        return "reuse_detected"

    def apply(self, happened: str, device: Device, proof: bool, now: float) -> bool:
        """Returns whether the session has moved."""
        moved = happened in GRANTED and (proof or happened == "rotated") and device != self.device
        if happened in GRANTED and (proof or happened == "rotated"):
            self.device, self.settling = device, False
        if happened in GRANTED and proof:
            self.authenticated_at = now
        if happened == "rotated":
            self.generation += 1
            self.rotated_at = now
            self.idle_end = min(now + IDLE, self.began + ABSOLUTE)
        elif happened == "late_repeated":
            self.late.add(self.generation)
        elif happened == "reuse_detected":
            self.over = True
        return moved


class Rotation(RuleBasedStateMachine):
    """The real issuer and store beside the model. Subclasses say which store."""

    kind = "memory"
    servers: Servers

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.namespace = secrets.token_hex(4)
        self.clock, self.listener = Clock(), Listener()
        self.models: list[Model] = []
        self.expected_events: list[str] = []
        self.store = self.make_store()
        self.issuer = self.make_issuer()

    def make_store(self) -> SessionStore:
        return make_store(self.kind, self.servers.url(self.kind), self.namespace)

    def make_issuer(self) -> Issuer:
        policy = DevicePolicy(on_ip_change="step_up", refresh_rate=None)
        return make_issuer(self.store, self.clock, self.listener, device_policy=policy, **LIFETIMES)

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(work)

    def teardown(self) -> None:
        for model in self.models:  # what is over stays over, for every token there ever was
            if model.over or model.gone:
                for token in model.tokens:
                    assert self.run(outcome(self.issuer, token)) == "refresh_invalid"
        self.run(self.issuer.aclose())
        self.run(self.store.close())
        self.runner.close()

    def arrives(self, model: Model, pair: TokenPair) -> None:
        ends = min(int(self.clock.now) + ACCESS, int(model.began + ABSOLUTE))
        model.held = model.generation
        model.access.append((pair.access_token, model.generation, ends))

    @precondition(lambda self: len(self.models) < 8)
    @rule(subject=st.sampled_from(["ann", "bob"]))
    def logs_in(self, subject: str) -> None:
        self.login(subject)

    def live(self, pick: int) -> Model:
        """One of the sessions that live, a new one if none does: there is little to be learnt from dead ones."""
        living = [m for m in self.models if not (m.over or m.gone or m.expired(self.clock.now))]
        return living[pick % len(living)] if living else self.login("ann")

    def login(self, subject: str) -> Model:
        pair = self.run(self.issuer.login(subject, device=FIREFOX))
        now = self.clock.now
        tokens = [pair.refresh_token]
        model = Model(pair.session.id, subject, now, now, now + IDLE, tokens=tokens, authenticated_at=now)
        self.models.append(model)
        self.expected_events.append("session_started")
        self.arrives(model, pair)
        return model

    def present(self, model: Model, generation: int, device: Device, *, lost: bool, proof: bool = False) -> None:
        predicted = model.predict(generation, device=device, proof=proof, now=self.clock.now)
        got = self.run(outcome(self.issuer, model.tokens[generation], device, proof=proof))
        if model.apply(predicted, device, proof, self.clock.now):
            self.expected_events.append("device_changed")
        if predicted not in GRANTED:
            assert got == ("refresh_invalid" if predicted == "reuse_detected" else predicted)
            if predicted in ("reuse_detected", "device_mismatch", "step_up_required"):
                self.expected_events.append(predicted)
            if predicted == "reuse_detected":
                self.expected_events.append("revoked")
            return
        assert isinstance(got, TokenPair), (got, predicted)
        self.expected_events += [predicted, "step_up_passed"] if proof else [predicted]
        assert self.issuer.verifier.verify(got.access_token).auth_time == int(model.authenticated_at)
        if predicted == "rotated":
            assert got.refresh_token not in model.tokens
            model.tokens.append(got.refresh_token)
        assert got.refresh_token == model.tokens[model.generation], "one successor, whoever asks and however often"
        assert got.refresh_expires_in == int(model.idle_end - self.clock.now)
        if not lost:
            self.arrives(model, got)

    @rule(pick=PICKS, steps=st.lists(st.tuples(WAITS, st.booleans(), st.booleans()), min_size=1, max_size=6))
    def owner_refreshes(self, pick: int, steps: list[tuple[float, bool, bool]]) -> None:
        model = self.live(pick)
        for wait, lost, used in steps:
            self.clock.advance(wait)
            self.present(model, model.held, FIREFOX, lost=lost)
            if used:
                self.access_token_is_used(model, newest=True, flushed=False)

    @rule(pick=PICKS, wait=WAITS, back=st.sampled_from([0, 1, 1, 1, 2, 5]), device=DEVICES)
    def somebody_refreshes(self, pick: int, wait: float, back: int, device: Device) -> None:
        model = self.live(pick)
        self.clock.advance(wait)
        self.present(model, max(0, model.generation - back), device, lost=True)

    @rule(pick=PICKS, wait=WAITS, back=st.sampled_from([0, 0, 1, 1, 2]), device=DEVICES, lost=st.booleans())
    def person_proves_again(self, pick: int, wait: float, back: int, device: Device, lost: bool) -> None:
        model = self.live(pick)
        self.clock.advance(wait)
        self.present(model, max(0, model.generation - back), device, lost=lost, proof=True)

    @precondition(lambda self: self.models)
    @rule(pick=PICKS, device=st.sampled_from([None, None, FIREFOX, AWAY]))
    def app_confirms(self, pick: int, device: Device | None) -> None:
        model = self.models[pick % len(self.models)]
        row = self.run(self.issuer.confirm(model.id, device=device))
        assert (row is None) == (model.over or model.gone or model.expired(self.clock.now))
        if row is not None:
            model.settling, model.device = device is None, device or model.device
            model.authenticated_at = self.clock.now
            self.expected_events.append("step_up_passed")

    @precondition(lambda self: self.models)
    @rule(pick=PICKS, back=st.integers(0, 3))
    def any_token_comes(self, pick: int, back: int) -> None:
        model = self.models[pick % len(self.models)]
        self.present(model, max(0, model.generation - back), FIREFOX, lost=True)

    @rule(pick=PICKS, newest=st.booleans(), flushed=st.booleans())
    def access_token_comes(self, pick: int, newest: bool, flushed: bool) -> None:
        self.access_token_is_used(self.live(pick), newest=newest, flushed=flushed)

    def access_token_is_used(self, model: Model, *, newest: bool, flushed: bool) -> None:
        token, generation, ends = model.access[-1 if newest else 0]
        try:
            self.issuer.acknowledge(self.issuer.verifier.verify(token))
            code = "good"
        except TokenError as error:
            code = error.code
        assert code == ("token_expired" if self.clock.now >= ends else "token_revoked" if model.over else "good")
        if code == "good":
            model.proven = max(model.proven, generation)
        if flushed:
            self.run(self.issuer.flush())
            self.all_is_written()

    def all_is_written(self) -> None:
        for model in self.models:
            if not model.over:
                model.written = model.proven

    @rule(pick=PICKS, how=st.sampled_from(["logout", "revoke", "logout_all", "logout_others"]), back=st.integers(1, 3))
    def session_ends(self, pick: int, how: str, back: int) -> None:
        model = self.live(pick)
        if how == "logout":
            self.run(self.issuer.logout(model.tokens[-min(back, len(model.tokens))]))
            self.ended([model])
        elif how == "revoke":
            did_it = self.run(self.issuer.revoke(model.id, reason="test"))
            assert did_it == (not model.over and not model.gone)
            self.ended([model])
        else:
            kept = model if how == "logout_others" else None
            ending = [m for m in self.models if m.subject == model.subject and m is not kept]
            lived = [m for m in ending if not m.over and not m.gone and not m.expired(self.clock.now)]
            assert self.run(self.issuer.logout_all(model.subject, keep=kept and kept.id)) == len(lived)
            self.ended(ending)

    def ended(self, models: list[Model]) -> None:
        for model in models:
            if not model.over and not model.gone:
                model.over = True
                self.expected_events.append("revoked")

    @rule(seconds=st.sampled_from([99, 100, 400, 999, 1000, 2500]), purged=st.booleans())
    def much_time_passes(self, seconds: float, purged: bool) -> None:
        self.clock.advance(seconds)
        if purged:
            self.run(self.store.purge(self.clock.now))
            for model in self.models:
                model.gone |= model.idle_end <= self.clock.now

    @rule(crash=st.booleans())
    def restart(self, crash: bool) -> None:
        if crash:  # nothing is written or said any more; the file is all there is
            self.issuer.backing.acknowledgements.take()
            for model in self.models:
                model.proven = model.written
        self.run(self.issuer.aclose())
        self.all_is_written()
        if self.kind != "memory":
            self.store = self.make_store()
        self.issuer = self.make_issuer()

    @invariant()
    def the_store_says_what_the_model_says(self) -> None:
        for model in self.models:
            row = self.run(self.store.get(model.id))
            assert (row is None) == model.gone
            if row is None:
                continue
            assert (row.generation, row.revoked_at is not None) == (model.generation, model.over)
            assert row.ends_at == model.began + ABSOLUTE
            assert row.expires_at == model.idle_end <= row.ends_at
            assert row.last_used_at == model.rotated_at
            assert (row.device, row.standing.settling) == (model.device, model.settling)
            assert row.auth_time == model.authenticated_at
            assert row.acknowledged in (model.written, -1) or model.over

    @invariant()
    def rows_are_bounded(self) -> None:
        kept = sum(not model.gone for model in self.models)
        if isinstance(self.store, MemoryStore):
            assert len(self.store._rows) == kept
        elif self.kind == "sqlite" and self.models:
            with closing(sqlite3.connect(Path(self.servers.url(self.kind), f"{self.namespace}.db"))) as database:
                assert database.execute("SELECT count(*) FROM jwt_refresh_sessions").fetchone() == (kept,)

    @invariant()
    def every_event_was_told_and_no_other(self) -> None:
        assert self.run(self.listener.names()) == self.expected_events

    @invariant()
    def live_sessions_are_listed(self) -> None:
        for subject in ("ann", "bob"):
            live = {m.id for m in self.models if m.subject == subject and not (m.over or m.expired(self.clock.now))}
            assert {session.id for session in self.run(self.issuer.sessions(subject))} == live


EXAMPLES = {"memory": 60, "sqlite": 40, "redis": 12, "redis-cluster": 3, "postgresql": 6, "mariadb": 4}


@pytest.mark.parametrize("kind", KINDS)
def test_it_does_what_the_model_says(kind: str, servers: Servers) -> None:
    if reason := Servers.missing(kind):
        pytest.skip(reason)
    machine = type("Rotation", (Rotation,), {"kind": kind, "servers": servers})
    examples = EXAMPLES[kind]
    profile = settings(max_examples=examples, stateful_step_count=30, deadline=None, derandomize=True)
    run_state_machine_as_test(machine, settings=settings(profile, suppress_health_check=list(HealthCheck)))
