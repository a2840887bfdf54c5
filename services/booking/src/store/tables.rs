//! The tables of booking: one migration list for both engines, and the class of every column.
//!
//! `state` holds the contract's number; `awaits` what a pending booking waits for (1 approval, 2 hold). `spec` is the part
//! of a booking that nobody filters by, as an encoded message without its texts; the texts, also those of its reasons, are
//! sealed in `secret_enc`. `used_*` is the usage that the accepting decision saw, `home_unit` the unit of a resident of
//! another area, `tries` how often the ledger was asked anew to settle the hold.

use linli_kit::columns::Class;
use linli_kit::store::Migration;

/// Migrations of booking's own tables.
pub(crate) const MIGRATIONS: &[Migration] = &[Migration {
    version: 1000,
    name: "booking: slots, bookings, receipts",
    sqlite: &[
        "CREATE TABLE slot (
           area TEXT NOT NULL, id BLOB NOT NULL, schedule TEXT NOT NULL, offering TEXT NOT NULL, station TEXT NOT NULL,
           kind TEXT NOT NULL, start_us INTEGER NOT NULL, end_us INTEGER NOT NULL, capacity INTEGER NOT NULL,
           taken INTEGER NOT NULL, waiting INTEGER NOT NULL, next_seq INTEGER NOT NULL, state INTEGER NOT NULL,
           version INTEGER NOT NULL, PRIMARY KEY (area, id),
           CONSTRAINT slot_seats CHECK (taken >= 0 AND taken <= capacity)
         ) STRICT",
        "CREATE UNIQUE INDEX slot_once ON slot (area, schedule, start_us) WHERE state <> 3",
        "CREATE INDEX slot_start ON slot (area, start_us, id)",
        "CREATE INDEX slot_offering ON slot (area, offering, start_us)",
        "CREATE TABLE booking (
           area TEXT NOT NULL, id BLOB NOT NULL, slot BLOB NOT NULL, offering TEXT NOT NULL, kind TEXT NOT NULL,
           mode INTEGER NOT NULL, tags TEXT NOT NULL, resident TEXT NOT NULL, unit TEXT NOT NULL, station_unit TEXT NOT NULL,
           booked_by TEXT NOT NULL, on_behalf INTEGER NOT NULL, party INTEGER NOT NULL, state INTEGER NOT NULL,
           awaits INTEGER NOT NULL, approval INTEGER NOT NULL, priority INTEGER NOT NULL, seq INTEGER NOT NULL,
           price_asset TEXT NOT NULL, price_value INTEGER NOT NULL, hold TEXT NOT NULL, settlement INTEGER NOT NULL,
           tries INTEGER NOT NULL, start_us INTEGER NOT NULL,
           end_us INTEGER NOT NULL, week INTEGER NOT NULL, month INTEGER NOT NULL, expires_us INTEGER,
           used_open INTEGER NOT NULL, used_week INTEGER NOT NULL, used_month INTEGER NOT NULL,
           used_no_shows INTEGER NOT NULL, home_unit TEXT NOT NULL,
           spec BLOB NOT NULL, secret_enc BLOB NOT NULL, create_us INTEGER NOT NULL, update_us INTEGER NOT NULL,
           version INTEGER NOT NULL, PRIMARY KEY (area, id)
         ) STRICT",
        "CREATE INDEX booking_slot ON booking (area, slot, state)",
        "CREATE INDEX booking_usage ON booking (area, resident, kind, state)",
        "CREATE INDEX booking_due ON booking (expires_us) WHERE expires_us IS NOT NULL",
        "CREATE TABLE resident_usage (
           area TEXT NOT NULL, kind TEXT NOT NULL, resident TEXT NOT NULL, version INTEGER NOT NULL,
           PRIMARY KEY (area, kind, resident)
         ) STRICT, WITHOUT ROWID",
        "CREATE TABLE receipt (
           area TEXT NOT NULL, id BLOB NOT NULL, booking BLOB NOT NULL, hook TEXT NOT NULL, verdict TEXT NOT NULL,
           spec_enc BLOB NOT NULL, create_us INTEGER NOT NULL, PRIMARY KEY (area, id)
         ) STRICT",
        "CREATE INDEX receipt_booking ON receipt (area, booking)",
        "CREATE INDEX receipt_created ON receipt (create_us)",
        "CREATE TABLE schedule_horizon (
           area TEXT NOT NULL, schedule TEXT NOT NULL, extend_us INTEGER NOT NULL, PRIMARY KEY (area, schedule)
         ) STRICT, WITHOUT ROWID",
        "CREATE INDEX schedule_horizon_due ON schedule_horizon (extend_us)",
        "CREATE TABLE menu_day (
           area TEXT NOT NULL, offering TEXT NOT NULL, day TEXT NOT NULL, menu TEXT NOT NULL,
           PRIMARY KEY (area, offering, day)
         ) STRICT, WITHOUT ROWID",
    ],
    postgres: &[
        "CREATE TABLE slot (
           area text NOT NULL, id uuid NOT NULL, schedule text NOT NULL, offering text NOT NULL, station text NOT NULL,
           kind text NOT NULL, start_us bigint NOT NULL, end_us bigint NOT NULL, capacity bigint NOT NULL,
           taken bigint NOT NULL, waiting bigint NOT NULL, next_seq bigint NOT NULL, state bigint NOT NULL,
           version bigint NOT NULL, PRIMARY KEY (area, id),
           CONSTRAINT slot_seats CHECK (taken >= 0 AND taken <= capacity)
         ) WITH (fillfactor = 80)",
        "CREATE UNIQUE INDEX slot_once ON slot (area, schedule, start_us) WHERE state <> 3",
        "CREATE INDEX slot_start ON slot (area, start_us, id)",
        "CREATE INDEX slot_offering ON slot (area, offering, start_us)",
        "CREATE TABLE booking (
           area text NOT NULL, id uuid NOT NULL, slot uuid NOT NULL, offering text NOT NULL, kind text NOT NULL,
           mode bigint NOT NULL, tags text NOT NULL, resident text NOT NULL, unit text NOT NULL, station_unit text NOT NULL,
           booked_by text NOT NULL, on_behalf bigint NOT NULL, party bigint NOT NULL, state bigint NOT NULL,
           awaits bigint NOT NULL, approval bigint NOT NULL, priority bigint NOT NULL, seq bigint NOT NULL,
           price_asset text NOT NULL, price_value bigint NOT NULL, hold text NOT NULL, settlement bigint NOT NULL,
           tries bigint NOT NULL, start_us bigint NOT NULL,
           end_us bigint NOT NULL, week bigint NOT NULL, month bigint NOT NULL, expires_us bigint,
           used_open bigint NOT NULL, used_week bigint NOT NULL, used_month bigint NOT NULL,
           used_no_shows bigint NOT NULL, home_unit text NOT NULL,
           spec bytea NOT NULL, secret_enc bytea NOT NULL, create_us bigint NOT NULL, update_us bigint NOT NULL,
           version bigint NOT NULL, PRIMARY KEY (area, id)
         )",
        "CREATE INDEX booking_slot ON booking (area, slot, state)",
        "CREATE INDEX booking_usage ON booking (area, resident, kind, state)",
        "CREATE INDEX booking_due ON booking (expires_us) WHERE expires_us IS NOT NULL",
        "CREATE TABLE resident_usage (
           area text NOT NULL, kind text NOT NULL, resident text NOT NULL, version bigint NOT NULL,
           PRIMARY KEY (area, kind, resident)
         )",
        "CREATE TABLE receipt (
           area text NOT NULL, id uuid NOT NULL, booking uuid NOT NULL, hook text NOT NULL, verdict text NOT NULL,
           spec_enc bytea NOT NULL, create_us bigint NOT NULL, PRIMARY KEY (area, id)
         )",
        "CREATE INDEX receipt_booking ON receipt (area, booking)",
        "CREATE INDEX receipt_created ON receipt (create_us)",
        "CREATE TABLE schedule_horizon (
           area text NOT NULL, schedule text NOT NULL, extend_us bigint NOT NULL, PRIMARY KEY (area, schedule)
         )",
        "CREATE INDEX schedule_horizon_due ON schedule_horizon (extend_us)",
        "CREATE TABLE menu_day (
           area text NOT NULL, offering text NOT NULL, day text NOT NULL, menu text NOT NULL,
           PRIMARY KEY (area, offering, day)
         )",
    ],
}];

/// The class of every column. Residents stand there by id; what they answered or described, the reasons that they were told
/// and the facts in a receipt are sealed.
pub(crate) const COLUMNS: &[(&str, &str, Class)] = &[
    ("slot", "area", Class::Public),
    ("slot", "id", Class::Public),
    ("slot", "schedule", Class::Public),
    ("slot", "offering", Class::Public),
    ("slot", "station", Class::Public),
    ("slot", "kind", Class::Public),
    ("slot", "start_us", Class::Public),
    ("slot", "end_us", Class::Public),
    ("slot", "capacity", Class::Public),
    ("slot", "taken", Class::Public),
    ("slot", "waiting", Class::Public),
    ("slot", "next_seq", Class::Public),
    ("slot", "state", Class::Public),
    ("slot", "version", Class::Public),
    ("booking", "area", Class::Public),
    ("booking", "id", Class::Public),
    ("booking", "slot", Class::Public),
    ("booking", "offering", Class::Public),
    ("booking", "kind", Class::Public),
    ("booking", "mode", Class::Public),
    ("booking", "tags", Class::Public),
    ("booking", "resident", Class::Public),
    ("booking", "unit", Class::Public),
    ("booking", "station_unit", Class::Public),
    ("booking", "booked_by", Class::Public),
    ("booking", "on_behalf", Class::Public),
    ("booking", "party", Class::Public),
    ("booking", "state", Class::Public),
    ("booking", "awaits", Class::Public),
    ("booking", "approval", Class::Public),
    ("booking", "priority", Class::Public),
    ("booking", "seq", Class::Public),
    ("booking", "price_asset", Class::Public),
    ("booking", "price_value", Class::Public),
    ("booking", "hold", Class::Public),
    ("booking", "settlement", Class::Public),
    ("booking", "tries", Class::Public),
    ("booking", "start_us", Class::Public),
    ("booking", "end_us", Class::Public),
    ("booking", "week", Class::Public),
    ("booking", "month", Class::Public),
    ("booking", "expires_us", Class::Public),
    ("booking", "used_open", Class::Public),
    ("booking", "used_week", Class::Public),
    ("booking", "used_month", Class::Public),
    ("booking", "used_no_shows", Class::Public),
    ("booking", "home_unit", Class::Public),
    ("booking", "spec", Class::Public),
    ("booking", "secret_enc", Class::Sensitive),
    ("booking", "create_us", Class::Public),
    ("booking", "update_us", Class::Public),
    ("booking", "version", Class::Public),
    ("resident_usage", "area", Class::Public),
    ("resident_usage", "kind", Class::Public),
    ("resident_usage", "resident", Class::Public),
    ("resident_usage", "version", Class::Public),
    ("receipt", "area", Class::Public),
    ("receipt", "id", Class::Public),
    ("receipt", "booking", Class::Public),
    ("receipt", "hook", Class::Public),
    ("receipt", "verdict", Class::Public),
    ("receipt", "spec_enc", Class::Personal),
    ("receipt", "create_us", Class::Public),
    ("schedule_horizon", "area", Class::Public),
    ("schedule_horizon", "schedule", Class::Public),
    ("schedule_horizon", "extend_us", Class::Public),
    ("menu_day", "area", Class::Public),
    ("menu_day", "offering", Class::Public),
    ("menu_day", "day", Class::Public),
    ("menu_day", "menu", Class::Public),
];
