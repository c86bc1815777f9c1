"""A bad network on purpose: a relay in front of a broker that breaks, stalls and spoils connections."""
