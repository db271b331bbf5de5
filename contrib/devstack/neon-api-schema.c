/* SPDX-License-Identifier: MIT */
/*
 * neon-api-schema: the table of projects, and the view of it as Neon's JSON: Postgres builds the
 * bodies of the responses.
 */
#include "neon-api.h"

/*
 * state: 'building' until role and database are there and the operations' time has passed, then
 * 'ready'; 'failed'; 'gone' after a deletion.
 */
static const char schema[] =
    "CREATE SCHEMA IF NOT EXISTS neon_standin;"
    "CREATE TABLE IF NOT EXISTS neon_standin.projects ("
    "	id text PRIMARY KEY, name text NOT NULL, region_id text NOT NULL,"
    "	pg_version int NOT NULL, role text NOT NULL, db text NOT NULL,"
    "	password text NOT NULL, endpoint_id text NOT NULL, branch_id text NOT NULL,"
    "	annotations jsonb NOT NULL, host text NOT NULL, port int NOT NULL,"
    "	state text NOT NULL DEFAULT 'building',"
    "	created_at timestamptz NOT NULL DEFAULT clock_timestamp());"
    "ALTER TABLE neon_standin.projects ADD COLUMN IF NOT EXISTS ready_at timestamptz,"
    "	ADD COLUMN IF NOT EXISTS seen_at timestamptz," /* when a client first saw it ready */
    "	ADD COLUMN IF NOT EXISTS disabled boolean NOT NULL DEFAULT false,"
    "	ADD COLUMN IF NOT EXISTS endpoint_settings jsonb NOT NULL DEFAULT '{}',"
    "	ADD COLUMN IF NOT EXISTS quota jsonb NOT NULL DEFAULT '{}',"
    "	ADD COLUMN IF NOT EXISTS changed_at timestamptz," /* its compute */
    "	ADD COLUMN IF NOT EXISTS busy_until timestamptz;"
    /* A disabled endpoint takes no login, and ends who is connected. */
    "CREATE OR REPLACE FUNCTION neon_standin.endpoint_switch(text, boolean) RETURNS void"
    " LANGUAGE plpgsql AS $$DECLARE p neon_standin.projects; BEGIN"
    "  UPDATE neon_standin.projects SET disabled = $2 WHERE id = $1 RETURNING * INTO p;"
    "  EXECUTE format('ALTER ROLE %I %s', p.role, CASE WHEN $2 THEN 'NOLOGIN' ELSE 'LOGIN' END);"
    "  IF $2 THEN PERFORM pg_terminate_backend(pid) FROM pg_stat_activity"
    "   WHERE usename = p.role; END IF; END$$;"

    "CREATE OR REPLACE FUNCTION neon_standin.utc(timestamptz) RETURNS text LANGUAGE sql STABLE AS"
    " $$SELECT to_char($1 AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')$$;"

    "CREATE OR REPLACE VIEW neon_standin.forms AS SELECT id, name, role, db, state, created_at,"
    " jsonb_build_object('id', id, 'name', name, 'region_id', region_id, 'pg_version', pg_version,"
    "  'store_passwords', true, 'proxy_host', host, 'settings',"
    "  jsonb_build_object('quota', quota), 'created_at',"
    "  neon_standin.utc(created_at)) AS project,"
    " jsonb_build_object('id', branch_id, 'project_id', id, 'name', 'main', 'default', true,"
    "  'current_state', CASE state WHEN 'ready' THEN 'ready' ELSE 'init' END) AS branch,"
    " annotations AS annotation, branch_id,"
    " jsonb_build_object('id', endpoint_id, 'host', host, 'project_id', id, 'branch_id', branch_id,"
    "  'type', 'read_write', 'disabled', disabled, 'suspend_timeout_seconds', 0,"
    "  'autoscaling_limit_min_cu', 0.25, 'autoscaling_limit_max_cu', 2,"
    "  'current_state', CASE state WHEN 'ready' THEN 'active' ELSE 'init' END)"
    "  || endpoint_settings AS endpoint,"
    " format('postgresql://%s:%s@%s:%s/%s?sslmode=prefer&channel_binding=prefer&stand_in=1',"
    "  role, password, host, port, db) AS uri,"
    " jsonb_build_object('database', db, 'password', password, 'role', role, 'host', host,"
    "  'pooler_host', host) AS parameters,"
    " (SELECT jsonb_agg(jsonb_build_object('id', md5(id || action)::uuid, 'project_id', id,"
    "  'branch_id', branch_id, 'action', action, 'failures_count', 0, 'status', CASE state"
    "  WHEN 'ready' THEN 'finished' WHEN 'failed' THEN 'failed' ELSE 'running' END,"
    "  'created_at', neon_standin.utc(created_at),"
    "  'updated_at', neon_standin.utc(coalesce(ready_at, clock_timestamp()))))"
    "  FROM unnest(ARRAY['start_compute', 'create_timeline']) AS action)"
    "  || CASE WHEN changed_at IS NULL THEN '[]'::jsonb ELSE jsonb_build_array("
    "  jsonb_build_object('id', md5(id || changed_at)::uuid, 'project_id', id, 'endpoint_id',"
    "  endpoint_id, 'action', 'apply_config', 'failures_count', 0, 'status', CASE WHEN busy_until >"
    "  clock_timestamp() THEN 'running' ELSE 'finished' END, 'created_at',"
    "  neon_standin.utc(changed_at), 'updated_at', neon_standin.utc(least(busy_until,"
    "  clock_timestamp())))) END AS operations"
    " FROM neon_standin.projects WHERE state <> 'gone';"

    /* Each returns the response's body, 'locked', or NULL where there is no such thing. Whether it
     * is disabled may be said at any time. */
    "CREATE OR REPLACE FUNCTION neon_standin.endpoint_change(text, text, jsonb, boolean, int)"
    " RETURNS text LANGUAGE plpgsql AS $$DECLARE p neon_standin.projects; BEGIN"
    "  SELECT * INTO p FROM neon_standin.projects WHERE id = $1 AND endpoint_id = $2"
    "   AND state <> 'gone' FOR UPDATE;"
    "  IF NOT FOUND THEN RETURN NULL; END IF;"
    "  IF $3 <> '{}' THEN"
    "   IF p.state = 'building' OR p.busy_until > clock_timestamp() THEN RETURN 'locked'; END IF;"
    "   UPDATE neon_standin.projects SET endpoint_settings = endpoint_settings || $3,"
    "    changed_at = clock_timestamp(),"
    "    busy_until = clock_timestamp() + $5 * interval '1 millisecond' WHERE id = $1;"
    "  END IF;"
    "  IF $4 IS NOT NULL THEN PERFORM neon_standin.endpoint_switch($1, $4); END IF;"
    "  RETURN (SELECT jsonb_build_object('endpoint', endpoint, 'operations', operations)"
    "   FROM neon_standin.forms WHERE id = $1); END$$;"
    "CREATE OR REPLACE FUNCTION neon_standin.project_change(text, text, jsonb)"
    " RETURNS text LANGUAGE plpgsql AS $$DECLARE p neon_standin.projects; BEGIN"
    "  SELECT * INTO p FROM neon_standin.projects WHERE id = $1 AND state <> 'gone' FOR UPDATE;"
    "  IF NOT FOUND THEN RETURN NULL; END IF;"
    "  IF p.busy_until > clock_timestamp() THEN RETURN 'locked'; END IF;"
    "  UPDATE neon_standin.projects SET quota = quota || $3,"
    "   name = coalesce(nullif($2, ''), name) WHERE id = $1;"
    "  RETURN (SELECT jsonb_build_object('project', project, 'operations', '[]'::jsonb)"
    "   FROM neon_standin.forms WHERE id = $1); END$$;";

enum flow_rc
schema_create(struct flow *f, struct neon_api *api, struct pg_result *out)
{
	struct pg_query q = { .sql = schema, .simple = true };

	return catalog_run(f, api->catalog, CATALOG_TENANTS, NEON_API_HOLDER, &q, out);
}
