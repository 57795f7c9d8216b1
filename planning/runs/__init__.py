"""Runs: notebooks executed by papermill, run folders, the registry, reuse, schedules and delivery.

Nothing is imported here: a notebook that calls `planning.runs.step.begin` must not pay for papermill.
"""
