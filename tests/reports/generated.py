"""Reports as nobody would write them down: fields missing, null, mistyped and of unknown value, in any order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from tests.reports.recount import COUNTED, DEFAULT_METHODS, FEATURES, FLAGS, METHODS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

PAGE = 7
#: Sizes of a report: none, one, and around one and two pages.
SIZES = (0, 1, 2, 3, PAGE - 1, PAGE, PAGE + 1, 2 * PAGE, 2 * PAGE + 1)
NEW = [f"new{number}" for number in range(20)]
ODD_WORDS = ["brainWaves", "FIDO2", "two words", "", 'a"b\\', "x" * 65, "other", *NEW]
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
GOOD: dict[str, st.SearchStrategy[Any]] = {
    "id": st.sampled_from([*IDS, *(one.upper() for one in IDS[:6])]),
    "userType": st.sampled_from(["member", "guest", "member", "Guest", "MEMBER"]),
    "isAdmin": st.booleans(),
    **dict.fromkeys(FLAGS, st.booleans()),
    "methodsRegistered": st.lists(st.sampled_from([*METHODS, *ODD_WORDS]), max_size=4),
    "userPreferredMethodForSecondaryAuthentication": st.sampled_from([*DEFAULT_METHODS, ""]),
    "lastUpdatedDateTime": st.sampled_from(
        ["2026-03-01T00:00:00.1234567Z", "2026-09-21T14:17:20Z", "2026-09-21T14:20:00Z", "2099-01-01T00:00:00Z"]
    ),
}
NO_ROWS = (None, 5, "user", [1], True)
ROW = st.fixed_dictionaries(GOOD)
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


NUMBER = st.sampled_from([0, 1, 2, 3, 5, 8, 13, 21])
NO_NUMBER = st.sampled_from([None, -1, 1.5, "12", True, 2**53 + 1, ...])
NO_WORD = st.sampled_from([None, 5, ..., ["registered"]])
NO_ENTRY: st.SearchStrategy[Any] = st.sampled_from([None, 5, "registered", ["registered", 5], {}])


def _entries(
    words: Sequence[str], word_keys: Sequence[str], number_keys: Sequence[str]
) -> st.SearchStrategy[list[Any]]:
    """Entries under any of the keys: good ones, of which something may stand under a second key too, and bad ones."""
    good_word, new_word = st.sampled_from([*words, *words, *ODD_WORDS]), st.sampled_from(NEW)
    maybe = st.one_of(good_word, good_word, new_word, good_word, NO_WORD)
    entry = st.builds(
        _entry,
        st.permutations(word_keys),
        st.permutations(number_keys),
        st.lists(maybe, min_size=1, max_size=len(word_keys)),
        st.lists(st.one_of(NUMBER, NUMBER, NO_NUMBER), min_size=1, max_size=len(number_keys)),
    )
    return st.one_of(
        st.lists(entry, max_size=6),
        st.lists(entry, min_size=1, max_size=6),
        st.lists(st.one_of(entry, NO_ENTRY), max_size=4),
        st.lists(st.builds(lambda word, number: {word_keys[0]: word, number_keys[-1]: number}, new_word, NUMBER)),
    )


def _entry(
    word_keys: Sequence[str], number_keys: Sequence[str], words: Sequence[Any], numbers: Sequence[Any]
) -> dict[str, Any]:
    fields = [*zip(word_keys, words, strict=False), *zip(number_keys, numbers, strict=False)]
    return {key: value for key, value in fields if value is not ...}


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
            lambda dice: _COUNT_ENTRIES if dice else st.sampled_from(NO_LIST)
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
def functions(draw: st.DrawFn) -> Callable[[str, str, str], Any]:
    """Answers of `usersRegisteredBy…`: totals that may fit, lists that say all, something or nothing."""
    bodies: dict[tuple[str, str, str], Any] = {}
    cells = [(user_type, role) for user_type in ("member", "guest") for role in ("admin", "user")]
    users = dict(zip(cells, draw(st.lists(st.sampled_from([30, 4, 0]), min_size=4, max_size=4)), strict=True))
    outside = draw(st.sampled_from([0, 0, 5, 5, -1]))
    for user_type in ("member", "guest", "all"):
        for role in ("admin", "user", "all"):
            here = [number for at, number in users.items() if user_type in {at[0], "all"} and role in {at[1], "all"}]
            total = max(0, sum(here) + (outside if "all" in {user_type, role} else 0))
            for kind, entries in (("Feature", _FEATURE_ENTRIES), ("Method", _METHOD_ENTRIES)):
                bodies[kind, user_type, role] = {
                    "totalUserCount": total,
                    f"userRegistration{kind}Counts": draw(entries),
                    "userTypes": draw(st.sampled_from([user_type, user_type.upper(), ..., None])),
                    "userRoles": draw(st.sampled_from([role, role.capitalize(), ..., None])),
                }
    for at, change in draw(st.lists(st.tuples(st.sampled_from(list(bodies)), _CHANGE), max_size=2)):
        bodies[at].update([(change[0].format(at[0]), change[1])])
    return lambda *at: _without(bodies[at])


_CHANGES: dict[str, list[Any]] = {
    "totalUserCount": [*NO_TOTAL, 61],
    "userRegistration{}Counts": [*NO_LIST, [], []],
    "userTypes": ["all", "everybody", 5],
    "userRoles": ["all", "privilegedAdmin", ["admin"]],
}
_CHANGE = st.sampled_from([(name, value) for name, values in _CHANGES.items() for value in values])
