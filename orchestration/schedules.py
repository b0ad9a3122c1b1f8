"""When runs start by themselves. Declared here, stopped until a person starts them for a site."""

from __future__ import annotations

from dagster import DefaultScheduleStatus, ScheduleDefinition

from orchestration.jobs import RUN_CYCLE


def schedules(time_zone: str) -> list[ScheduleDefinition]:
    """Every schedule, at local times of `time_zone`."""
    return [
        ScheduleDefinition(
            name="nightly_cycle",
            job_name=RUN_CYCLE,
            cron_schedule="30 4 * * *",
            execution_timezone=time_zone,
            default_status=DefaultScheduleStatus.STOPPED,
            description="The whole cycle, each night when the exports have arrived.",
        )
    ]
