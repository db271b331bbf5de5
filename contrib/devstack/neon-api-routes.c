/* SPDX-License-Identifier: MIT */
/*
 * neon-api-routes: the table of routes: each is one SQL statement that returns the JSON of its
 * response. Shapes are those of Neon's API, version 2, as far as tenantgate uses it.
 */
#include <stdio.h>
#include <stdlib.h>

#include "neon-api.h"
#include "tenantgate/base/random.h"

#define ID_LEN 10 /* of a project's id after "local-" */

/* One project by its id; `what` is an SQL expression over neon_standin.forms. */
#define PROJECT_SQL(what) "SELECT " what "::text FROM neon_standin.forms WHERE id = $1"

static bool
prepare_project_query(struct neon_request *r, const char *sql)
{
	r->query = (struct pg_query){
		.sql = sql,
		.params = { PG_TEXT(r->id) },
		.param_count = 1,
	};
	return true;
}

static bool
prepare_project(struct neon_request *r, struct err *err)
{
	(void)err;
	return prepare_project_query(r, PROJECT_SQL("jsonb_build_object('project', project)"));
}

static bool
prepare_operations(struct neon_request *r, struct err *err)
{
	(void)err;
	return prepare_project_query(r,
	    "WITH seen AS (UPDATE neon_standin.projects SET seen_at = clock_timestamp() "
	    "WHERE id = $1 AND state = 'ready' AND seen_at IS NULL) " PROJECT_SQL(
		"jsonb_build_object('operations', operations, 'pagination', "
		"jsonb_build_object('cursor', created_at))"));
}

static bool
prepare_endpoints(struct neon_request *r, struct err *err)
{
	(void)err;
	return prepare_project_query(r,
	    PROJECT_SQL("jsonb_build_object('endpoints', jsonb_build_array(endpoint))"));
}

static bool
prepare_branches(struct neon_request *r, struct err *err)
{
	(void)err;
	return prepare_project_query(r,
	    PROJECT_SQL("jsonb_build_object('branches', jsonb_build_array(branch), 'annotations', "
			"jsonb_build_object(branch_id, jsonb_build_object('value', annotation)))"));
}

/* A project whose operations run is locked, as at Neon. */
static bool
prepare_delete(struct neon_request *r, struct err *err)
{
	(void)err;
	return prepare_project_query(r,
	    "WITH gone AS (UPDATE neon_standin.projects SET state = 'gone' "
	    "WHERE id = $1 AND state NOT IN ('gone', 'building') RETURNING id, "
	    "(SELECT pg_database_size(oid) FROM pg_database WHERE datname = db) AS size) "
	    "SELECT jsonb_build_object('project', project || "
	    "jsonb_build_object('synthetic_storage_size', size))::text "
	    "FROM neon_standin.forms JOIN gone USING (id) UNION ALL "
	    "SELECT '" LOCKED "' FROM neon_standin.projects WHERE id = $1 AND state = 'building'");
}

/* A field of a JSON object, or what stands for it when it is absent. */
static bool
parameter_from_json(const json_t *o, const char *name, const char *absent, char out[PARAMETER_SIZE],
    struct err *err)
{
	struct slice v = slice_str(absent);

	if (o != NULL && !json_opt_string(o, name, &v, err))
		return false;
	if (v.len >= 257) {
		err_set(err, ERR_BAD_REQUEST, "%s is longer than 256 bytes.", name);
		return false;
	}
	snprintf(out, PARAMETER_SIZE, "%.*s", SLICE_ARG(v));
	return true;
}

/* The row is gone at once, the database soon. */
static void
delete_then(struct neon_request *r)
{
	drop_start(r->api, r->id);
}

/* A parameter of the query string into texts[i], "" when absent. False when it does not fit. */
static bool
parameter_from_query(struct neon_request *r, const char *name, unsigned i)
{
	struct slice v = http_query_get(r->x, name, r->flow.arena);

	if (v.len >= sizeof(r->texts[i]))
		return false;
	snprintf(r->texts[i], sizeof(r->texts[i]), "%.*s", SLICE_ARG(v));
	return true;
}

/* Both names are required, as at Neon; the default ones stand for the project's own. */
static bool
prepare_uri(struct neon_request *r, struct err *err)
{
	if (!parameter_from_query(r, "database_name", 0) ||
	    !parameter_from_query(r, "role_name", 1) || r->texts[0][0] == '\0' ||
	    r->texts[1][0] == '\0') {
		err_set(err, ERR_BAD_REQUEST,
		    "The parameters database_name and role_name are required.");
		return false;
	}
	r->query = (struct pg_query){
		.sql = PROJECT_SQL(
		    "jsonb_build_object('uri', uri)") " AND $2 IN (db, 'neondb') "
						      "AND $3 IN (role, 'neondb_owner')",
		.params = { PG_TEXT(r->id), PG_TEXT(r->texts[0]), PG_TEXT(r->texts[1]) },
		.param_count = 3,
	};
	return true;
}

/* In place, with Neon's default. */
static bool
page_size_read(char *text)
{
	long n = strtol(text[0] != '\0' ? text : "10", NULL, 10);

	snprintf(text, 8, "%ld", n);
	return n >= 1 && n <= 400;
}

/* The knob's ids as a literal of text[]. */
static void
unavailable_list(struct neon_request *r, char *out, size_t size)
{
	struct buf b;
	unsigned i;

	buf_init(&b, size - 1);
	buf_putc(&b, '{');
	for (i = 0; i < r->api->unavailable_count; i++)
		buf_printf(&b, "%s\"%s\"", i > 0 ? "," : "", r->api->unavailable[i]);
	buf_putc(&b, '}');
	snprintf(out, size, "%s", b.failed ? "{}" : b.data);
	buf_free(&b);
}

/* Partial search over names and ids; the last page has a cursor like all the others. */
static bool
prepare_list(struct neon_request *r, struct err *err)
{
	if (!parameter_from_query(r, "search", 0) || !parameter_from_query(r, "cursor", 1) ||
	    !parameter_from_query(r, "limit", 2) || !page_size_read(r->texts[2])) {
		err_set(err, ERR_BAD_REQUEST, "The parameter limit must be from 1 to 400.");
		return false;
	}
	unavailable_list(r, r->texts[3], sizeof(r->texts[3]));
	r->query = (struct pg_query){
		.sql =
		    "WITH page AS (SELECT id, project FROM neon_standin.forms WHERE "
		    "(strpos(lower(name), lower($1)) > 0 OR strpos(id, $1) > 0) AND id > $2 "
		    "ORDER BY id LIMIT $3::int), "
		    "seen AS (SELECT * FROM page WHERE id <> ALL ($4::text[])) "
		    "SELECT jsonb_build_object('projects', coalesce((SELECT jsonb_agg(project "
		    "ORDER BY id) FROM seen), '[]'), 'unavailable_project_ids', coalesce((SELECT "
		    "jsonb_agg(id) FROM page WHERE id = ANY ($4::text[])), '[]'), 'pagination', "
		    "jsonb_build_object('cursor', coalesce((SELECT max(id) FROM page), $2)))::text",
		.params = { PG_TEXT(r->texts[0]), PG_TEXT(r->texts[1]), PG_TEXT(r->texts[2]),
		    PG_TEXT(r->texts[3]) },
		.param_count = 4,
	};
	return true;
}

/* Id, password and port of a new project. Lower case, for they become names in SQL without
 * quotes. */
static void
create_names(struct neon_request *r)
{
	char tail[ID_LEN + 1];
	size_t i;

	id_random(tail, ID_LEN);
	for (i = 0; i < ID_LEN; i++) {
		if (tail[i] >= 'A' && tail[i] <= 'Z')
			tail[i] = (char)(tail[i] - 'A' + 'a');
	}
	snprintf(r->id, sizeof(r->id), "local-%s", tail);
	id_random(r->texts[4], 24);
	snprintf(r->texts[5], sizeof(r->texts[5]), "%u", (unsigned)r->api->admin.port);
}

static bool
prepare_create(struct neon_request *r, struct err *err)
{
	json_t *project = NULL, *branch = NULL, *notes = NULL;
	json_t *compute = NULL;
	const char *endpoint, *quota;
	int64_t version = 17;

	if (!json_opt_object(r->json, "project", &project, err) || project == NULL) {
		err_set(err, ERR_BAD_REQUEST, "The field project is required.");
		return false;
	}
	create_names(r);
	if (!parameter_from_json(project, "name", r->id, r->texts[0], err) ||
	    !parameter_from_json(project, "region_id", "aws-us-east-2", r->texts[1], err) ||
	    !json_opt_int(project, "pg_version", 14, 18, &version, err) ||
	    !json_opt_object(project, "branch", &branch, err) ||
	    (branch != NULL && !json_opt_object(branch, "annotations", &notes, err)) ||
	    !json_opt_object(project, "default_endpoint_settings", &compute, err))
		return false;
	endpoint = endpoint_settings_read(r, compute, err);
	quota = endpoint != NULL ? quota_read(r, project, err) : NULL;
	if (quota == NULL)
		return false;
	snprintf(r->texts[2], sizeof(r->texts[2]), "%d", (int)version);
	snprintf(r->texts[6], sizeof(r->texts[6]), "%u", r->api->projects_max);
	buf_reset(&r->body);
	if (notes == NULL || !json_put(&r->body, notes))
		buf_puts(&r->body, "{}");
	r->query = (struct pg_query){
		.sql = "INSERT INTO neon_standin.projects (id, name, region_id, pg_version, role, "
		       "db, password, endpoint_id, branch_id, annotations, host, port, "
		       "endpoint_settings, quota) SELECT $1, "
		       "$2, "
		       "$3, $4::int, translate('neondb_owner_' || substr($1, 7), '-', '_'), "
		       "translate('neondb_' || substr($1, 7), '-', '_'), $5, 'ep-' || $1, 'br-' || "
		       "$1, "
		       "$6::jsonb, $7, $8::int, $10::jsonb, $11::jsonb WHERE $9::int = 0 OR "
		       "$9::int > (SELECT count(*) "
		       "FROM neon_standin.projects WHERE state <> 'gone')",
		.params = { PG_TEXT(r->id), PG_TEXT(r->texts[0]), PG_TEXT(r->texts[1]),
		    PG_TEXT(r->texts[2]), PG_TEXT(r->texts[4]), PG_TEXT(r->body.data),
		    PG_TEXT(r->api->advertised), PG_TEXT(r->texts[5]), PG_TEXT(r->texts[6]),
		    PG_TEXT(endpoint), PG_TEXT(quota) },
		.param_count = 11,
	};
	return true;
}

static const char created_sql[] = PROJECT_SQL(
    "jsonb_build_object('project', project, "
    "'connection_uris', jsonb_build_array(jsonb_build_object('connection_uri', uri, "
    "'connection_parameters', parameters)), 'roles', jsonb_build_array(jsonb_build_object("
    "'branch_id', branch_id, 'name', role, 'protected', false)), 'databases', jsonb_build_array("
    "jsonb_build_object('branch_id', branch_id, 'name', db, 'owner_name', role)), "
    "'operations', operations, 'branch', branch, 'endpoints', jsonb_build_array(endpoint))");

static void
create_then(struct neon_request *r)
{
	r->api->made++;
	build_start(r->api, r->id, r->texts[4]);
}

static const struct route routes[] = {
	{ "POST", "/projects", "POST /projects", 201, prepare_create, created_sql, create_then },
	{ "GET", "/projects", "GET /projects", 200, prepare_list, NULL, NULL },
	{ "GET", "/projects/{p}", "GET /projects/{p}", 200, prepare_project, NULL, NULL },
	{ "PATCH", "/projects/{p}", "PATCH /projects/{p}", 200, prepare_project_change, NULL,
	    NULL },
	{ "DELETE", "/projects/{p}", "DELETE /projects/{p}", 200, prepare_delete, NULL,
	    delete_then },
	{ "GET", "/projects/{p}/operations", "GET /projects/{p}/operations", 200,
	    prepare_operations, NULL, NULL },
	{ "GET", "/projects/{p}/connection_uri", "GET /projects/{p}/connection_uri", 200,
	    prepare_uri, NULL, NULL },
	{ "GET", "/projects/{p}/endpoints", "GET /projects/{p}/endpoints", 200, prepare_endpoints,
	    NULL, NULL },
	{ "PATCH", "/projects/{p}/endpoints/{e}", "PATCH /projects/{p}/endpoints/{e}", 200,
	    prepare_endpoint_change, NULL, NULL },
	{ "GET", "/projects/{p}/branches", "GET /projects/{p}/branches", 200, prepare_branches,
	    NULL, NULL },
};

/* The id is used as it was sent, not percent-decoded: our ids hold nothing that is ever escaped. It
 * is a parameter of the route's statement; only an id that a project has goes any further. */
static bool
path_matches(const char *pattern, struct slice path, char id[PROJECT_ID_SIZE])
{
	struct http_path_params params;

	if (!http_path_match(pattern, path, &params))
		return false;
	if (params.count == 0)
		return true;
	snprintf(id, PROJECT_ID_SIZE, "%.*s", SLICE_ARG(params.items[0].raw));
	return params.items[0].raw.len < PROJECT_ID_SIZE;
}

const struct route *
route_find(struct slice method, struct slice path, char id[PROJECT_ID_SIZE])
{
	const char base[] = "/api/v2";
	size_t i;

	if (!slice_starts(path, base))
		return NULL;
	path = slice_of(path.p + sizeof(base) - 1, path.len - sizeof(base) + 1);
	for (i = 0; i < sizeof(routes) / sizeof(routes[0]); i++) {
		if (slice_is(method, routes[i].method) && path_matches(routes[i].path, path, id))
			return &routes[i];
	}
	return NULL;
}
