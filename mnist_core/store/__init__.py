"""The SQL database that pages and workers share: tasks, runs with their curves and models, workers.

May import config, data and what those import; knows nothing of networks or of pages. Start
reading with schema.py (the tables) and queue.py (how tasks are taken); then runs.py has what
pages do with runs, tasks.py what else they ask for, and workers.py what workers do.
"""
