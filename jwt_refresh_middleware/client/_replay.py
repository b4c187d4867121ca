"""Which request bodies can be sent twice.

The libraries do not say it themselves: a second pass over a file sends nothing under the old Content-Length, and one
over a generator raises. What is not known here is not sent again.
"""

from typing import IO, Any

from ._libraries import LIBRARIES

_BYTES: tuple[type, ...] = tuple(library.ByteStream for library in LIBRARIES)


class Replay:
    """The body of one request. Made before it is sent, as it notes where a file stands."""

    def __init__(self, request: Any) -> None:
        self._file = _seekable(getattr(request.stream, "_stream", None))
        self._position: int = 0 if self._file is None else self._file.tell()

    def rewind(self, request: Any) -> bool:
        """Make ready to send ``request``, or what a redirect made of it, again. False if that cannot be."""
        stream = request.stream
        if isinstance(stream, _BYTES):
            return True
        if isinstance(getattr(stream, "fields", None), list):  # multipart: it seeks its files itself
            files = [field.file for field in stream.fields if hasattr(field, "file")]
            return all(isinstance(file, (str, bytes)) or _seekable(file) is not None for file in files)
        source: Any = getattr(stream, "_stream", None)
        file = self._file
        if file is not None and file is source and not file.closed:
            file.seek(self._position)
            return True
        return isinstance(source, (list, tuple))


def _seekable(file: Any) -> IO[bytes] | None:
    """``file`` if it is one that can be read again from where it stands."""
    try:
        return file if file.seekable() and hasattr(file, "closed") else None
    except (AttributeError, ValueError):  # not a file, or a closed one
        return None
