"""What is measured of a broker: when to send, what is stamped on a message, what came of it, how long it took.

Pure: clocks are read elsewhere and come in as `…_ns`.
"""
