"""The oracle against every expectation of the scenario files.

Those of the repository, and further ones: `GALLRING_TEST_SCENARIOS` names their folder, or they lie in
`../shared/scenarios`. A file of the repository goes before another of the same name.
"""

import os
from datetime import date
from pathlib import Path

import pytest
import yaml

from tests.oracle.evaluator import FIELDS, Decision, Exports, evaluate

ROOT = Path(__file__).resolve().parents[2]
FURTHER = Path(os.environ.get("GALLRING_TEST_SCENARIOS") or ROOT.parent / "shared" / "scenarios")
FOLDERS = (FURTHER, ROOT / "tests" / "scenarios")
FILES = sorted({path.name: path for folder in FOLDERS for path in folder.glob("*.yaml")}.values())


class StringLoader(yaml.CSafeLoader):
    """YAML in which every scalar but null stays the string that was written."""


StringLoader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag.endswith((":null", ":merge"))]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def load(path: Path) -> dict:
    return yaml.load(path.read_text(encoding="utf-8"), Loader=StringLoader)


def fields_of(record_type: str, name: str) -> tuple[str, ...]:
    """An expectation names a field or, where no field has that name, a category."""
    names = {field for fields in FIELDS[record_type].values() for field in fields}
    return (name,) if name in names else FIELDS[record_type][name]


def differences(decisions: dict[tuple[str, str, str], Decision], expected: list) -> list[str]:
    found = []
    for record_type, key, name, disposition, *until in expected:
        for field in fields_of(record_type, name):
            decision = decisions[record_type, key, field]
            kept = decision.keep_until.isoformat() if decision.keep_until else None
            if decision.disposition != disposition or (until and kept != until[0]):
                found.append(f"{record_type} {key} {field}: expected {disposition} {until}, got {decision}")
    return found


@pytest.mark.skipif(not FURTHER.is_dir(), reason="no further scenarios: GALLRING_TEST_SCENARIOS names none")
def test_there_are_further_scenarios() -> None:
    assert list(FURTHER.glob("*.yaml"))


def test_there_are_scenarios() -> None:
    assert FILES


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_oracle_agrees_with_the_scenario(path: Path) -> None:
    scenario = load(path)
    exports: Exports = scenario["exports"]
    for step in scenario["expect"]:
        decisions = evaluate(exports, date.fromisoformat(step["as_of"]))
        found = differences(decisions, step.get("dispositions") or [])
        assert not found, f"as of {step['as_of']}\n" + "\n".join(found)
