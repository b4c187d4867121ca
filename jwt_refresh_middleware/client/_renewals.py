"""The renewals of one session: who makes them, and how the others learn of it."""

import asyncio
import contextvars
import threading
from collections.abc import Mapping
from functools import partial
from typing import Any

from ._errors import RefreshError
from ._flight import Flight, Flights, Landing, boarded, running_trio
from ._libraries import LIBRARIES, library_of
from ._session import ClientSession, Want
from ._transport import Carrier, Steps, Transport


class Renewals:
    """At most one at a time, whatever threads and event loops want it."""

    def __init__(self, session: ClientSession, transport: Transport) -> None:
        self._session, self._transport = session, transport
        self._flights = Flights()
        self._last = Carrier(transport, LIBRARIES[0], None)

    def note(self, request: Any) -> None:
        """What is not for a request goes the way of the last one: by its library, under its user agent."""
        self._last = self._carrier(request)

    def is_aboard(self) -> bool:
        """Whether this code is a callback of a refresh of ours: a request of it would wait for itself."""
        return any(flight.flights is self._flights and not flight.is_over for flight in boarded.get())

    def renew(self, want: Want, request: Any) -> Exception | None:
        """Fly, or wait for the flight that is in the air. Returns what went wrong."""
        while True:
            flight, leads = self._flights.join(partial(self._session.needs, want))
            if flight is None:
                return None
            if leads:
                self._fly(flight, self._session.renew(want), self._carrier(request))
            elif flight.thread == threading.get_ident():
                # It is a task of the very loop that this call blocks: to wait would be for ever. The server answers
                # both with the same successor.
                flight = Flight(self._flights)
                self._fly(flight, self._session.renew(want, locked=False), self._carrier(request))
            landing = flight.wait()
            if not landing.abandoned:
                return _own(landing.error)

    async def renew_async(self, want: Want, request: Any) -> Exception | None:
        """The same in asyncio and trio. To cancel it cancels the waiting, not the flight."""
        while True:
            flight, leads = self._flights.join(partial(self._session.needs, want))
            if flight is None:
                return None
            if leads:
                self._launch(flight, self._session.renew(want), self._carrier(request))
            landing = await flight.wait_async()
            if not landing.abandoned:
                return _own(landing.error)

    def step_up(self, credentials: Mapping[str, Any]) -> Exception | None:
        """The same with credentials, after the flight that is in the air. Only the caller gets what went wrong."""
        while True:
            flight, leads = self._flights.join(_always)
            assert flight is not None
            is_own_loop = not leads and flight.thread == threading.get_ident()  # as above
            if leads or is_own_loop:
                flight = Flight(self._flights) if is_own_loop else flight
                self._fly(flight, self._session.step_up(credentials, locked=leads), self._last, is_shared=False)
                return flight.wait().error
            flight.wait()

    async def step_up_async(self, credentials: Mapping[str, Any]) -> Exception | None:
        """The same in asyncio and trio."""
        while True:
            flight, leads = self._flights.join(_always)
            assert flight is not None
            if leads:
                self._launch(flight, self._session.step_up(credentials), self._last, is_shared=False)
            landing = await flight.wait_async()
            if leads and (landing.error is not None or not landing.abandoned):
                return landing.error

    def _carrier(self, request: Any) -> Carrier:
        return Carrier(self._transport, library_of(request), request.headers.get("User-Agent"))

    def _fly(self, flight: Flight, steps: Steps, carrier: Carrier, *, is_shared: bool = True) -> None:
        """``is_shared``: whether an error is one for all who wait. Otherwise they start again."""
        landing, seat = Landing(abandoned=True), boarded.set((*boarded.get(), flight))
        try:
            carrier.run(steps)
            landing = Landing()
        except Exception as error:  # noqa: BLE001  not judged here: everybody who waits gets it
            landing = Landing(error, abandoned=not is_shared)
        finally:
            boarded.reset(seat)
            self._flights.end(flight, landing)

    async def _fly_async(self, flight: Flight, steps: Steps, carrier: Carrier, is_shared: bool) -> None:
        landing = Landing(abandoned=True)
        boarded.set((*boarded.get(), flight))  # of this task's own context
        try:
            await carrier.run_async(steps)
            landing = Landing()
        except Exception as error:  # noqa: BLE001  as above
            landing = Landing(error, abandoned=not is_shared)
        finally:
            self._flights.end(flight, landing)

    def _launch(self, flight: Flight, steps: Steps, carrier: Carrier, *, is_shared: bool = True) -> None:
        """In a task of its own, which nobody cancels but the end of the event loop."""
        trio = running_trio()
        if trio is not None:
            context = contextvars.copy_context()
            trio.lowlevel.spawn_system_task(self._fly_async, flight, steps, carrier, is_shared, context=context)
            return
        flight.task = asyncio.get_running_loop().create_task(self._fly_async(flight, steps, carrier, is_shared))
        # A task that is cancelled before its first step runs nothing, not even a finally.
        flight.task.add_done_callback(lambda _: self._flights.end(flight, Landing(abandoned=True)))


def _always() -> bool:
    return True


def _own(error: Exception | None) -> Exception | None:
    return error.another() if isinstance(error, RefreshError) else error
