-- Functions remember the one schema that holds the tables. Some remembered a search path that begins with "$user", which
-- leads whoever writes under another role to other tables. Migrations are run with that one schema on the path.
DO $$
DECLARE
    signature regprocedure;
BEGIN
    FOR signature IN
        SELECT p.oid::regprocedure FROM pg_proc p
        WHERE p.pronamespace = (SELECT oid FROM pg_namespace WHERE nspname = current_schema()) AND p.proname LIKE 'halyard\_%' AND p.proconfig IS NOT NULL
    LOOP
        EXECUTE format('ALTER FUNCTION %s SET search_path FROM CURRENT', signature);
    END LOOP;
END $$;

-- A search takes upper and lower case for the same, also where the database's own locale knows the letters of English alone,
-- or folds them as Turkish does. Where it folds as Unicode says nothing is changed.
DO $$
DECLARE
    candidate text;
    folds boolean;
BEGIN
    IF lower('ÜI') = 'üi' THEN
        RETURN;
    END IF;
    FOR candidate IN
        SELECT c.collname FROM pg_collation c
        JOIN unnest('{und-x-icu,pg_unicode_fast,pg_c_utf8,C.utf8,C.UTF-8}'::text[]) WITH ORDINALITY AS known (name, rank)
            ON known.name = c.collname
        WHERE c.collnamespace = 'pg_catalog'::regnamespace AND c.collencoding IN (-1, pg_char_to_encoding('UTF8'))
        ORDER BY known.rank
    LOOP
        EXECUTE format('SELECT lower(%L COLLATE pg_catalog.%I) = %L', 'ÜI', candidate, 'üi') INTO folds;
        IF folds THEN
            EXECUTE format(
                'ALTER TABLE feature_flags ALTER name TYPE varchar(200) COLLATE pg_catalog.%I,
                                           ALTER description TYPE text COLLATE pg_catalog.%I', candidate, candidate);
            RETURN;
        END IF;
    END LOOP;
END $$;
