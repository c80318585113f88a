"""The life of each tenant and source: due → collect → render → replace; failures, staleness, transitions.

Here belong due times, states, snapshots and the store that a scrape joins. Nothing here knows HTTP in either
direction, and the only broad `except` of the product stands here: it keeps a bug in one tenant's poll from the others.
"""
