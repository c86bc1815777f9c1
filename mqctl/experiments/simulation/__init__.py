"""Experiments without a network, threads or waiting: the hub's broker and sessions in time that a seed decides.

Pure: the same plan and the same seed give the same history, byte for byte, wherever and whenever they are run.
"""
