"""What brokers do about order, loss and acknowledgement: recorded in a history, and judged from it.

Pure: histories come in as bytes and events, and leave as bytes and verdicts.
"""
