-- Roles and schemas of the suite, for a PostgreSQL 15 or newer that is linli's alone. Run it once, as a superuser, in the suite's database;
-- running it again changes nothing. Logins get their passwords or certificates afterwards, from whoever runs the database:
--   ALTER ROLE linli_org PASSWORD '...';
--
-- `linli_migrate` owns every schema (Job linli-migrate). Each service has a role that reads and writes the rows of its own
-- schema, and nothing else: it cannot change a table, and cannot see another service's.
DO $$
DECLARE
  service text;
BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'linli_migrate') THEN
    CREATE ROLE linli_migrate LOGIN;
  END IF;
  EXECUTE format('GRANT CONNECT, TEMPORARY ON DATABASE %I TO linli_migrate', current_database());
  FOREACH service IN ARRAY ARRAY['org', 'booking', 'points', 'deliberation', 'rules'] LOOP
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'linli_' || service) THEN
      EXECUTE format('CREATE ROLE %I LOGIN', 'linli_' || service);
    END IF;
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO %I', current_database(), 'linli_' || service);
    EXECUTE format('CREATE SCHEMA IF NOT EXISTS %I AUTHORIZATION linli_migrate', service);
    EXECUTE format('GRANT USAGE ON SCHEMA %I TO %I', service, 'linli_' || service);
    -- For the tables that the migration is going to make.
    EXECUTE format(
      'ALTER DEFAULT PRIVILEGES FOR ROLE linli_migrate IN SCHEMA %I GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO %I',
      service, 'linli_' || service);
    EXECUTE format(
      'ALTER DEFAULT PRIVILEGES FOR ROLE linli_migrate IN SCHEMA %I GRANT USAGE, SELECT ON SEQUENCES TO %I',
      service, 'linli_' || service);
  END LOOP;
  EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database());
  REVOKE ALL ON SCHEMA public FROM PUBLIC;
END
$$;
