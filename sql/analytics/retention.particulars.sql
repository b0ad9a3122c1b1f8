-- What the record of processing activities (Art 30(1)) says beside its purposes: who, to whom, where, how protected.
-- - part varchar: controller, joint_controller, representative, data_protection_officer, recipient or security
-- - position integer: its place in the register
-- - name varchar: whose contact it is, or the recipient's short name
-- - title_sv varchar: what it is called in Swedish
-- - title_en varchar: what it is called in English
-- - contact varchar: how they can be reached
-- - role varchar: a recipient's role: processor, controller, joint_controller or authority
-- - country varchar: where a recipient is, as ISO 3166 writes it
-- - safeguard varchar: what a transfer to a third country rests on (Chapter V)
-- - purposes varchar: the purposes that a recipient serves, separated by semicolons
select
    particulars.part,
    particulars.position,
    particulars.name,
    particulars.title_sv,
    particulars.title_en,
    particulars.contact,
    particulars.role,
    particulars.country,
    particulars.safeguard,
    particulars.purposes
from policy.particulars
