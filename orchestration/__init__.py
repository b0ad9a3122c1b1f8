"""When it runs, with what, and for whom: settings, resources, jobs, schedules, sensors and the command line."""
