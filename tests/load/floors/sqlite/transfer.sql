UPDATE account SET balance = balance - :amount, version = version + 1 WHERE id = :debit;
UPDATE account SET balance = balance + :amount, version = version + 1 WHERE id = :credit;
INSERT INTO transfer(debit, credit, amount, idem_key) VALUES (:debit, :credit, :amount, randomblob(16));
INSERT INTO entry(transfer_id, account_id, amount) SELECT max(id), :debit, -:amount FROM transfer UNION ALL SELECT max(id), :credit, :amount FROM transfer;
