"""Where training happens: pools of worker processes, here or on a Dask cluster, and the worker.

May import store and analysis; only worker.py and errands.py load TensorFlow, and never in
the server. Start reading with pool.py.
"""
