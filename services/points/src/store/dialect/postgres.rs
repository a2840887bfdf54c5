//! The hot statements for PostgreSQL: arrays in, one statement for a whole batch.

use super::Texts;

pub(super) const TEXTS: Texts = Texts {
    holds: "SELECT t.* FROM unnest($1::text[], $2::uuid[]) k(area, id) JOIN hold t ON t.area = k.area AND t.id = k.id \
            ORDER BY t.area, t.id FOR UPDATE OF t",
    transfers: "SELECT t.* FROM unnest($1::text[], $2::uuid[]) k(area, id) \
                JOIN transfer t ON t.area = k.area AND t.id = k.id ORDER BY t.area, t.id FOR UPDATE OF t",
    cards: "SELECT t.* FROM unnest($1::text[], $2::uuid[]) k(area, id) JOIN card t ON t.area = k.area AND t.id = k.id \
            ORDER BY t.area, t.id FOR UPDATE OF t",
    live_cards: "SELECT t.* FROM unnest($1::text[], $2::text[], $3::text[]) k(area, holder, card_type) \
                 JOIN card t ON t.area = k.area AND t.holder = k.holder AND t.card_type = k.card_type \
                 WHERE t.state IN (1, 2) ORDER BY t.area, t.id FOR UPDATE OF t",
    card_assets: "SELECT t.area, t.id, t.asset, t.holder FROM unnest($1::text[], $2::uuid[]) k(area, id) \
                  JOIN card t ON t.area = k.area AND t.id = k.id",
    redemptions: "SELECT t.* FROM unnest($1::text[], $2::uuid[]) k(area, id) \
                  JOIN redemption t ON t.area = k.area AND t.transfer_id = k.id",
    stamped: "SELECT a.area, a.transfer_id, s.units, c.id, c.holder, c.card_type \
              FROM unnest($1::text[], $2::uuid[]) k(area, id) JOIN award a ON a.area = k.area AND a.transfer_id = k.id \
              JOIN card_stamp s ON s.area = a.area AND s.cause_id = a.id JOIN card c ON c.area = s.area AND c.id = s.card_id",
    rewards: "SELECT t.* FROM unnest($1::text[], $2::text[]) k(area, reward) \
              JOIN reward_stock t ON t.area = k.area AND t.reward = k.reward ORDER BY t.area, t.reward FOR UPDATE OF t",
    assets: "SELECT t.area, t.id, t.spec FROM unnest($1::text[], $2::text[]) k(area, id) \
             JOIN catalogue t ON t.area = k.area AND t.collection = 'assets' AND t.id = k.id",
    accounts: "SELECT t.* FROM unnest($1::text[], $2::text[], $3::text[]) k(area, asset, holder) \
               JOIN account t ON t.area = k.area AND t.asset = k.asset AND t.holder = k.holder \
               ORDER BY t.area, t.asset, t.holder FOR UPDATE OF t",
    holders_accounts: "SELECT t.* FROM unnest($1::text[], $2::text[]) k(area, holder) \
                       JOIN account t ON t.area = k.area AND t.holder = k.holder",
    lock_holders: Some(
        "SELECT pg_advisory_xact_lock(hashtextextended('linli-points-' || k.area || '/' || k.holder, 0))::text \
         FROM unnest($1::text[], $2::text[]) k(area, holder)",
    ),
    insert_accounts: "INSERT INTO account (area, asset, holder, balance, held, version) \
                      SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[]) \
                      ON CONFLICT DO NOTHING",
    update_accounts: "UPDATE account t SET balance = k.balance, held = k.held, version = k.version \
                      FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[]) \
                      k(area, asset, holder, balance, held, version) \
                      WHERE t.area = k.area AND t.asset = k.asset AND t.holder = k.holder",
    insert_transfers: "INSERT INTO transfer (area, id, asset, value, from_holder, to_holder, kind, cause, reverses, created_us) \
                       SELECT area, id, asset, value, from_holder, to_holder, kind, cause, \
                       NULLIF(reverses, '00000000-0000-0000-0000-000000000000'::uuid), created_us \
                       FROM unnest($1::text[], $2::uuid[], $3::text[], $4::bigint[], $5::text[], $6::text[], $7::bigint[], \
                       $8::text[], $9::uuid[], $10::bigint[]) \
                       k(area, id, asset, value, from_holder, to_holder, kind, cause, reverses, created_us)",
    mark_reversed: "UPDATE transfer t SET reversed_by = k.by FROM unnest($1::text[], $2::uuid[], $3::uuid[]) k(area, id, by) \
                    WHERE t.area = k.area AND t.id = k.id AND t.reversed_by IS NULL",
    insert_entries: "INSERT INTO entry (area, transfer_id, id, account, seq, value, balance_after, created_us) \
                     SELECT * FROM unnest($1::text[], $2::uuid[], $3::uuid[], $4::text[], $5::bigint[], $6::bigint[], \
                     $7::bigint[], $8::bigint[])",
    insert_holds: "INSERT INTO hold (area, id, asset, value, from_holder, to_holder, expires_us, cause, state, created_us, \
                   transfer_id) \
                   SELECT area, id, asset, value, from_holder, to_holder, expires_us, cause, state, created_us, \
                   NULLIF(transfer_id, '00000000-0000-0000-0000-000000000000'::uuid) \
                   FROM unnest($1::text[], $2::uuid[], $3::text[], $4::bigint[], $5::text[], $6::text[], $7::bigint[], \
                   $8::text[], $9::bigint[], $10::bigint[], $11::uuid[]) \
                   k(area, id, asset, value, from_holder, to_holder, expires_us, cause, state, created_us, transfer_id)",
    update_holds: "UPDATE hold t SET state = k.state, \
                   transfer_id = NULLIF(k.transfer_id, '00000000-0000-0000-0000-000000000000'::uuid) \
                   FROM unnest($1::text[], $2::uuid[], $3::bigint[], $4::uuid[]) k(area, id, state, transfer_id) \
                   WHERE t.area = k.area AND t.id = k.id AND t.state = 1",
    insert_cards: "INSERT INTO card (area, id, card_type, holder, asset, needed, reward, stamps, state, full_us, version, \
                   created_us) \
                   SELECT area, id, card_type, holder, asset, needed, reward, stamps, state, \
                   NULLIF(full_us, -9223372036854775808), version, created_us \
                   FROM unnest($1::text[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::bigint[], $7::text[], \
                   $8::bigint[], $9::bigint[], $10::bigint[], $11::bigint[], $12::bigint[]) \
                   k(area, id, card_type, holder, asset, needed, reward, stamps, state, full_us, version, created_us)",
    update_cards: "UPDATE card t SET stamps = k.stamps, state = k.state, \
                   full_us = NULLIF(k.full_us, -9223372036854775808), version = k.version \
                   FROM unnest($1::text[], $2::uuid[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[]) \
                   k(area, id, stamps, state, full_us, version) WHERE t.area = k.area AND t.id = k.id",
    mark_returned: "UPDATE redemption t SET reversed_by = k.by FROM unnest($1::text[], $2::uuid[], $3::uuid[]) k(area, id, by) \
                    WHERE t.area = k.area AND t.id = k.id AND t.reversed_by IS NULL",
    insert_stamps: "INSERT INTO card_stamp (area, card_id, cause_id, units) \
                    SELECT * FROM unnest($1::text[], $2::uuid[], $3::uuid[], $4::bigint[])",
    update_rewards: "UPDATE reward_stock t SET redeemed = k.redeemed \
                     FROM unnest($1::text[], $2::text[], $3::bigint[]) k(area, reward, redeemed) \
                     WHERE t.area = k.area AND t.reward = k.reward",
    insert_redemptions: "INSERT INTO redemption (area, id, reward, holder, quantity, card_id, transfer_id, redeemed_by, \
                         created_us) \
                         SELECT area, id, reward, holder, quantity, \
                         NULLIF(card_id, '00000000-0000-0000-0000-000000000000'::uuid), \
                         NULLIF(transfer_id, '00000000-0000-0000-0000-000000000000'::uuid), redeemed_by, created_us \
                         FROM unnest($1::text[], $2::uuid[], $3::text[], $4::text[], $5::bigint[], $6::uuid[], $7::uuid[], \
                         $8::text[], $9::bigint[]) \
                         k(area, id, reward, holder, quantity, card_id, transfer_id, redeemed_by, created_us)",
    insert_awards: "INSERT INTO award (area, id, event_id, award_binding, source, recipient, asset, value, transfer_id, \
                    reasons, digest, created_us) \
                    SELECT area, id, event_id, award_binding, source, recipient, asset, value, \
                    NULLIF(transfer_id, '00000000-0000-0000-0000-000000000000'::uuid), reasons, digest, created_us \
                    FROM unnest($1::text[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], \
                    $8::bigint[], $9::uuid[], $10::bytea[], $11::text[], $12::bigint[]) \
                    k(area, id, event_id, award_binding, source, recipient, asset, value, transfer_id, reasons, digest, \
                    created_us) ON CONFLICT DO NOTHING",
};
