"""What every page stands in: the shell around it, the caches, the visitor, presenter mode.

May import pages/server and mnist_core. Start reading with shell.py: every page is entered
through it.
"""
