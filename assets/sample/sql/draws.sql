-- Macros that draw a sample company's traits from a seed: the same seed, thing and trait always give the same.
-- noqa: disable=layout.indent

-- A whole number from 0 to n - 1, always the same for the same seed, thing and trait.
create or replace macro draw(thing, trait, n) as cast(hash(thing, trait, getvariable('seed')) % n as bigint);
-- One of a list.
create or replace macro one_of(things, thing, trait) as things[1 + draw(thing, trait, len(things))];
create or replace macro sample_day() as cast(getvariable('day') as date);
-- Öre as kronor.
create or replace macro money(cents) as cast(cents * 0.01 as decimal(18, 2));
-- A day as an export's instant, at an office hour drawn for it; null for a day that has not come.
create or replace macro moment(d, thing, trait) as case
    when d < sample_day()
        then strftime(d + to_minutes(cast(420 + draw(thing, trait, 600) as integer)), '%Y-%m-%dT%H:%M:00Z')
end;
create or replace macro come(d) as case when d < sample_day() then d end;
-- One row in a thousand is dirty: `worse` instead of `value`.
create or replace macro soiled(value, worse, thing, trait) as case
    when draw(thing, trait || ' soiled', 1000) = 0 then worse else cast(value as varchar)
end;
create or replace macro sample_phone(thing) as '070-1740' || cast(605 + draw(thing, 'phone', 95) as varchar);
create or replace macro sample_name(thing) as
    one_of(
        string_split(
            'Anna Bertil Cecilia David Elin Fredrik Greta Hugo Ingrid Johan Karin Lars Maja Nils Olga Per Rut Sven '
            || 'Tove Ulf Vera Yngve Åsa Örjan',
            ' '
        ),
        thing, 'given name'
    )
    || ' ' || one_of(
        string_split(
            'Testman Provsson Exempelgren Fiktivsson Påhittsson Attrappsson Låtsasberg Mallqvist '
            || 'Demoström Mönsterlund Övningsdotter Platshållare',
            ' '
        ),
        thing, 'family name'
    );
create or replace macro sample_street(thing) as
    one_of(['Exempelgatan', 'Provvägen', 'Fiktivstigen', 'Testtorget', 'Mallgränd'], thing, 'street')
    || ' ' || cast(1 + draw(thing, 'house', 98) as varchar);
create or replace macro sample_postal_code(thing) as '000 '
|| lpad(cast(1 + draw(thing, 'zone', 98) as varchar), 2, '0');
create or replace macro sample_city(thing) as one_of(
    ['Provköping', 'Fiktivstad', 'Testinge', 'Exempelvik'], thing, 'city'
);
create or replace macro sample_email(name, n, host) as
    replace(translate(lower(name), 'åäöé', 'aaoe'), ' ', '.') || '.' || cast(n as varchar) || '@' || host || '.example';
