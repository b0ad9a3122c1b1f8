"""When runs start by themselves. Stopped, until a person starts them for a site or its settings name them."""

from __future__ import annotations

from collections.abc import Collection

from dagster import DefaultScheduleStatus, ScheduleDefinition

from orchestration.jobs import REVIEW, RUN_CYCLE, VERIFY

#: Name: what it runs, when (local time), and why.
_SCHEDULES = {
    "nightly_cycle": (RUN_CYCLE, "30 4 * * *", "The whole cycle, each night when the exports have arrived."),
    "weekly_verification": (
        VERIFY, "0 6 * * 0", "Every sealed manifest, the evidence log and every copy, each Sunday morning."
    ),
    "monthly_register_review": (
        REVIEW, "0 7 1 * *", "What people decided and have to look at again, on the first of each month."
    ),
}  # fmt: skip


def schedules(time_zone: str, running: Collection[str] = ()) -> list[ScheduleDefinition]:
    """Every schedule, at local times of `time_zone`; those named in `running` start from the start."""
    return [
        ScheduleDefinition(
            name=name,
            job_name=job,
            cron_schedule=cron,
            execution_timezone=time_zone,
            default_status=DefaultScheduleStatus.RUNNING if name in running else DefaultScheduleStatus.STOPPED,
            description=why,
        )
        for name, (job, cron, why) in _SCHEDULES.items()
    ]
