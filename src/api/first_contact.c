/* SPDX-License-Identifier: MIT */
/*
 * first_contact: see the header.
 *
 *	[turn] --> [limit] --> [judge]: too many: 503 --> [save] --> [saved] --> [provision]
 *	 \__/  while another request of that tenant, on this worker, is before [provision]
 *
 * The requests of a page that come together are one newcomer, and count once: who waits is woken by
 * whoever has the turn, and is refused with him.
 *
 * Anybody can sign up with most identity providers, as often as he likes, and each new tenant is a
 * database that somebody pays for. So there is a rate, over all issuers and for each, and all
 * replicas share it: a crowd of tokens is no crowd of databases. A service key has no such rate: it
 * is the operator's own program.
 *
 * Where the tenant is the user, what the token says of them becomes their row of public.users, as a
 * sign-up of the application would write it. Only this once: later changes are the application's
 * (PUT /tenant). Of a text that is not fit to be shown nothing is kept.
 */
#include "api/first_contact.h"

#include <stdlib.h>

#include "api/request_count.h"
#include "api/tenant_body.h"
#include "tenantgate/auth/issuer.h"
#include "tenantgate/base/alloc.h"
#include "tenantgate/base/map.h"
#include "tenantgate/loop/join.h"

#define MINUTE_US (60 * 1000000ull)

enum { PROVISIONS_OF_ALL, PROVISIONS_OF_ISSUER, PROVISIONS_RULES };

struct first_contact {
	struct flow flow;
	struct request *req; /* borrowed: the parent */
	bool has_turn;	     /* it is in the worker's map of newcomers */
	struct join join;    /* who waits for that turn */
	struct join_waiter waiter;
	char keys[PROVISIONS_RULES][LIMIT_KEY_MAX + 1];
	struct limit_verdict verdict;
	struct tenant_change change;
	struct pg_result result; /* owned */
};

static flow_step_fn newcomer_turn, newcomer_limit, newcomer_judge, newcomer_save, newcomer_saved,
    newcomer_make;
static flow_end_fn newcomer_end;
static flow_release_fn newcomer_free;

static const struct flow_step newcomer_steps[] = {
	{ "turn", newcomer_turn },
	{ "limit", newcomer_limit },
	{ "judge", newcomer_judge },
	{ "save", newcomer_save },
	{ "saved", newcomer_saved },
	{ "provision", newcomer_make },
	{ NULL, NULL },
};

static const struct flow_kind newcomer_kind = { "first_contact", newcomer_steps, newcomer_end,
	newcomer_free };

static struct first_contact *
newcomer_of(struct flow *f)
{
	return FLOW_OF(f, struct first_contact, &newcomer_kind);
}

bool
first_contact_is_due(const struct request *req)
{
	return req->caller.profile != NULL && req->tenant.state == TENANT_UNKNOWN &&
	    tenant_would_begin(req->ctx->tenants, req->tenant_id);
}

/* A refusal is that of all who wait; after anything else they look for themselves. */
static void
turn_give_back(struct first_contact *c, const struct err *refusal)
{
	if (!c->has_turn)
		return;
	c->has_turn = false;
	(void)map_take(c->req->ctx->newcomers, slice_str(c->req->tenant_id));
	join_finish(&c->join, refusal);
}

/* Whoever had the turn before has begun the database, or was refused. */
static enum flow_rc
newcomer_turn(struct flow *f)
{
	struct first_contact *c = newcomer_of(f);
	struct map *newcomers = c->req->ctx->newcomers;
	struct slice id = slice_str(c->req->tenant_id);
	struct first_contact *before = map_get(newcomers, id);

	if (!tenant_would_begin(c->req->ctx->tenants, c->req->tenant_id))
		return flow_goto(f, newcomer_make);
	if (before != NULL) {
		flow_goto(f, newcomer_turn);
		return join_wait(&before->join, f, &c->waiter);
	}
	if (!map_put(newcomers, id, c))
		return flow_fail(f, ERR_OVERLOADED, ERR_NO_MEMORY, "the tenant's database");
	c->has_turn = true;
	return FLOW_NEXT;
}

static enum flow_rc
newcomer_limit(struct flow *f)
{
	struct first_contact *c = newcomer_of(f);
	const struct request *req = c->req;
	const struct caller_profile *p = req->caller.profile;
	struct limit_rule rules[PROVISIONS_RULES] = {
		[PROVISIONS_OF_ALL] = { .count = req->conf->provisions_per_minute,
		    .key =
			request_limit_key(req, c->keys[PROVISIONS_OF_ALL], "provisions", "all", ""),
		    .period_us = MINUTE_US },
		[PROVISIONS_OF_ISSUER] = { .count = p->provisions_per_minute,
		    .key = request_limit_key(req, c->keys[PROVISIONS_OF_ISSUER], "provisions",
			"issuer", p->issuer),
		    .period_us = MINUTE_US },
	};

	return limit_check(f, req->ctx->limiter, rules, PROVISIONS_RULES, &c->verdict);
}

static enum flow_rc
newcomer_judge(struct flow *f)
{
	const struct first_contact *c = newcomer_of(f);
	struct err err = { .retry_after = (int)c->verdict.retry_after_s };

	if (c->verdict.allowed)
		return FLOW_NEXT;
	request_count_decision(c->req, "provisions", "refused", c->verdict.mode);
	err_set(&err, ERR_PROVISIONING,
	    "More newcomers are here than databases may be made for now. Try again in %d s.",
	    err.retry_after);
	err.policy = "provisions";
	err_cause(&err, "provisions_per_minute of %s is reached",
	    c->verdict.which == PROVISIONS_OF_ALL ? "[tenantgate]"
						  : c->req->caller.profile->issuer);
	return flow_fail_err(f, &err);
}

static void
change_set(struct first_contact *c, enum tenant_field field, const char *text)
{
	c->change.is_set[field] = text != NULL && tenant_text_is_good(field, slice_str(text));
	if (c->change.is_set[field])
		c->change.text[field] = text;
}

static enum flow_rc
newcomer_save(struct flow *f)
{
	struct first_contact *c = newcomer_of(f);
	const struct caller_profile *p = c->req->caller.profile;

	if (!p->tenant_is_user)
		return flow_goto(f, newcomer_make);
	change_set(c, TENANT_NAME, p->name);
	change_set(c, TENANT_EMAIL, p->email);
	change_set(c, TENANT_AVATAR_URL, p->avatar_url);
	return tenant_save(f, c->req->ctx->tenants, c->req->tenant_id, &c->change, &c->result);
}

static enum flow_rc
newcomer_saved(struct flow *f)
{
	struct first_contact *c = newcomer_of(f);
	enum flow_rc rc = catalog_check(f, &c->result, "save the tenant");
	struct tenant_profile now;

	if (rc == FLOW_NEXT && tenant_profile_read(&c->result, &now))
		tenant_saved(c->req->ctx->tenants, &c->req->tenant, &now);
	return rc;
}

static enum flow_rc
newcomer_make(struct flow *f)
{
	struct first_contact *c = newcomer_of(f);
	struct request *req = c->req;
	enum flow_rc rc = tenant_provision(f, req->ctx->tenants, &req->tenant);

	turn_give_back(c, &(const struct err){ .code = ERR_NONE });
	return rc;
}

static void
newcomer_end(struct flow *f, const struct err *err)
{
	const struct err fine = { .code = ERR_NONE };

	turn_give_back(newcomer_of(f), err->code == ERR_PROVISIONING ? err : &fine);
}

static void
newcomer_free(struct flow *f)
{
	struct first_contact *c = newcomer_of(f);

	pg_clear(&c->result);
	free(c);
}

enum flow_rc
first_contact(struct flow *f, struct request *req)
{
	struct first_contact *c = xcalloc(1, sizeof(*c));

	c->req = req;
	join_init(&c->join);
	return flow_call(f, &c->flow, &newcomer_kind);
}
