"""What the operator wants, read once and checked whole.

Here belong the shape of the configuration file, its cross-checks, durations and secrets. Nothing here speaks to a
network, asks for a token or knows a report: what leaves this room is `Settings`, complete and consistent, or a
`ConfigError` with every problem in it. A secret leaves it only inside `Secret`.
"""
