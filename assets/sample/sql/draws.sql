-- Macros that draw a sample company's traits from a seed: the same seed, thing and trait always give the same.
-- What is drawn from stands in variables, which are worked out once: a list in a macro is built anew for every row.
-- noqa: disable=layout.indent

-- A whole number from 0 to n - 1, always the same for the same seed, thing and trait.
-- Unsigned on both sides: a signed n would make the remainder a matter of 128 bits, fifty times dearer.
create or replace macro draw(thing, trait, n) as cast(
    hash(thing, trait, getvariable('seed')) % cast(n as ubigint) as bigint
);
create or replace macro sample_day() as cast(getvariable('day') as date);
-- Öre as kronor.
create or replace macro money(cents) as cast(cents * 0.01 as decimal(18, 2));

-- The minutes of ten office hours, as an export's instant ends.
set variable office_minutes = (
    select list(strftime(date '2000-01-01' + to_minutes(cast(420 + i as integer)), 'T%H:%M:00Z') order by i)
    from range(600) as minutes (i)
);
-- A day as an export's instant, at an office hour drawn for it; null for a day that has not come.
create or replace macro moment(d, thing, trait) as case
    when d < sample_day() then cast(d as varchar) || getvariable('office_minutes')[1 + draw(thing, trait, 600)]
end;
-- An instant of the day itself, which the next night's exports tell.
create or replace macro tonight(thing, trait) as
    cast(sample_day() as varchar) || getvariable('office_minutes')[1 + draw(thing, trait, 600)];
create or replace macro come(d) as case when d < sample_day() then d end;
-- One row in a thousand is dirty: `worse` instead of `value`.
create or replace macro soiled(value, worse, thing, trait) as case
    when draw(thing, trait || ' soiled', 1000) = 0 then worse else cast(value as varchar)
end;

-- Every given name with every family name, and the same as the part of an address before the number.
set variable given_names = string_split(
    'Anna Bertil Cecilia David Elin Fredrik Greta Hugo Ingrid Johan Karin Lars Maja Nils Olga Per Rut Sven '
    || 'Tove Ulf Vera Yngve Åsa Örjan',
    ' '
);
set variable family_names = string_split(
    'Testman Provsson Exempelgren Fiktivsson Påhittsson Attrappsson Låtsasberg Mallqvist '
    || 'Demoström Mönsterlund Övningsdotter Platshållare',
    ' '
);
set variable full_names = (
    select list(getvariable('given_names')[1 + i // 12] || ' ' || getvariable('family_names')[1 + i % 12] order by i)
    from range(288) as names (i)
);
set variable mail_names = (
    select list(replace(translate(lower(name), 'åäöé', 'aaoe'), ' ', '.') || '.' order by i)
    from (
        select
            unnest(getvariable('full_names')) as name,
            unnest(range(288)) as i
    ) as names
);
create or replace macro name_number(thing) as 1 + draw(thing, 'given name', 24) * 12 + draw(thing, 'family name', 12);
create or replace macro sample_name(thing) as getvariable('full_names')[name_number(thing)];
create or replace macro sample_email(thing, host) as
    getvariable('mail_names')[name_number(thing)] || cast(thing as varchar) || host;

-- One of a variable's list.
create or replace macro one_of(things, thing, trait) as
    getvariable(things)[1 + draw(thing, trait, len(getvariable(things)))];
create or replace macro sample_phone(thing) as '070-1740' || cast(605 + draw(thing, 'phone', 95) as varchar);
set variable streets = ['Exempelgatan ', 'Provvägen ', 'Fiktivstigen ', 'Testtorget ', 'Mallgränd '];
create or replace macro sample_street(thing) as
    one_of('streets', thing, 'street') || cast(1 + draw(thing, 'house', 98) as varchar);
set variable zones = (
    select list('000 ' || lpad(cast(1 + i as varchar), 2, '0') order by i) from range(98) as zones (i)
);
create or replace macro sample_postal_code(thing) as one_of('zones', thing, 'zone');
set variable cities = ['Provköping', 'Fiktivstad', 'Testinge', 'Exempelvik'];
create or replace macro sample_city(thing) as one_of('cities', thing, 'city');

-- What the exports choose from.
set variable kinds_of_news = [
    'order', 'order', 'order', 'order', 'order', 'order', 'visit', 'visit', 'visit', 'visit', 'move', 'move', 'move',
    'move', 'payment', 'payment', 'payment', 'forgotten', 'withdrawal', 'exit'
];
set variable order_counts = [0, 1, 1, 2, 2, 3, 3, 4, 5, 6, 7, 8];
set variable firms = ['Provtryck', 'Låtsasfilm', 'Mönsterbygg', 'Attrappskolan', 'Fiktiva Bageriet'];
set variable job_titles = ['Inköpare', 'Rektor', 'Marknadsansvarig', 'Ekonom'];
set variable org_numbers = ['202100-5489', '202100-5448', '202100-0050'];
set variable channels = ['note', 'email', 'meeting', 'phone'];
set variable subjects = ['Fråga om leverans', 'Pris, "paket" och porto', 'Återkoppling'];
set variable bodies = ['Vill ha fler kopior; ring upp.', 'Nöjd, tack.', 'Undrar över moms, format och färg.'];
set variable quote_requests = ['Offert på 50 digitaliserade band', 'Skolfilm, 3 klasser', 'Bröllopsfilm'];
set variable quote_ends = ['accepted', 'declined', 'expired', 'withdrawn', 'sent'];
set variable capacities = ['business', 'business', 'business', 'private', null];
set variable products = ['Digitalisering VHS', 'Skolfoto', 'Bröllopsfilm', 'USB-minne'];
set variable faults = ['Bilden flimrar', 'Fel antal', 'Skadad vid ankomst'];
set variable claim_outcomes = [
    'demand_returned', 'acknowledged', 'commissioned', 'assigned', 'written_off', 'judgment'
];
set variable visit_kinds = ['page_view', 'add_to_cart', 'login'];
set variable visit_pages = ['/vhs', '/skolfoto', '/kontakt', '/pris?q="film, bild"'];
set variable request_kinds = [
    'erasure', 'access', 'portability', 'objection', 'withdrawal', 'restriction', 'rectification', 'termination'
];
