//! The hot statements for SQLite: one row each, prepared once. Its single writer is the lock.

use super::Texts;

pub(super) const TEXTS: Texts = Texts {
    holds: "SELECT * FROM hold WHERE area = $1 AND id = $2",
    transfers: "SELECT * FROM transfer WHERE area = $1 AND id = $2",
    cards: "SELECT * FROM card WHERE area = $1 AND id = $2",
    live_cards: "SELECT * FROM card WHERE area = $1 AND holder = $2 AND card_type = $3 AND state IN (1, 2)",
    card_assets: "SELECT area, id, asset, holder FROM card WHERE area = $1 AND id = $2",
    redemptions: "SELECT * FROM redemption WHERE area = $1 AND transfer_id = $2",
    stamped: "SELECT a.area, a.transfer_id, s.units, c.id, c.holder, c.card_type FROM award a \
              JOIN card_stamp s ON s.area = a.area AND s.cause_id = a.id \
              JOIN card c ON c.area = s.area AND c.id = s.card_id WHERE a.area = $1 AND a.transfer_id = $2",
    rewards: "SELECT * FROM reward_stock WHERE area = $1 AND reward = $2",
    assets: "SELECT area, id, spec FROM catalogue WHERE area = $1 AND collection = 'assets' AND id = $2",
    accounts: "SELECT * FROM account WHERE area = $1 AND asset = $2 AND holder = $3",
    holders_accounts: "SELECT * FROM account WHERE area = $1 AND holder = $2",
    lock_holders: None,
    insert_accounts: "INSERT INTO account (area, asset, holder, balance, held, version) VALUES ($1, $2, $3, $4, $5, $6) \
                      ON CONFLICT DO NOTHING",
    update_accounts: "UPDATE account SET balance = $4, held = $5, version = $6 WHERE area = $1 AND asset = $2 AND holder = $3",
    insert_transfers: "INSERT INTO transfer (area, id, asset, value, from_holder, to_holder, kind, cause, reverses, created_us) \
                       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
    mark_reversed: "UPDATE transfer SET reversed_by = $3 WHERE area = $1 AND id = $2 AND reversed_by IS NULL",
    insert_entries: "INSERT INTO entry (area, transfer_id, id, account, seq, value, balance_after, created_us) \
                     VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    insert_holds: "INSERT INTO hold (area, id, asset, value, from_holder, to_holder, expires_us, cause, state, created_us, \
                   transfer_id) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
    update_holds: "UPDATE hold SET state = $3, transfer_id = $4 WHERE area = $1 AND id = $2 AND state = 1",
    insert_cards: "INSERT INTO card (area, id, card_type, holder, asset, needed, reward, stamps, state, full_us, version, \
                   created_us) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
    update_cards: "UPDATE card SET stamps = $3, state = $4, full_us = $5, version = $6 WHERE area = $1 AND id = $2",
    mark_returned: "UPDATE redemption SET reversed_by = $3 WHERE area = $1 AND id = $2 AND reversed_by IS NULL",
    insert_stamps: "INSERT INTO card_stamp (area, card_id, cause_id, units) VALUES ($1, $2, $3, $4)",
    update_rewards: "UPDATE reward_stock SET redeemed = $3 WHERE area = $1 AND reward = $2",
    insert_redemptions: "INSERT INTO redemption (area, id, reward, holder, quantity, card_id, transfer_id, redeemed_by, \
                         created_us) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    insert_awards: "INSERT INTO award (area, id, event_id, award_binding, source, recipient, asset, value, transfer_id, \
                    reasons, digest, created_us) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) \
                    ON CONFLICT DO NOTHING",
};
