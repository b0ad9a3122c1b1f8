-- Who else gets the company's data. Grain: a partner.
select *
from (
    values
    ('frakt', 'Fiktiv Frakt AB', 'processor', 'partner:frakt'),
    ('inkasso', 'Påhittad Inkasso AB', 'controller', 'partner:inkasso'),
    ('skatt', 'Exempelmyndigheten', 'authority', null)
) as partners (partner_id, name, role, system)
where getvariable('first') = 1
