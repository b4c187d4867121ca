"""Every benchmark, one after the other: ``python -m tests.benchmarks``. Takes about twelve minutes."""

from . import gateways, lag, load, memory, refresh, request, servers

request.main()
refresh.main()
servers.main()
memory.main()
lag.main()
load.main()
gateways.main()
