"""Where experiments are run: producers and consumers at a real broker, and a history of all that they do.

One machine and one process: every client has a connection and threads of its own, and all read one clock.
"""
