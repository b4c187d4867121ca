"""The renewals of one session: who makes them, and how the others learn of it."""

import asyncio
import contextvars
import threading
from functools import partial
from typing import Any

from ._errors import RefreshError
from ._flight import Flight, Flights, Landing, boarded, running_trio
from ._libraries import library_of
from ._session import ClientSession, Want
from ._transport import Carrier, Transport


class Renewals:
    """At most one at a time, whatever threads and event loops want it."""

    def __init__(self, session: ClientSession, transport: Transport) -> None:
        self._session, self._transport = session, transport
        self._flights = Flights()

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
                self._fly(flight, want, self._carrier(request))
            elif flight.thread == threading.get_ident():
                # It is a task of the very loop that this call blocks: to wait would be for ever. The server answers
                # both with the same successor.
                flight = Flight(self._flights)
                self._fly(flight, want, self._carrier(request), locked=False)
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
                self._launch(flight, want, self._carrier(request))
            landing = await flight.wait_async()
            if not landing.abandoned:
                return _own(landing.error)

    def _carrier(self, request: Any) -> Carrier:
        return Carrier(self._transport, library_of(request), request.headers.get("User-Agent"))

    def _fly(self, flight: Flight, want: Want, carrier: Carrier, *, locked: bool = True) -> None:
        landing, seat = Landing(abandoned=True), boarded.set((*boarded.get(), flight))
        try:
            carrier.run(self._session.renew(want, locked=locked))
            landing = Landing()
        except Exception as error:  # noqa: BLE001  not judged here: everybody who waits gets it
            landing = Landing(error)
        finally:
            boarded.reset(seat)
            self._flights.end(flight, landing)

    async def _fly_async(self, flight: Flight, want: Want, carrier: Carrier) -> None:
        landing = Landing(abandoned=True)
        boarded.set((*boarded.get(), flight))  # of this task's own context
        try:
            await carrier.run_async(self._session.renew(want))
            landing = Landing()
        except Exception as error:  # noqa: BLE001  as above
            landing = Landing(error)
        finally:
            self._flights.end(flight, landing)

    def _launch(self, flight: Flight, want: Want, carrier: Carrier) -> None:
        """In a task of its own, which nobody cancels but the end of the event loop."""
        trio = running_trio()
        if trio is not None:
            context = contextvars.copy_context()
            trio.lowlevel.spawn_system_task(self._fly_async, flight, want, carrier, context=context)
            return
        flight.task = asyncio.get_running_loop().create_task(self._fly_async(flight, want, carrier))
        # A task that is cancelled before its first step runs nothing, not even a finally.
        flight.task.add_done_callback(lambda _: self._flights.end(flight, Landing(abandoned=True)))


def _own(error: Exception | None) -> Exception | None:
    return error.another() if isinstance(error, RefreshError) else error
