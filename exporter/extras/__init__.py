"""Small readings beside the reports, each off unless it is configured.

Here belongs what is asked of Graph for an extra, and what is counted and shown of it. When it is asked, and what
becomes of a failure, is not decided here. An extra knows no report, and no other extra.
"""
