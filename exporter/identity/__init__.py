"""Who we are to Entra: a credential of the configuration becomes a bearer token, checked before it is used.

Here, in `credentials`, azure-identity is spoken to, and nowhere else. No token and no secret is logged, and no
exception of azure's leaves the room: their texts hold both.
"""
