"""What the numbers are called and how they are written down.

Here belong families, samples, the two exposition formats and the exporter's own instruments. Nothing here knows Graph,
tenants or HTTP, and nothing is registered globally or made at import.
"""
