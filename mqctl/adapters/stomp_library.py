"""stomp.py, imported with two precautions. Whoever needs it imports it from here."""

from __future__ import annotations

import os

from mqctl.adapters.deferred import defer

# It looks up the machine's own name in the DNS when it is imported, which can take seconds.
os.environ.setdefault("STOMP_SKIP_HOSTNAME_SCAN", "1")
# It imports websocket-client for a transport that we do not use, which takes a third of its time.
defer("websocket")

import stomp  # noqa: E402 - after the precautions
import stomp.protocol  # noqa: E402
import stomp.transport  # noqa: E402
import stomp.utils  # noqa: E402

__all__ = ["stomp"]
