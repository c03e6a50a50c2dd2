"""What protects the server from its visitors: limits, rates, the message gate, uploads.

May import mnist_core only. Start reading with limits.py; docs/threats.md says what each
file holds off.
"""
