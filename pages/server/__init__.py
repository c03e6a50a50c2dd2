"""What protects the server from its visitors: limits, rates, the message gate, uploads.

May import mnist_core only. Start with limits.py; docs/threats.md says what each file prevents.
"""
