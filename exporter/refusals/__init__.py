"""What Graph's and Entra's refusals mean: status and code → reason, sentence, and when to try again.

These are the only tables of them; docs/troubleshooting.md prints them. Status and code decide, for texts change. Of the
rows that fit the first one speaks, so what is special stands above what is general.
"""
