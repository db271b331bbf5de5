/* SPDX-License-Identifier: MIT */
/*
 * catalog_adopt: POST /admin/adopt, {"catalogUrl": ...}: users, projects and documents of an
 * application's own catalog become ours (tenantgate/tenant/app_catalog.h).
 *
 *	[begin] --> [where] --> [page] --> [paged] -- users, documents --> [copied] --+
 *	   ^           ^           |          |                                        |
 *	   |           |           |          +-- projects --> [adopt] --> [adopted] --+
 *	   |           |           |                              ^            |       |
 *	   |           |           |                              +------------+       |
 *	   |           +-----------|---------------------------------------------------+
 *	   +-- somebody else has moved the position
 *	                           +-- all parts are through --> [skips] --> [respond]
 *
 * Killed anywhere, or cut off by a client that leaves: the same request again goes on from there.
 */
#include <stdio.h>
#include <stdlib.h>

#include "admin/admin_progress.h"
#include "admin/admin_route.h"
#include "tenantgate/base/json.h"
#include "tenantgate/tenant/adoption.h"
#include "tenantgate/tenant/app_catalog.h"

#define POSITION_SIZE 19 /* fewer digits than any type is too small for */

struct catalog_adopt {
	struct admin_request req; /* first */
	struct app_catalog *app;  /* owned */
	enum app_part part;
	char from[APP_PARTS][POSITION_SIZE]; /* where each stands */
	char to[POSITION_SIZE];		     /* after the page */
	uint64_t copied[APP_PARTS];	     /* in all, with earlier runs; in a dry run: found */
	uint64_t skipped[APP_PARTS];	     /* in this run */
	uint64_t copied_now;		     /* in this run, of all parts */
	struct pg_result page, result;	     /* owned */
	unsigned row;			     /* of a page of projects */
	struct tenant_adoption adoption;
	struct err why; /* of its project */
};

static flow_step_fn catalog_adopt_open, catalog_adopt_where, catalog_adopt_page,
    catalog_adopt_paged, catalog_adopt_copied, catalog_adopt_project, catalog_adopt_adopted,
    catalog_adopt_noted, catalog_adopt_skips, catalog_adopt_respond;
static flow_end_fn catalog_adopt_end;
static flow_release_fn catalog_adopt_release;

static const struct flow_step catalog_adopt_steps[] = {
	{ "auth", admin_caller },
	{ "allow", admin_allow },
	{ "body", admin_body },
	{ "parse", admin_parse },
	{ "begin", catalog_adopt_open },
	{ "where", catalog_adopt_where },
	{ "page", catalog_adopt_page },
	{ "paged", catalog_adopt_paged },
	{ "copied", catalog_adopt_copied },
	{ "adopt", catalog_adopt_project },
	{ "adopted", catalog_adopt_adopted },
	{ "noted", catalog_adopt_noted },
	{ "skips", catalog_adopt_skips },
	{ "respond", catalog_adopt_respond },
	{ NULL, NULL },
};

static const struct flow_kind catalog_adopt_kind = { "admin_catalog_adopt", catalog_adopt_steps,
	catalog_adopt_end, catalog_adopt_release };

static struct catalog_adopt *
catalog_adopt_of(struct flow *f)
{
	return FLOW_MEMBER_OF(f, struct catalog_adopt, req.flow, &catalog_adopt_kind);
}

static struct tenants *
adopt_tenants(const struct catalog_adopt *a)
{
	return a->req.api->tenants;
}

/* ---- where it stands ---- */

static enum flow_rc
catalog_adopt_open(struct flow *f)
{
	static const char *const names[] = { "catalogUrl", NULL };
	struct catalog_adopt *a = catalog_adopt_of(f);
	struct slice url;
	struct err err = { 0 };

	if (a->app == NULL) {
		if (!admin_body_has_only(&a->req, names, &err) ||
		    !json_get_string(a->req.json, "catalogUrl", &url, &err))
			return flow_fail_err(f, &err);
		a->app = app_catalog_new(adopt_tenants(a), url.p, &err);
		if (a->app == NULL)
			return flow_fail_err(f, &err);
	}
	return app_copy_begin(f, adopt_tenants(a), app_catalog_source(a->app), a->req.is_dry_run,
	    &a->result);
}

static enum flow_rc
catalog_adopt_where(struct flow *f)
{
	struct catalog_adopt *a = catalog_adopt_of(f);
	enum flow_rc rc = catalog_check(f, &a->result, "begin of the adoption");
	bool is_new = rc == FLOW_NEXT && pg_rows(&a->result) == 0;

	for (unsigned i = 0; i < APP_PARTS && rc == FLOW_NEXT; i++) {
		snprintf(a->from[i], POSITION_SIZE, "%s", is_new ? "0" : pg_text(&a->result, 0, i));
		if (!a->req.is_dry_run)
			a->copied[i] = strtoull(pg_text(&a->result, 0, APP_PARTS + i), NULL, 10);
	}
	return rc;
}

/* ---- a page ---- */

static enum flow_rc
catalog_adopt_page(struct flow *f)
{
	struct catalog_adopt *a = catalog_adopt_of(f);

	a->row = 0;
	return app_catalog_page(f, a->app, a->part, a->from[a->part], &a->page);
}

/* The first that is copied begins the change; it ends with the run. */
static void
adopt_note(struct catalog_adopt *a)
{
	if (!admin_change_is_noted(&a->req))
		admin_change_begin(&a->req, NULL, NULL, NULL);
}

static enum flow_rc
adopt_next_part(struct catalog_adopt *a)
{
	struct flow *f = &a->req.flow;

	return ++a->part < APP_PARTS ? flow_goto(f, catalog_adopt_page)
				     : flow_goto(f, catalog_adopt_skips);
}

static json_t *
adopt_line(const struct catalog_adopt *a)
{
	return json_pack("{s:s, s:I, s:I}", "part", app_part_name(a->part), "copied",
	    (json_int_t)a->copied[a->part], "skipped", (json_int_t)a->skipped[a->part]);
}

/* A dry run counts what it finds. */
static enum flow_rc
adopt_found(struct catalog_adopt *a, uint64_t found)
{
	a->copied[a->part] += found;
	memcpy(a->from[a->part], a->to, POSITION_SIZE);
	admin_progress_tell(&a->req, adopt_line(a));
	flow_goto(&a->req.flow, catalog_adopt_page);
	return admin_progress_flush(&a->req.flow);
}

/* Numbers of rows are a serial's, and each page's are beyond the last: else it would not end. */
static bool
position_follows(const char *from, const char *to)
{
	size_t n = strspn(to, "0123456789");

	return n > 0 && n < POSITION_SIZE && to[n] == '\0' &&
	    strtoull(to, NULL, 10) > strtoull(from, NULL, 10);
}

static enum flow_rc
adopt_is_no_serial(struct catalog_adopt *a)
{
	return flow_fail(&a->req.flow, ERR_INVALID_FIELD,
	    "Its ids are no serials, so it is not the example's catalog; look at the URL.");
}

static enum flow_rc
adopt_projects(struct catalog_adopt *a)
{
	unsigned rows = pg_rows(&a->page);

	if (rows == 0)
		return adopt_next_part(a);
	for (unsigned i = 0; i < rows; i++)
		if (!position_follows(a->from[APP_PROJECTS], pg_text(&a->page, i, 0)))
			return adopt_is_no_serial(a);
	if (!a->req.is_dry_run)
		return flow_goto(&a->req.flow, catalog_adopt_project);
	snprintf(a->to, POSITION_SIZE, "%s", pg_text(&a->page, rows - 1, 0));
	return adopt_found(a, rows);
}

static enum flow_rc
catalog_adopt_paged(struct flow *f)
{
	struct catalog_adopt *a = catalog_adopt_of(f);
	uint64_t found = a->part == APP_PROJECTS ? 0 : strtoull(pg_text(&a->page, 0, 0), NULL, 10);
	struct app_page page = { app_catalog_source(a->app), a->from[a->part], a->to, NULL };
	struct documents_adoption documents = { page.source, page.from, page.to, NULL };

	if (a->part == APP_PROJECTS)
		return adopt_projects(a);
	if (found == 0)
		return adopt_next_part(a);
	if (!position_follows(page.from, pg_text(&a->page, 0, 1)))
		return adopt_is_no_serial(a);
	snprintf(a->to, POSITION_SIZE, "%s", pg_text(&a->page, 0, 1));
	if (a->req.is_dry_run)
		return adopt_found(a, found);
	adopt_note(a);
	page.json = documents.json = pg_text(&a->page, 0, 2);
	if (a->part == APP_USERS)
		return app_copy_users(f, adopt_tenants(a), &page, &a->result);
	return documents_adopt(f, a->req.api->catalog, &documents, &a->result);
}

/* Each that was skipped is a line of its own. */
static void
adopt_tell_skips(struct catalog_adopt *a, const char *text)
{
	json_t *skips = admin_list_read(text), *skip;
	size_t i;

	a->skipped[a->part] += json_array_size(skips);
	json_array_foreach(skips, i, skip)
		admin_progress_tell(&a->req, json_pack("{s:O}", "skipped", skip));
	json_decref(skips);
}

static enum flow_rc
catalog_adopt_copied(struct flow *f)
{
	struct catalog_adopt *a = catalog_adopt_of(f);
	enum flow_rc rc = catalog_check(f, &a->result, "page of the adoption");
	uint64_t copied;

	if (rc != FLOW_NEXT)
		return rc;
	if (pg_text(&a->result, 0, 0)[0] == '0')
		return flow_goto(f, catalog_adopt_open);
	copied = strtoull(pg_text(&a->result, 0, 1), NULL, 10);
	a->copied[a->part] += copied;
	a->copied_now += copied;
	memcpy(a->from[a->part], a->to, POSITION_SIZE);
	adopt_tell_skips(a, pg_text(&a->result, 0, 2));
	admin_progress_tell(&a->req, adopt_line(a));
	flow_goto(f, catalog_adopt_page);
	return admin_progress_flush(f);
}

/* ---- one project after the other: Neon is asked for each ---- */

static enum flow_rc
catalog_adopt_project(struct flow *f)
{
	struct catalog_adopt *a = catalog_adopt_of(f);

	if (a->row == pg_rows(&a->page))
		return flow_goto(f, catalog_adopt_page);
	adopt_note(a);
	err_clear(&a->why);
	a->adoption = (struct tenant_adoption){ .id = pg_text(&a->page, a->row, 1),
		.project_id = pg_text(&a->page, a->row, 2),
		.is_left_asleep = true };
	return tenant_adopt_or_tell(f, adopt_tenants(a), &a->adoption, &a->why);
}

/* What another time will not mend is skipped; all else ends the run, which can be taken up. */
static bool
adopt_is_skipped(const struct err *why)
{
	return why->code == ERR_CONFLICT || why->code == ERR_NOT_FOUND ||
	    why->code == ERR_INVALID_FIELD || why->code == ERR_INVALID_TENANT;
}

static enum flow_rc
catalog_adopt_adopted(struct flow *f)
{
	struct catalog_adopt *a = catalog_adopt_of(f);
	const char *reason = NULL;

	if (err_is(&a->why) && !adopt_is_skipped(&a->why))
		return flow_fail_err(f, &a->why);
	if (err_is(&a->why))
		reason = a->why.detail;
	snprintf(a->to, POSITION_SIZE, "%s", pg_text(&a->page, a->row, 0));
	return app_copy_project(f, adopt_tenants(a), app_catalog_source(a->app), a->to,
	    pg_text(&a->page, a->row, 2), reason, &a->result);
}

static enum flow_rc
catalog_adopt_noted(struct flow *f)
{
	struct catalog_adopt *a = catalog_adopt_of(f);
	enum flow_rc rc = catalog_check(f, &a->result, "project of the adoption");

	if (rc != FLOW_NEXT)
		return rc;
	if (pg_changed(&a->result) == 0)
		return flow_goto(f, catalog_adopt_open);
	memcpy(a->from[APP_PROJECTS], a->to, POSITION_SIZE);
	if (err_is(&a->why)) {
		a->skipped[APP_PROJECTS]++;
		admin_progress_tell(&a->req,
		    json_pack("{s:{s:s, s:s, s:s}}", "skipped", "kind", "project", "id",
			pg_text(&a->page, a->row, 2), "reason", a->why.detail));
	} else {
		a->copied[APP_PROJECTS]++;
		a->copied_now++;
	}
	admin_progress_tell(&a->req, adopt_line(a));
	a->row++;
	flow_goto(f, catalog_adopt_project);
	return admin_progress_flush(f);
}

/* ---- the outcome ---- */

static enum flow_rc
catalog_adopt_skips(struct flow *f)
{
	struct catalog_adopt *a = catalog_adopt_of(f);

	return app_copy_skips(f, adopt_tenants(a), app_catalog_source(a->app), &a->result);
}

static json_t *
adopt_counts(const struct catalog_adopt *a)
{
	json_t *o = json_object();

	for (unsigned i = 0; i < APP_PARTS; i++)
		json_object_set_new(o, app_part_name(i), json_integer((json_int_t)a->copied[i]));
	return o;
}

static enum flow_rc
catalog_adopt_respond(struct flow *f)
{
	struct catalog_adopt *a = catalog_adopt_of(f);
	enum flow_rc rc = catalog_check(f, &a->result, "what was skipped");

	if (rc != FLOW_NEXT)
		return rc;
	if (!admin_change_is_noted(&a->req))
		admin_change_nothing(&a->req);
	return admin_progress_done(f,
	    json_pack("{s:s, s:s, s:o, s:I, s:o, s:o}", "source", app_catalog_source(a->app),
		"host", app_catalog_host(a->app), a->req.is_dry_run ? "found" : "copied",
		adopt_counts(a), "copiedNow", (json_int_t)a->copied_now, "reasons",
		admin_list_read(pg_text(&a->result, 0, 0)), "skipped",
		admin_list_read(pg_text(&a->result, 0, 1))));
}

/* Also of a run that was cut off: what it has copied stays, and is told. */
static void
adopt_tell_copied(struct catalog_adopt *a, const struct err *err)
{
	if (!admin_change_is_noted(&a->req))
		return;
	if (a->copied_now == 0 && !err_is(err))
		admin_change_nothing(&a->req);
	admin_change_tell(&a->req,
	    json_pack("{s:s, s:s, s:o, s:I}", "source", app_catalog_source(a->app), "host",
		app_catalog_host(a->app), "copied", adopt_counts(a), "copiedNow",
		(json_int_t)a->copied_now));
}

static void
catalog_adopt_end(struct flow *f, const struct err *err)
{
	struct catalog_adopt *a = catalog_adopt_of(f);

	adopt_tell_copied(a, err);
	admin_progress_end(&a->req, err);
	admin_end(&a->req, err);
}

static void
catalog_adopt_release(struct flow *f)
{
	struct catalog_adopt *a = catalog_adopt_of(f);

	app_catalog_free(a->app);
	pg_clear(&a->page);
	pg_clear(&a->result);
	admin_release(f);
}

void
catalog_adopt_start(struct http_exchange *x, const struct admin_context *ctx,
    const struct admin_match *match)
{
	(void)admin_start(x, ctx, match, sizeof(struct catalog_adopt), &catalog_adopt_kind);
}
