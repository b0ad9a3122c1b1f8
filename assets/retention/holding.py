"""Of which records no purpose holds anything, whatever claims stand on them.

A claim stands on a record that has left its source for as long as another's depends on it, and a hold on a company
claims the company's own record. Whoever counts what a purpose holds leaves both out, as the published claims do
(`sql/analytics/stored.claims.sql`), so that each tells the same number.
"""

from __future__ import annotations

#: The records of which no purpose holds anything: `record_type, row_id`. Few beside those that are left.
HELD_BY_NONE = """
    (select record_type, row_id from core.records
    where not coalesce(in_source, false) or coalesce(not_personal, false))
"""
