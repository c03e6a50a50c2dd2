"""Parts of pages: the canvas, the live chart, the gallery, the map, the settings, the pickers.

May import pages/shared, pages/server and mnist_core, but no page. Start reading with
run_picker.py, which most pages use.
"""
