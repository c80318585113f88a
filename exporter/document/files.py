"""The files that a configuration is made of: each is read once, within bounds, and remembered for the digest."""

from __future__ import annotations

import errno
import glob
import hashlib
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from exporter.document.rules import Complaint, UnusableError
from exporter.document.secret import Secret
from exporter.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from exporter.errors import Problem


MAX_BYTES = 10 * 2**20
MAX_SECRET_BYTES = 64 * 2**10
READ_BYTES = 64 * 2**10
WILDCARDS = frozenset("*?[")
NOT_THERE = "the file does not exist"
NO_FILE = ("this is a directory or a device, not a file", "name a file")


class Watched(Protocol):
    """What was made of files, or the error of what was refused: the files, and the digest of their content then."""

    @property
    def watched_files(self) -> tuple[Path, ...]: ...

    @property
    def watched_patterns(self) -> tuple[str, ...]: ...

    @property
    def digest(self) -> str: ...


def content_digest(watched: Watched) -> str:
    """Digest the content of the files as they are now; a file that is missing or new changes it too. Blocks."""
    names = set(map(str, watched.watched_files)).union(*map(_matches, watched.watched_patterns))
    return _digest({name: _fingerprint(_content(name)) for name in names})  # texts, for paths take as long as reading


class UnusableConfigError(ConfigError):
    """A configuration that was refused, and the files to watch for its correction, as `content_digest` takes them."""

    def __init__(
        self, problems: list[Problem], watched_files: tuple[Path, ...], watched_patterns: tuple[str, ...], digest: str
    ) -> None:
        super().__init__(problems)
        self.watched_files = watched_files
        self.watched_patterns = watched_patterns
        self.digest = digest


class Files:
    """Reads files, each once, and keeps what it read until the loading is done."""

    def __init__(self) -> None:
        self._seen: dict[Path, bytes | Complaint] = {}
        self._fingerprints: dict[Path, str] = {}
        self._noted: dict[Path, None] = {}

    @property
    def paths(self) -> tuple[Path, ...]:
        """Every file that was asked for, found or not, in order."""
        return tuple(self._seen)

    def digest(self) -> str:
        """Digest what was read: equal to `content_digest` for as long as nothing changes."""
        return _digest({str(path): self.fingerprint(path) for path in self._seen})

    def fingerprint(self, path: Path) -> str:
        """Return what tells the content of a file from any other; of one that cannot be read, why not."""
        if path not in self._fingerprints:
            self._fingerprints[path] = _fingerprint(self._content(path))
        return self._fingerprints[path]

    def forget(self, path: Path) -> None:
        """Do as if the file had never been asked for: it is not there any more, and nobody named it."""
        self._seen.pop(path, None)
        self._fingerprints.pop(path, None)

    def note(self) -> Mapping[Path, None]:
        """Return what will hold every file that is asked for from now on, until this is called again."""
        self._noted = {}
        return self._noted

    def _content(self, path: Path) -> bytes | Complaint:
        self._noted[path] = None
        if path not in self._seen:
            self._seen[path] = _content(path)
        return self._seen[path]

    def read(self, path: Path, limit: int = MAX_BYTES) -> bytes:
        """Return the bytes of a file. Raises UnusableError for one that is missing, unreadable, empty or too long."""
        content = self._content(path)
        if isinstance(content, Complaint):
            raise UnusableError(content.what, content.hint)
        if not content:
            raise UnusableError("the file is empty", "write the content, or name another file")
        if len(content) > limit:
            raise UnusableError(f"the file is longer than {limit // 1024} KiB", "is it the right file?")
        return content

    def is_empty(self, path: Path) -> bool:
        """Tell whether the file, which has been read, is there and holds nothing."""
        return self._seen.get(path) == b""

    def is_missing(self, path: Path) -> bool:
        """Tell whether there is no such file."""
        content = self._content(path)
        return isinstance(content, Complaint) and content.what == NOT_THERE

    def text(self, path: Path, limit: int = MAX_BYTES) -> str:
        """Return the text of a file, without a byte order mark. Raises UnusableError, also when it is not UTF-8."""
        try:
            return self.read(path, limit).decode("utf-8-sig")
        except UnicodeDecodeError:
            raise UnusableError("the file is not text in UTF-8", "is it the right file?") from None

    def secret(self, path: Path) -> Secret[str]:
        """Return the secret in a file, without the one line break at its end. Raises UnusableError."""
        text = self.text(path, MAX_SECRET_BYTES)
        return checked_secret(text.removesuffix("\n").removesuffix("\r") if text.endswith("\n") else text)


def checked_secret(text: str) -> Secret[str]:
    """Hide a secret that can be sent. Raises UnusableError for one that is empty or holds invisible characters."""
    if not text:
        raise UnusableError("the secret is empty", "write the secret there")
    if not text.isprintable():
        raise UnusableError(
            "the secret holds a line break or another invisible character", "leave nothing there but the secret"
        )
    return Secret(text)


def has_wildcard(pattern: str) -> bool:
    return not WILDCARDS.isdisjoint(pattern)


def expand(pattern: str) -> list[Path]:
    """Return the files that match now, sorted."""
    return [Path(name) for name in sorted(_matches(pattern))]


def _matches(pattern: str) -> list[str]:
    return glob.glob(pattern, recursive=True)  # noqa: PTH207 - Path.glob takes no absolute pattern


def _content(path: Path | str) -> bytes | Complaint:
    """Read it with as few calls as there can be: five thousand files are looked at twice a minute."""
    correct = "correct the path, or create the file"
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # a pipe without a writer is no wait
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                return Complaint(*NO_FILE)
            return _bytes(descriptor)
        finally:
            os.close(descriptor)
    except FileNotFoundError:
        return Complaint(NOT_THERE, correct)
    except PermissionError:
        return Complaint("the file may not be read", "let the exporter's user read it")
    except OSError as error:
        if error.errno in {errno.ENXIO, errno.EISDIR}:  # a socket, or a device without a driver
            return Complaint(*NO_FILE)
        return Complaint(f"the file cannot be read ({errno.errorcode.get(error.errno or 0, 'I/O error')})", correct)


def _bytes(descriptor: int) -> bytes:
    parts, size = [], 0
    while size <= MAX_BYTES and (part := os.read(descriptor, READ_BYTES)):
        parts.append(part)
        size += len(part)
    return b"".join(parts)


def _fingerprint(content: bytes | Complaint) -> str:
    return hashlib.sha256(content).hexdigest() if isinstance(content, bytes) else content.what


def _digest(fingerprints: Mapping[str, str]) -> str:
    lines: Iterable[str] = sorted(f"{path}\0{fingerprint}\n" for path, fingerprint in fingerprints.items())
    return hashlib.sha256("".join(lines).encode("utf-8", "surrogateescape")).hexdigest()
