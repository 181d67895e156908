"""Splits a CQL script into statements, so that only its DDL has to be understood."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from cdc.cql.problem import CqlError

_TOKEN = re.compile(
    r"""
      (?P<blank>   \s+ | --[^\r\n]* | //[^\r\n]* | /\*.*?\*/ )
    | (?P<quoted>  '[^']*(?:''[^']*)*' | "[^"]*(?:""[^"]*)*" | \$\$.*?\$\$ )
    | (?P<word>    \w+ )
    | (?P<end>     ; )
    | (?P<open>    ' | " | \$\$ | /\* )
    | (?P<other>   . )
    """,
    re.VERBOSE | re.DOTALL,
)
_SHELL = frozenset(  # cqlsh's own commands end with their line
    "CAPTURE CLEAR CLS CONSISTENCY COPY DESC DESCRIBE ELAPSED EXIT EXPAND HELP HISTORY LOGIN PAGING QUIT SERIAL SHOW SOURCE "
    "TRACING".split()
)
_READ = {
    "CREATE": frozenset({"TABLE", "COLUMNFAMILY", "TYPE"}),
    "ALTER": frozenset({"TABLE", "COLUMNFAMILY", "TYPE"}),
    "DROP": frozenset({"TABLE", "COLUMNFAMILY", "TYPE", "KEYSPACE", "SCHEMA"}),
}
_OTHER_OBJECTS = frozenset(
    "AGGREGATE CUSTOM FUNCTION GENERATED IDENTITY INDEX KEYSPACE MATERIALIZED OR ROLE SAI SCHEMA TRIGGER USER".split()
)
_OTHER = _SHELL | frozenset(
    "ADD APPLY BEGIN COMMENT COMMIT DELETE END GRANT IF INSERT LET LIST REVOKE ROLLBACK SECURITY SELECT TRUNCATE UPDATE".split()
)


@dataclass(frozen=True, slots=True)
class Statement:
    """The part of a script from a statement's first word to before its semicolon."""

    start: int
    end: int
    words: tuple[str, ...]  # the first two, in upper case

    @property
    def is_read(self) -> bool:
        """True for the statements that change what the reader knows of tables and types."""
        first, second = (*self.words, "", "")[:2]
        return first == "USE" or second in _READ.get(first, ())

    @property
    def is_known(self) -> bool:
        first, second = (*self.words, "", "")[:2]
        return self.is_read or first in _OTHER or (first in _READ and second in _OTHER_OBJECTS)


def split_statements(text: str) -> Iterator[Statement]:
    """Yield the statements in order. Raises `CqlError` where a string, name or comment does not end."""
    start, end, words = -1, 0, list[str]()
    for token in _TOKEN.finditer(text):
        kind = token.lastgroup
        if kind == "open":
            raise CqlError(f"{token.group()} is never closed", token.start(), hint="close the string, name or comment")
        shell_line_ends = kind == "blank" and words[:1] and words[0] in _SHELL and "\n" in token.group()
        if kind == "end" or shell_line_ends:
            if start >= 0:
                yield Statement(start, end, tuple(words))
            start, words = -1, []
        elif kind != "blank":
            start, end = (token.start() if start < 0 else start), token.end()
            if kind == "word" and len(words) < 2:
                words.append(token.group().upper())
    if start >= 0:
        yield Statement(start, end, tuple(words))
