"""Which table of names a net is exported by."""

from __future__ import annotations

from pathlib import Path

from growlang.diagnostics import GrowlangError
from growlang.interop.accounting import missing, pairs_of
from growlang.interop.config import config_of, unmet
from growlang.interop.reading import known, read_table, table_of
from growlang.interop.table import NameTable
from growlang.net import Net

SHOWN = 3


def fitting(net: Net, table: Path | None = None) -> NameTable:
    """The table that has a name for every tensor of a net and computes the same, or that in a file.

    Raises GrowlangError, which says what no table has, or what the nearest would not compute.
    """
    if table is not None:
        found = read_table(table)
        _require(found, net)
        return found
    written = (table for table in map(table_of, known()) if table.is_exported)
    tables = sorted(written, key=lambda table: len(_lost(table, net)))
    nearest = tables[0]
    _require(nearest, net)
    return nearest


def _lost(table: NameTable, net: Net) -> list[str]:
    return pairs_of(table, net)[1]


def _require(table: NameTable, net: Net) -> None:
    """Raise GrowlangError where a table does not say all of a net."""
    if lost := _lost(table, net):
        more = f" and {len(lost) - SHOWN:,} more" if lost[SHOWN:] else ""
        listed = ", ".join(f"`{name}`" for name in lost[:SHOWN])
        raise GrowlangError(
            f"{net.name} cannot be written as a {table.model_type}: {len(lost):,} of its tensors "
            f"have no name there: {listed}{more}",
            help="export it with --to safetensors, or write a table of names and give it: "
            "--table FILE",
        )
    if unnamed := missing(table, net):
        raise GrowlangError(
            f"{net.name} cannot be written as a {table.model_type}, which has "
            f"{', '.join(f'`{name}`' for name in unnamed[:SHOWN])} too"
        )
    if differing := list(unmet(table, net, config_of(table, net))):
        raise GrowlangError(
            f"{net.name} computes what a {table.model_type} does not:"
            + "".join(f"\n  {line}" for line in differing),
            help="export it with --to safetensors",
        )
