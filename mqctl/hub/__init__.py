"""The embedded broker's shell: sockets and time round the pure broker and the pure protocol sessions."""
