/* SPDX-License-Identifier: MIT */
/*
 * neon: finds a tenant's project or has it made. There is no idempotency key, so its name is
 * always looked for first.
 *
 *	[start] --> its id is known -------------------> [adopt] --> filled
 *	   |                                               ^   |
 *	   |  +---------------- 404 -----------------------|---+
 *	   v  v                                            |
 *	  [list] --> [judge] -- found ---------------------+
 *	     ^          | none
 *	     |          v
 *	     |       [fence] --> [post] --> filled
 *	     |                      |
 *	     +------- [nap] <-------+ no clear answer
 *
 * What always holds: before a POST the row says so (posted_at) and the attempt's lease was found
 * valid in the same write. After a POST without a clear answer there are two listings, a second
 * apart, before anything else. A POST without any answer is not repeated by this attempt, and not
 * by the next until it can no longer be under way.
 */
#include "tenant/neon.h"

#include <assert.h>
#include <stdio.h>

#include "tenantgate/base/log.h"

#define LOOK_NAP_US 1000000ull

static flow_step_fn make_list, make_adopt, make_fence;

/* ---- what to do first ---- */

static enum flow_rc
make_start(struct flow *f)
{
	struct neon_maker *m = (struct neon_maker *)f;

	return flow_goto(f, m->row->project_id[0] != '\0' ? make_adopt : make_list);
}

static enum flow_rc
make_list(struct flow *f)
{
	struct neon_maker *m = (struct neon_maker *)f;

	return neon_list_all(f, &m->list, m->tenants, m->row->project_name);
}

/* A creation without an answer may be under way for as long as the server likes: three times as
 * long as we wait for an answer is our patience. */
static int
patience_left_s(const struct neon_maker *m)
{
	uint64_t asked_us = m->tenants->conf->neon_timeout_us;
	int patience = (int)(asked_us * 3 / 1000000) + 1;

	return m->row->is_posted ? patience - m->row->posted_ago_s : 0;
}

static enum flow_rc
make_none_found(struct neon_maker *m)
{
	struct flow *f = &m->flow;
	struct err err = { 0 };

	if (m->doubt == DOUBT_FIRST_LOOK) {
		m->doubt = DOUBT_SECOND_LOOK;
		return flow_sleep(f, &m->nap, LOOK_NAP_US);
	}
	if (m->doubt == DOUBT_SECOND_LOOK && (!m->may_repeat || m->was_repeated)) {
		m->row->is_posted = !m->may_repeat;
		return flow_fail(f, ERR_NEON,
		    "Neon, creation of a project: %s, and no project is "
		    "to be seen",
		    m->call.why);
	}
	if (m->doubt == DOUBT_SECOND_LOOK) {
		m->was_repeated = true;
		return flow_goto(f, make_fence);
	}
	if (patience_left_s(m) > 0) {
		err_set(&err, ERR_PROVISIONING, "an earlier creation may still be under way");
		err.retry_after = patience_left_s(m);
		return flow_fail_err(f, &err);
	}
	return flow_goto(f, make_fence);
}

static enum flow_rc
make_judge(struct flow *f)
{
	struct neon_maker *m = (struct neon_maker *)f;
	const struct neon_inventory *found = &m->list.found;

	if (found->hits == 0)
		return make_none_found(m);
	if (found->hits > 1)
		log_event(LOG_ERR, "neon.duplicates", f->request_id,
		    "%u projects are named %s: "
		    "the oldest, %s, is taken",
		    found->hits, m->row->project_name, found->oldest_id);
	snprintf(m->row->project_id, sizeof(m->row->project_id), "%s", found->oldest_id);
	m->row->is_posted = false;
	return flow_goto(f, make_adopt);
}

/* After the nap between two looks. */
static enum flow_rc
make_look_again(struct flow *f)
{
	return flow_goto(f, make_list);
}

/* ---- creation ---- */

static enum flow_rc
make_fence(struct flow *f)
{
	struct neon_maker *m = (struct neon_maker *)f;

	return row_post(f, m->tenants->catalog, m->row->tenant.id, m->row->attempt_id, &m->result);
}

static void
put_field(struct buf *b, const char *before, const char *value)
{
	buf_puts(b, before);
	json_put_string(b, slice_str(value));
}

static void
put_creation(struct buf *b, const struct tenants_conf *conf, const struct tenant_row *row)
{
	put_field(b, "{\"project\":{\"name\":", row->project_name);
	buf_printf(b, ",\"pg_version\":%u,\"store_passwords\":true", conf->neon_pg_version);
	if (conf->neon_region != NULL && conf->neon_region[0] != '\0')
		put_field(b, ",\"region_id\":", conf->neon_region);
	if (conf->neon_org_id != NULL && conf->neon_org_id[0] != '\0')
		put_field(b, ",\"org_id\":", conf->neon_org_id);
	put_field(b, ",\"branch\":{\"database_name\":", NEON_DATABASE);
	put_field(b, ",\"role_name\":", NEON_ROLE);
	put_field(b, ",\"annotations\":{\"tenantgate_tenant\":", row->tenant.id);
	put_field(b, ",\"tenantgate_attempt\":", row->attempt_id);
	buf_puts(b, "}}}}");
}

static enum flow_rc
make_post(struct flow *f)
{
	struct neon_maker *m = (struct neon_maker *)f;
	enum flow_rc rc = row_check(f, &m->result, "intent to create");

	if (rc != FLOW_NEXT)
		return rc;
	neon_call_reset(&m->call);
	buf_puts(&m->call.path, "/projects");
	put_creation(&m->call.body, m->tenants->conf, m->row);
	m->row->is_posted = true;
	return neon_ask(f, &m->call, "POST");
}

static enum flow_rc
make_created(struct neon_maker *m)
{
	struct err err = { 0 };

	if (!neon_read_created(m->call.json, m->row, &err)) {
		/* It is there, but not as we know it: its own URI may tell more. */
		if (m->row->project_id[0] != '\0')
			return flow_goto(&m->flow, make_adopt);
		return flow_fail_err(&m->flow, &err);
	}
	m->row->is_posted = false;
	m->row->is_new = true;
	return FLOW_DONE;
}

static enum flow_rc
make_posted(struct flow *f)
{
	struct neon_maker *m = (struct neon_maker *)f;

	switch (m->call.outcome) {
	case NEON_DONE:
		return make_created(m);
	case NEON_REFUSED:
	case NEON_UNSENT:
		m->row->is_posted = false;
		return neon_check(f, &m->call, "creation of a project");
	case NEON_BROKE:
	case NEON_UNKNOWN:
		break;
	}
	m->may_repeat = m->call.outcome == NEON_BROKE;
	m->doubt = DOUBT_FIRST_LOOK;
	return flow_sleep(f, &m->nap, LOOK_NAP_US);
}

static enum flow_rc
make_look(struct flow *f)
{
	return flow_goto(f, make_list);
}

/* ---- adoption ---- */

static enum flow_rc
make_adopt(struct flow *f)
{
	struct neon_maker *m = (struct neon_maker *)f;

	neon_call_reset(&m->call);
	buf_printf(&m->call.path, "/projects/%s/connection_uri?database_name=%s&role_name=%s",
	    m->row->project_id, NEON_DATABASE, NEON_ROLE);
	return neon_ask(f, &m->call, "GET");
}

/* The endpoint's name is its host's first label. */
static void
endpoint_from_host(struct tenant_row *row)
{
	const char *host = row->tenant.host;
	size_t n = strcspn(host, ".");

	if (row->endpoint_id[0] == '\0' && strncmp(host, "ep-", 3) == 0 && n < PROVIDER_ID_SIZE)
		snprintf(row->endpoint_id, sizeof(row->endpoint_id), "%.*s", (int)n, host);
}

static enum flow_rc
make_adopted(struct flow *f)
{
	struct neon_maker *m = (struct neon_maker *)f;
	struct err err = { 0 };
	enum flow_rc rc;

	if (m->call.outcome == NEON_REFUSED && m->call.response.status == 404 &&
	    m->list.pages == 0) {
		log_event(LOG_WARNING, "neon.project_gone", f->request_id, "%s",
		    m->row->project_id);
		m->row->project_id[0] = '\0';
		return flow_goto(f, make_list);
	}
	rc = neon_check(f, &m->call, "connection URI");
	if (rc != FLOW_NEXT)
		return rc;
	if (!neon_read_uri(m->call.json, m->row, &err))
		return flow_fail_err(f, &err);
	endpoint_from_host(m->row);
	m->row->is_posted = false;
	return FLOW_DONE;
}

static const struct flow_step make_steps[] = {
	{ "start", make_start },
	{ "list", make_list },
	{ "judge", make_judge },
	{ "look_again", make_look_again },
	{ "fence", make_fence },
	{ "post", make_post },
	{ "posted", make_posted },
	{ "look", make_look },
	{ "adopt", make_adopt },
	{ "adopted", make_adopted },
	{ NULL, NULL },
};

static void
make_end(struct flow *f, const struct err *err)
{
	struct neon_maker *m = (struct neon_maker *)f;

	if (!err_is(err))
		snprintf(m->row->tenant.sslmode, sizeof(m->row->tenant.sslmode), "%s",
		    m->tenants->conf->neon_sslmode);
	pg_clear(&m->result);
	neon_call_free(&m->call);
}

static const struct flow_kind make_kind = { "neon_make", make_steps, make_end, NULL };

enum flow_rc
neon_make(struct flow *f, struct neon_maker *m, struct tenants *ts, struct tenant_row *row)
{
	neon_call_init(&m->call, ts);
	m->tenants = ts;
	m->row = row;
	m->list.pages = 0;
	m->doubt = DOUBT_NONE;
	m->may_repeat = m->was_repeated = false;
	memset(&m->result, 0, sizeof(m->result));
	return flow_call(f, &m->flow, &make_kind);
}
