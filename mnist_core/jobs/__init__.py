"""Where training happens: pools of worker processes, here or on a Dask cluster, and the worker.

May import store and analysis. worker.py, follow.py and download.py load TensorFlow when they are
called, which the server never does. Start reading with pool.py.
"""
