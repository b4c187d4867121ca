"""Every benchmark, one after the other: ``python -m tests.benchmarks``. Takes about four minutes."""

from . import load, memory, refresh, request

request.main()
refresh.main()
memory.main()
load.main()
