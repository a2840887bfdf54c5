-- DEV ONLY: what the overlay's Secrets say.
ALTER ROLE linli_migrate PASSWORD 'dev-only';
ALTER ROLE linli_org PASSWORD 'dev-only';
ALTER ROLE linli_booking PASSWORD 'dev-only';
ALTER ROLE linli_points PASSWORD 'dev-only';
ALTER ROLE linli_deliberation PASSWORD 'dev-only';
ALTER ROLE linli_rules PASSWORD 'dev-only';
