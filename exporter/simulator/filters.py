"""The `$filter` of `/users`: an OData expression becomes a function that tells whether it holds for a user.

Source: Microsoft Graph documentation, "Use the $filter query parameter" and "Advanced query capabilities on Microsoft
Entra ID objects". Text is compared without regard to case, as the directory does. A comparison with a property that a
user lacks is false, but for `ne` and for `eq null`. A general parser of OData would take more than Graph does.
"""

from __future__ import annotations

import operator
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from exporter.simulator.answers import refuse

if TYPE_CHECKING:
    from collections.abc import Callable

    #: A user's properties, or one entry of a collection among them.
    Thing: TypeAlias = Any
    Test: TypeAlias = Callable[[Thing], bool]

TOKEN = re.compile(
    r"\s*(?:(?P<text>'(?:[^']|'')*')|(?P<guid>[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})"
    r"|(?P<number>-?\d+)|(?P<word>\$?[A-Za-z][A-Za-z0-9_.]*(?:/\$?[A-Za-z][A-Za-z0-9_]*)*)|(?P<mark>[(),:]))"
)
ATTRIBUTES = [f"onPremisesExtensionAttributes/extensionAttribute{number}" for number in range(1, 16)]
PROPERTIES = frozenset(
    {
        *("id", "userType", "accountEnabled", "onPremisesSyncEnabled", "displayName", "userPrincipalName", "mail"),
        *("department", "companyName", "country", "usageLocation", "employeeType", "jobTitle", "officeLocation"),
        *("city", "state"),
        *ATTRIBUTES,
    }
)
COLLECTIONS = {
    "assignedLicenses": {"skuId"},
    "assignedPlans": {"service", "servicePlanId", "capabilityStatus"},
    "proxyAddresses": set(),
    "otherMails": set(),
}
COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "eq": operator.eq,
    "ne": operator.ne,
    "lt": operator.lt,
    "le": operator.le,
    "gt": operator.gt,
    "ge": operator.ge,
}
FUNCTIONS: dict[str, Callable[[str, str], bool]] = {"startswith": str.startswith, "endswith": str.endswith}
CONSTANTS = {"true": True, "false": False, "null": None}
DEEPEST = 50


@dataclass(frozen=True, slots=True)
class Filter:
    """A filter that was understood. `advanced`: the directory wants `ConsistencyLevel: eventual` and a count for it."""

    holds: Test
    advanced: bool


def parse_filter(text: str) -> Filter:
    """Understand an expression. Raises Refusal, a 400 with words, for one that the directory would not take."""
    parser = _Parser(text)
    holds = parser.either()
    parser.expect("")
    return Filter(holds, parser.advanced)


def value_at(thing: Thing, path: str) -> Any:
    """Return the property at a path such as `onPremisesExtensionAttributes/extensionAttribute1`, in lower case."""
    for key in path.split("/") if path else ():
        thing = thing.get(key) if isinstance(thing, dict) else None
    return thing.lower() if isinstance(thing, str) else thing


class _Parser:
    """Goes over the tokens once, from left to right. `variable` is the name inside `any(x: …)`."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._depth = 0
        self._variable: str | None = None
        self._members: set[str] = set()
        self.advanced = False
        self._kind, self._token = "", ""
        self._next()

    def either(self) -> Test:
        tests = [self._both()]
        while self._taken("or"):
            tests.append(self._both())
        return lambda thing: any(test(thing) for test in tests)

    def _both(self) -> Test:
        tests = [self._one()]
        while self._taken("and"):
            tests.append(self._one())
        return lambda thing: all(test(thing) for test in tests)

    def _one(self) -> Test:
        self._depth += 1
        if self._depth > DEEPEST:
            refuse(400, "BadRequest", "Invalid filter clause: The node count limit of the expression was exceeded.")
        try:
            if self._taken("not"):
                self.advanced = True
                inner = self._one()
                return lambda thing: not inner(thing)
            if self._taken("("):
                inner = self.either()
                self.expect(")")
                return inner
            return self._comparison()
        finally:
            self._depth -= 1

    def _comparison(self) -> Test:
        if self._kind != "word":
            self._broken()
        word = self._token
        self._next()
        if word.lower() in FUNCTIONS:
            return self._function(word.lower())
        collection, _, rest = word.rpartition("/")
        if rest == "any" and collection in COLLECTIONS and self._variable is None:
            return self._any(collection)
        if rest == "$count" and collection in COLLECTIONS:
            return self._count(collection)
        path = self._path(word)
        if self._taken("in"):
            values = self._list()
            return lambda thing: value_at(thing, path) in values
        name = self._token
        if self._kind != "word" or name not in COMPARISONS:
            self._unsupported() if self._kind == "word" else self._broken()
        self._next()
        return self._compared(path, name, self._literal())

    def _compared(self, path: str, name: str, value: Any) -> Test:
        compare = COMPARISONS[name]
        self.advanced |= name == "ne"
        if name in {"eq", "ne"}:
            return lambda thing: compare(value_at(thing, path), value)
        if not isinstance(value, str):
            self._unsupported()
        return lambda thing: isinstance(found := value_at(thing, path), str) and compare(found, value)

    def _function(self, word: str) -> Test:
        self.expect("(")
        if self._kind != "word":
            self._broken()
        path = self._path(self._token)
        self._next()
        self.expect(",")
        value, test = self._literal(), FUNCTIONS[word]
        self.expect(")")
        if not isinstance(value, str):
            self._broken()
        self.advanced |= word == "endswith"
        return lambda thing: isinstance(found := value_at(thing, path), str) and test(found, value)

    def _any(self, collection: str) -> Test:
        self.expect("(")
        if self._kind != "word":
            self._broken()
        self._variable, self._members = self._token, COLLECTIONS[collection]
        self._next()
        self.expect(":")
        inner = self.either()
        self.expect(")")
        self._variable = None
        return lambda thing: any(inner(entry) for entry in thing.get(collection) or ())

    def _count(self, collection: str) -> Test:
        """Read the rest of `assignedLicenses/$count ne 0`: the directory tells only none from some."""
        name = self._token
        self._next()
        if name not in {"eq", "ne"} or self._literal() != 0:
            self._unsupported()
        self.advanced = True
        return lambda thing: bool(thing.get(collection)) == (name == "ne")

    def _path(self, word: str) -> Any:
        """Return the property that a word names; inside `any` the part after the variable."""
        if self._variable is not None:
            head, _, rest = word.partition("/")
            if head == self._variable and (rest in self._members if self._members else not rest):
                return rest
        elif word in PROPERTIES:
            return word
        elif word.partition("/")[0] in COLLECTIONS:
            self._unsupported()
        return self._unknown(word)

    def _list(self) -> list[Any]:
        self.expect("(")
        values = [self._literal()]
        while self._taken(","):
            values.append(self._literal())
        self.expect(")")
        return values

    def _literal(self) -> Any:
        kind, token = self._kind, self._token
        self._next()
        if kind == "text":
            return token[1:-1].replace("''", "'").lower()
        if kind == "guid":
            return token.lower()
        if kind == "number":
            return int(token)
        if token in CONSTANTS:
            return CONSTANTS[token]
        return self._broken()

    def _taken(self, token: str) -> bool:
        taken = self._token == token and self._kind != "text"
        if taken:
            self._next()
        return taken

    def expect(self, token: str) -> None:
        """Take `token`, or the end of the text, which is the empty one."""
        if self._token != token or self._kind == "text":
            self._broken()
        if token:
            self._next()

    def _next(self) -> None:
        found = TOKEN.match(self._text, self._at)
        if found is not None:
            self._kind, self._token, self._at = found.lastgroup or "", found[found.lastgroup or 0], found.end()
        elif self._text[self._at :].strip():
            self._broken()
        else:
            self._kind, self._token = "", ""

    def _broken(self) -> Any:
        message = f"Invalid filter clause: Syntax error at position {self._at} in '{self._text}'."
        refuse(400, "BadRequest", message)

    def _unsupported(self) -> Any:
        refuse(400, "Request_UnsupportedQuery", f"Unsupported or invalid query filter clause specified: {self._text}")

    def _unknown(self, word: str) -> Any:
        refuse(400, "BadRequest", f"Could not find a property named '{word}' on type 'microsoft.graph.user'.")
