"""YAML text becomes typed values that know where they stand, with every problem at once and no secret repeated.

Here belong the tree of nodes, the reading of a tree into Structs, the files that are watched. Nothing here knows what
this product configures: `config` and `web` say that with Structs of their own.
"""
