"""Which expression a name stands for, however it is spelled.

Shape keys of other makers, columns of other programs' files.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from .expressions import ARKIT_NAMES, ICT_NAMES

# after one of these the rest of a name is a name of its own: blendShape1.jawOpen, head__jawOpen
STRONG = re.compile(r'[.:|]|__')
# after one of these only where most names of a mesh begin so: CC_jawOpen
WEAK = re.compile(r'[_ -]')
NUMBERED = re.compile(r'\.\d{3}$')  # what Blender adds to a name that is taken
LEAST_SHARED = 3  # so many names must share a weak prefix


def _plain(name: str) -> str:
    """Spell a name plainly: 'mouthSmile_L', 'Mouth Smile.L' → 'mouthsmileleft'."""
    name = re.sub(
        r'[_. -]([LRlr])$', lambda m: {'l': 'left', 'r': 'right'}[m[1].lower()], name.strip()
    )
    return re.sub(r'[^a-z0-9]', '', name.lower())


# names both have are the same in both; merged ones differ
_KNOWN = {_plain(n): n for n in (*ICT_NAMES, *ARKIT_NAMES)}


def expression_of(name: str) -> str | None:
    """Return the ICT or ARKit name that a name stands for, None for other names.

    It is spelled as ARKit's where both have it.
    """
    return _KNOWN.get(_plain(name))


def expressions_among(names: Iterable[str]) -> dict[str, str]:
    """Find those of a mesh's or file's names that stand for an expression.

    Returns {name: ICT or ARKit name}, the names' order kept. Names with a prefix
    (blendShape1.jawOpen, head__jawOpen) or Blender's number (jawOpen.001) count where no plain one
    has that meaning.
    """
    listed = list(names)
    plain = {n: e for n in listed if (e := expression_of(n)) is not None}
    prefixed = {n: e for n in listed if n not in plain and (e := _after(n, STRONG)) is not None}
    shared = _shared_prefix(
        [n for n in listed if n not in plain and n not in prefixed], len(listed)
    )
    prefixed |= {
        n: e
        for n in listed
        if shared
        and n.startswith(shared)
        and (e := expression_of(n[len(shared) :])) is not None
        and n not in plain
    }
    found = plain | {n: e for n, e in prefixed.items() if e not in plain.values()}
    for name in listed:
        bare = NUMBERED.sub('', name)
        if bare != name and name not in found:
            meaning = expression_of(bare) or _after(bare, STRONG)
            if meaning is not None and meaning not in found.values():
                found[name] = meaning
    return {n: found[n] for n in listed if n in found}


def _after(name: str, separator: re.Pattern) -> str | None:
    """Return what the rest of a name after a prefix stands for, of several rests the longest."""
    return next(
        (e for m in separator.finditer(name) if (e := expression_of(name[m.end() :])) is not None),
        None,
    )


def _shared_prefix(names: list[str], count: int) -> str:
    """Find the prefix before _, - or a space that turns most names into expressions; '' for none.

    count: of all names, half of which must share it.
    """
    votes: dict[str, int] = {}
    for name in names:
        for mark in WEAK.finditer(name):
            if expression_of(name[mark.end() :]) is not None:
                votes[name[: mark.end()]] = votes.get(name[: mark.end()], 0) + 1
    most = max(votes, key=votes.get, default='')
    return most if votes.get(most, 0) >= max(LEAST_SHARED, count // 2) else ''
