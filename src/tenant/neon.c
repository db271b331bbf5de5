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

#define LIST_DELAY_US 1000000ull

static flow_step_fn project_start, project_list, project_list_check, project_fence, project_post,
    project_posted, project_adopt, project_adopted;
static flow_end_fn project_end;

static const struct flow_step project_steps[] = {
	{ "start", project_start },
	{ "list", project_list },
	{ "check", project_list_check },
	{ "fence", project_fence },
	{ "post", project_post },
	{ "posted", project_posted },
	{ "adopt", project_adopt },
	{ "adopted", project_adopted },
	{ NULL, NULL },
};

static const struct flow_kind project_kind = { "neon_create", project_steps, project_end, NULL };

/* ---- what to do first ---- */

static enum flow_rc
project_start(struct flow *f)
{
	struct neon_creation *m = FLOW_OF(f, struct neon_creation, &project_kind);

	return flow_goto(f, m->row->project_id[0] != '\0' ? project_adopt : project_list);
}

static enum flow_rc
project_list(struct flow *f)
{
	struct neon_creation *m = FLOW_OF(f, struct neon_creation, &project_kind);

	return neon_list_all(f, &m->list, m->tenants, m->row->project_name);
}

/* A creation without an answer may be under way for as long as the server likes: three times as
 * long as we wait for an answer is our patience. */
static int
grace_left_s(const struct neon_creation *m)
{
	uint64_t asked_us = m->tenants->conf->neon_timeout_us;
	int grace = (int)(asked_us * 3 / 1000000) + 1;

	return m->row->is_posted ? grace - m->row->posted_ago_s : 0;
}

static enum flow_rc
project_none_found(struct neon_creation *m)
{
	struct flow *f = &m->flow;
	struct err err = { 0 };

	if (m->verify == VERIFY_FIRST_LIST) {
		m->verify = VERIFY_SECOND_LIST;
		flow_goto(f, project_list);
		return flow_sleep(f, &m->timer, LIST_DELAY_US);
	}
	if (m->verify == VERIFY_SECOND_LIST && (!m->may_repeat || m->was_repeated)) {
		m->row->is_posted = !m->may_repeat;
		return flow_fail(f, ERR_NEON,
		    "Neon, creation of a project: %s, and no project is "
		    "to be seen",
		    m->call.why);
	}
	if (m->verify == VERIFY_SECOND_LIST) {
		m->was_repeated = true;
		return flow_goto(f, project_fence);
	}
	if (grace_left_s(m) > 0) {
		err_set(&err, ERR_PROVISIONING, "an earlier creation may still be under way");
		err.retry_after = grace_left_s(m);
		return flow_fail_err(f, &err);
	}
	return flow_goto(f, project_fence);
}

static enum flow_rc
project_list_check(struct flow *f)
{
	struct neon_creation *m = FLOW_OF(f, struct neon_creation, &project_kind);
	const struct neon_inventory *found = &m->list.found;

	if (found->hits == 0)
		return project_none_found(m);
	if (found->hits > 1)
		log_event(LOG_ERR, "neon.duplicates", f->request_id,
		    "%u projects are named %s: "
		    "the oldest, %s, is taken",
		    found->hits, m->row->project_name, found->oldest_id);
	snprintf(m->row->project_id, sizeof(m->row->project_id), "%s", found->oldest_id);
	m->row->is_posted = false;
	return flow_goto(f, project_adopt);
}

/* ---- creation ---- */

static enum flow_rc
project_fence(struct flow *f)
{
	struct neon_creation *m = FLOW_OF(f, struct neon_creation, &project_kind);

	return row_post(f, m->tenants->catalog, m->row->tenant.id, m->row->attempt_id, &m->result);
}

static void
creation_put_field(struct buf *b, const char *before, const char *value)
{
	buf_puts(b, before);
	json_put_string(b, slice_str(value));
}

static void
put_creation(struct buf *b, const struct tenants_conf *conf, const struct tenant_row *row)
{
	creation_put_field(b, "{\"project\":{\"name\":", row->project_name);
	buf_printf(b, ",\"pg_version\":%u,\"store_passwords\":true", conf->neon_pg_version);
	if (conf->neon_region != NULL && conf->neon_region[0] != '\0')
		creation_put_field(b, ",\"region_id\":", conf->neon_region);
	if (conf->neon_org_id != NULL && conf->neon_org_id[0] != '\0')
		creation_put_field(b, ",\"org_id\":", conf->neon_org_id);
	creation_put_field(b, ",\"branch\":{\"database_name\":", NEON_DATABASE);
	creation_put_field(b, ",\"role_name\":", NEON_ROLE);
	creation_put_field(b, ",\"annotations\":{\"tenantgate_tenant\":", row->tenant.id);
	creation_put_field(b, ",\"tenantgate_attempt\":", row->attempt_id);
	buf_puts(b, "}}}}");
}

static enum flow_rc
project_post(struct flow *f)
{
	struct neon_creation *m = FLOW_OF(f, struct neon_creation, &project_kind);
	enum flow_rc rc = row_check(f, &m->result, "intent to create");

	if (rc != FLOW_NEXT)
		return rc;
	neon_call_reset(&m->call);
	buf_puts(&m->call.path, "/projects");
	put_creation(&m->call.body, m->tenants->conf, m->row);
	m->row->is_posted = true;
	return neon_call_run(f, &m->call, "POST");
}

static enum flow_rc
project_created(struct neon_creation *m)
{
	struct err err = { 0 };

	if (!neon_read_created(m->call.json, m->row, &err)) {
		/* It is there, but not as we know it: its own URI may tell more. */
		if (m->row->project_id[0] != '\0')
			return flow_goto(&m->flow, project_adopt);
		return flow_fail_err(&m->flow, &err);
	}
	m->row->is_posted = false;
	m->row->is_new = true;
	return FLOW_DONE;
}

static enum flow_rc
project_posted(struct flow *f)
{
	struct neon_creation *m = FLOW_OF(f, struct neon_creation, &project_kind);

	switch (m->call.outcome) {
	case NEON_DONE:
		return project_created(m);
	case NEON_REFUSED:
	case NEON_UNSENT:
		m->row->is_posted = false;
		return neon_check(f, &m->call, "creation of a project");
	case NEON_BROKE:
	case NEON_UNKNOWN:
		break;
	}
	m->may_repeat = m->call.outcome == NEON_BROKE;
	m->verify = VERIFY_FIRST_LIST;
	flow_goto(f, project_list);
	return flow_sleep(f, &m->timer, LIST_DELAY_US);
}

/* ---- adoption ---- */

static enum flow_rc
project_adopt(struct flow *f)
{
	struct neon_creation *m = FLOW_OF(f, struct neon_creation, &project_kind);

	neon_call_reset(&m->call);
	buf_printf(&m->call.path, "/projects/%s/connection_uri?database_name=%s&role_name=%s",
	    m->row->project_id, NEON_DATABASE, NEON_ROLE);
	return neon_call_run(f, &m->call, "GET");
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
project_adopted(struct flow *f)
{
	struct neon_creation *m = FLOW_OF(f, struct neon_creation, &project_kind);
	struct err err = { 0 };
	enum flow_rc rc;

	if (m->call.outcome == NEON_REFUSED && m->call.response.status == 404 &&
	    m->list.pages == 0) {
		log_event(LOG_WARNING, "neon.project_gone", f->request_id, "%s",
		    m->row->project_id);
		m->row->project_id[0] = '\0';
		return flow_goto(f, project_list);
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

static void
project_end(struct flow *f, const struct err *err)
{
	struct neon_creation *m = FLOW_OF(f, struct neon_creation, &project_kind);

	if (!err_is(err))
		snprintf(m->row->tenant.sslmode, sizeof(m->row->tenant.sslmode), "%s",
		    m->tenants->conf->neon_sslmode);
	pg_clear(&m->result);
	neon_call_free(&m->call);
}

enum flow_rc
neon_create(struct flow *f, struct neon_creation *m, struct tenants *ts, struct tenant_row *row)
{
	neon_call_init(&m->call, ts);
	m->tenants = ts;
	m->row = row;
	m->list.pages = 0;
	m->verify = VERIFY_NONE;
	m->may_repeat = m->was_repeated = false;
	memset(&m->result, 0, sizeof(m->result));
	return flow_call(f, &m->flow, &project_kind);
}
