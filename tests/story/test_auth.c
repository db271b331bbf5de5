/* SPDX-License-Identifier: MIT */
/*
 * test_auth: checks of keys over a catalog of prepared results: which pass, what is looked up only
 * once.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "fake_catalog.h"
#include "tenantgate/auth.h"
#include "tenantgate/base/clock.h"
#include "tenantgate/base/digest.h"
#include "tenantgate/base/log.h"
#include "turn_until_idle.h"

#define ID     "abcdefghjkmn"
#define SECRET "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefg"
#define WRONG  "1123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefg"
#define GOOD   "Bearer tg_" ID "_" SECRET
#define BAD    "Bearer tg_" ID "_" WRONG
#define CHECKS 20

struct check_flow {
	struct flow flow;
	struct auth *auth;
	const char *header;
	char *text; /* key_create's */
	struct caller caller;
	struct err err;
	unsigned ended;
};

struct auth_fixture {
	struct worker *worker;
	struct auth *auth;
	struct check_flow checks[CHECKS];
};

static char secret_hash[SHA256_HEX_SIZE];
static struct fake_row key_row;
static char inserted_hash[SHA256_HEX_SIZE], inserted_id[KEY_ID_LEN + 1];

static void
one_key(const struct pg_query *q, struct fake_result *a)
{
	(void)q;
	sha256_hex(SLICE_LIT(SECRET), secret_hash);
	key_row = (struct fake_row){ { secret_hash, "tenant", "acme" } };
	a->rows = &key_row;
	a->count = 1;
}

static void
a_service_key(const struct pg_query *q, struct fake_result *a)
{
	one_key(q, a);
	key_row.col[1] = "service";
	key_row.col[2] = NULL;
}

static void
a_key_of_an_unknown_kind(const struct pg_query *q, struct fake_result *a)
{
	one_key(q, a);
	key_row.col[1] = "emperor";
}

static void
an_insert(const struct pg_query *q, struct fake_result *a)
{
	snprintf(inserted_id, sizeof(inserted_id), "%s", q->params[0].data);
	snprintf(inserted_hash, sizeof(inserted_hash), "%s", q->params[1].data);
	a->changed = 1;
}

static enum flow_rc
key_check_step(struct flow *f)
{
	struct check_flow *v = (struct check_flow *)f;

	return auth_check(f, v->auth, slice_str(v->header), &v->caller);
}

static enum flow_rc
key_create_step(struct flow *f)
{
	struct check_flow *v = (struct check_flow *)f;

	return auth_key_create(f, NULL, CALLER_TENANT, "acme", "a note", v->text);
}

static void
key_check_end(struct flow *f, const struct err *err)
{
	struct check_flow *v = (struct check_flow *)f;

	v->err = *err;
	v->ended++;
}

static const struct flow_step key_check_steps[] = { { "check", key_check_step }, { NULL, NULL } };
static const struct flow_step create_steps[] = { { "create", key_create_step }, { NULL, NULL } };
static const struct flow_kind key_check_kind = { "check", key_check_steps, key_check_end, NULL };
static const struct flow_kind create_kind = { "create", create_steps, key_check_end, NULL };

static void
key_check_begin(struct auth_fixture *w, unsigned i, const char *header)
{
	struct check_flow *v = &w->checks[i];

	v->auth = w->auth;
	v->header = header;
	v->ended = 0;
	memset(&v->caller, 0, sizeof(v->caller));
	flow_start(&v->flow, &key_check_kind, w->worker, NULL);
}

static enum err_code
key_check(struct auth_fixture *w, const char *header)
{
	key_check_begin(w, 0, header);
	turn_until_idle(w->worker);
	assert_int_equal(w->checks[0].ended, 1);
	return w->checks[0].err.code;
}

static int
set_up(void **state)
{
	struct auth_fixture *w = calloc(1, sizeof(*w));
	struct auth_conf conf;

	log_level(LOG_EMERG);
	auth_conf_init(&conf);
	w->worker = worker_new(0);
	w->auth = auth_open(w->worker, NULL, &conf);
	*state = w;
	return 0;
}

static int
tear_down(void **state)
{
	struct auth_fixture *w = *state;

	auth_close(w->auth);
	worker_free(w->worker);
	free(w);
	return 0;
}

static void
the_right_secret_is_let_in(void **state)
{
	struct auth_fixture *w = *state;

	fake_catalog_returns(one_key, 0);
	assert_int_equal(key_check(w, GOOD), ERR_NONE);
	assert_string_equal(w->checks[0].caller.tenant, "acme");
	assert_string_equal(w->checks[0].caller.key_id, ID);
	assert_int_equal(key_check(w, GOOD), ERR_NONE);
	assert_int_equal(key_check(w, BAD), ERR_UNAUTHENTICATED);
	assert_int_equal(fake_catalog_asked(), 1);
}

static void
a_service_has_no_tenant_of_its_own(void **state)
{
	struct auth_fixture *w = *state;

	fake_catalog_returns(a_service_key, 0);
	assert_int_equal(key_check(w, GOOD), ERR_NONE);
	assert_int_equal(w->checks[0].caller.kind, CALLER_SERVICE);
	assert_string_equal(w->checks[0].caller.tenant, "");
}

static void
every_refusal_reads_the_same(void **state)
{
	struct auth_fixture *w = *state;
	char absent[256], wrong[256], none[256];

	fake_catalog_returns(one_key, 0);
	assert_int_equal(key_check(w, BAD), ERR_UNAUTHENTICATED);
	snprintf(wrong, sizeof(wrong), "%s", w->checks[0].err.detail);
	assert_int_equal(key_check(w, NULL), ERR_UNAUTHENTICATED);
	snprintf(none, sizeof(none), "%s", w->checks[0].err.detail);
	fake_catalog_returns(fake_catalog_empty, 0);
	assert_int_equal(key_check(w, "Bearer tg_zzzzzzzzzzzz_" SECRET), ERR_UNAUTHENTICATED);
	snprintf(absent, sizeof(absent), "%s", w->checks[0].err.detail);
	assert_string_equal(wrong, absent);
	assert_string_equal(wrong, none);
}

static void
malformed_credentials_never_reach_the_catalog(void **state)
{
	struct auth_fixture *w = *state;

	fake_catalog_returns(one_key, 0);
	assert_int_equal(key_check(w, "Bearer tg_' OR 1=1 --"), ERR_UNAUTHENTICATED);
	assert_int_equal(key_check(w, "Basic " ID), ERR_UNAUTHENTICATED);
	assert_int_equal(fake_catalog_asked(), 0);
}

static void
many_requests_share_one_key_lookup(void **state)
{
	struct auth_fixture *w = *state;
	unsigned i;

	fake_catalog_returns(one_key, 5000);
	for (i = 0; i < CHECKS; i++)
		key_check_begin(w, i, i % 2 == 0 ? GOOD : BAD);
	turn_until_idle(w->worker);
	for (i = 0; i < CHECKS; i++) {
		assert_int_equal(w->checks[i].ended, 1);
		assert_int_equal(w->checks[i].err.code,
		    i % 2 == 0 ? ERR_NONE : ERR_UNAUTHENTICATED);
	}
	assert_int_equal(fake_catalog_asked(), 1);
}

static void
leaving_disturbs_no_other_check(void **state)
{
	struct auth_fixture *w = *state;

	fake_catalog_returns(one_key, 5000);
	key_check_begin(w, 0, GOOD);
	key_check_begin(w, 1, GOOD);
	worker_turn(w->worker, 0);
	flow_abort(&w->checks[0].flow, ERR_CLIENT_GONE, "left");
	turn_until_idle(w->worker);
	assert_int_equal(w->checks[0].err.code, ERR_CLIENT_GONE);
	assert_int_equal(w->checks[1].err.code, ERR_NONE);
}

static void
a_revoked_key_works_no_longer_than_the_cache(void **state)
{
	struct auth_fixture *w = *state;

	fake_catalog_returns(one_key, 0);
	assert_int_equal(key_check(w, GOOD), ERR_NONE);
	fake_catalog_returns(fake_catalog_empty, 0);
	assert_int_equal(key_check(w, GOOD), ERR_NONE);
	clock_test_advance(31 * 1000000ull);
	assert_int_equal(key_check(w, GOOD), ERR_UNAUTHENTICATED);
	assert_int_equal(key_check(w, GOOD), ERR_UNAUTHENTICATED);
	assert_int_equal(fake_catalog_asked(), 1);
	fake_catalog_returns(one_key, 0);
	clock_test_advance(6 * 1000000ull);
	assert_int_equal(key_check(w, GOOD), ERR_NONE);
}

static void
a_failed_lookup_is_no_verdict(void **state)
{
	struct auth_fixture *w = *state;

	fake_catalog_returns(fake_catalog_lost, 0);
	assert_int_equal(key_check(w, GOOD), ERR_CATALOG);
	fake_catalog_returns(a_key_of_an_unknown_kind, 0);
	assert_int_equal(key_check(w, GOOD), ERR_UNAUTHENTICATED);
	clock_test_advance(6 * 1000000ull);
	fake_catalog_returns(one_key, 0);
	assert_int_equal(key_check(w, GOOD), ERR_NONE);
}

static void
a_made_key_opens_and_only_its_hash_was_stored(void **state)
{
	struct auth_fixture *w = *state;
	char text[AUTH_KEY_TEXT_SIZE] = "", hash[SHA256_HEX_SIZE];

	fake_catalog_returns(an_insert, 0);
	w->checks[0].text = text;
	flow_start(&w->checks[0].flow, &create_kind, w->worker, NULL);
	turn_until_idle(w->worker);
	assert_int_equal(w->checks[0].err.code, ERR_NONE);
	assert_memory_equal(text + 3, inserted_id, strlen(inserted_id));
	sha256_hex(slice_str(strrchr(text, '_') + 1), hash);
	assert_string_equal(hash, inserted_hash);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_right_secret_is_let_in, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_service_has_no_tenant_of_its_own, set_up,
		    tear_down),
		cmocka_unit_test_setup_teardown(every_refusal_reads_the_same, set_up, tear_down),
		cmocka_unit_test_setup_teardown(malformed_credentials_never_reach_the_catalog,
		    set_up, tear_down),
		cmocka_unit_test_setup_teardown(many_requests_share_one_key_lookup, set_up,
		    tear_down),
		cmocka_unit_test_setup_teardown(leaving_disturbs_no_other_check, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_revoked_key_works_no_longer_than_the_cache,
		    set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_failed_lookup_is_no_verdict, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_made_key_opens_and_only_its_hash_was_stored,
		    set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
