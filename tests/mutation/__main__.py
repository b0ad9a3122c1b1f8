"""`python -m tests.mutation FILES…`: the changes of SQL files that no scenario and no random company notices."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from assets.policy import Policy
from tests.mutation.changes import changes, parsed, written
from tests.mutation.holding import Evaluation, first, notices, restore

ROOT = Path(__file__).resolve().parents[2]
SCENARIOS = sorted((ROOT / "tests" / "scenarios").glob("*.yaml"))


def main(arguments: list[str]) -> int:
    """Ask about each file; 1 where a change was noticed by nobody."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__)
    parser.add_argument("files", nargs="+", type=Path, help="SELECTs of sql/purposes, sql/triggers or sql/retention")
    parser.add_argument("--days", type=int, default=90, help="how many days of scenarios are asked, at most")
    parser.add_argument("--companies", type=int, default=6, help="how many random companies are asked after them")
    chosen = parser.parse_args(arguments)
    evaluation = Evaluation(Policy.load())
    companies = list(evaluation.of_companies(range(chosen.companies)))
    unnoticed = 0
    for path in chosen.files:
        model = evaluation.model(path.resolve())
        after = evaluation.after(model)
        nearest = sorted(SCENARIOS, key=lambda scenario: scenario.stem != model.name)
        days = first(evaluation.of_scenarios(nearest, model.table), chosen.days)
        if notices([*days, *companies], model, after, written(parsed(model.statement))):
            print(f"{path}: written anew without a change it comes out otherwise: nothing was asked")
            return 2
        asked = changes(model.statement)
        for change in asked:
            if not any(notices(held, model, after, change.statement) for held in (days, companies)):
                unnoticed += 1
                print(f"{path}: {change.said}", flush=True)
        print(f"{path}: {len(asked)} changes asked of {len(days)} days of scenarios and {len(companies)} of companies")
        restore(companies, after)
        for day in days:
            day.warehouse.close()
    return int(unnoticed > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
