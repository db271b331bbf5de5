/* SPDX-License-Identifier: MIT */
/*
 * neon: finds a tenant's project or has it made. Neon's POST /projects has no idempotency key,
 * and lets two projects have one name; so the name, derived from the tenant, is always looked for
 * first.
 *
 *	[start] --> its id is known ------------------------------> [adopt] --> filled
 *	   |                                                          ^   |
 *	   |  +---------------- 404 ----------------------------------|---+
 *	   v  v                                                       |
 *	  [list] --> [check] -- found --> [owner] --> [owned] -- one is ours
 *	     ^          | none <----------------------- none is, nor could be
 *	     |          v
 *	     |       [fence] --> [post] --> [posted] --> filled
 *	     |                                 |
 *	     +------- sleep <------------------+ no clear response
 *
 * What always holds:
 *  - Before a POST the row says so (posted_at), written by a statement that changes nothing
 *    unless the row is still this attempt's. Whoever takes over from here on sees it.
 *  - After a POST without a clear response there are two listings, a second apart, before anything
 *    else. A POST that was not answered at all is not repeated by this attempt, and not by the
 *    next until it can no longer be under way (grace_left_s).
 *  - Nothing is created on a partial listing (neon_list.c), and nothing is ever deleted: of two
 *    projects with our name one may hold a tenant's data.
 *  - A name proves nothing, for people give names too. A project is adopted when the tenant's row
 *    has its id, or its annotations name exactly this environment and tenant. Two such, or one that
 *    does not say whose it is, are a failure that people are shown: none of them is chosen.
 */
#include "tenant/neon.h"

#include <assert.h>
#include <stdio.h>

#include "tenantgate/base/clock.h"
#include "tenantgate/base/log.h"

#define LIST_DELAY_US  1000000ull /* for a creation to show up in a listing */
#define DISPUTE_WAIT_S 15	  /* until it is looked again whether people have settled it */

static flow_step_fn project_start, project_list, project_list_check, project_owner, project_owned,
    project_fence, project_post, project_posted, project_adopt, project_adopted;
static flow_end_fn project_end;

static const struct flow_step project_steps[] = {
	{ "start", project_start },
	{ "list", project_list },
	{ "check", project_list_check },
	{ "owner", project_owner },
	{ "owned", project_owned },
	{ "fence", project_fence },
	{ "post", project_post },
	{ "posted", project_posted },
	{ "adopt", project_adopt },
	{ "adopted", project_adopted },
	{ NULL, NULL },
};

static const struct flow_kind project_kind = { "neon_create", project_steps, project_end, NULL };

/* ---- what to do first ---- */

/* The id is known when an earlier attempt saved it, but not all that is needed to connect. */
static enum flow_rc
project_start(struct flow *f)
{
	struct neon_creation *c = FLOW_OF(f, struct neon_creation, &project_kind);

	return flow_goto(f, c->row->project_id[0] != '\0' ? project_adopt : project_list);
}

static enum flow_rc
project_list(struct flow *f)
{
	struct neon_creation *c = FLOW_OF(f, struct neon_creation, &project_kind);

	return neon_list_all(f, &c->list, c->tenants, c->row);
}

/* The API names no bound; we take three times as long as we wait for a response. */
int
neon_grace_s(const struct tenants_conf *conf)
{
	return (int)(conf->neon_timeout_us * 3 / 1000000) + 1;
}

/* The same of an earlier attempt's POST, counted by the database's clock from posted_at: 0 or less
 * when it cannot be under way, or there was none. */
static int
grace_left_s(const struct neon_creation *c)
{
	return c->row->is_posted ? neon_grace_s(c->tenants->conf) - c->row->posted_ago_s : 0;
}

/* Both listings were empty. One that was not answered may arrive yet, so the next attempt waits for
 * that: to come back earlier is of no use. */
static enum flow_rc
project_unclear(struct neon_creation *c)
{
	struct err err = { 0 };

	c->row->is_posted = !c->may_repeat;
	err_set(&err, ERR_NEON,
	    "The provider gave no clear response to the creation of the tenant's database. Try "
	    "again in a minute.");
	err_cause(&err, "Neon lists no project after its creation got no clear response: %s",
	    c->call.why);
	err.retry_after = c->may_repeat ? 0 : neon_grace_s(c->tenants->conf);
	return flow_fail_err(&c->flow, &err);
}

/*
 * No project of our name. Whether that allows a creation depends on what went before:
 *  - our POST had no clear response, first listing: look again a second later;
 *  - second listing, and the server had answered (500): one more POST, and only one;
 *  - second listing, and it had not answered, or both POSTs came to nothing: fail. is_posted says
 *    whether one may still arrive; the next attempt heeds it;
 *  - no POST of ours yet: create, unless an earlier attempt's may still arrive.
 */
static enum flow_rc
project_none_found(struct neon_creation *c)
{
	struct flow *f = &c->flow;
	struct err err = { 0 };

	if (c->verify == VERIFY_FIRST_LIST) {
		c->verify = VERIFY_SECOND_LIST;
		flow_goto(f, project_list);
		return flow_sleep(f, &c->timer, LIST_DELAY_US);
	}
	if (c->verify == VERIFY_SECOND_LIST && (!c->may_repeat || c->was_repeated))
		return project_unclear(c);
	if (c->verify == VERIFY_SECOND_LIST) {
		c->was_repeated = true;
		return flow_goto(f, project_fence);
	}
	if (grace_left_s(c) > 0) {
		err_set(&err, ERR_PROVISIONING,
		    "An earlier creation of the database may be under way. Try again in %d s.",
		    grace_left_s(c));
		err.retry_after = grace_left_s(c);
		return flow_fail_err(f, &err);
	}
	return flow_goto(f, project_fence);
}

/* ---- whose the projects of that name are ---- */

/* Two for one tenant come from a creation that was sent twice or arrived after its grace, one that
 * does not say whose it is from people. Either may hold the tenant's documents: to take one of
 * them, or to make another, might put those out of sight. */
static enum flow_rc
project_disputed(struct neon_creation *c)
{
	struct err err = { 0 };

	log_event(LOG_ERR, "neon.duplicates", c->flow.request_id,
	    "Neon has %u projects whose annotations name tenant %s and %u of its name that do not "
	    "say whose they are: %s. Leave one that says it: rename or delete the others in Neon's "
	    "console; or write the right one's id into the tenant's row as project_id.",
	    c->owners.ours, c->row->tenant.id, c->owners.disputed, c->owners.ids);
	c->row->wait_s = DISPUTE_WAIT_S;
	err_set(&err, ERR_NEON,
	    "The provider has several databases that may be this tenant's, or one that does not "
	    "say whose it is, and none is chosen. Ask the operator to settle it.");
	err_cause(&err,
	    "Projects of Neon: %s. Leave one whose annotations name the tenant, or set project_id "
	    "in its row of public.tenants.",
	    c->owners.ids);
	err.retry_after = c->row->wait_s;
	return flow_fail_err(&c->flow, &err);
}

static enum flow_rc
project_list_check(struct flow *f)
{
	struct neon_creation *c = FLOW_OF(f, struct neon_creation, &project_kind);

	if (c->list.found.hits == 0)
		return project_none_found(c);
	if (c->list.found.hits > NEON_HITS_MAX)
		return flow_fail(f, ERR_NEON,
		    "Neon has %u projects of this tenant's name. The operator should look at them "
		    "in Neon's console.",
		    c->list.found.hits);
	return FLOW_NEXT;
}

static enum flow_rc
project_owner(struct flow *f)
{
	struct neon_creation *c = FLOW_OF(f, struct neon_creation, &project_kind);

	return neon_owners_ask(f, &c->owners, c->tenants, c->row, &c->list.found);
}

/* Others' projects of the name that the first releases gave are no concern of ours. */
static enum flow_rc
project_owned(struct flow *f)
{
	struct neon_creation *c = FLOW_OF(f, struct neon_creation, &project_kind);
	const struct neon_owners *o = &c->owners;

	if (o->ours > 1 || (o->ours == 0 && o->disputed > 0))
		return project_disputed(c);
	if (o->ours == 0)
		return project_none_found(c);
	snprintf(c->row->project_id, sizeof(c->row->project_id), "%s", o->ours_id);
	c->row->is_posted = false;
	return flow_goto(f, project_adopt);
}

/* ---- creation ---- */

/* The intent to create, in the row before the POST. project_post() looks at the outcome. */
static enum flow_rc
project_fence(struct flow *f)
{
	struct neon_creation *c = FLOW_OF(f, struct neon_creation, &project_kind);

	return row_mark_posted(f, c->tenants->catalog, c->row->tenant.id, c->row->attempt_id,
	    &c->result);
}

static void
creation_put_field(struct buf *b, const char *before, const char *value)
{
	buf_puts(b, before);
	json_put_string(b, slice_str(value));
}

/* The body of POST /projects. store_passwords: adoption depends on Neon being able to tell the
 * password again. The annotations are what adoption goes by; the attempt's is for people. */
static void
put_creation(struct buf *b, const struct tenants_conf *conf, const struct tenant_row *row)
{
	struct err err = { 0 };
	json_t *wished = json_read_object(slice_str(row->neon_wished), &err);

	creation_put_field(b, "{\"project\":{\"name\":", row->project_name);
	buf_printf(b, ",\"pg_version\":%u,\"store_passwords\":true", conf->neon_pg_version);
	if (row->region[0] != '\0')
		creation_put_field(b, ",\"region_id\":", row->region);
	else if (conf->neon_region != NULL && conf->neon_region[0] != '\0')
		creation_put_field(b, ",\"region_id\":", conf->neon_region);
	if (conf->neon_org_id != NULL && conf->neon_org_id[0] != '\0')
		creation_put_field(b, ",\"org_id\":", conf->neon_org_id);
	creation_put_field(b, ",\"branch\":{\"database_name\":", NEON_DATABASE);
	creation_put_field(b, ",\"role_name\":", NEON_ROLE);
	creation_put_field(b, ",\"annotations\":{\"" NEON_NOTE_TENANT "\":", row->tenant.id);
	creation_put_field(b, ",\"" NEON_NOTE_ENVIRONMENT "\":", conf->environment);
	creation_put_field(b, ",\"" NEON_NOTE_ATTEMPT "\":", row->attempt_id);
	buf_puts(b, "}}");
	neon_settings_put_creation(b, wished);
	buf_puts(b, "}}");
	json_decref(wished);
}

/* is_posted before the call, not after: an attempt that is aborted in the middle of it must leave
 * posted_at in the row. */
static enum flow_rc
project_post(struct flow *f)
{
	struct neon_creation *c = FLOW_OF(f, struct neon_creation, &project_kind);
	enum flow_rc rc = row_check(f, &c->result, "creation intent");

	if (rc != FLOW_NEXT)
		return rc;
	neon_call_reset(&c->call);
	buf_puts(&c->call.path, "/projects");
	/* The row's may be from when the name was another. */
	snprintf(c->row->project_name, sizeof(c->row->project_name), "%s", c->list.names.name);
	put_creation(&c->call.body, c->tenants->conf, c->row);
	c->row->is_posted = true;
	return neon_call_run(f, &c->call, "POST");
}

static enum flow_rc
project_created(struct neon_creation *c)
{
	struct err err = { 0 };

	if (!neon_read_created(c->call.json, c->row, &err)) {
		/* The project is there, its address was not in the response: ask for the URI. */
		if (c->row->project_id[0] != '\0')
			return flow_goto(&c->flow, project_adopt);
		return flow_fail_err(&c->flow, &err);
	}
	c->row->is_posted = false;
	c->row->is_new = true;
	c->row->made_at_us = clock_mono_us();
	return FLOW_DONE;
}

/* REFUSED and UNSENT are clear responses: nothing was made. Of the others a 500 leaves open whether
 * the project was made, and silence also when. */
static enum flow_rc
project_posted(struct flow *f)
{
	struct neon_creation *c = FLOW_OF(f, struct neon_creation, &project_kind);

	switch (c->call.outcome) {
	case NEON_DONE:
		return project_created(c);
	case NEON_REFUSED:
	case NEON_UNSENT:
		c->row->is_posted = false;
		return neon_check(f, &c->call, "creation of a project");
	case NEON_BROKE:
	case NEON_UNKNOWN:
		break;
	}
	c->may_repeat = c->call.outcome == NEON_BROKE;
	c->verify = VERIFY_FIRST_LIST;
	flow_goto(f, project_list);
	return flow_sleep(f, &c->timer, LIST_DELAY_US);
}

/* ---- adoption ---- */

/* The connection URI has the password in it, and comes without side effects: a reset of the
 * password would lock out whoever uses the project already. */
static enum flow_rc
project_adopt(struct flow *f)
{
	struct neon_creation *c = FLOW_OF(f, struct neon_creation, &project_kind);

	return neon_call_uri(f, &c->call);
}

/* 404: a project of the row's was deleted at Neon, so its name is looked up. One that has just been
 * listed is not looked up again: that 404 is a failure, or the two would go on for ever. */
static enum flow_rc
project_adopted(struct flow *f)
{
	struct neon_creation *c = FLOW_OF(f, struct neon_creation, &project_kind);
	struct err err = { 0 };
	enum flow_rc rc;

	if (c->call.outcome == NEON_REFUSED && c->call.response.status == 404 &&
	    c->list.pages == 0) {
		log_event(LOG_WARNING, "neon.project_gone", f->request_id,
		    "Neon does not know project %s any more; it is looked up by name, or created "
		    "again.",
		    c->row->project_id);
		c->row->project_id[0] = '\0';
		return flow_goto(f, project_list);
	}
	rc = neon_check(f, &c->call, "connection URI");
	if (rc != FLOW_NEXT)
		return rc;
	if (!neon_read_uri(c->call.json, c->row, &err))
		return flow_fail_err(f, &err);
	neon_endpoint_from_host(c->row);
	c->row->is_posted = false;
	return FLOW_DONE;
}

static void
project_end(struct flow *f, const struct err *err)
{
	struct neon_creation *c = FLOW_OF(f, struct neon_creation, &project_kind);

	if (!err_is(err))
		tenant_set_tls(c->tenants, &c->row->tenant);
	pg_clear(&c->result);
	neon_call_free(&c->call);
}

enum flow_rc
neon_create(struct flow *f, struct neon_creation *c, struct tenants *ts, struct tenant_row *row)
{
	neon_call_init(&c->call, ts, row);
	c->tenants = ts;
	c->row = row;
	c->list.pages = 0;
	c->verify = VERIFY_NONE;
	c->may_repeat = c->was_repeated = false;
	memset(&c->result, 0, sizeof(c->result));
	return flow_call(f, &c->flow, &project_kind);
}
