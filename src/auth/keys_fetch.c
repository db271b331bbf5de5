/* SPDX-License-Identifier: MIT */
/*
 * keys_fetch: fetches the keys of an issuer (a JWK set, RFC 7517) for whoever waits.
 *
 *	[turn] <--+ while another worker fetches them
 *	   |  \___/
 *	   | ours       \ fetched lately: done, and whoever waits looks again
 *	[fetch] --> [parse: on a helper] --> [keep]
 *
 * No redirect is followed, so the keys are had from the very address that the operator has written.
 * The text is bounded, and making OpenSSL's keys of it is a helper's work.
 */
#include <stdlib.h>

#include "auth/issuer_auth.h"
#include "tenantgate/base/alloc.h"
#include "tenantgate/base/clock.h"
#include "tenantgate/base/log.h"
#include "tenantgate/loop/offload.h"

#define TURN_US (10 * 1000ull) /* between two looks at another worker's fetch */

/* What a helper works on. */
struct keys_job {
	struct buf text;     /* owned */
	struct jwk_set *set; /* a reference; NULL: err says why */
	struct err err;
};

struct keys_fetch {
	struct flow flow;
	struct join join;
	LIST_ENTRY(keys_fetch) link;
	struct issuers *issuers;     /* a reference, for the next's sake */
	const struct issuer *issuer; /* borrowed */
	struct web *web;	     /* borrowed */
	struct timer timer;
	struct web_response response; /* owned */
	void *job;		      /* owned: struct keys_job */
	bool is_ours;		      /* claimed: owes issuer_keys_put() */
};

static flow_step_fn keys_turn, keys_get, keys_parse, keys_keep;
static flow_end_fn keys_fetch_end;
static flow_release_fn keys_fetch_release;

static const struct flow_step keys_fetch_steps[] = {
	{ "turn", keys_turn },
	{ "fetch", keys_get },
	{ "parse", keys_parse },
	{ "keep", keys_keep },
	{ NULL, NULL },
};

static const struct flow_kind keys_fetch_kind = { "issuer_keys", keys_fetch_steps, keys_fetch_end,
	keys_fetch_release };

static enum flow_rc
keys_turn(struct flow *f)
{
	struct keys_fetch *k = FLOW_OF(f, struct keys_fetch, &keys_fetch_kind);
	const struct issuer *one = k->issuer;
	uint64_t now_us = clock_mono_us();
	struct keys_view view;

	k->is_ours = issuer_keys_claim(one->keys, &one->conf, now_us);
	if (k->is_ours)
		return FLOW_NEXT;
	issuer_keys_look(one->keys, &one->conf, now_us, &view);
	if (view.set != NULL)
		refs_give(&view.set->refs);
	if (!view.is_fetching)
		return FLOW_DONE;
	flow_goto(f, keys_turn);
	return flow_sleep(f, &k->timer, TURN_US);
}

static enum flow_rc
keys_get(struct flow *f)
{
	struct keys_fetch *k = FLOW_OF(f, struct keys_fetch, &keys_fetch_kind);
	uint64_t timeout_us = k->issuer->conf.jwks_timeout_us;
	struct web_request rq = {
		.method = "GET",
		.url = k->issuer->conf.jwks_url,
		.headers = { "Accept: application/jwk-set+json, application/json" },
		.connect_timeout_us = timeout_us,
		.first_byte_timeout_us = timeout_us,
		.idle_timeout_us = timeout_us,
		.total_timeout_us = timeout_us,
		.response_max = JWKS_BYTES_MAX,
	};

	return web_fetch(f, k->web, &rq, &k->response);
}

/* An offload_fn. */
static void
keys_job_run(void *arg)
{
	struct keys_job *job = arg;

	job->set = jwk_set_read(buf_view(&job->text), &job->err);
}

/* An offload_drop_fn. */
static void
keys_job_free(void *arg)
{
	struct keys_job *job = arg;

	if (job == NULL)
		return;
	if (job->set != NULL)
		refs_give(&job->set->refs);
	buf_free(&job->text);
	free(job);
}

/* Sentences for the operator; nobody else reads them. */
static enum flow_rc
response_check(struct flow *f, const struct web_response *r)
{
	if (r->failure != WEB_FINE)
		return flow_fail(f, ERR_ISSUER, "%s", r->detail);
	if (r->status >= 300 && r->status < 400)
		return flow_fail(f, ERR_ISSUER,
		    "It answers with a redirect (%d), which is not followed; write the address of "
		    "the keys themselves.",
		    r->status);
	if (r->status != 200)
		return flow_fail(f, ERR_ISSUER, "It answers with status %d.", r->status);
	return FLOW_NEXT;
}

static enum flow_rc
keys_parse(struct flow *f)
{
	struct keys_fetch *k = FLOW_OF(f, struct keys_fetch, &keys_fetch_kind);
	enum flow_rc rc = response_check(f, &k->response);
	struct keys_job *job;

	if (rc != FLOW_NEXT)
		return rc;
	job = xcalloc(1, sizeof(*job));
	job->text = k->response.body;
	k->response.body = (struct buf){ 0 };
	return offload_run(f, slice_str(k->issuer->conf.name), keys_job_run, keys_job_free, job,
	    &k->job);
}

static enum flow_rc
keys_keep(struct flow *f)
{
	struct keys_fetch *k = FLOW_OF(f, struct keys_fetch, &keys_fetch_kind);
	struct keys_job *job = k->job;

	if (job->set == NULL)
		return flow_fail(f, ERR_ISSUER, "It has sent no set of keys. %s", job->err.detail);
	log_event(LOG_INFO, "auth.jwks", NULL,
	    "The keys of issuer %s have been fetched: %u to check tokens with, %u that are not for "
	    "that.",
	    k->issuer->conf.name, job->set->count, job->set->passed_over);
	if (job->set->given_away > 0)
		log_event(LOG_WARNING, "auth.jwks_private", NULL,
		    "Of the keys that the jwks_url of issuer %s gives to anybody %u are private "
		    "or secret; they are not used. Tell whoever runs it to make new ones.",
		    k->issuer->conf.name, job->set->given_away);
	k->is_ours = false;
	issuer_keys_put(k->issuer->keys, job->set, clock_mono_us());
	job->set = NULL;
	return FLOW_DONE;
}

/* Whoever waits looks at what there is now, also when this has failed. */
static void
keys_fetch_end(struct flow *f, const struct err *err)
{
	struct keys_fetch *k = FLOW_OF(f, struct keys_fetch, &keys_fetch_kind);
	const struct err fine = { 0 };

	if (k->is_ours)
		issuer_keys_put(k->issuer->keys, NULL, clock_mono_us());
	if (err_is(err) && err->code != ERR_SHUTDOWN)
		log_event(LOG_WARNING, "auth.jwks", NULL,
		    "The keys of issuer %s cannot be fetched from its jwks_url; those that are "
		    "known stay in use for jwks_stale_ttl. %s",
		    k->issuer->conf.name, err->detail);
	LIST_REMOVE(k, link);
	join_finish(&k->join, &fine);
}

static void
keys_fetch_release(struct flow *f)
{
	struct keys_fetch *k = FLOW_OF(f, struct keys_fetch, &keys_fetch_kind);

	web_response_free(&k->response);
	keys_job_free(k->job);
	issuers_give(k->issuers);
	free(k);
}

/* This worker's that is under way; NULL: none. */
static struct keys_fetch *
keys_fetch_of(struct issuer_auth *a, const struct issuer *one)
{
	struct keys_fetch *k;

	LIST_FOREACH(k, &a->fetches, link)
		if (k->issuer->keys == one->keys)
			return k;
	return NULL;
}

static struct keys_fetch *
keys_fetch_at(struct issuer_auth *a, struct issuers *set, const struct issuer *one)
{
	struct keys_fetch *k = keys_fetch_of(a, one);

	if (k != NULL)
		return k;
	k = xcalloc(1, sizeof(*k));
	join_init(&k->join);
	refs_take(&set->refs);
	k->issuers = set;
	k->issuer = one;
	k->web = a->web;
	LIST_INSERT_HEAD(&a->fetches, k, link);
	flow_start(&k->flow, &keys_fetch_kind, a->worker, NULL);
	return k;
}

void
keys_fetch_begin(struct issuer_auth *a, struct issuers *set, const struct issuer *one)
{
	(void)keys_fetch_at(a, set, one);
}

enum flow_rc
keys_fetch_wait(struct flow *f, struct issuer_auth *a, struct issuers *set,
    const struct issuer *one, struct join_waiter *waiter)
{
	return join_wait(&keys_fetch_at(a, set, one)->join, f, waiter);
}
