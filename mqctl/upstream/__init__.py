"""A hub in front of a broker: what goes there, what comes back, and who carries it."""
