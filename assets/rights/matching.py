"""Comparing the rows that are people with each other: the model of `matching_model.json`, which splink applies.

The model is Fellegi and Sunter's, in splink's own form: which pairs are compared, which levels each comparison has, how
often one person's two rows and two people's rows come to each level. Its numbers are fixed: nothing is learned at run
time, so the same rows give the same weights (docs/matching.md). What is compared stands in the memory of the one
connection and is gone at the end; nothing is logged. What the weights mean is `matches`' to say.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assets.models import SQL, Model
from assets.warehouse import Warehouse, WarehouseError, identifier

if TYPE_CHECKING:
    from splink.internals.splink_dataframe import SplinkDataFrame

MODEL = Path(__file__).with_name("matching_model.json")
CANDIDATES = Model("rights", SQL / "rights" / "match_candidates.sql")
#: Where the tables stand that exist for as long as rows are compared: a schema of the connection's memory.
SCHEMA = "matching"
#: The least match weight of a pair that is worth a person's look: it is as likely one person as two.
LEAST_WEIGHT = 0.0


@cache
def model() -> Mapping[str, Any]:
    """The model, as splink reads it."""
    read: Mapping[str, Any] = json.loads(MODEL.read_text(encoding="utf-8"))
    return read


@cache
def levels() -> Mapping[str, tuple[str, ...]]:
    """Of each comparison, its levels' names by splink's number, 0 first; the number of `unknown` is -1."""
    return {
        each["output_column_name"]: tuple(
            level["label_for_charts"] for level in reversed(each["comparison_levels"]) if not level.get("is_null_level")
        )
        for each in model()["comparisons"]
    }


@contextmanager
def compared(warehouse: Warehouse, pair: str | None = None) -> Iterator[None]:
    """`memory.matching.candidates` and `memory.matching.scores`, for as long as the block runs.

    Args:
        warehouse: with `raw.*` in it; not in the middle of a transaction.
        pair: the text of a pair, to compare no rows but those that it may name.

    Raises:
        WarehouseError: the rows could not be compared, for want of memory say.
    """
    with warehouse.aside(SCHEMA) as connection:
        candidates = f"memory.{SCHEMA}.candidates"
        warehouse.run(f"create table {candidates} as {CANDIDATES.statement}")
        warehouse.run(
            f"create view memory.{SCHEMA}.everybody as select * from {candidates}"
            if pair is None
            else f"create table memory.{SCHEMA}.everybody as select * from {candidates} "
            "where contains($pair, record_type || '/' || record_key)",
            None if pair is None else {"pair": pair},
        )
        scores = score(connection, "everybody")
        warehouse.run(
            f"create view memory.{SCHEMA}.scores as select * from memory.{SCHEMA}.{identifier(scores.physical_name)}"
        )
        yield


def score(connection: Any, table: str) -> SplinkDataFrame:
    """Score the pairs of a table's rows that the model would compare: columns `match_weight`, `gamma_…`, `node_id_…`.

    Args:
        connection: a DuckDB connection, as splink takes it.
        table: its columns are those of `sql/rights/match_candidates.sql`.

    Raises:
        WarehouseError: splink failed; of what it says, nothing is told: it quotes statements and values.
    """
    from splink import DuckDBAPI, Linker
    from splink.internals.exceptions import SplinkException

    logging.getLogger("splink").setLevel(logging.ERROR)
    try:
        linker = Linker(DuckDBAPI(connection).register(table), dict(model()), log_level=None)
        return linker.inference.predict(warning_mode="never")
    except SplinkException:
        raise WarehouseError(
            "The rows that are people could not be compared: give the warehouse more memory ([warehouse] memory_limit)."
        ) from None
