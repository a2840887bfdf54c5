UPDATE slot SET remaining = remaining - 1, version = version + 1 WHERE id = :slot AND remaining > 0;
INSERT INTO booking(slot_id, person_id, idem_key) VALUES (:slot, :person, randomblob(16));
INSERT INTO outbox(topic, payload) VALUES ('booking.created', json_object('booking', last_insert_rowid(), 'slot', :slot, 'person', :person));
