//! The tables of points, in steps; catalogue resources (assets, card types, rewards, award bindings) are in kit's.

use linli_kit::ErrorCode;
use linli_kit::columns::{Class, Column};
use linli_kit::store::{Constraint, Migration};

/// Own migrations, versions from 1000.
pub(crate) const MIGRATIONS: &[Migration] = &[LEDGER, CARDS, REWARDS, AWARDS, CONTRIBUTIONS];

const LEDGER: Migration = Migration {
    version: 1000,
    name: "points: ledger",
    sqlite: &[
        "CREATE TABLE account (
           area TEXT NOT NULL, asset TEXT NOT NULL, holder TEXT NOT NULL, balance INTEGER NOT NULL, held INTEGER NOT NULL,
           version INTEGER NOT NULL, PRIMARY KEY (area, asset, holder),
           CONSTRAINT account_floor CHECK (held >= 0 AND (holder = 'issuance' OR balance >= held))
         ) STRICT, WITHOUT ROWID",
        "CREATE INDEX account_holder ON account (area, holder)",
        "CREATE TABLE transfer (
           area TEXT NOT NULL, id BLOB NOT NULL, asset TEXT NOT NULL, value INTEGER NOT NULL, from_holder TEXT NOT NULL,
           to_holder TEXT NOT NULL, kind INTEGER NOT NULL, cause TEXT NOT NULL, reverses BLOB, reversed_by BLOB,
           created_us INTEGER NOT NULL, PRIMARY KEY (area, id), CONSTRAINT transfer_value CHECK (value > 0)
         ) STRICT, WITHOUT ROWID",
        "CREATE INDEX transfer_from ON transfer (area, from_holder, id)",
        "CREATE INDEX transfer_to ON transfer (area, to_holder, id)",
        "CREATE UNIQUE INDEX transfer_reverses ON transfer (area, reverses) WHERE reverses IS NOT NULL",
        "CREATE TABLE entry (
           area TEXT NOT NULL, transfer_id BLOB NOT NULL, id BLOB NOT NULL, account TEXT NOT NULL, seq INTEGER NOT NULL,
           value INTEGER NOT NULL, balance_after INTEGER NOT NULL, created_us INTEGER NOT NULL,
           PRIMARY KEY (area, transfer_id, id)
         ) STRICT, WITHOUT ROWID",
        "CREATE UNIQUE INDEX entry_chain ON entry (area, account, seq)",
        "CREATE TABLE hold (
           area TEXT NOT NULL, id BLOB NOT NULL, asset TEXT NOT NULL, value INTEGER NOT NULL, from_holder TEXT NOT NULL,
           to_holder TEXT NOT NULL, expires_us INTEGER NOT NULL, cause TEXT NOT NULL, state INTEGER NOT NULL,
           transfer_id BLOB, created_us INTEGER NOT NULL, PRIMARY KEY (area, id), CONSTRAINT hold_value CHECK (value > 0)
         ) STRICT, WITHOUT ROWID",
        "CREATE INDEX hold_account ON hold (area, (asset || '.' || from_holder), id)",
        "CREATE INDEX hold_cause ON hold (area, cause)",
        "CREATE INDEX hold_due ON hold (expires_us) WHERE state = 1",
    ],
    postgres: &[
        "CREATE TABLE account (
           area text NOT NULL, asset text NOT NULL, holder text NOT NULL, balance bigint NOT NULL, held bigint NOT NULL,
           version bigint NOT NULL, PRIMARY KEY (area, asset, holder),
           CONSTRAINT account_floor CHECK (held >= 0 AND (holder = 'issuance' OR balance >= held))
         ) WITH (fillfactor = 70)",
        "CREATE INDEX account_holder ON account (area, holder)",
        "CREATE TABLE transfer (
           area text NOT NULL, id uuid NOT NULL, asset text NOT NULL, value bigint NOT NULL, from_holder text NOT NULL,
           to_holder text NOT NULL, kind bigint NOT NULL, cause text NOT NULL, reverses uuid, reversed_by uuid,
           created_us bigint NOT NULL, PRIMARY KEY (area, id), CONSTRAINT transfer_value CHECK (value > 0)
         )",
        "CREATE INDEX transfer_from ON transfer (area, from_holder, id)",
        "CREATE INDEX transfer_to ON transfer (area, to_holder, id)",
        "CREATE UNIQUE INDEX transfer_reverses ON transfer (area, reverses) WHERE reverses IS NOT NULL",
        "CREATE TABLE entry (
           area text NOT NULL, transfer_id uuid NOT NULL, id uuid NOT NULL, account text NOT NULL, seq bigint NOT NULL,
           value bigint NOT NULL, balance_after bigint NOT NULL, created_us bigint NOT NULL,
           PRIMARY KEY (area, transfer_id, id)
         )",
        "CREATE UNIQUE INDEX entry_chain ON entry (area, account, seq)",
        "CREATE TABLE hold (
           area text NOT NULL, id uuid NOT NULL, asset text NOT NULL, value bigint NOT NULL, from_holder text NOT NULL,
           to_holder text NOT NULL, expires_us bigint NOT NULL, cause text NOT NULL, state bigint NOT NULL,
           transfer_id uuid, created_us bigint NOT NULL, PRIMARY KEY (area, id), CONSTRAINT hold_value CHECK (value > 0)
         )",
        "CREATE INDEX hold_account ON hold (area, (asset || '.' || from_holder), id)",
        "CREATE INDEX hold_cause ON hold (area, cause)",
        "CREATE INDEX hold_due ON hold (expires_us) WHERE state = 1",
    ],
};

const CARDS: Migration = Migration {
    version: 1001,
    name: "points: cards",
    sqlite: &[
        "CREATE TABLE card (
           area TEXT NOT NULL, id BLOB NOT NULL, card_type TEXT NOT NULL, holder TEXT NOT NULL, asset TEXT NOT NULL,
           needed INTEGER NOT NULL, reward TEXT NOT NULL, stamps INTEGER NOT NULL, state INTEGER NOT NULL, full_us INTEGER,
           version INTEGER NOT NULL, created_us INTEGER NOT NULL, PRIMARY KEY (area, id),
           CONSTRAINT card_stamps CHECK (stamps >= 0 AND stamps <= needed)
         ) STRICT, WITHOUT ROWID",
        "CREATE UNIQUE INDEX card_open ON card (area, holder, card_type) WHERE state = 1",
        "CREATE INDEX card_holder ON card (area, holder, id)",
        // How many units an award put on which card, or below zero the transfer that reversed one took off it: the card's
        // units are their sum.
        "CREATE TABLE card_stamp (
           area TEXT NOT NULL, card_id BLOB NOT NULL, cause_id BLOB NOT NULL, units INTEGER NOT NULL,
           PRIMARY KEY (area, card_id, cause_id)
         ) STRICT, WITHOUT ROWID",
        "CREATE INDEX card_stamp_cause ON card_stamp (area, cause_id)",
    ],
    postgres: &[
        "CREATE TABLE card (
           area text NOT NULL, id uuid NOT NULL, card_type text NOT NULL, holder text NOT NULL, asset text NOT NULL,
           needed bigint NOT NULL, reward text NOT NULL, stamps bigint NOT NULL, state bigint NOT NULL, full_us bigint,
           version bigint NOT NULL, created_us bigint NOT NULL, PRIMARY KEY (area, id),
           CONSTRAINT card_stamps CHECK (stamps >= 0 AND stamps <= needed)
         )",
        "CREATE UNIQUE INDEX card_open ON card (area, holder, card_type) WHERE state = 1",
        "CREATE INDEX card_holder ON card (area, holder, id)",
        "CREATE TABLE card_stamp (
           area text NOT NULL, card_id uuid NOT NULL, cause_id uuid NOT NULL, units bigint NOT NULL,
           PRIMARY KEY (area, card_id, cause_id)
         )",
        "CREATE INDEX card_stamp_cause ON card_stamp (area, cause_id)",
    ],
};

const REWARDS: Migration = Migration {
    version: 1002,
    name: "points: rewards",
    sqlite: &[
        // What a redemption decides by, under one lock; the text of the reward is in the catalogue.
        "CREATE TABLE reward_stock (
           area TEXT NOT NULL, reward TEXT NOT NULL, asset TEXT NOT NULL, price INTEGER NOT NULL, supplied INTEGER NOT NULL,
           redeemed INTEGER NOT NULL, payee TEXT NOT NULL, archived INTEGER NOT NULL, card_only INTEGER NOT NULL,
           PRIMARY KEY (area, reward),
           CONSTRAINT reward_stock_left CHECK (redeemed >= 0 AND redeemed <= supplied)
         ) STRICT, WITHOUT ROWID",
        "CREATE TABLE redemption (
           area TEXT NOT NULL, id BLOB NOT NULL, reward TEXT NOT NULL, holder TEXT NOT NULL, quantity INTEGER NOT NULL,
           card_id BLOB, transfer_id BLOB, redeemed_by TEXT NOT NULL, reversed_by BLOB, created_us INTEGER NOT NULL,
           PRIMARY KEY (area, id)
         ) STRICT, WITHOUT ROWID",
        "CREATE INDEX redemption_holder ON redemption (area, holder, id)",
        "CREATE INDEX redemption_reward ON redemption (area, reward, id)",
        "CREATE UNIQUE INDEX redemption_card ON redemption (area, card_id) WHERE card_id IS NOT NULL AND reversed_by IS NULL",
        "CREATE UNIQUE INDEX redemption_transfer ON redemption (area, transfer_id) WHERE transfer_id IS NOT NULL",
    ],
    postgres: &[
        "CREATE TABLE reward_stock (
           area text NOT NULL, reward text NOT NULL, asset text NOT NULL, price bigint NOT NULL, supplied bigint NOT NULL,
           redeemed bigint NOT NULL, payee text NOT NULL, archived bigint NOT NULL, card_only bigint NOT NULL,
           PRIMARY KEY (area, reward),
           CONSTRAINT reward_stock_left CHECK (redeemed >= 0 AND redeemed <= supplied)
         )",
        "CREATE TABLE redemption (
           area text NOT NULL, id uuid NOT NULL, reward text NOT NULL, holder text NOT NULL, quantity bigint NOT NULL,
           card_id uuid, transfer_id uuid, redeemed_by text NOT NULL, reversed_by uuid, created_us bigint NOT NULL,
           PRIMARY KEY (area, id)
         )",
        "CREATE INDEX redemption_holder ON redemption (area, holder, id)",
        "CREATE INDEX redemption_reward ON redemption (area, reward, id)",
        "CREATE UNIQUE INDEX redemption_card ON redemption (area, card_id) WHERE card_id IS NOT NULL AND reversed_by IS NULL",
        "CREATE UNIQUE INDEX redemption_transfer ON redemption (area, transfer_id) WHERE transfer_id IS NOT NULL",
    ],
};

const AWARDS: Migration = Migration {
    version: 1003,
    name: "points: awards",
    sqlite: &[
        // An event that was decided: a replay posts nothing, whatever a newer rule would grant.
        "CREATE TABLE award_event (
           area TEXT NOT NULL, event_id TEXT NOT NULL, decided_us INTEGER NOT NULL, PRIMARY KEY (area, event_id)
         ) STRICT, WITHOUT ROWID",
        "CREATE TABLE award (
           area TEXT NOT NULL, id BLOB NOT NULL, event_id TEXT NOT NULL, award_binding TEXT NOT NULL, source TEXT NOT NULL,
           recipient TEXT NOT NULL, asset TEXT NOT NULL, value INTEGER NOT NULL, transfer_id BLOB, reasons BLOB NOT NULL,
           digest TEXT NOT NULL, created_us INTEGER NOT NULL, PRIMARY KEY (area, id)
         ) STRICT, WITHOUT ROWID",
        "CREATE UNIQUE INDEX award_once ON award (area, event_id, award_binding, recipient, asset)",
        "CREATE INDEX award_recipient ON award (area, recipient, id)",
        "CREATE UNIQUE INDEX award_transfer ON award (area, transfer_id) WHERE transfer_id IS NOT NULL",
    ],
    postgres: &[
        "CREATE TABLE award_event (
           area text NOT NULL, event_id text NOT NULL, decided_us bigint NOT NULL, PRIMARY KEY (area, event_id)
         )",
        "CREATE TABLE award (
           area text NOT NULL, id uuid NOT NULL, event_id text NOT NULL, award_binding text NOT NULL, source text NOT NULL,
           recipient text NOT NULL, asset text NOT NULL, value bigint NOT NULL, transfer_id uuid, reasons bytea NOT NULL,
           digest text NOT NULL, created_us bigint NOT NULL, PRIMARY KEY (area, id)
         )",
        "CREATE UNIQUE INDEX award_once ON award (area, event_id, award_binding, recipient, asset)",
        "CREATE INDEX award_recipient ON award (area, recipient, id)",
        "CREATE UNIQUE INDEX award_transfer ON award (area, transfer_id) WHERE transfer_id IS NOT NULL",
    ],
};

const CONTRIBUTIONS: Migration = Migration {
    version: 1004,
    name: "points: receipts of awards, contributions",
    sqlite: &[
        "CREATE TABLE award_receipt (
           area TEXT NOT NULL, id BLOB NOT NULL, event_id TEXT NOT NULL, award_binding TEXT NOT NULL, source TEXT NOT NULL,
           recipient TEXT NOT NULL, award_id BLOB, verdict TEXT NOT NULL, spec_enc BLOB NOT NULL, created_us INTEGER NOT NULL,
           PRIMARY KEY (area, id)
         ) STRICT, WITHOUT ROWID",
        "CREATE UNIQUE INDEX award_receipt_once ON award_receipt (area, event_id, award_binding, recipient)",
        "CREATE INDEX award_receipt_recipient ON award_receipt (area, recipient, id)",
        "CREATE INDEX award_receipt_created ON award_receipt (created_us)",
        "CREATE TABLE contribution (
           area TEXT NOT NULL, id BLOB NOT NULL, person TEXT NOT NULL, kind TEXT NOT NULL, role TEXT NOT NULL,
           minutes INTEGER NOT NULL, quantity INTEGER NOT NULL, score INTEGER, tags TEXT NOT NULL, occur_us INTEGER NOT NULL,
           recorded_by TEXT NOT NULL, created_us INTEGER NOT NULL, PRIMARY KEY (area, id)
         ) STRICT, WITHOUT ROWID",
        "CREATE UNIQUE INDEX contribution_once ON contribution (area, person, kind, occur_us)",
    ],
    postgres: &[
        "CREATE TABLE award_receipt (
           area text NOT NULL, id uuid NOT NULL, event_id text NOT NULL, award_binding text NOT NULL, source text NOT NULL,
           recipient text NOT NULL, award_id uuid, verdict text NOT NULL, spec_enc bytea NOT NULL, created_us bigint NOT NULL,
           PRIMARY KEY (area, id)
         )",
        "CREATE UNIQUE INDEX award_receipt_once ON award_receipt (area, event_id, award_binding, recipient)",
        "CREATE INDEX award_receipt_recipient ON award_receipt (area, recipient, id)",
        "CREATE INDEX award_receipt_created ON award_receipt (created_us)",
        "CREATE TABLE contribution (
           area text NOT NULL, id uuid NOT NULL, person text NOT NULL, kind text NOT NULL, role text NOT NULL,
           minutes bigint NOT NULL, quantity bigint NOT NULL, score bigint, tags text NOT NULL, occur_us bigint NOT NULL,
           recorded_by text NOT NULL, created_us bigint NOT NULL, PRIMARY KEY (area, id)
         )",
        "CREATE UNIQUE INDEX contribution_once ON contribution (area, person, kind, occur_us)",
    ],
};

macro_rules! classed {
    ($($table:literal: $($column:literal $(=> $class:ident)?),+;)+) => {
        &[$($(($table, $column, classed!(@ $($class)?))),+),+]
    };
    (@) => { Class::Public };
    (@ $class:ident) => { Class::$class };
}

/// Every column, classed: ids, codes, units and instants; whoever knows no name learns none here. What a
/// receipt keeps of a person is sealed.
pub(crate) const COLUMNS: &[Column] = classed! {
    "account": "area", "asset", "holder", "balance", "held", "version";
    "transfer": "area", "id", "asset", "value", "from_holder", "to_holder", "kind", "cause", "reverses",
        "reversed_by", "created_us";
    "entry": "area", "transfer_id", "id", "account", "seq", "value", "balance_after", "created_us";
    "hold": "area", "id", "asset", "value", "from_holder", "to_holder", "expires_us", "cause", "state", "transfer_id",
        "created_us";
    "card": "area", "id", "card_type", "holder", "asset", "needed", "reward", "stamps", "state", "full_us", "version",
        "created_us";
    "card_stamp": "area", "card_id", "cause_id", "units";
    "reward_stock": "area", "reward", "asset", "price", "supplied", "redeemed", "payee", "archived", "card_only";
    "redemption": "area", "id", "reward", "holder", "quantity", "card_id", "transfer_id", "redeemed_by",
        "reversed_by", "created_us";
    "award_event": "area", "event_id", "decided_us";
    "award": "area", "id", "event_id", "award_binding", "source", "recipient", "asset", "value", "transfer_id",
        "reasons", "digest", "created_us";
    "award_receipt": "area", "id", "event_id", "award_binding", "source", "recipient", "award_id", "verdict",
        "spec_enc" => Personal, "created_us";
    "contribution": "area", "id", "person", "kind", "role", "minutes", "quantity", "score", "tags", "occur_us",
        "recorded_by", "created_us";
};

const fn conflict(name: &'static str, sqlite: &'static str) -> Constraint {
    Constraint { name, sqlite, code: ErrorCode::Aborted, reason: "CONFLICT", field: None }
}

/// What can clash when a lock is missing or missed.
pub(crate) const CONSTRAINTS: &[Constraint] = &[
    conflict("account_floor", "account_floor"),
    conflict("entry_chain", "entry.area, entry.account, entry.seq"),
    conflict("transfer_reverses", "transfer.area, transfer.reverses"),
    conflict("card_open", "card.area, card.holder, card.card_type"),
    conflict("card_stamps", "card_stamps"),
    conflict("reward_stock_left", "reward_stock_left"),
    conflict("redemption_card", "redemption.area, redemption.card_id"),
    conflict("redemption_transfer", "redemption.area, redemption.transfer_id"),
    conflict("award_transfer", "award.area, award.transfer_id"),
    conflict(
        "award_receipt_once",
        "award_receipt.area, award_receipt.event_id, award_receipt.award_binding, award_receipt.recipient",
    ),
    Constraint {
        name: "contribution_once",
        sqlite: "contribution.area, contribution.person, contribution.kind, contribution.occur_us",
        code: ErrorCode::AlreadyExists,
        reason: "CONTRIBUTION_EXISTS",
        field: Some("contribution.occur_time"),
    },
];
