"""Microsoft Graph over HTTP: a session, a token, limits, retries; pages out.

Here belongs all that is true of Graph whatever the report. Nothing here knows what a row means, and no exception of
aiohttp leaves the room.
"""
