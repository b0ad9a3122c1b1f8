"""Making a site and filling its inbox: `init`, `demo`, `generate`, `deliver`."""

from __future__ import annotations

import shutil
from datetime import datetime, timedelta
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from assets.errors import BadInput, BadUsage, CheckFailed
from orchestration.cli.completing import sources
from orchestration.cli.options import MOST, JsonOption, PolicyOption, SiteOption, existing_site, warehouse_of
from orchestration.cli.printing import as_json, heading, say, table
from orchestration.cli.progress import progress, size_below

if TYPE_CHECKING:
    from assets.ledger.issued import ManifestSummary
    from assets.site import Site

#: How many generated customers the demo has, beside the telling cases.
DEMO_CUSTOMERS = 40
DEMO_SEED = 5
#: Marks a site that `gallring demo` made, and may therefore remake.
DEMO_MARK = ".gallring-demo"


def add_to(app: typer.Typer) -> None:
    """Add these verbs to the command line."""
    app.command("init")(init)
    app.command("demo")(demo)
    app.command("generate")(generate)
    app.command("deliver")(deliver)


def init(folder: Annotated[Path, typer.Argument(metavar="DIR", help="An empty folder, or none yet.")]) -> None:
    """Make a site: settings, policy, keys.

    The policy and its contracts are the sample company's, copied to be changed: before anything is delivered the
    contracts have to say what your own exports look like.
    """
    from assets.site import Site
    from orchestration.initialising import make_site

    was_there = Site(folder.absolute()).settings.is_file()
    site = make_site(folder)
    if was_there:
        say(f"{site.path} was a site already: what it lacked has been made, and nothing that was there is changed.")
        return
    say(f"{site.path} is a site. Its settings are in {site.settings.name}, its policy and contracts in policy/.")
    here = quote(str(folder))
    say(
        "They are those of the sample company: make the contracts say what your exports look like, and the register "
        "why you keep what (docs/how-to/add-a-source.md, add-a-purpose.md), and ask gallring policy check "
        f"--site {here}."
    )
    say(f"Next: gallring deliver SOURCE FILES… --site {here}, then gallring run --site {here}.")


def demo(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where the demo's site is made anew.")] = Path("demo"),
    json: JsonOption = False,
) -> None:
    """Run the whole cycle on an invented company.

    Makes its site anew, runs as of a fixed day, and shows what was decided, sealed and set aside.
    """
    from assets.site import Site
    from assets.writing import one_at_a_time
    from orchestration.opening import require_usable_path

    _refuse_no_demo(folder)
    require_usable_path(Site(folder.absolute()))
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with one_at_a_time(folder):  # a second demo there would empty the first one's under its run
        _remake_demo(folder, json)


def _remake_demo(folder: Path, json: bool) -> None:
    from assets.sample.generating import SAMPLE_DAY, telling_cases
    from assets.sample.generating import generate as write_exports
    from orchestration.cli.cycle import exit_code, tell_outcome, tell_summary
    from orchestration.cli.summary import read_summary
    from orchestration.initialising import make_site
    from orchestration.running import run_cycle

    _clear_demo(folder)
    site = make_site(folder, mark=DEMO_MARK)
    written = write_exports(site.inbox, customers=DEMO_CUSTOMERS, seed=DEMO_SEED, cases=telling_cases())
    with progress("run", quiet=json) as doing:
        outcome = run_cycle(site, SAMPLE_DAY, watch=doing.told)
    _, settings = existing_site(folder)
    with warehouse_of(site, settings) as warehouse:
        summary = read_summary(warehouse)
    verified = _verify_all(site, summary.manifests)
    code = exit_code(outcome)
    if json:
        as_json({"exit_code": code, "outcome": outcome, "summary": summary, "verified": verified})
    else:
        say(f"A sample company: {sum(file.rows for file in written)} rows in {len(written)} export files.")
        tell_outcome(outcome)
        tell_summary(summary)
        _tell_verified(verified)
        if code == 0:
            _tell_where_to_look(folder)
    if not all(verified.values()):
        raise CheckFailed("A sealed manifest does not verify: see above.")
    raise typer.Exit(code)


def generate(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The site's folder.")],
    customers: Annotated[int, typer.Option("--customers", min=1, max=MOST, help="How many customers.")],
    seed: Annotated[int, typer.Option("--seed", min=0, max=MOST, help="Another seed, another company.")] = 1,
    change: Annotated[
        float | None,
        typer.Option(
            "--change",
            metavar="PERCENT",
            min=0.01,
            max=100,
            help="The next night instead: so many customers have news.",
        ),
    ] = None,
    mode: Annotated[
        Literal["full", "delta"], typer.Option("--mode", help="The next night's every row, or changed rows.")
    ] = "full",
    json: JsonOption = False,
) -> None:
    """Write an invented company's exports.

    Any size, streamed into the site's inbox; the same seed always gives the same bytes.
    """
    site, _ = existing_site(folder)
    from assets.sample.generating import SAMPLE_DAY, generate_next_night
    from assets.sample.generating import generate as write_exports

    if change is None and mode == "delta":
        raise BadUsage("A first night has every row: --mode delta goes with --change PERCENT.")
    day = SAMPLE_DAY if change is None else SAMPLE_DAY + timedelta(days=1)
    with progress("generate", "kB", measure=size_below(site.inbox), quiet=json):
        if change is None:
            written = write_exports(site.inbox, customers=customers, seed=seed)
        else:
            written = generate_next_night(site.inbox, customers=customers, seed=seed, percent=change, mode=mode)
    if json:
        as_json(written)
        return
    table(["source", "table", "rows", "bytes"], [[file.source, file.table, file.rows, file.bytes] for file in written])
    say(f"Next: gallring run --site {quote(str(folder))} --as-of {day}")


def deliver(
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE", autocompletion=sources, help="The system that the files come from, such as crm."
        ),
    ],
    files: Annotated[list[Path], typer.Argument(metavar="FILES…", help="Its export files.")],
    mode: Annotated[Literal["full", "delta"], typer.Option("--mode", help="Every row, or changed rows.")] = "full",
    extracted_at: Annotated[
        str | None,
        typer.Option("--extracted-at", metavar="INSTANT", help="When they were exported. [default: the newest file's]"),
    ] = None,
    delivery_id: Annotated[
        str | None, typer.Option("--delivery-id", metavar="ID", help="Its name. [default: from the instant]")
    ] = None,
    site: SiteOption = None,
    policy: PolicyOption = None,
) -> None:
    """Wrap export files as one delivery.

    Checks and copies them into the site's inbox with their control totals.
    """
    chosen, settings = existing_site(site, policy)
    from assets.ingest.delivering import deliver as wrap
    from assets.policy import Policy

    at = _instant(extracted_at, files)
    named = delivery_id or at.strftime("%Y-%m-%dT%H-%M")
    with progress("deliver", "kB", measure=size_below(chosen.inbox)):
        folder = wrap(
            chosen, Policy.load(settings.policy), source, files, mode=mode, extracted_at=at, delivery_id=named,
            limits=settings.limits.in_bytes(),
        )  # fmt: skip
    say(f"{folder} holds the delivery. Next: gallring run --site {chosen.argument}")


def _instant(text: str | None, files: list[Path]) -> datetime:
    """When the files were exported: what was said, else when the newest of them was written."""
    from datetime import UTC

    if text is None:
        missing = next((file for file in files if not file.is_file()), None)
        if missing is not None:
            raise BadInput(f"{missing} is {'no file' if missing.exists() else 'not there'}: name the export files.")
        return datetime.fromtimestamp(max(int(file.stat().st_mtime) for file in files), UTC)
    try:
        at = datetime.fromisoformat(text)
        if at.tzinfo is None:
            raise BadUsage(f"--extracted-at {text!r} says no time zone: write it as 2026-11-22T02:00:00Z.")
        return at.astimezone(UTC)
    except (ValueError, OverflowError):
        raise BadUsage(f"--extracted-at {text!r} is not an instant such as 2026-11-22T02:00:00Z.") from None


def _clear_demo(folder: Path) -> None:
    """Empty an earlier demo's site, its mark last; nothing else is ever removed."""
    _refuse_no_demo(folder)
    mark = folder / DEMO_MARK
    if mark.is_file():
        for each in folder.iterdir():
            if each.is_dir() and not each.is_symlink():
                shutil.rmtree(each)
            elif each != mark:
                each.unlink()
        mark.unlink()


def _refuse_no_demo(folder: Path) -> None:
    made = (folder / DEMO_MARK).is_file()
    if not made and folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise BadInput(f"{folder} is there and no earlier demo: name another folder, or remove it yourself.")


def _verify_all(site: Site, manifests: tuple[ManifestSummary, ...]) -> dict[str, bool]:
    """Whether each sealed manifest's folder verifies with the public key alone, by manifest id."""
    from assets.manifests.folders import manifest_folder
    from assets.manifests.signatures import PublicKey
    from assets.manifests.verifying import verify
    from orchestration.opening import PUBLIC_KEY

    key = PublicKey.load(site.keys / PUBLIC_KEY)
    return {
        each.manifest_id: verify(manifest_folder(site, each.system, each.manifest_id), key).ok for each in manifests
    }


def _tell_verified(verified: dict[str, bool]) -> None:
    good = sum(verified.values())
    say(f"\n{good} of {len(verified)} manifests verified with the public key.")
    for manifest_id, holds in verified.items():
        if not holds:
            say(f"{manifest_id} does NOT verify.")


def _tell_where_to_look(folder: Path) -> None:
    here = quote(str(folder))
    heading("Where to look next")
    table(
        ["command", "shows"],
        [
            [f"gallring explain customer K9001 --site {here}", "why each field of a record is kept or not"],
            [f"gallring manifest list --site {here}", "what was ordered of each system"],
            [f"gallring status --site {here}", "how the site stands"],
            [f"gallring ui --site {here}", "the asset graph, runs and checks in Dagster's web UI"],
            [f"ls {here}/outbox/*/*", "the sealed manifests as the systems get them"],
            [f"{folder}/reports/index.html", "the retention report, for a browser"],
            [f"{folder}/analytics.duckdb", "what analysts may read, without direct identifiers"],
        ],
    )
