"""The command line answers at once, says what is wrong in a sentence, and never with a traceback."""

from __future__ import annotations

import errno
import re
import resource
import shlex
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from dagster import Failure
from typer.main import get_command

from assets.errors import STOPPED, BadInput, CheckFailed, NeedsPerson
from assets.policy import Policy
from orchestration.cli import main
from orchestration.cli.examples import EXAMPLES
from orchestration.cli.verbs import app
from orchestration.resources import parsed_day

ROOT = Path(__file__).resolve().parents[2]
VERBS = [
    ("init",), ("demo",), ("generate",), ("deliver",), ("run",), ("ui",), ("status",), ("explain",), ("scenario",),
    ("policy", "check"), ("policy", "register"), ("manifest", "list"), ("manifest", "show"), ("manifest", "verify"),
    ("hold", "place"), ("hold", "release"), ("hold", "list"), ("hold", "review"), ("request", "add"),
    ("request", "verify"), ("request", "extend"), ("request", "answer"), ("request", "list"), ("people", "review"),
    ("access-report",), ("evidence", "export"), ("evidence", "verify"),
    ("forecast",), ("report",), ("simulate",), ("policy", "diff"), ("doctor",),
    ("backup",), ("restore",), ("rotate-key",), ("copies",),
    ("manifest", "approve"), ("manifest", "cancel"), ("manifest", "recipients"), ("receive",), ("accept",),
    ("quarantine",), ("serve-analytics",),
]  # fmt: skip


@pytest.fixture(autouse=True)
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory, and no site in the environment."""
    for name in ("GALLRING_SITE", "GALLRING_POLICY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("verb", VERBS, ids=" ".join)
def test_every_verb_has_help(verb: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*verb, "--help"]) == 0
    assert "Usage: gallring " + " ".join(verb) in capsys.readouterr().out


@pytest.mark.parametrize("verb", VERBS, ids=" ".join)
def test_every_verb_has_examples_that_could_be_typed(verb: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*verb, "--help"]) == 0
    help_text = capsys.readouterr().out
    command = get_command(app)
    for word in verb:
        command = command.commands[word]  # type: ignore[attr-defined]
    options = {option: each for each in command.params for option in each.opts if option.startswith("-")}
    for line in EXAMPLES[" ".join(verb)]:
        assert line in [each.strip() for each in help_text.splitlines()]
        words = shlex.split(line)
        assert tuple(words[1 : 1 + len(verb)]) == verb
        given = [word for word in words if word.startswith("--")]
        assert set(given) <= options.keys(), line
        needed = {each.opts[0] for each in command.params if each.required and each.opts[0].startswith("-")}
        assert needed <= set(given), line


def test_every_number_has_a_largest_one() -> None:
    """One that is larger than the engine counts is bad usage, and no error of a table's."""
    groups, endless = [("", get_command(app))], []
    while groups:
        path, command = groups.pop()
        groups += [(f"{path} {name}", each) for name, each in getattr(command, "commands", {}).items()]
        numbers = [each for each in command.params if getattr(each, "min", None) is not None]
        endless += [f"{path} {each.name}" for each in numbers if each.max is None]  # type: ignore[attr-defined]
    assert endless == []


def test_no_example_is_left_over() -> None:
    assert set(EXAMPLES) == {" ".join(verb) for verb in VERBS}


def test_help_answers_within_half_a_second() -> None:
    def spent() -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([Path(sys.executable).with_name("gallring"), "--help"], check=True, capture_output=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    assert min(spent() for _ in range(3)) < 0.5


@pytest.mark.parametrize("verb", VERBS, ids=" ".join)
def test_the_readme_or_the_documentation_shows_every_verb(verb: tuple[str, ...]) -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "README.md", *(ROOT / "docs").rglob("*.md")))
    assert "gallring " + " ".join(verb) in text or "`" + " ".join(verb) + "`" in text


def test_nothing_looks_through_what_is_left_when_the_command_ends() -> None:
    code = """
import atexit, gc
atexit.register(lambda: print("kept", gc.get_freeze_count() > 1000))  # which runs after what is registered later
from orchestration.cli import main
main(["--help"])
"""
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT).stdout
    assert told.endswith("kept True\n")


def test_help_imports_nothing_heavy() -> None:
    code = "import sys, orchestration.cli.verbs; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT).stdout
    assert not {"duckdb", "dagster", "great_expectations", "pandas", "sqlglot", "pydantic", "yaml"} & set(
        loaded.split()
    )


def test_a_new_sites_policy_is_read_without_a_parser_of_sql(tmp_path: Path) -> None:
    """Reading one is a tenth of what a short command takes: only SQL of a company's own is parsed."""
    assert main(["init", str(tmp_path / "site")]) == 0
    code = (
        "import sys; from pathlib import Path; from assets.policy import Policy; "
        f"policy = Policy.load(Path({str(tmp_path / 'site' / 'policy')!r})); assert len(policy.purpose_models) == 17; "
        "print(policy.sha256 != '', 'sqlglot' in sys.modules)"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT).stdout
    assert told.split() == ["True", "False"]
    changed = tmp_path / "site" / "policy" / "purposes" / "quote_open.sql"
    changed.write_text("select 1 from raw.crm_quotes as quote cross join read_text('secrets.txt')", encoding="utf-8")
    with pytest.raises(BadInput, match="reads from a function"):
        _ = Policy.load(tmp_path / "site" / "policy").purpose_models


HOLD = ("hold", "place", "--reason", "court", "--reviewer", "jurist")


@pytest.mark.parametrize(
    ("arguments", "option"),
    [
        ([*HOLD, "--customer=K1", "--customer", "K2"], "customer"),
        ([*HOLD, "--record", "order", "O1", "--record", "order", "O2"], "record"),
        (["request", "add", "--kind", "access", "--customer", "K1", "--customer", "K2"], "customer"),
        (["run", "--as-of", "2026-11-25", "--as-of", "2026-11-26"], "as-of"),
    ],
)  # fmt: skip
def test_an_option_given_twice_is_refused(
    arguments: list[str], option: str, nowhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The first was dropped: who named two customers had a hold on the second alone."""
    assert main(["init", "site"]) == 0
    assert main(arguments) == 2
    assert f"--{option} is given 2 times" in capsys.readouterr().err


def test_an_option_that_takes_several_and_a_flag_may_be_given_twice(
    nowhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["init", "site"]) == 0
    assert main([*HOLD, "--customer", "K1", "--unknown", "--unknown", "--field", "name", "--field", "email"]) == 0
    assert "holds 1 record" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments",
    [
        ["nonsense"],
        ["explain"],
        ["run", "--as-of", "yesterday"],
        ["run", "--nonsense"],
        ["generate", "x", "--customers", "0"],
        ["generate", "site", "--customers", "5", "--mode", "delta"],
    ],
)
def test_bad_usage_exits_with_2(arguments: list[str], nowhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    if arguments[:1] == ["run"] or "site" in arguments:
        assert main(["init", "site"]) == 0
    assert main(arguments) == 2
    said = capsys.readouterr().err
    assert said
    assert "Traceback" not in said


@pytest.mark.parametrize(
    "arguments",
    [
        ["run"], ["status"], ["explain", "customer", "K1"], ["manifest", "list"], ["manifest", "show", "x"], ["ui"],
        ["generate", "site", "--customers", "1"], ["deliver", "crm", "customers.csv"],
        ["policy", "check", "--site", "site"],
    ],
)  # fmt: skip
def test_without_a_site_exits_with_3_and_says_how_to_make_one(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 3
    assert "gallring init" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["policy", "check"], ["policy", "register"], ["scenario", "care.yaml"]])
def test_a_site_that_the_environment_names_and_is_none_gives_no_shipped_policy(
    arguments: list[str], nowhere: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GALLRING_SITE", str(nowhere / "mistyped"))
    assert main(arguments) == 3
    assert "mistyped is not a site" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        ["scenario", "missing.yaml"], ["policy", "check", "--policy", "missing"],
        ["policy", "register", "--policy", "missing"], ["manifest", "verify", "missing", "--key", "missing.pem"],
    ],
)  # fmt: skip
def test_a_file_that_is_missing_exits_with_3_and_is_named(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 3
    assert "missing" in capsys.readouterr().err


def test_a_memory_limit_that_is_no_size_is_named(nowhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["init", "site"]) == 0
    assert main(["serve-analytics", "--site", "site", "--memory-limit", "abc"]) == 2
    assert "--memory-limit" in capsys.readouterr().err


def test_what_nobody_has_run_yet_is_said_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["init", "site"]) == 0
    assert main(["status"]) == 0
    assert "Nothing has been run yet" in capsys.readouterr().out
    assert main(["explain", "customer", "K1"]) == 1
    assert "gallring run" in capsys.readouterr().err
    Path("site/warehouse.duckdb").touch()
    assert main(["status"]) == 0
    said = capsys.readouterr().out
    assert ("Nothing is published yet" in said, "has been run" in said) == (True, False)


def test_init_says_that_contracts_come_before_deliveries(nowhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["init", "site"]) == 0
    told = capsys.readouterr().out
    assert 0 < told.index("make the contracts say what your exports look like") < told.index("gallring deliver")


def test_init_leaves_a_foreign_folder_alone(nowhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (nowhere / "letters").mkdir()
    (nowhere / "letters" / "to-grandmother.txt").write_text("Dear")
    assert main(["init", "letters"]) == 3
    assert main(["demo", "letters"]) == 3
    assert [path.name for path in (nowhere / "letters").iterdir()] == ["to-grandmother.txt"]
    assert "letters" in capsys.readouterr().err


def test_a_site_that_is_no_demo_is_not_remade(nowhere: Path) -> None:
    assert main(["init", "site"]) == 0
    key = (nowhere / "site" / "keys" / "warehouse.key").read_bytes()
    assert main(["demo", "site"]) == 3
    assert (nowhere / "site" / "keys" / "warehouse.key").read_bytes() == key


@pytest.mark.parametrize(
    ("text", "expected"),
    [("2026-11-22", 2), ("2026-11-22T02:00:00", 2), ("noon", 2), ("2026-11-22T02:00:00Z", 3),
     ("0001-01-01T00:00:00+01:00", 2)],
)  # fmt: skip
def test_deliver_wants_an_instant_with_its_zone(text: str, expected: int, nowhere: Path) -> None:
    assert main(["init", "site"]) == 0
    assert main(["deliver", "crm", "missing.csv", "--extracted-at", text]) == expected


@pytest.mark.parametrize("day", ["9999-12-31", "3000-01-01", "1900-12-31", "0001-01-01"])
def test_a_day_of_no_year_that_anything_is_about_is_refused(
    day: str, nowhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["init", "site"]) == 0
    for verb in (["run"], ["status"], ["explain", "customer", "K1"]):
        assert main([*verb, "--as-of", day]) == 2
        assert f"'{day}' is not a day between 1901-01-01 and 2999-12-31: look at the year." in capsys.readouterr().err
    with pytest.raises(Failure, match="not a day between"):
        parsed_day(day)


@pytest.mark.parametrize(("days", "said"), [(-1, False), (0, False), (1, True)])
def test_a_run_as_of_a_day_to_come_says_so(
    days: int, said: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stopped(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("orchestration.running.run_cycle", stopped)
    assert main(["init", "site"]) == 0
    day = datetime.now(ZoneInfo("Europe/Stockholm")).date() + timedelta(days=days)
    assert main(["run", "--as-of", str(day), "--site", "site"]) == STOPPED
    assert (f"{day} is a day to come" in capsys.readouterr().err) is said


def test_a_command_that_is_told_can_be_copied(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["init", "min sajt å"]) == 0
    assert "gallring run --site 'min sajt å'." in capsys.readouterr().out


def test_what_the_machine_lacks_is_said_in_a_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "/secret/place/customers.csv")

    monkeypatch.setattr("orchestration.initialising.make_site", fails)
    assert main(["init", "site"]) == 3
    assert capsys.readouterr().err == "gallring: customers.csv: the disk is full: make room, then try again.\n"


def test_what_is_stopped_says_so(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("orchestration.initialising.make_site", stopped)
    assert main(["init", "site"]) == STOPPED
    assert capsys.readouterr().err.startswith("gallring: Stopped. What was finished stays")


def test_what_is_stopped_while_the_verbs_are_imported_says_so_too() -> None:
    code = """
import sys

class CtrlC:
    def find_spec(self, name, *_):
        if name == "typer":
            raise KeyboardInterrupt

sys.meta_path.insert(0, CtrlC())
from orchestration.cli import main
sys.exit(main(["--help"]))
"""
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT)
    assert told.returncode == STOPPED
    assert told.stderr.startswith("gallring: Stopped.")
    assert "Traceback" not in told.stderr


def test_exit_codes_are_those_of_the_interface() -> None:
    assert [error("").exit_code for error in (CheckFailed, BadInput, NeedsPerson)] == [1, 3, 4]


def test_nothing_of_the_command_line_is_undocumented() -> None:
    names = [command.name for command in app.registered_commands] + [group.name for group in app.registered_groups]
    assert sorted(str(name) for name in names) == sorted({verb[0] for verb in VERBS})
    assert all(
        re.match(r"^[A-Z]", (command.callback.__doc__ or "")) for command in app.registered_commands if command.callback
    )


@pytest.mark.parametrize(
    "words",
    [
        ["manifest", "list"], ["copies"], ["backup"], ["explain", "customer", "K1"], ["quarantine"],
        ["simulate", "--policy", "site/policy"], ["manifest", "recipients", "customer", "K1"],
        ["accept", "crm", "customers", "--by", "A. Test", "--reason", "ok"],
    ],
    ids=" ".join,
)  # fmt: skip
def test_a_warehouse_that_is_lost_is_not_said_never_to_have_been(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["init", "site"]) == 0
    Path("site/outbox/crm/2026-11-22-0").mkdir(parents=True)
    capsys.readouterr()
    assert main(words) == 3
    assert "warehouse.duckdb is missing though outbox/ holds sealed manifests" in capsys.readouterr().err
    assert main(["status"]) == 0
    assert "warehouse.duckdb is missing though outbox/ holds sealed manifests" in capsys.readouterr().out
