"""Publish to, tail, watch and test topics on message brokers, from the command line."""

__version__ = "0.1.0"
