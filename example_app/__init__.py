"""Notes: a small app with the whole flow of double-token authentication in a real page.

Run it with ``python -m example_app``; the environment variables it reads are in :mod:`example_app.settings`.
"""
