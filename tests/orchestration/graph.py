"""The asset graph as a text that a person reads in a diff. `python -m tests.orchestration.graph` accepts a change."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from dagster import AssetKey, Definitions

from orchestration.definitions import build_definitions

ACCEPTED = Path(__file__).with_name("asset_graph.txt")


def drawn(definitions: Definitions) -> str:
    """Groups with their assets, what each is built from, its checks; then jobs, schedules and sensors."""
    return "\n".join([*_groups(definitions), *_automation(definitions)]) + "\n"


def _groups(definitions: Definitions) -> Iterator[str]:
    graph = definitions.resolve_asset_graph()
    nodes = sorted((graph.get(key) for key in graph.get_all_asset_keys()), key=lambda node: (node.group_name, node.key))
    checks: dict[AssetKey, list[str]] = {}
    for key in sorted(graph.asset_check_keys):
        kind = "blocks" if graph.get(key).blocking else "warns"
        checks.setdefault(key.asset_key, []).append(f"    {kind}: {key.name}")
    group = ""
    for node in nodes:
        if node.group_name != group:
            group = node.group_name
            yield f"{group}"
        parents = " ".join(sorted(".".join(key.path) for key in node.parent_keys))
        yield f"  {'.'.join(node.key.path)}{' <- ' + parents if parents else ''}"
        yield from checks.get(node.key, [])


def _automation(definitions: Definitions) -> Iterator[str]:
    repository = definitions.get_repository_def()
    yield "jobs"
    for name in sorted(name for name in repository.job_names if not name.startswith("__")):
        yield f"  {name}"
    for schedule in sorted(repository.schedule_defs, key=lambda each: each.name):
        when = f"{schedule.cron_schedule} {schedule.execution_timezone}"
        yield f"schedule {schedule.name}: {when}, runs {schedule.job_name}"
    for sensor in sorted(repository.sensor_defs, key=lambda each: each.name):
        runs = ", ".join(target.job_name for target in sensor.targets) or "nothing"
        yield f"sensor {sensor.name}: runs {runs}"


if __name__ == "__main__":
    ACCEPTED.write_text(drawn(build_definitions(site=Path("nowhere"))), encoding="utf-8")
