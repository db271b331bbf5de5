/* SPDX-License-Identifier: MIT */
/*
 * test_auth_key: the form of a key, of a tenant id, and who may name which tenant.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "auth/key_tag.h"

#define ID     "abcdefghjkmn"
#define SECRET "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefg"
#define KEY    "tg_" ID "_" SECRET
#define TAG    "01234zZ9"

static void
a_bearer_key_is_read(void **state)
{
	static const char *const good[] = { "Bearer " KEY, "bearer " KEY, "BEARER   " KEY "  ",
		" Bearer " KEY };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		struct key_text k;

		assert_true(key_from_header(slice_str(good[i]), &k));
		assert_true(slice_is(k.id, ID));
		assert_true(slice_is(k.secret, SECRET));
		assert_int_equal(k.tag.len, 0);
	}
}

static void
a_tag_is_read(void **state)
{
	struct key_text k;

	(void)state;
	assert_true(key_from_header(SLICE_LIT("Bearer " KEY TAG), &k));
	assert_true(slice_is(k.secret, SECRET));
	assert_true(slice_is(k.untagged, KEY));
	assert_true(slice_is(k.tag, TAG));
}

/* The keys that are out there have tags of this form: another form would refuse them all. The
 * answer is Python's: hmac.digest(), its first 8 bytes as a number, least digit first. */
static void
a_tag_is_the_known_one(void **state)
{
	char tag[KEY_TAG_LEN + 1];

	(void)state;
	key_tag_make(SLICE_LIT("00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"),
	    SLICE_LIT(KEY), tag);
	assert_string_equal(tag, "QQXjtzeB");
	assert_true(key_tag_secret_valid(
	    SLICE_LIT("00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff")));
	assert_false(key_tag_secret_valid(SLICE_LIT("0011")));
	assert_false(key_tag_secret_valid(
	    SLICE_LIT("00112233445566778899aabbccddeeff00112233445566778899aabbccddeefg")));
}

static void
anything_else_is_no_key(void **state)
{
	static const char *const bad[] = { "", "Bearer", "Bearer ", KEY, "Basic " KEY, "Bearer" KEY,
		"Bearer\t" KEY, "Bearer " KEY "x", "Bearer " KEY " " KEY, "Bearer tg_" ID "_",
		"Bearer tg_" ID SECRET "_", "Bearer TG_" ID "_" SECRET,
		"Bearer tg_abcdefghjkm'_" SECRET,
		"Bearer tg_" ID "_"
		"0123456789ABCDEFGHIJKLMNOPQR"
		"STUVWXYZabcdef_",
		"Bearer " KEY TAG "x", "Bearer " KEY "0123456_", "Bearer " KEY "_" TAG,
		"Bearer sk-0123456789" };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct key_text k;

		assert_false(key_from_header(slice_str(bad[i]), &k));
	}
}

static void
no_prefix_of_a_key_is_one(void **state)
{
	char header[] = "Bearer " KEY;
	struct key_text k;
	size_t n;

	(void)state;
	for (n = 0; n < sizeof(header) - 1; n++)
		assert_false(key_from_header(slice_of(header, n), &k));
	header[sizeof(header) - 3] = '\0';
	assert_false(key_from_header(slice_of(header, sizeof(header) - 1), &k));
}

static void
tenant_ids_have_a_form(void **state)
{
	char longest[TENANT_ID_MAX + 1];

	(void)state;
	memset(longest, 'x', sizeof(longest));
	assert_true(auth_tenant_valid(slice_str("org_2.a:b@c-d")));
	assert_true(auth_tenant_valid(slice_of(longest, TENANT_ID_MAX)));
	assert_false(auth_tenant_valid(slice_of(longest, TENANT_ID_MAX + 1)));
	assert_false(auth_tenant_valid(slice_str("")));
	assert_false(auth_tenant_valid(slice_of("a\0b", 3)));
	assert_false(auth_tenant_valid(slice_str("a b")));
	assert_false(auth_tenant_valid(slice_str("a/b")));
	assert_false(auth_tenant_valid(slice_str("\xc3\xa9")));
}

static enum err_code
acts_for(enum caller_kind kind, const char *own, const char *asked, const char *want)
{
	struct caller c = { .kind = kind };
	char out[TENANT_ID_MAX + 1] = "";
	struct err err = { 0 };
	bool ok;

	snprintf(c.tenant, sizeof(c.tenant), "%s", own);
	ok = auth_tenant(&c, slice_str(asked), out, &err);
	assert_int_equal(ok, err.code == ERR_NONE);
	if (ok)
		assert_string_equal(out, want);
	return err.code;
}

static void
a_caller_acts_for_whom_it_may(void **state)
{
	(void)state;
	assert_int_equal(acts_for(CALLER_TENANT, "acme", NULL, "acme"), ERR_NONE);
	assert_int_equal(acts_for(CALLER_TENANT, "acme", "acme", "acme"), ERR_NONE);
	assert_int_equal(acts_for(CALLER_TENANT, "acme", "other", NULL), ERR_FORBIDDEN);
	assert_int_equal(acts_for(CALLER_TENANT, "acme", "a b", NULL), ERR_INVALID_TENANT);
	assert_int_equal(acts_for(CALLER_SERVICE, "", "acme", "acme"), ERR_NONE);
	assert_int_equal(acts_for(CALLER_SERVICE, "", NULL, NULL), ERR_INVALID_TENANT);
	assert_int_equal(acts_for(CALLER_SERVICE, "", "", NULL), ERR_INVALID_TENANT);
	assert_int_equal(acts_for(CALLER_ADMIN, "", "acme", NULL), ERR_FORBIDDEN);
	assert_int_equal(acts_for(CALLER_TOKEN, "acme", NULL, "acme"), ERR_NONE);
	assert_int_equal(acts_for(CALLER_TOKEN, "acme", "other", NULL), ERR_FORBIDDEN);
}

static enum err_code
is_for_user(enum caller_kind kind, const char *own, const char *named, const char *want)
{
	struct caller c = { .kind = kind };
	char out[USER_ID_MAX + 1] = "unset";
	struct err err = { 0 };
	bool ok;

	snprintf(c.user, sizeof(c.user), "%s", own);
	ok = auth_user(&c, slice_str(named), out, &err);
	assert_int_equal(ok, err.code == ERR_NONE);
	if (ok)
		assert_string_equal(out, want);
	return err.code;
}

static void
a_token_is_of_its_user_alone(void **state)
{
	(void)state;
	assert_int_equal(is_for_user(CALLER_TENANT, "", NULL, ""), ERR_NONE);
	assert_int_equal(is_for_user(CALLER_SERVICE, "", "ann", "ann"), ERR_NONE);
	assert_int_equal(is_for_user(CALLER_TENANT, "", "a b", NULL), ERR_INVALID_FIELD);
	assert_int_equal(is_for_user(CALLER_TOKEN, "ann", NULL, "ann"), ERR_NONE);
	assert_int_equal(is_for_user(CALLER_TOKEN, "ann", "ann", "ann"), ERR_NONE);
	assert_int_equal(is_for_user(CALLER_TOKEN, "ann", "bob", NULL), ERR_FORBIDDEN);
	assert_int_equal(is_for_user(CALLER_TOKEN, "", "bob", NULL), ERR_FORBIDDEN);
	assert_int_equal(is_for_user(CALLER_TOKEN, "", NULL, ""), ERR_NONE);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_bearer_key_is_read),
		cmocka_unit_test(a_tag_is_read),
		cmocka_unit_test(a_tag_is_the_known_one),
		cmocka_unit_test(anything_else_is_no_key),
		cmocka_unit_test(no_prefix_of_a_key_is_one),
		cmocka_unit_test(tenant_ids_have_a_form),
		cmocka_unit_test(a_caller_acts_for_whom_it_may),
		cmocka_unit_test(a_token_is_of_its_user_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
