"""The interactive SQL shell: history and completion of tables, columns and keywords."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from polyomics.errors import PolyOmicsError
from polyomics.store import sql

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

    from prompt_toolkit import PromptSession
    from prompt_toolkit.completion import Completer

_HELP = "SQL ends with ';'.  .tables  .help  .quit"


def shell(address: str | os.PathLike[str], at: int | str | None = None) -> None:
    """Read queries from the terminal until end of file and print their rows."""
    from prompt_toolkit import PromptSession  # no other path needs a terminal library
    from prompt_toolkit.history import FileHistory

    with sql.open(address, at) as database:
        history = Path.home() / ".polyomics_history"
        session: PromptSession[str] = PromptSession(history=FileHistory(str(history)), completer=completer(database))
        print(f"{database.store.address} at snapshot {database.sequence}. {_HELP}")
        for query in _queries(session):
            print(answer(database, query))


def completer(database: sql.Database) -> Completer:
    """Return the completer of a snapshot: its tables, their columns and SQL keywords."""
    from prompt_toolkit.completion import WordCompleter

    tables = database.tables()
    columns = {column for names in tables.values() for column in names}
    keywords = [name for (name,) in database.sql("SELECT upper(keyword_name) FROM duckdb_keywords()").rows()]
    return WordCompleter([*tables, *sorted(columns), *keywords], ignore_case=True)


def answer(database: sql.Database, query: str) -> str:
    """Return what the shell prints for one input: rows, a dot command's text, or the mistake explained."""
    word = query.strip().rstrip(";").strip()
    if word == ".tables":
        return "\n".join(f"{name}({', '.join(columns)})" for name, columns in database.tables().items())
    if word.startswith("."):
        return _HELP
    try:
        result = database.sql(query)
    except PolyOmicsError as error:
        return str(error)
    frame = result.df()
    text = frame.to_string(index=False, max_rows=60) if len(frame) else ", ".join(result.columns)
    return f"{text}\n{len(result)} rows, {result.stats['seconds']} s"


def _queries(session: PromptSession[str]) -> Iterator[str]:
    """Yield complete inputs: dot commands at once, SQL up to its semicolon."""
    lines: list[str] = []
    while True:
        try:
            line = session.prompt("...> " if lines else "sql> ")
        except KeyboardInterrupt:
            lines = []
            continue
        except EOFError:
            return
        if not lines and line.strip() in (".quit", ".exit"):
            return
        lines.append(line)
        if line.strip().startswith(".") or line.rstrip().endswith(";"):
            yield "\n".join(lines)
            lines = []
