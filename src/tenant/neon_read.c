/* SPDX-License-Identifier: MIT */
/*
 * neon_read: JSON from the management API into a tenant's row. The API is trusted to be Neon's, not
 * to be well: what goes into a URL, a host name or a message is checked here.
 */
#include "tenant/neon_read.h"

#include <stdio.h>
#include <time.h>

#include "tenantgate/wire/pg_url.h"

static bool
neon_read_fail(struct err *err, const char *what)
{
	err_set(err, ERR_NEON, "Neon's API answered without a usable %s. Try again in a minute.",
	    what);
	return false;
}

static bool
copy_text(const json_t *o, const char *name, char *out, size_t size)
{
	const char *text = json_string_value(json_object_get(o, name));

	if (text == NULL || text[0] == '\0' || strlen(text) >= size)
		return false;
	memcpy(out, text, strlen(text) + 1);
	return true;
}

/* Untouched when it is absent or could not stand in a URL's path. Only the project's id is needed;
 * the others are for people. */
static void
copy_id(const json_t *o, const char *name, char out[PROVIDER_ID_SIZE])
{
	const char *text = json_string_value(json_object_get(o, name));

	if (text != NULL && name_provider_id(slice_str(text)))
		memcpy(out, text, strlen(text) + 1);
}

/* connection_parameters rather than the URI beside it, which may have the pooler's host in it: we
 * pool ourselves, and need the direct one. */
static bool
copy_parameters(const json_t *p, struct tenant *t)
{
	return copy_text(p, "host", t->host, sizeof(t->host)) && name_host(slice_str(t->host)) &&
	    copy_text(p, "database", t->dbname, sizeof(t->dbname)) &&
	    copy_text(p, "role", t->user, sizeof(t->user)) &&
	    copy_text(p, "password", t->password, sizeof(t->password));
}

/* The parameters have no port. Neon's is always the default; a stand-in's URI has its own. */
static uint16_t
port_of(const char *uri)
{
	struct arena *a = arena_new(16384);
	struct pg_target target;
	struct err err = { 0 };
	uint16_t port = PG_PORT_DEFAULT;

	if (uri != NULL && pg_url_read(a, uri, PG_URL_LENIENT, &target, &err))
		port = target.port;
	arena_free(a);
	return port;
}

bool
neon_read_created(const json_t *o, struct tenant_row *row, struct err *err)
{
	const json_t *uri = json_array_get(json_object_get(o, "connection_uris"), 0);

	copy_id(json_object_get(o, "project"), "id", row->project_id);
	if (row->project_id[0] == '\0')
		return neon_read_fail(err, "project id");
	copy_id(json_object_get(o, "branch"), "id", row->branch_id);
	copy_id(json_array_get(json_object_get(o, "endpoints"), 0), "id", row->endpoint_id);
	if (!copy_parameters(json_object_get(uri, "connection_parameters"), &row->tenant))
		return neon_read_fail(err, "connection");
	row->tenant.port = port_of(json_string_value(json_object_get(uri, "connection_uri")));
	return true;
}

/* From the strings of a URI that was read into an arena. False, and *t untouched, when one of
 * them is missing or does not fit. */
static bool
copy_target(struct tenant *t, const struct pg_target *p)
{
	if (p->password == NULL || !name_host(slice_str(p->host)))
		return false;
	if (strlen(p->host) >= sizeof(t->host) || strlen(p->dbname) >= sizeof(t->dbname) ||
	    strlen(p->user) >= sizeof(t->user) || strlen(p->password) >= sizeof(t->password))
		return false;
	snprintf(t->host, sizeof(t->host), "%s", p->host);
	snprintf(t->dbname, sizeof(t->dbname), "%s", p->dbname);
	snprintf(t->user, sizeof(t->user), "%s", p->user);
	snprintf(t->password, sizeof(t->password), "%s", p->password);
	t->port = p->port;
	return true;
}

bool
neon_read_uri(const json_t *o, struct tenant_row *row, struct err *err)
{
	const char *uri = json_string_value(json_object_get(o, "uri"));
	struct arena *a = arena_new(16384);
	struct pg_target target;
	struct err why = { 0 };
	bool fine;

	fine = uri != NULL && pg_url_read(a, uri, PG_URL_LENIENT, &target, &why) &&
	    copy_target(&row->tenant, &target);
	arena_free(a);
	return fine || neon_read_fail(err, "connection URI");
}

bool
neon_read_endpoint(const json_t *o, struct tenant_row *row, struct err *err)
{
	const json_t *endpoints = json_object_get(o, "endpoints");

	for (size_t i = 0; i < json_array_size(endpoints); i++) {
		const json_t *endpoint = json_array_get(endpoints, i);
		const char *type = json_string_value(json_object_get(endpoint, "type"));

		if (type != NULL && strcmp(type, "read_write") == 0)
			copy_id(endpoint, "id", row->endpoint_id);
	}
	return row->endpoint_id[0] != '\0' || neon_read_fail(err, "list of endpoints");
}

/* Its id is the host's first label. */
void
neon_endpoint_from_host(struct tenant_row *row)
{
	const char *host = row->tenant.host;
	size_t n = strcspn(host, ".");

	if (row->endpoint_id[0] == '\0' && strncmp(host, "ep-", 3) == 0 && n < PROVIDER_ID_SIZE)
		snprintf(row->endpoint_id, sizeof(row->endpoint_id), "%.*s", (int)n, host);
}

void
neon_read_name(const json_t *o, char out[PROJECT_NAME_SIZE])
{
	if (!copy_text(json_object_get(o, "project"), "name", out, PROJECT_NAME_SIZE))
		out[0] = '\0';
}

void
neon_read_main_branch(const json_t *o, struct tenant_row *row)
{
	const json_t *branches = json_object_get(o, "branches");

	for (size_t i = 0; i < json_array_size(branches); i++)
		if (json_is_true(json_object_get(json_array_get(branches, i), "default")))
			copy_id(json_array_get(branches, i), "id", row->branch_id);
}

/* One project of a listing. False when it has no name or id: then the listing cannot be relied
 * on. */
static bool
add_project(const json_t *p, const struct neon_names *names, struct neon_inventory *inv)
{
	const char *its = json_string_value(json_object_get(p, "name"));
	const char *id = json_string_value(json_object_get(p, "id"));
	bool is_old;

	if (its == NULL || id == NULL || !name_provider_id(slice_str(id)))
		return false;
	/* `search` matches any part of a name, and of ids too. */
	is_old = strcmp(its, names->old_name) == 0;
	if (!is_old && strcmp(its, names->name) != 0)
		return true;
	if (inv->hits < NEON_HITS_MAX) {
		snprintf(inv->hit[inv->hits].id, PROVIDER_ID_SIZE, "%s", id);
		inv->hit[inv->hits].has_old_name = is_old;
	}
	inv->hits++;
	return true;
}

/* unavailable_project_ids: projects that the server could not look at in time. Ours may be one of
 * them, and to take it for absent would be to create it twice. */
bool
neon_read_page(const json_t *o, const struct neon_names *names, struct neon_inventory *inv,
    struct err *err)
{
	const json_t *projects = json_object_get(o, "projects");
	size_t i;

	if (!json_is_array(projects))
		return neon_read_fail(err, "list of projects");
	if (json_array_size(json_object_get(o, "unavailable_project_ids")) > 0) {
		err_set(err, ERR_NEON,
		    "Neon's list of projects is not complete just now, so nothing is created. Try "
		    "again in a minute.");
		return false;
	}
	for (i = 0; i < json_array_size(projects); i++) {
		if (!add_project(json_array_get(projects, i), names, inv))
			return neon_read_fail(err, "list of projects");
	}
	inv->page_length = (unsigned)json_array_size(projects);
	inv->cursor[0] = '\0';
	copy_text(json_object_get(o, "pagination"), "cursor", inv->cursor, sizeof(inv->cursor));
	return true;
}

bool
neon_read_projects(const json_t *o, neon_project_fn *fn, void *arg, unsigned *length, char *cursor,
    struct err *err)
{
	const json_t *projects = json_object_get(o, "projects");

	if (!json_is_array(projects))
		return neon_read_fail(err, "list of projects");
	if (json_array_size(json_object_get(o, "unavailable_project_ids")) > 0) {
		err_set(err, ERR_NEON,
		    "Neon's list of projects is not complete just now, so it proves nothing. Try "
		    "again in a minute.");
		return false;
	}
	*length = (unsigned)json_array_size(projects);
	for (unsigned i = 0; i < *length; i++) {
		char id[PROVIDER_ID_SIZE] = "", name[PROJECT_NAME_SIZE];

		copy_id(json_array_get(projects, i), "id", id);
		if (id[0] == '\0' ||
		    !copy_text(json_array_get(projects, i), "name", name, sizeof(name)) ||
		    !fn(id, name, arg))
			return neon_read_fail(err, "list of projects");
	}
	cursor[0] = '\0';
	copy_text(json_object_get(o, "pagination"), "cursor", cursor, CURSOR_MAX);
	return true;
}

/* Of one branch. */
static enum neon_owner
branch_owner(const json_t *note, const char *environment, const char *tenant, bool has_old_name)
{
	const json_t *value = json_object_get(note, "value");
	const char *of = json_string_value(json_object_get(value, NEON_NOTE_TENANT));
	const char *in = json_string_value(json_object_get(value, NEON_NOTE_ENVIRONMENT));

	if (of == NULL)
		return OWNER_UNTOLD;
	if (strcmp(of, tenant) != 0)
		return OWNER_ANOTHER;
	if (in == NULL)
		return has_old_name ? OWNER_OURS : OWNER_UNTOLD;
	return strcmp(in, environment) == 0 ? OWNER_OURS : OWNER_ANOTHER;
}

/* Of all branches: a restore leaves the old one beside the new. */
enum neon_owner
neon_read_owner(const json_t *o, const char *environment, const char *tenant, bool has_old_name)
{
	enum neon_owner owner = OWNER_UNTOLD, of_branch;
	json_t *notes = json_object_get(o, "annotations");
	const char *branch;
	json_t *note;

	json_object_foreach(notes, branch, note) {
		of_branch = branch_owner(note, environment, tenant, has_old_name);
		if (of_branch == OWNER_ANOTHER)
			return OWNER_ANOTHER;
		if (of_branch == OWNER_OURS)
			owner = OWNER_OURS;
	}
	return owner;
}

bool
neon_read_is_noted(const json_t *o)
{
	json_t *notes = json_object_get(o, "annotations"), *note;
	const char *branch;

	json_object_foreach(notes, branch, note)
		if (json_object_get(json_object_get(note, "value"), NEON_NOTE_TENANT) != NULL)
			return true;
	return false;
}

static bool
status_in(const char *text, const char *const *names)
{
	for (; *names != NULL; names++) {
		if (strcmp(text, *names) == 0)
			return true;
	}
	return false;
}

/* RFC 3339 in UTC, as Neon writes it, in microseconds; 0 when it is something else. */
static uint64_t
read_time(const json_t *o, const char *name)
{
	const char *text = json_string_value(json_object_get(o, name));
	struct tm tm = { 0 };
	uint64_t us = 0, digit = 100000;
	int end = 0;
	time_t s;

	if (text == NULL ||
	    sscanf(text, "%4d-%2d-%2dT%2d:%2d:%2d%n", &tm.tm_year, &tm.tm_mon, &tm.tm_mday,
		&tm.tm_hour, &tm.tm_min, &tm.tm_sec, &end) != 6)
		return 0;
	tm.tm_year -= 1900;
	tm.tm_mon--;
	text += end;
	if (*text == '.')
		text++;
	for (; *text >= '0' && *text <= '9'; text++, digit /= 10)
		us += (uint64_t)(*text - '0') * digit;
	s = *text == 'Z' ? timegm(&tm) : 0;
	return s > 0 ? (uint64_t)s * 1000000 + us : 0;
}

/* 0 also when one of them does not tell. */
static uint64_t
operations_took(const json_t *ops)
{
	uint64_t first = UINT64_MAX, last = 0;
	size_t i;

	for (i = 0; i < json_array_size(ops); i++) {
		const json_t *op = json_array_get(ops, i);
		uint64_t began = read_time(op, "created_at"), ended = read_time(op, "updated_at");

		if (began == 0 || ended == 0)
			return 0;
		first = began < first ? began : first;
		last = ended > last ? ended : last;
	}
	return last > first ? last - first : 0;
}

/* Neon adds states and actions: an unknown status counts as running, so that the attempt's deadline
 * ends the wait rather than a guess. */
bool
neon_read_operations(const json_t *o, struct neon_operations *out, struct err *err)
{
	static const char *const good[] = { "finished", "skipped", NULL };
	static const char *const bad[] = { "failed", "error", "cancelled", NULL };
	const json_t *ops = json_object_get(o, "operations");
	size_t i;

	memset(out, 0, sizeof(*out));
	if (!json_is_array(ops))
		return neon_read_fail(err, "list of operations");
	for (i = 0; i < json_array_size(ops); i++) {
		const json_t *op = json_array_get(ops, i);
		const char *status = json_string_value(json_object_get(op, "status"));

		if (status == NULL)
			return neon_read_fail(err, "operation status");
		if (status_in(status, good))
			continue;
		if (!status_in(status, bad)) {
			out->running++;
			continue;
		}
		out->failed++;
		copy_text(op, "action", out->failed_action, sizeof(out->failed_action));
	}
	out->took_us = operations_took(ops);
	return true;
}

static void
error_text(struct slice body, const char *name, char *out, size_t size)
{
	struct err err = { 0 };
	json_t *o = json_read_object(body, &err);
	const char *text = json_string_value(json_object_get(o, name));
	size_t i;

	snprintf(out, size, "%.120s", text != NULL ? text : "");
	for (i = 0; out[i] != '\0'; i++) {
		if ((unsigned char)out[i] < 0x20 || (unsigned char)out[i] >= 0x7f)
			out[i] = '?';
	}
	json_decref(o);
}

void
neon_read_message(struct slice body, char *out, size_t size)
{
	error_text(body, "message", out, size);
}

void
neon_read_code(struct slice body, char *out, size_t size)
{
	error_text(body, "code", out, size);
}
