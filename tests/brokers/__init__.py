"""Throwaway instances of real brokers, for tests, for benchmarks and for people.

`scripts/brokers` installs them. In code: `with launch("classic") as broker: ...`; by hand:
`python -m tests.brokers run classic`.
"""
