"""The SQL database that pages and workers share: runs, their curves and models, workers, studies.

May import config, data and what those import; knows nothing of networks or of pages. Start
reading with schema.py (the tables), then run.py (what a run is) and runs.py (what pages and
workers do with one).
"""
