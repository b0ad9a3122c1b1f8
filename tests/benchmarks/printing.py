"""The results as Markdown for people and as a chart of cost against size. Computes nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from tests.benchmarks.results import BENCHMARK, DAY, DELTA, FIRST, FULL, PARTS, TO_DISPOSITIONS
from tests.benchmarks.running import PEERS

#: What the chart draws: job -> what it is called there.
DRAWN = {
    "F": "F: DuckDB reads", FIRST: "Gallring, first night", FULL: "Gallring, news in full",
    DELTA: "Gallring, news as a delta", BENCHMARK: "Gallring, to dispositions", "polars": "polars", "pandas": "pandas",
    "postgresql": "PostgreSQL", "per_person": "one person at a time",
}  # fmt: skip
JOBS = (FIRST, BENCHMARK, DAY, FULL, DELTA, *PEERS)


def markdown(results: dict[str, Any]) -> str:
    """Everything, in tables."""
    return "\n".join([*_head(results), *_goals(results), *_sizes(results), *_growth(results), *_small(results)]) + "\n"


def _head(results: dict[str, Any]) -> Iterator[str]:
    machine = results["machine"]
    versions = ", ".join(f"{name} {number}" for name, number in results["versions"].items())
    yield (
        f"{results['date']} · {machine['processor']}, {machine['cores']} cores, {machine['memory_gib']} GiB, load "
        f"{machine['load_before']} when it ended · {versions} · medians of interleaved rounds, CPU of all threads"
    )
    yield ""


def _table(header: Sequence[str], rows: Sequence[Sequence[Any]]) -> Iterator[str]:
    yield "| " + " | ".join(header) + " |"
    yield "|" + "|".join(["---", *["--:"] * (len(header) - 1)]) + "|"
    yield from ("| " + " | ".join(str(cell) for cell in row) + " |" for row in rows)
    yield ""


def _goals(results: dict[str, Any]) -> Iterator[str]:
    met = {True: "yes", False: "**no**", None: "–"}
    yield "| goal | reached | met |"
    yield "|---|---|---|"
    yield from (f"| {goal['goal']} | {goal['reached']} | {met[goal['met']]} |" for goal in results["goals"])
    yield ""


def _sizes(results: dict[str, Any]) -> Iterator[str]:
    for size in results["sizes"]:
        rows, read, floor = size["rows"], size["bytes"] / 1e6, size["floor_cpu"]
        yield f"**{size['customers']} customers**, {rows} rows, {read:.0f} MB of CSV; F = {floor:.2f} CPU-s."
        yield ""
        yield from _jobs(size)
        yield from _parts(size)


def _jobs(size: dict[str, Any]) -> Iterator[str]:
    jobs = size["jobs"]
    rows = []
    for name in dict.fromkeys((*JOBS, *jobs)):
        if name not in jobs:
            continue
        each = jobs[name]
        costs = [f"{each['f']:.2f}", f"{each['work']:.2f}", f"{each['wall']:.1f}", each["peak_mb"]]
        costs.append(len(size["runs"][name]))
        rows.append([_called(name, size), *costs])
    yield from _table(["job", "F", "CPU-s without start-up", "wall s", "peak MB", "runs"], rows)
    yield from (f"{peer}: skipped, {reason}." for peer, reason in size["skipped"].items())


def _called(name: str, size: dict[str, Any]) -> str:
    if name == "per_person":
        sampled = size["jobs"][name].get("sampled")
        return f"{name} (measured on {sampled} customers, scaled to all)"
    return name


def _parts(size: dict[str, Any]) -> Iterator[str]:
    """Where the product's nights go, in F."""
    nights = [name for name in (FIRST, BENCHMARK, DAY, FULL, DELTA) if name in size["jobs"]]
    floor = size["floor_cpu"]
    parts = {name: size["jobs"][name]["parts"] for name in nights}
    rows = [[part, *(f"{parts[name].get(part, 0.0) / floor:.2f}" for name in nights)] for part in PARTS]
    decided = [sum(parts[name].get(part, 0.0) for part in TO_DISPOSITIONS) / floor for name in nights]
    rows.append(["to validated dispositions", *(f"{each:.2f}" for each in decided)])
    rows.append(["whole cycle", *(f"{parts[name]['cycle'] / floor:.2f}" for name in nights)])
    yield from _table(["part, in F", *nights], rows)


def _growth(results: dict[str, Any]) -> Iterator[str]:
    steps = list(dict.fromkeys(step for each in results["growth"].values() for step in each))
    if steps:
        rows = [[name, *(each.get(step, "") for step in steps)] for name, each in results["growth"].items()]
        yield from _table(["growth of CPU with customers, as an exponent", *steps], rows)


def _small(results: dict[str, Any]) -> Iterator[str]:
    rows = [
        [name, f"{each['wall']:.2f}", f"{each['cpu']:.2f}", each["peak_mb"]] for name, each in results["small"].items()
    ]
    yield from _table(["the demo's company", "wall s", "CPU-s, start-up included", "peak MB"], rows)


def chart(results: dict[str, Any]) -> str:
    """Cost against size, both on logarithmic scales, as an SVG."""
    import altair as alt
    import vl_convert

    points = [
        {"job": called, "customers": size["customers"], "cpu": size["jobs"][name]["work"]}
        for size in results["sizes"]
        for name, called in DRAWN.items()
        if name in size["jobs"]
    ]
    drawn = (
        alt.Chart(alt.InlineData(values=points), width=560, height=360)
        .mark_line(point=True)
        .encode(
            x=alt.X("customers:Q", title="customers", scale=alt.Scale(type="log")),
            y=alt.Y("cpu:Q", title="CPU seconds without start-up", scale=alt.Scale(type="log")),
            color=alt.Color("job:N", title=None, sort=list(DRAWN.values()), scale=alt.Scale(scheme="tableau10")),
        )
        .configure(background="white", padding={"left": 5, "top": 5, "right": 50, "bottom": 5})
    )
    return str(vl_convert.vegalite_to_svg(drawn.to_dict()))
