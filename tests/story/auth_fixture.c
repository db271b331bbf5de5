/* SPDX-License-Identifier: MIT */
/*
 * auth_fixture: see the header.
 */
#include "auth_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tenantgate/base/log.h"
#include "turn_until_idle.h"

static char secret_hash[SHA256_HEX_SIZE];
struct fake_row auth_fixture_row;

void
auth_fixture_key(const struct pg_query *q, struct fake_result *a)
{
	(void)q;
	sha256_hex(SLICE_LIT(SECRET), secret_hash);
	auth_fixture_row = (struct fake_row){ { secret_hash, "tenant", "acme" } };
	a->rows = &auth_fixture_row;
	a->count = 1;
}

static const struct fake_row tag_row = { { TAG_SECRET } };

void
auth_fixture_tag_secret(const struct pg_query *q, struct fake_result *a)
{
	(void)q;
	a->rows = &tag_row;
	a->count = 1;
}

static enum flow_rc
key_check_step(struct flow *f)
{
	struct check_flow *v = (struct check_flow *)f;

	return auth_check(f, v->auth, slice_str(v->header), v->network, &v->caller);
}

static enum flow_rc
tags_load_step(struct flow *f)
{
	struct check_flow *v = (struct check_flow *)f;

	return key_tags_load(f, v->tags, NULL);
}

void
auth_fixture_end(struct flow *f, const struct err *err)
{
	struct check_flow *v = (struct check_flow *)f;

	v->err = *err;
	v->ended++;
}

static const struct flow_step key_check_steps[] = { { "check", key_check_step }, { NULL, NULL } };
static const struct flow_step load_steps[] = { { "load", tags_load_step }, { NULL, NULL } };
static const struct flow_kind key_check_kind = { "check", key_check_steps, auth_fixture_end, NULL };
static const struct flow_kind load_kind = { "load", load_steps, auth_fixture_end, NULL };

void
auth_fixture_begin(struct auth_fixture *w, unsigned i, const char *header)
{
	struct check_flow *v = &w->checks[i];

	v->auth = w->auth;
	v->header = header;
	v->network = HOME;
	v->ended = 0;
	memset(&v->caller, 0, sizeof(v->caller));
	flow_start(&v->flow, &key_check_kind, w->worker, NULL);
}

/* The n-th check's outcome: that nobody was found is ERR_UNAUTHENTICATED to whoever refuses. */
enum err_code
auth_fixture_outcome(struct auth_fixture *w, unsigned i)
{
	assert_int_equal(w->checks[i].ended, 1);
	if (!err_is(&w->checks[i].err) && w->checks[i].caller.kind == CALLER_NONE)
		return ERR_UNAUTHENTICATED;
	return w->checks[i].err.code;
}

enum err_code
auth_fixture_check_from(struct auth_fixture *w, const char *header, struct slice network)
{
	auth_fixture_begin(w, 0, header);
	w->checks[0].network = network;
	turn_until_idle(w->worker);
	return auth_fixture_outcome(w, 0);
}

enum err_code
auth_fixture_check(struct auth_fixture *w, const char *header)
{
	return auth_fixture_check_from(w, header, HOME);
}

void
auth_fixture_tags_load(struct auth_fixture *w)
{
	fake_catalog_returns(auth_fixture_tag_secret, 0);
	w->checks[0].tags = w->tags;
	w->checks[0].ended = 0;
	flow_start(&w->checks[0].flow, &load_kind, w->worker, NULL);
	turn_until_idle(w->worker);
	assert_int_equal(w->checks[0].ended, 1);
	assert_int_equal(w->checks[0].err.code, ERR_NONE);
}

int
auth_fixture_set_up(void **state)
{
	struct auth_fixture *w = calloc(1, sizeof(*w));
	struct auth_conf conf;

	log_level(LOG_EMERG);
	auth_conf_init(&conf);
	conf.last_used_us = 0; /* their own test's */
	w->worker = worker_new(0);
	w->tags = key_tags_new();
	w->keys = lookup_store_new(conf.cache_max);
	w->auth = auth_open(w->worker, NULL, w->tags, w->keys, &w->redis, &conf);
	*state = w;
	return 0;
}

int
auth_fixture_tear_down(void **state)
{
	struct auth_fixture *w = *state;

	auth_close(w->auth);
	lookup_store_free(w->keys);
	key_tags_free(w->tags);
	worker_free(w->worker);
	free(w);
	return 0;
}
