/* SPDX-License-Identifier: MIT */
/*
 * test_auth_token: a token is checked without a lookup, up to its last microsecond; what only looks
 * like one is nobody's and costs none either.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "auth_fixture.h"
#include "tenantgate/auth/token.h"
#include "tenantgate/base/clock.h"

#define SEAL_KEY "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
#define SECOND	 1000000ull

static struct token_signer *signer;

static int
tokens_set_up(void **state)
{
	struct seal *seal = seal_new(SEAL_KEY);
	int rc = auth_fixture_set_up(state);
	struct auth_fixture *w = *state;

	signer = token_signer_new(seal, "test");
	seal_free(seal);
	auth_use_tokens(w->auth, signer);
	fake_catalog_returns(auth_fixture_key, 0);
	clock_test_freeze(true);
	return rc;
}

static int
tokens_tear_down(void **state)
{
	clock_test_freeze(false);
	token_signer_free(signer);
	return auth_fixture_tear_down(state);
}

/* One of the tenant acme, for so many seconds from the next whole one on. */
static const char *
bearer(uint64_t ttl_s)
{
	static char header[TOKEN_TEXT_MAX + 16];
	struct token_order o = {
		.claims = { .user = "mia", .scopes = SCOPE_BIT(SCOPE_CHAT), .has_own_only = true },
		.ttl_s = ttl_s
	};
	struct buf b;

	clock_test_advance(SECOND - clock_wall_us() % SECOND);
	token_order_issue(&o, "acme", 42, clock_wall_us());
	buf_init(&b, TOKEN_TEXT_MAX);
	assert_true(token_sign(signer, &o.claims, &b));
	snprintf(header, sizeof(header), "bearer  %s ", b.data);
	buf_free(&b);
	return header;
}

static void
it_says_who_asks_without_a_lookup(void **state)
{
	struct auth_fixture *w = *state;
	const struct caller *c = &w->checks[0].caller;

	assert_int_equal(auth_fixture_check(w, bearer(60)), ERR_NONE);
	assert_int_equal(c->kind, CALLER_TOKEN);
	assert_string_equal(c->key_id, "");
	assert_string_equal(c->tenant, "acme");
	assert_string_equal(c->user, "mia");
	assert_int_equal(c->scopes, SCOPE_BIT(SCOPE_CHAT));
	assert_true(c->has_own_only);
	assert_int_equal(strlen(c->token_id), TOKEN_ID_LEN);
	assert_int_equal(c->token_generation, 42);
	assert_int_equal(fake_catalog_asked(), 0);
}

static void
it_is_over_at_its_time_exactly(void **state)
{
	struct auth_fixture *w = *state;
	const struct caller *c = &w->checks[0].caller;
	const char *header = bearer(60);

	clock_test_advance(60 * SECOND - 1);
	assert_int_equal(auth_fixture_check(w, header), ERR_NONE);
	clock_test_advance(1);
	assert_int_equal(auth_fixture_check(w, header), ERR_UNAUTHENTICATED);
	assert_string_equal(c->cause, "the token has expired");
	assert_int_equal(strlen(c->token_id), TOKEN_ID_LEN);
	assert_string_equal(c->tenant, "");
	assert_int_equal(c->scopes, 0);
	assert_int_equal(c->token_generation, 0);
}

static void
what_looks_like_one_is_nobodys(void **state)
{
	static const char *const headers[] = { "Bearer tgt_", "Bearer tgt_abc.def",
		"Bearer tgt_a b", "Bearer tgt_................................................" };
	struct auth_fixture *w = *state;

	for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
		assert_int_equal(auth_fixture_check(w, headers[i]), ERR_UNAUTHENTICATED);
		assert_null(w->checks[0].caller.cause);
		assert_string_equal(w->checks[0].caller.token_id, "");
	}
	assert_int_equal(fake_catalog_asked(), 0);
}

static void
who_knows_no_tokens_refuses_them(void **state)
{
	struct auth_fixture *w = *state;
	const char *header = bearer(60);

	auth_use_tokens(w->auth, NULL);
	assert_int_equal(auth_fixture_check(w, header), ERR_UNAUTHENTICATED);
	assert_int_equal(fake_catalog_asked(), 0);
}

#define STORY(name) cmocka_unit_test_setup_teardown(name, tokens_set_up, tokens_tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		STORY(it_says_who_asks_without_a_lookup),
		STORY(it_is_over_at_its_time_exactly),
		STORY(what_looks_like_one_is_nobodys),
		STORY(who_knows_no_tokens_refuses_them),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
