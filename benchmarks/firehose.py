"""A STOMP server that only sends: each subscriber gets the same messages as fast as it reads them.

It is no broker; it exists so that a client is measured and nothing else. Prints its port when it listens.
"""

from __future__ import annotations

import socket
import sys

BATCH = 1000


def serve(client: socket.socket, count: int, size: int) -> None:
    """Greet, wait for the subscription, send `count` messages, say goodbye."""
    read_frame(client, b"CONNECT", b"STOMP")
    client.sendall(b"CONNECTED\nversion:1.2\nheart-beat:0,0\nserver:firehose/1\n\n\0")
    headers = read_frame(client, b"SUBSCRIBE")
    if b"receipt" in headers:
        client.sendall(b"RECEIPT\nreceipt-id:" + headers[b"receipt"] + b"\n\n\0")
    head = b"MESSAGE\ndestination:/topic/bench\nsubscription:" + headers[b"id"] + b"\ncontent-length:%d\n" % size
    frames = b"".join(head + b"message-id:m-%d\n\n" % n + b"x" * size + b"\0" for n in range(BATCH))
    for _ in range(count // BATCH):
        client.sendall(frames)
    headers = read_frame(client, b"DISCONNECT")
    client.sendall(b"RECEIPT\nreceipt-id:" + headers.get(b"receipt", b"") + b"\n\n\0")


def read_frame(client: socket.socket, *commands: bytes) -> dict[bytes, bytes]:
    """The headers of the next frame that is one of `commands`."""
    data = b""
    while True:
        chunk = client.recv(65536)
        if not chunk:
            raise ConnectionError("the client went away")
        data += chunk
        for frame in data.split(b"\0"):
            lines = frame.strip(b"\n").split(b"\n\n")[0].split(b"\n")
            if lines[0] in commands and data.endswith(b"\0"):
                return dict(line.split(b":", 1) for line in lines[1:] if b":" in line)


def main() -> None:
    """Serve one client after the other: `firehose COUNT SIZE`."""
    count, size = int(sys.argv[1]), int(sys.argv[2])
    with socket.create_server(("127.0.0.1", 0)) as listener:
        print(listener.getsockname()[1], flush=True)
        while True:
            client, _ = listener.accept()
            with client:
                try:
                    serve(client, count, size)
                except OSError:
                    continue


if __name__ == "__main__":
    main()
