"""What a network's answers are worth: metrics, confidence, comparisons, explanations, maps.

Plain functions from arrays to numbers; may import config, data and classifier, never the
store. Start reading with metrics.py.
"""
