"""Reports as nobody would write them down: fields missing, null, mistyped and of unknown value, in any order."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from tests.reports.recount import COUNTED, DEFAULT_METHODS, FEATURES, FLAGS, METHODS, SEEN_ONLY, SPLIT_SETTINGS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

PAGE = 7
#: Sizes of a report: none, one, and around one and two pages.
SIZES = (0, 1, 2, 3, PAGE - 1, PAGE, PAGE + 1, 2 * PAGE, 2 * PAGE + 1)
OLD = [method for methods in SEEN_ONLY.values() for method in methods]
NEW = [f"new{number}" for number in range(20)]
ODD_WORDS = [*OLD, "brainWaves", "FIDO2", "two words", "", 'a"b\\', "x" * 65, "other", *NEW]
PHONES = ["mobilePhone", "sms", "mobileCall", "temporaryAccessPass", "email", "qrCode", "appPassword"]
IDS = [f"canary-{number:x}" for number in range(20)]
#: What stands there instead of a good value; `...` is a field that is left out.
INSTEAD: dict[str, list[Any]] = {
    "id": [..., None, "", 5, ["canary-1"]],
    "userType": [..., None, 7, ["member"], "external", "unknownFutureValue", ""],
    "isAdmin": [..., None, "true", 1, [], "yes"],
    **{flag: [..., None, "true", 1, {}, 0] for flag in FLAGS},
    "methodsRegistered": [..., None, "fido2", {}, [1], [None], ["fido2", None], ["email", 3], [[]], NEW],
    "userPreferredMethodForSecondaryAuthentication": [..., None, 3, ["push"], "thoughts", "not a word", *NEW],
    "lastUpdatedDateTime": [..., None, 5, "yesterday", "9999-12-31T23:59:59Z", "2026-03-01T00:00:00"],
}
TIMES = ["2026-03-01T00:00:00.1234567Z", "2026-09-21T14:17:20Z", "2026-09-21T14:20:00Z", "2099-01-01T00:00:00Z"]


def _good_row(dice: Random) -> dict[str, Any]:
    return {
        "id": dice.choice([*IDS, *(one.upper() for one in IDS[:6])]),
        "userType": dice.choice(["member", "guest", "member", "Guest", "MEMBER"]),
        "isAdmin": dice.random() < 0.4,
        **{flag: dice.random() < 0.5 for flag in FLAGS},
        "methodsRegistered": dice.choices(dice.choice([METHODS, PHONES, [*METHODS, *ODD_WORDS]]), k=dice.randrange(5)),
        "userPreferredMethodForSecondaryAuthentication": dice.choice([*DEFAULT_METHODS, ""]),
        "lastUpdatedDateTime": dice.choice(TIMES),
    }


NO_ROWS = (None, 5, "user", [1], True)
#: Drawn from thousands made before: drawing each field would take as long as a hundred reports.
ROW = st.sampled_from([_good_row(Random(seed)) for seed in range(4_000)])
ODDITY = st.sampled_from([(name, value) for name, values in INSTEAD.items() for value in values])


@st.composite
def rows(draw: st.DrawFn) -> list[Any]:
    """Rows of the details, of which single ones, most of them or all are odd in one way or in two."""
    size = draw(st.sampled_from(SIZES))
    found: list[Any] = [dict(row) for row in draw(st.lists(ROW, min_size=size, max_size=size))]
    for name, value in draw(st.lists(ODDITY, max_size=2)):
        share = draw(st.sampled_from([1, 2, size or 1]))
        for row in found[::share]:
            row[name] = value
    for at, name_and_value in draw(st.lists(st.tuples(st.integers(0, size), ODDITY), max_size=3)):
        if at < len(found):
            found[at].update([name_and_value])
    found = [{name: value for name, value in row.items() if value is not ...} for row in found]
    for at, nobody in draw(st.lists(st.tuples(st.integers(0, size), st.sampled_from(NO_ROWS)), max_size=2)):
        found.insert(at, nobody)
    return found


NUMBERS = [0, 1, 2, 3, 5, 8, 13, 21] * 2
NO_NUMBERS: list[Any] = [None, -1, 1.5, "12", True, 2**53 + 1, ...]
NO_WORDS: list[Any] = [None, 5, ..., ["registered"]]
NO_ENTRIES: list[Any] = [None, 5, "registered", ["registered", 5], {}]


def _entries(
    words: Sequence[str], word_keys: Sequence[str], number_keys: Sequence[str]
) -> st.SearchStrategy[list[Any]]:
    """Entries under any of the keys: good ones, of which something may stand under a second key too, and bad ones."""

    def some(dice: Random, keys: Sequence[str], values: Sequence[Any]) -> dict[str, Any]:
        chosen = dice.sample(keys, dice.randint(1, len(keys)))
        return {key: value for key in chosen if (value := dice.choice(values)) is not ...}

    def entry(dice: Random) -> Any:
        if dice.random() < 0.05:
            return dice.choice(NO_ENTRIES)
        good_words = [*words] * 3 + ODD_WORDS
        fields = some(dice, word_keys, good_words if dice.random() < 0.8 else [*good_words, *NO_WORDS * 9])
        return fields | some(dice, number_keys, NUMBERS if dice.random() < 0.8 else [*NUMBERS, *NO_NUMBERS])

    pool = [entry(Random(seed)) for seed in range(4_000)]
    new = [{word_keys[0]: word, number_keys[-1]: number} for word in NEW for number in NUMBERS]
    return st.one_of(
        st.lists(st.sampled_from(pool), max_size=6),
        st.lists(st.sampled_from(pool), min_size=1, max_size=6),
        st.lists(st.sampled_from(new), max_size=25),
    )


def _without(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not ...}


NO_TOTAL: list[Any] = [None, -1, "5", 2.5, True, ...]
NO_LIST: list[Any] = [None, {}, "many", ...]
_COUNT_ENTRIES = _entries(
    [word for words in COUNTED.values() for word in words],
    ["registrationStatus", "userRegistrationStatus"],
    ["registrationCount", "userRegistrationCount", "userRegistationCount"],
)
COUNT_OBJECT = st.fixed_dictionaries(
    {
        "id": st.just("id-value"),
        "totalUserCount": st.sampled_from([*[100, 7, 23_123] * 6, 0, *NO_TOTAL]),
        "userRegistrationCounts": st.integers(0, 9).flatmap(
            lambda dice: _COUNT_ENTRIES if dice != 5 else st.sampled_from(NO_LIST)
        ),
    }
).map(_without)
#: The objects of the count report on each of its pages.
COUNT_PAGES = st.one_of(
    st.builds(lambda one: [[one]], COUNT_OBJECT),
    st.builds(
        lambda one, before, after: [[]] * before + [[one]] + [[]] * after, COUNT_OBJECT, *[st.integers(0, 2)] * 2
    ),
    st.lists(st.lists(COUNT_OBJECT, max_size=2), min_size=1, max_size=3),
)

_FEATURE_ENTRIES = _entries([word for words in FEATURES.values() for word in words], ["feature"], ["userCount"])
_METHOD_ENTRIES = _entries(METHODS, ["authenticationMethod"], ["userCount"])


@st.composite
def functions(draw: st.DrawFn) -> tuple[Callable[[str, str, str], Any], tuple[str, ...]]:
    """Answers of `usersRegisteredBy…` for some splits: totals that may fit, lists that say much or nothing."""
    splits = draw(st.sampled_from(SPLIT_SETTINGS))
    users = dict(zip(CELLS, draw(st.lists(st.sampled_from([30, 4, 0]), min_size=4, max_size=4)), strict=True))
    outside = draw(st.sampled_from([0, 0, 5, 5, -1]))
    bodies: dict[tuple[str, str, str], Any] = {}
    for user_type in ("member", "guest") if "user_type" in splits else ("all",):
        for role in ("admin", "user") if "is_admin" in splits else ("all",):
            here = [number for at, number in users.items() if user_type in {at[0], "all"} and role in {at[1], "all"}]
            bodies |= _both(draw, sum(here), user_type, role)
    bodies |= _both(draw, max(0, sum(users.values()) + outside), "all", "all")
    for at, change in draw(st.lists(st.tuples(st.sampled_from(list(bodies)), _CHANGE), max_size=2)):
        bodies[at].update([(change[0].format(at[0]), change[1])])
    return lambda *at: _without(bodies[at]), splits


CELLS = [(user_type, role) for user_type in ("member", "guest") for role in ("admin", "user")]


def _both(draw: st.DrawFn, total: int, user_type: str, role: str) -> dict[tuple[str, str, str], Any]:
    return {
        (kind, user_type, role): {
            "totalUserCount": total,
            f"userRegistration{kind}Counts": draw(entries),
            "userTypes": draw(st.sampled_from([user_type, user_type.upper(), ..., None])),
            "userRoles": draw(st.sampled_from([role, role.capitalize(), ..., None])),
        }
        for kind, entries in (("Feature", _FEATURE_ENTRIES), ("Method", _METHOD_ENTRIES))
    }


_CHANGES: dict[str, list[Any]] = {
    "totalUserCount": [*NO_TOTAL, 61],
    "userRegistration{}Counts": [*NO_LIST, [], []],
    "userTypes": ["all", "everybody", 5],
    "userRoles": ["all", "privilegedAdmin", ["admin"]],
}
_CHANGE = st.sampled_from([(name, value) for name, values in _CHANGES.items() for value in values])
