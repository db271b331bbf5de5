/* SPDX-License-Identifier: MIT */
/*
 * tenant_end_json: see the header.
 */
#include "admin/tenant_end_json.h"

#include <stdio.h>
#include <stdlib.h>

static json_t *
text_json(const char *text)
{
	return text != NULL ? json_string(text) : json_null();
}

/* A number of the catalog's. */
static json_t *
count_json(const char *decimal)
{
	return decimal != NULL ? json_integer(strtoll(decimal, NULL, 10)) : json_null();
}

static json_t *
owed_json(const struct tenant_end_view *v)
{
	if (v->owed == NULL)
		return json_null();
	return json_pack("{s:s, s:s?}", "order", v->owed, "why",
	    v->owed_why[0] != '\0' ? v->owed_why : NULL);
}

/* Of a suspended tenant whose order is carried out. */
static const char *
endpoint_word(const struct tenant_end_view *v)
{
	if (v->project_id == NULL)
		return NULL;
	if (v->owed != NULL)
		return "owed";
	return v->suspended_at != NULL ? "disabled" : "enabled";
}

json_t *
suspension_json(const char *id, const struct tenant_end_view *v)
{
	return json_pack("{s:s, s:s, s:o, s:o, s:o, s:o}", "tenant", id, "state", v->state,
	    "suspendedAt", text_json(v->suspended_at), "reason", text_json(v->reason), "endpoint",
	    text_json(endpoint_word(v)), "owed", owed_json(v));
}

static json_t *
database_json(const struct tenant_receipt *r)
{
	return json_pack("{s:s, s:o, s:o, s:o, s:o, s:o}", "provider", r->provider, "projectId",
	    text_json(r->project_id), "region", text_json(r->region), "storedBytes",
	    count_json(r->stored_bytes), "recoverableUntil", text_json(r->recoverable_until),
	    "left", text_json(r->projects_left));
}

static json_t *
steps_json(const struct tenant_receipt *r)
{
	return json_pack("{s:o, s:o, s:o, s:o}", "requestsEndedAt", text_json(r->requests_ended_at),
	    "databaseDeletedAt", text_json(r->database_deleted_at), "redisClearedAt",
	    text_json(r->redis_cleared_at), "catalogClearedAt", text_json(r->catalog_cleared_at));
}

json_t *
receipt_json(const char *id, const struct tenant_end_view *v)
{
	const struct tenant_receipt *r = &v->receipt;
	bool is_over = r->catalog_cleared_at != NULL;
	char how[256] = "";

	if (r->recoverable_until != NULL && r->database_deleted_at != NULL)
		snprintf(how, sizeof(how),
		    "Neon can recover project %s until %s: POST /projects/%s/recover.",
		    r->project_id, r->recoverable_until, r->project_id);
	return json_pack("{s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:s?, s:o}",
	    "tenant", id, "state", is_over ? "deleted" : "deleting", "orderedAt", r->ordered_at,
	    "finishedAt", text_json(r->catalog_cleared_at), "reason", text_json(r->reason),
	    "database", database_json(r), "documents", count_json(r->documents), "bytes",
	    count_json(r->bytes), "chunks", count_json(r->chunks), "keysRevoked",
	    count_json(r->keys), "steps", steps_json(r), "recovery", how[0] != '\0' ? how : NULL,
	    "owed", is_over ? json_null() : owed_json(v));
}

/* ---- a dry run ---- */

static void
plan_add(json_t *list, const char *fmt, const char *what)
{
	char line[256];

	snprintf(line, sizeof(line), fmt, what != NULL ? what : "");
	json_array_append_new(list, json_string(line));
}

static void
plan_delete(json_t *list, const struct tenant_end_view *v)
{
	plan_add(list, "Refuse its requests with 410 tenant_deleted, and end those that run.%s",
	    NULL);
	if (v->project_id != NULL)
		plan_add(list, "Delete project %s at Neon, which can be recovered for 7 days.",
		    v->project_id);
	else
		plan_add(list, "Delete its database, if it has one.%s", NULL);
	plan_add(list, "Take %s documents from the listing.", v->documents);
	plan_add(list, "Revoke %s keys.", v->keys);
	plan_add(list, "Take its keys out of Redis.%s", NULL);
}

json_t *
order_plan_json(const char *id, enum tenant_order order, const struct tenant_end_view *v)
{
	json_t *list = json_array();

	if (list == NULL)
		return NULL;
	if (order == TENANT_DELETE && v->state[0] != '\0' && strcmp(v->state, "deleted") != 0)
		plan_delete(list, v);
	if (order == TENANT_SUSPEND)
		plan_add(list,
		    "Refuse its requests with 403 tenant_suspended, and end those that "
		    "run.%s",
		    NULL);
	if (order == TENANT_SUSPEND && v->project_id != NULL)
		plan_add(list, "Disable the endpoint of project %s at Neon.", v->project_id);
	if (order == TENANT_RESUME && v->suspended_at != NULL && v->project_id != NULL)
		plan_add(list, "Enable the endpoint of project %s at Neon.", v->project_id);
	if (order == TENANT_RESUME && strcmp(v->state, "suspended") == 0)
		plan_add(list, "Serve its requests.%s", NULL);
	return json_pack("{s:b, s:s, s:s, s:o}", "dryRun", 1, "tenant", id, "state", v->state,
	    "would", list);
}
