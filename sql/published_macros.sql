-- The common questions, as table macros of analytics.duckdb. Run with the published file as the default database.
-- - what_holds: Each field of a record: what holds, until when, and why. what_holds(record_type, record_key)
-- - due_before: What is kept now, holds a value and falls due before a day: the day after its last. due_before(date)
-- - held_for: What one purpose holds now; of a use, nothing that is restricted (Art 18). held_for(purpose)
-- - ended: The claims on a record that have ended, and what ended them. ended(record_type, record_key)
-- - told: What systems were told about a record, and where that stands. told(record_type, record_key)
create macro what_holds(kind, key) as table
    select
        field,
        disposition,
        keep_until,
        purposes
    from retention.field_dispositions
    where record_type = kind and record_key = key
    order by field;

create macro due_before(day) as table
    select
        source,
        record_type,
        record_key,
        data_category,
        keep_until,
        purposes
    from retention.dispositions
    where disposition in ('retain', 'restrict') and has_value and keep_until + 1 < day
    order by keep_until, source, record_type, record_key, data_category;

create macro held_for(reason) as table
    with restricted as (
        select
            source,
            record_type,
            record_key,
            data_category
        from retention.dispositions
        where disposition = 'restrict' and list_contains(reasons, 'restriction (Art 18)')
    ),

    held as (
        select
            source,
            record_type,
            record_key,
            data_category,
            starts_on,
            keep_until,
            class
        from retention.claims
        where purpose = reason and is_active
    )

    select
        held.source,
        held.record_type,
        held.record_key,
        held.data_category,
        held.starts_on,
        held.keep_until
    from held
    left join restricted
        on
            held.source = restricted.source
            and held.record_type = restricted.record_type
            and held.record_key = restricted.record_key
            and held.data_category = restricted.data_category
    where held.class <> 'use' or restricted.record_key is null
    order by held.source, held.record_type, held.record_key, held.data_category;

create macro ended(kind, key) as table
    select
        data_category,
        purpose,
        keep_until,
        ended_by
    from retention.claims
    where record_type = kind and record_key = key and not is_active and missing is null
    order by data_category, keep_until, purpose;

create macro told(kind, key) as table
    select
        system,
        action,
        fields,
        as_of,
        state,
        due_on,
        next_step
    from manifest.items
    where record_type = kind and record_key = key
    order by as_of, system, action;
