"""How many files this process, and those that it starts, may have open."""

from __future__ import annotations

SPARE_FILES = 100
"""Open files of the process besides the connections: standard streams, listeners, connections being turned away."""


def allow_connections(count: int) -> None:
    """Let this process have as many sockets open, as far as the system allows."""
    try:
        import resource
    except ImportError:  # not on every platform
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = count + SPARE_FILES
    if hard != resource.RLIM_INFINITY:
        wanted = min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
