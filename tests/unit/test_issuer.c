/* SPDX-License-Identifier: MIT */
/*
 * test_issuer: what an issuer's settings must fulfil; when its keys are fetched.
 */
#include "token_fixture.h"

/* ---- settings ---- */

static void
settings_are_judged(void **state)
{
	struct issuer_conf url = token_issuer, c;
	const char *key;
	struct err err;

	(void)state;
	url.secret = "";
	url.jwks_url = "https://one.example/jwks";
#define CHECK(base, change, wanted) \
	do { \
		c = (base); \
		change; \
		key = ""; \
		err = (struct err){ 0 }; \
		assert_true(issuer_conf_valid(&c, 0, &key, &err) == ((wanted)[0] == '\0')); \
		assert_string_equal(key, wanted); \
	} while (0)
	CHECK(token_issuer, (void)0, "");
	CHECK(url, (void)0, "");
	CHECK(url, c.secret = TOKEN_SECRET, "jwks_url");
	CHECK(url, c.jwks_url = "", "jwks_url");
	CHECK(url, c.jwks_url = "http://one.example/jwks", "jwks_url");
	CHECK(url, c.jwks_url = "http://127.0.0.1.example/jwks", "jwks_url");
	CHECK(url, c.jwks_url = "http://10.0.0.1/jwks", "jwks_url");
	CHECK(url, c.jwks_url = "http://[::ffff:127.0.0.1]/jwks", "jwks_url");
	CHECK(url, c.jwks_url = "http://127.0.0.1:8080/jwks", "");
	CHECK(url, c.jwks_url = "http://[::1]:8080/jwks", "");
	CHECK(url, c.jwks_url = "http://localhost/jwks", "");
	CHECK(url, (c.jwks_url = "http://one.example/jwks", c.allows_http = true), "");
	CHECK(url, c.algorithms = "HS256", "algorithms");
	CHECK(url, c.algorithms = "RS256 none", "algorithms");
	CHECK(url, c.algorithms = "RS256,RS256", "algorithms");
	CHECK(url, c.algorithms = " , ", "algorithms");
	CHECK(url, c.algorithms = "RS256,ES384", "");
	CHECK(token_issuer, c.algorithms = "RS256", "algorithms");
	CHECK(token_issuer, c.algorithms = "HS512", "secret");
	CHECK(token_issuer, c.secret = "short", "secret");
	CHECK(url, c.audience = "", "audience");
	CHECK(url, (c.audience = "", c.authorized_parties = "https://app.example"), "");
	CHECK(url, c.tenant_claim = "", "tenant_claim");
	CHECK(url, c.user_claim = "/", "user_claim");
	CHECK(url, c.tenant_prefix = "a|b", "tenant_prefix");
	CHECK(url, c.user_prefix = "a b", "user_prefix");
	CHECK(url, c.scopes = "everything", "scopes");
	CHECK(url, c.scopes = "own", "scopes");
	CHECK(url, c.scopes = "chat own", "");
	CHECK(url, c.scopes = "own sql", "scopes");
	CHECK(url, c.scopes = "chat sql", "");
	CHECK(url, c.jwks_stale_us = 1, "jwks_stale_ttl");
#undef CHECK
}

/* Two issuers name no tenant in common, unless both say so. */
static void
issuers_are_apart(void **state)
{
	static const struct {
		const char *one, *two;
		bool shares[2], is_good;
	} cases[] = {
		{ "", "", { false, false }, false },
		{ "", "b.", { false, false }, false },
		{ "a.", "", { false, false }, false },
		{ "a.", "a.b.", { false, false }, false },
		{ "a.", "b.", { false, false }, true },
		{ "", "", { true, false }, false },
		{ "", "", { true, true }, true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct issuer_conf two[] = { token_issuer, token_issuer };
		const char *key = NULL;
		struct err err = { 0 };

		two[0].tenant_prefix = cases[i].one;
		two[0].shares_tenants = cases[i].shares[0];
		two[1].issuer = "https://two.example";
		two[1].tenant_prefix = cases[i].two;
		two[1].shares_tenants = cases[i].shares[1];
		assert_true(issuer_conf_valid(two, 1, &key, &err) == cases[i].is_good);
		if (!cases[i].is_good)
			assert_string_equal(key, "tenant_prefix");
		two[1].issuer = two[0].issuer;
		err = (struct err){ 0 };
		assert_false(issuer_conf_valid(two, 1, &key, &err));
		assert_string_equal(key, "issuer");
	}
}

/* ---- when keys are fetched ---- */

#define SECOND 1000000ull

static struct keys_view
view_at(struct issuer_keys *keys, uint64_t now_s)
{
	struct keys_view v;

	issuer_keys_look(keys, &token_issuer, now_s * SECOND, &v);
	if (v.set != NULL)
		refs_give(&v.set->refs);
	return v;
}

static void
keys_are_fetched_ahead_and_kept(void **state)
{
	struct issuer_keys *keys = issuer_keys_new("one", "https://one.example/jwks");
	struct keys_view v = view_at(keys, 1000);

	(void)state;
	assert_true(v.set == NULL && v.is_due && v.may_fetch && !v.is_fetching);
	assert_true(issuer_keys_claim(keys, &token_issuer, 1000 * SECOND));
	assert_false(issuer_keys_claim(keys, &token_issuer, 9000 * SECOND)); /* one at a time */
	v = view_at(keys, 1001);
	assert_true(!v.may_fetch && v.is_fetching);
	issuer_keys_put(keys, NULL, 1002 * SECOND); /* it fails */
	v = view_at(keys, 1002);
	assert_true(v.set == NULL && v.has_failed && !v.may_fetch && v.next_try_s >= 28);
	assert_false(issuer_keys_claim(keys, &token_issuer, 1029 * SECOND));
	assert_true(issuer_keys_claim(keys, &token_issuer, 1030 * SECOND));
	issuer_keys_put(keys, jwk_set_of_secret(SLICE_LIT(TOKEN_SECRET)), 1030 * SECOND);
	v = view_at(keys, 1031);
	assert_true(v.set != NULL && v.is_fresh && !v.is_due && !v.has_failed);
	v = view_at(keys, 1029); /* a clock that was read before another worker had put them */
	assert_true(v.set != NULL && v.is_fresh);
	v = view_at(keys, 1331); /* half of 600 s */
	assert_true(v.set != NULL && v.is_fresh && v.is_due && v.may_fetch);
	assert_true(issuer_keys_claim(keys, &token_issuer, 1700 * SECOND));
	issuer_keys_put(keys, NULL, 1700 * SECOND);
	v = view_at(keys, 1701);
	assert_true(v.set != NULL && !v.is_fresh && v.has_failed);
	assert_non_null(view_at(keys, 1030 + 86399).set);
	assert_null(view_at(keys, 1030 + 86400).set);
	refs_give(&keys->refs);
}

/* A reload that leaves an issuer as it is leaves its keys, too. */
static void
keys_outlive_a_reload(void **state)
{
	struct issuer_conf conf = token_issuer;
	struct issuers *one, *two;

	(void)state;
	conf.secret = "";
	conf.jwks_url = "https://one.example/jwks";
	one = issuers_new(&conf, 1, NULL);
	conf.audience = "them";
	two = issuers_new(&conf, 1, one);
	assert_ptr_equal(one->items[0].keys, two->items[0].keys);
	issuers_give(one);
	conf.jwks_url = "https://one.example/other";
	one = issuers_new(&conf, 1, two);
	assert_ptr_not_equal(one->items[0].keys, two->items[0].keys);
	assert_non_null(issuers_find(one, SLICE_LIT("https://one.example")));
	assert_null(issuers_find(one, SLICE_LIT("https://one.example/")));
	issuers_give(one);
	issuers_give(two);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(settings_are_judged),
		cmocka_unit_test(issuers_are_apart),
		cmocka_unit_test(keys_are_fetched_ahead_and_kept),
		cmocka_unit_test(keys_outlive_a_reload),
	};

	return cmocka_run_group_tests_name("issuer", tests, NULL, NULL);
}
