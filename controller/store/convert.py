"""Database files that no server has open: made, inspected, converted."""

import asyncio
import contextlib
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import orjson

from controller.model.record import Record, columns
from controller.store.row import RowType
from controller.store.schema import DATABASE


async def create(file: Path, schema: dict[str, Any]) -> None:
    """An empty database."""
    with _schema_file(file, schema) as description:
        new = _fresh(file)
        await _tool("create", str(new), str(description))
    _put_in_place(new, file)


async def needs_conversion(file: Path, schema: dict[str, Any]) -> bool:
    with _schema_file(file, schema) as description:
        return await _tool("needs-conversion", str(file), str(description)) == "yes"


async def convert(file: Path, schema: dict[str, Any], records: Sequence[type[Record]]) -> Path:
    """Converts the database to ``schema``; a new column gets its field's default in every row.

    Contents of tables and columns that the schema lacks are dropped. The file is replaced in one step, and the old one
    kept beside it: its path is returned. Raises RuntimeError with the tool's words, and leaves all as it was.
    """
    before = read_schema(file)
    with _schema_file(file, schema) as description:
        new = _fresh(file)
        await _tool("convert", str(file), str(description), str(new))
    await _compare(file, new, before, schema)
    fill = _fill(before, records)
    if fill:
        answer = json.loads(await _tool("transact", str(new), json.dumps([DATABASE, *fill])))
        failed = [result for result in answer if result and "error" in result]
        if failed:
            raise RuntimeError(f"new columns of {file} can't be filled: {failed[0]}")
    kept = file.with_name(f"{file.name}.{before.get('version') or 'old'}")
    kept.unlink(missing_ok=True)
    os.link(file, kept)
    _put_in_place(new, file)
    return kept


def read_schema(file: Path) -> dict[str, Any]:
    """The schema that a standalone database file begins with (ovsdb(5), "Standalone Format").

    Raises RuntimeError for any other file.
    """
    with file.open("rb") as content:
        header = content.readline(200).split()
        if header[:2] == [b"OVSDB", b"CLUSTER"]:
            raise RuntimeError(f"{file} belongs to a cluster: run its ovsdb-server and name the members with --db")
        if len(header) != 4 or header[:2] != [b"OVSDB", b"JSON"]:
            raise RuntimeError(f"{file} is not an OVSDB database file")
        try:
            schema: dict[str, Any] = orjson.loads(content.read(int(header[2])))
        except ValueError:
            raise RuntimeError(f"{file} is damaged: its schema can't be read") from None
    if schema.get("name") != DATABASE:
        raise RuntimeError(f"{file} holds the database {schema.get('name')}, not {DATABASE}")
    return schema


def _fill(before: dict[str, Any], records: Sequence[type[Record]]) -> list[dict[str, Any]]:
    """Operations that give every row the value of its new fields, where OVSDB's own default is another."""
    operations = []
    for kind in records:
        old = before["tables"].get(kind.table)
        if old is None:
            continue
        type_ = RowType(kind)
        row, annotated = {}, columns(kind)
        for field in msgspec.structs.fields(kind):
            if field.name in type_.shapes and field.name not in old["columns"]:
                default = field.default_factory() if callable(field.default_factory) else field.default
                earlier = annotated[field.name][1].before
                default = default if earlier is None else earlier
                if default is not msgspec.NODEFAULT and default != type_.shapes[field.name].empty:
                    row[field.name] = type_.column(field.name, default)
        if row:
            operations.append({"op": "update", "table": kind.table, "where": [], "row": row})
    return operations


async def _compare(old: Path, new: Path, before: dict[str, Any], after: dict[str, Any]) -> None:
    """Raises RuntimeError when rows are missing from the converted file.

    ovsdb-tool(1) of Open vSwitch 3.1 writes an empty database, and says nothing, when the rows break a new index.
    """
    for name, table in after["tables"].items():
        if name not in before["tables"] or not table.get("isRoot"):
            continue
        select = json.dumps([DATABASE, {"op": "select", "table": name, "where": [], "columns": ["_uuid"]}])
        had, has = [len(json.loads(await _tool("query", str(file), select))[0]["rows"]) for file in (old, new)]
        if had != has:
            raise RuntimeError(
                f"{old} can't be converted: {had} rows of {name} would become {has}, "
                f"because they break a rule of the new schema (unique: {table.get('indexes', [])})"
            )


def _fresh(file: Path) -> Path:
    """A path beside ``file`` for what will take its place; leftovers of a killed run are removed."""
    new = file.with_name(f"{file.name}.new")
    new.unlink(missing_ok=True)
    new.with_name(f".{new.name}.~lock~").unlink(missing_ok=True)
    return new


def _put_in_place(new: Path, file: Path) -> None:
    for path in (new, file.parent):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    os.replace(new, file)
    new.with_name(f".{new.name}.~lock~").unlink(missing_ok=True)


@contextlib.contextmanager
def _schema_file(file: Path, schema: dict[str, Any]) -> Any:
    path = file.with_name(f"{file.name}.schema")
    path.write_text(json.dumps(schema, indent=1))
    try:
        yield path
    finally:
        path.unlink()


async def _tool(*arguments: str) -> str:
    """Standard output of ovsdb-tool(1). Raises RuntimeError with what it says."""
    process = await asyncio.create_subprocess_exec(
        "ovsdb-tool", *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, error = await process.communicate()
    if process.returncode:
        raise RuntimeError(f"ovsdb-tool {arguments[0]}: {error.decode(errors='replace').strip()}")
    return out.decode().strip()
