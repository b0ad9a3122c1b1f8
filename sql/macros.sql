-- Macros that every connection gets: dates, names and phones, and what a manifest item's words come to; nothing that
-- reads a table.
-- noqa: disable=layout.indent

-- Calendar arithmetic in one step, clamped to the month's end: 2024-02-29 plus 36 months is 2027-02-28.
create or replace macro add_months(d, m) as cast(d + to_months(cast(m as integer)) as date);

-- Trimmed and lower case; an empty address is none. Trimming costs many times what it costs to see that there is
-- nothing to trim.
create or replace macro normalised_email(x) as case
    when
        x < '!' or prefix(x, chr(160)) or suffix(x, ' ') or suffix(x, chr(9)) or suffix(x, chr(10))
        or suffix(x, chr(13)) or suffix(x, chr(160))
        then nullif(lower(trim(x, ' ' || chr(9) || chr(10) || chr(13) || chr(160))), '')
    else lower(x)
end;

-- Case-folded, spaces collapsed. ASCII and the letters of the Nordic and western languages fold in SQL;
-- anything rarer goes through Unicode's full case folding. Most names are of such letters and single spaces already.
create or replace macro normalised_name(x) as nullif(
    case
        when regexp_full_match(x, '[!-~ÅÄÖÉÈÜØÆåäöéèüøæ]+(?: [!-~ÅÄÖÉÈÜØÆåäöéèüøæ]+)*') then lower(x)
        when regexp_matches(x, '[^\x{20}-\x{7E}ÅÄÖÉÈÜØÆåäöéèüøæ\t\r\n]') then unicode_folded_name(x)
        else trim(regexp_replace(lower(x), '\s+', ' ', 'g'))
    end,
    ''
);

-- E.164 for Swedish numbers, digits with a plus for foreign ones; null when it cannot be a phone number.
create or replace macro phone_digits(x) as regexp_replace(x, '[^0-9+]', '', 'g');
create or replace macro normalised_phone(x) as case
    when not regexp_full_match(phone_digits(x), '[+]?[0-9]{6,15}') then null
    when starts_with(phone_digits(x), '+') then phone_digits(x)
    when starts_with(phone_digits(x), '00') then '+' || substr(phone_digits(x), 3)
    when starts_with(phone_digits(x), '0') then '+46' || substr(phone_digits(x), 2)
    else '+' || phone_digits(x)
end;

-- Luhn's check over ten digits: every other digit doubled from the first, a two-digit product counts its digits' sum
-- (nine less than itself). The list binds the number once; written out, it would be worked out anew for each digit.
create or replace macro luhn_holds(digits) as list_transform([cast(digits as bigint)], lambda n: (
    n // 1000000000 % 10 * 2 - n // 5000000000 % 2 * 9 + n // 100000000 % 10
    + n // 10000000 % 10 * 2 - n // 50000000 % 2 * 9 + n // 1000000 % 10
    + n // 100000 % 10 * 2 - n // 500000 % 2 * 9 + n // 10000 % 10
    + n // 1000 % 10 * 2 - n // 5000 % 2 * 9 + n // 100 % 10
    + n // 10 % 10 * 2 - n // 50 % 2 * 9 + n % 10
) % 10 = 0)[1];

-- A birth date as six digits and a century; a samordningsnummer adds 60 to the day.
create or replace macro birth_date_exists(century, six) as try_cast(
    century || substr(six, 1, 2) || '-' || substr(six, 3, 2) || '-'
    || lpad(cast(cast(substr(six, 5, 2) as integer) % 60 as varchar), 2, '0') as date
) is not null and cast(substr(six, 5, 2) as integer) not between 32 and 60;

-- The last ten digits of a valid personnummer or samordningsnummer (10 or 12 digits, with or without - or +),
-- else null.
create or replace macro bare_number(x) as regexp_replace(trim(x), '[-+ ]', '', 'g');
create or replace macro personnummer(x) as list_transform([bare_number(x)], lambda bare: case
    when not regexp_full_match(trim(x), '(?:[0-9]{2})?[0-9]{6}[-+ ]?[0-9]{4}') then null
    when not luhn_holds(right(bare, 10)) then null
    when length(bare) = 12 and birth_date_exists(substr(bare, 1, 2), substr(bare, 3, 6)) then right(bare, 10)
    when length(bare) = 10 and (
        birth_date_exists('20', substr(bare, 1, 6)) or birth_date_exists('19', substr(bare, 1, 6))
    ) then bare
end)[1];

-- The ten digits of a valid organisationsnummer (third and fourth digit make at least 20), else null.
create or replace macro organisationsnummer(x) as list_transform([right(bare_number(x), 10)], lambda bare: case
    when not regexp_full_match(trim(x), '(?:16)?[0-9]{6}[- ]?[0-9]{4}') then null
    when cast(substr(bare, 3, 2) as integer) < 20 then null
    when luhn_holds(bare) then bare
end)[1];

-- No export can show a restriction, a lift or a notice: what its system says of it is the end.
create or replace macro is_acknowledged(action, state) as coalesce(
    action in ('restrict', 'lift', 'notify') and state in ('done', 'already_absent'), false
);

-- The day by which something is to have happened of an item that came to its state on a day: the day postponed to, a
-- year after the answer at the latest (a slip, or a system that would never, silences no order for good), else thirty
-- days after a refusal, a discrepancy or a part kept, else the day to answer.
create or replace macro falls_due_on(state, on_day, postponed_to, respond_by) as case
    when postponed_to is not null then least(postponed_to, cast(on_day + interval 1 year as date))
    when state in ('refused', 'discrepancy', 'partly_retained') then on_day + 30
    else respond_by
end;
