"""Names and labels for tenants, out of the names that customers give themselves."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from exporter.commands.customers import Customer

LONGEST_NAME, LONGEST_LABEL = 64, 64
SHORT_ID = 8
#: What could be markup in a message or on a page, and what a label must not hold.
MARKUP = re.compile(r"[<>&|`]")
#: What a spreadsheet takes for the beginning of a formula.
FORMULA = "=+-@ \t"


def names_of(customers: Collection[Customer], known: Mapping[str, str], taken: Collection[str]) -> dict[str, str]:
    """Return a valid name for each customer, by tenant id. No two are alike, and none is in `taken`.

    A name once given stays, whatever the customer is called later: `known` are those, by tenant id. Of several new
    customers with the same name each has a part of its id in it, so that the order in which they are listed does not
    matter.
    """
    new = [one for one in customers if one.tenant_id not in known]
    slugs = {one.tenant_id: slug(one.display_name) for one in new}
    alike = Counter(slugs.values())
    used = {*taken, *known.values()}
    names = {one.tenant_id: known[one.tenant_id] for one in customers if one.tenant_id in known}
    for tenant_id, name in sorted(slugs.items()):
        chosen = name
        if not name or alike[name] > 1 or name in used:
            chosen = _with(tenant_id[:SHORT_ID], name)
        if chosen in used:
            chosen = tenant_id
        used.add(chosen)
        names[tenant_id] = chosen
    return names


def slug(text: str) -> str:
    """Return what of a text can stand in a name: letters and digits of ASCII, in lower case, with hyphens between."""
    plain = unicodedata.normalize("NFKD", text.replace("ß", "ss")).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "-", plain.lower()).strip("-")[:LONGEST_NAME].strip("-")


def _with(suffix: str, name: str) -> str:
    return f"{name[: LONGEST_NAME - len(suffix) - 1].strip('-') or 'tenant'}-{suffix}"


def label(text: str) -> str:
    """Return a text as the value of a label: short, printable, without markup, and no formula to a spreadsheet."""
    plain = "".join(one if one.isprintable() else " " for one in text)
    return MARKUP.sub("_", " ".join(plain.split()).lstrip(FORMULA))[:LONGEST_LABEL].strip()
