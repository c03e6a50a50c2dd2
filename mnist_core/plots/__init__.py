"""Arrays -> Plotly figures, HTML and reports.

May import analysis, drawing and store, and whatever those import. Start reading with
style.py, which holds the colours and layout that all figures share.
"""
