"""What the exporter costs, each time beside something that everybody knows.

Here belong measurements: each module takes one promise, prints the figure, what it is compared with and the ratio, both
measured in turns in one run. Nothing of the product may depend on this package, and no measurement may be kept because
it is flattering.
"""
