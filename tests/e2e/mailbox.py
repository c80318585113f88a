"""A mail server of the test's own: it takes every mail that it is given, and delivers none."""

from __future__ import annotations

import asyncio
import email
import email.policy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from email.message import EmailMessage

LONGEST_LINE = 2**20
END = b"\r\n.\r\n"


@dataclass(frozen=True)
class Mail:
    """A mail, and who was to get it."""

    recipients: tuple[str, ...]
    message: EmailMessage

    def text(self, kind: str) -> str:
        """Return the text of the only part of a kind, `plain` or `html`."""
        (part,) = (one for one in self.message.walk() if one.get_content_type() == f"text/{kind}")
        text: str = part.get_content()
        return text


@dataclass
class Mailbox:
    """What came over SMTP at `address`, in order."""

    mails: list[Mail] = field(default_factory=list)
    address: str = ""
    _server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._converse, "127.0.0.1", 0, limit=LONGEST_LINE)
        host, port = self._server.sockets[0].getsockname()
        self.address = f"{host}:{port}"
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        await self._server.wait_closed()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Hold one conversation, in which nothing is refused and nothing but the plain commands is offered."""
        recipients: list[str] = []
        writer.write(b"220 mail.example.com\r\n")
        while line := (await reader.readline()).decode().rstrip():
            answer = "250 as you like"
            if line.startswith("RCPT TO:"):
                recipients.append(line.removeprefix("RCPT TO:").strip("<> "))
            elif line == "DATA":
                writer.write(b"354 go on\r\n")
                body = (await reader.readuntil(END)).removesuffix(END).replace(b"\r\n..", b"\r\n.")
                message = email.message_from_bytes(body, policy=email.policy.default)
                self.mails.append(Mail(tuple(recipients), message))
            elif line == "QUIT":
                answer = "221 goodbye"
            writer.write(f"{answer}\r\n".encode())
            await writer.drain()
        writer.close()
