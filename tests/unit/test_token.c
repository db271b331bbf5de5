/* SPDX-License-Identifier: MIT */
/*
 * test_token: a token opens as it was signed, until its second, for its own installation and
 * environment; whatever is changed of it, it is none. And what a body may order.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "tenantgate/auth/token.h"
#include "tenantgate/base/json.h"

#define OLD "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
#define NEW "ff0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"

static const struct token_claims of_mia = {
	.id = "abcdefghijkl",
	.tenant = "acme",
	.user = "mia",
	.scopes = SCOPE_BIT(SCOPE_CHAT) | SCOPE_BIT(SCOPE_DOCUMENTS),
	.has_own_only = true,
	.generation = 1795734703701000,
	.issued_s = 1000,
	.expires_s = 1900,
};

static struct token_signer *
signer_of(const char *keys, const char *environment)
{
	struct seal *seal = seal_new(keys);
	struct token_signer *s = token_signer_new(seal, environment);

	seal_free(seal);
	return s;
}

static struct slice
signed_by(const char *keys, const char *environment, const struct token_claims *c)
{
	static char text[TOKEN_TEXT_MAX + 1];
	struct token_signer *s = signer_of(keys, environment);
	struct buf b;

	buf_init(&b, TOKEN_TEXT_MAX);
	assert_true(token_sign(s, c, &b));
	memcpy(text, b.data, b.len + 1);
	buf_free(&b);
	token_signer_free(s);
	return slice_str(text);
}

static enum token_verdict
judged_by(const char *keys, const char *environment, struct slice text, uint64_t now_s)
{
	struct token_signer *s = signer_of(keys, environment);
	struct token_claims c;
	enum token_verdict verdict = token_verify(s, text, now_s, &c);

	token_signer_free(s);
	return verdict;
}

static void
it_opens_as_it_was_signed(void **state)
{
	struct slice text = signed_by(OLD, "prod", &of_mia);
	struct token_signer *s = signer_of(OLD, "prod");
	struct token_claims c;

	(void)state;
	assert_int_equal(token_verify(s, text, 1000, &c), TOKEN_GOOD);
	assert_string_equal(c.id, of_mia.id);
	assert_string_equal(c.tenant, of_mia.tenant);
	assert_string_equal(c.user, of_mia.user);
	assert_int_equal(c.scopes, of_mia.scopes);
	assert_true(c.has_own_only);
	assert_true(c.generation == of_mia.generation);
	assert_int_equal(c.issued_s, 1000);
	assert_int_equal(c.expires_s, 1900);
	token_signer_free(s);
}

static void
it_is_over_in_its_last_second(void **state)
{
	struct slice text = signed_by(OLD, "prod", &of_mia);

	(void)state;
	assert_int_equal(judged_by(OLD, "prod", text, 1899), TOKEN_GOOD);
	assert_int_equal(judged_by(OLD, "prod", text, 1900), TOKEN_EXPIRED);
	assert_int_equal(judged_by(OLD, "prod", text, UINT64_MAX), TOKEN_EXPIRED);
	/* A clock that is behind that of who made it is no reason. */
	assert_int_equal(judged_by(OLD, "prod", text, 1), TOKEN_GOOD);
}

static void
it_is_of_its_keys_and_environment(void **state)
{
	struct slice text = signed_by(OLD, "prod", &of_mia);

	(void)state;
	assert_int_equal(judged_by(OLD "," NEW, "prod", text, 1000), TOKEN_GOOD);
	assert_int_equal(judged_by(NEW "," OLD, "prod", text, 1000), TOKEN_GOOD);
	assert_int_equal(judged_by(NEW, "prod", text, 1000), TOKEN_FORGED);
	assert_int_equal(judged_by(OLD, "staging", text, 1000), TOKEN_OF_ANOTHER);
	assert_int_equal(judged_by(OLD, "pro", text, 1000), TOKEN_OF_ANOTHER);
	/* Over or not, it says nothing of another environment's. */
	assert_int_equal(judged_by(OLD, "staging", text, 2000), TOKEN_OF_ANOTHER);
}

/* Each byte, and each bit of it. */
static void
no_byte_of_it_may_be_changed(void **state)
{
	struct slice text = signed_by(OLD, "prod", &of_mia);
	struct token_signer *s = signer_of(OLD, "prod");
	char changed[TOKEN_TEXT_MAX];
	struct token_claims c;

	(void)state;
	for (size_t i = 0; i < text.len; i++)
		for (unsigned bit = 0; bit < 8; bit++) {
			memcpy(changed, text.p, text.len);
			changed[i] = (char)(changed[i] ^ (1 << bit));
			if (token_verify(s, slice_of(changed, text.len), 1000, &c) != TOKEN_FORGED)
				fail_msg("bit %u of byte %zu", bit, i);
		}
	token_signer_free(s);
}

static void
no_part_of_it_is_one(void **state)
{
	struct slice text = signed_by(OLD, "prod", &of_mia);
	struct token_signer *s = signer_of(OLD, "prod");
	char longer[TOKEN_TEXT_MAX + 2];
	struct token_claims c;

	(void)state;
	for (size_t len = 0; len < text.len; len++) {
		assert_int_equal(token_verify(s, slice_of(text.p, len), 1000, &c), TOKEN_FORGED);
		assert_int_equal(token_verify(s, slice_of(text.p + len + 1, text.len - len - 1),
				     1000, &c),
		    TOKEN_FORGED);
	}
	memset(longer, 'A', sizeof(longer));
	memcpy(longer, text.p, text.len);
	assert_int_equal(token_verify(s, slice_of(longer, text.len + 1), 1000, &c), TOKEN_FORGED);
	assert_int_equal(token_verify(s, slice_of(longer, sizeof(longer)), 1000, &c), TOKEN_FORGED);
	token_signer_free(s);
}

/* Nothing else that the same keys make passes for one, nor does one pass for that. */
static void
what_is_sealed_is_no_token(void **state)
{
	struct slice text = signed_by(OLD, "prod", &of_mia);
	struct seal *seal = seal_new(OLD);
	struct buf sealed, plain;

	(void)state;
	buf_init(&sealed, 4096);
	buf_init(&plain, 4096);
	assert_true(seal_encrypt(seal, text, SLICE_LIT("tenant:acme"), &sealed));
	assert_int_equal(judged_by(OLD, "prod", buf_view(&sealed), 1000), TOKEN_FORGED);
	memcpy(sealed.data, "tgt_", 4);
	assert_int_equal(judged_by(OLD, "prod", buf_view(&sealed), 1000), TOKEN_FORGED);
	assert_false(seal_decrypt(seal, text, SLICE_LIT("tenant:acme"), &plain));
	buf_free(&sealed);
	buf_free(&plain);
	seal_free(seal);
}

static void
the_longest_fits(void **state)
{
	struct token_claims c = of_mia;
	char environment[101];
	struct slice text;

	(void)state;
	memset(environment, 'e', 100);
	environment[100] = '\0';
	memset(c.tenant, 't', TENANT_ID_MAX);
	memset(c.user, 'u', USER_ID_MAX);
	c.scopes = SCOPES_NAMED & ~SCOPE_BIT(SCOPE_SQL); /* which own is not for */
	c.generation = c.expires_s = INT64_MAX;
	text = signed_by(OLD, environment, &c);
	assert_int_equal(judged_by(OLD, environment, text, 1000), TOKEN_GOOD);
}

/* ---- orders ---- */

static enum err_code
ordered(const char *body, unsigned may, const char *user, struct token_order *o)
{
	struct err err = { 0 };
	json_t *root = json_read_object(slice_str(body), &err);
	bool ok;

	assert_non_null(root);
	ok = token_order_read(root, may, user, 900, o, &err);
	assert_int_equal(ok, err.code == ERR_NONE);
	json_decref(root);
	return err.code;
}

#define OF_PAGES \
	(SCOPE_BIT(SCOPE_INGEST) | SCOPE_BIT(SCOPE_CHAT) | SCOPE_BIT(SCOPE_SEARCH) | \
	    SCOPE_BIT(SCOPE_DOCUMENTS))

static void
an_order_has_no_more_than_who_asks(void **state)
{
	const unsigned chat = SCOPE_BIT(SCOPE_CHAT), sql = SCOPE_BIT(SCOPE_SQL);
	struct token_order o;

	(void)state;
	assert_int_equal(ordered("{}", SCOPES_UNLIMITED, "", &o), ERR_NONE);
	assert_int_equal(o.claims.scopes, OF_PAGES);
	assert_int_equal(o.ttl_s, 900);
	assert_string_equal(o.claims.user, "");
	assert_false(o.claims.has_own_only);
	assert_int_equal(ordered("{}", chat | sql, "", &o), ERR_NONE);
	assert_int_equal(o.claims.scopes, chat);
	assert_int_equal(ordered("{}", sql, "", &o), ERR_SCOPE);
	assert_int_equal(ordered("{\"scopes\":[\"sql\"]}", sql, "", &o), ERR_NONE);
	assert_int_equal(o.claims.scopes, sql);
	assert_int_equal(ordered("{\"scopes\":[\"sql\",\"chat\"]}", sql, "", &o), ERR_SCOPE);
	assert_int_equal(ordered("{\"scopes\":[\"\"]}", chat, "", &o), ERR_INVALID_FIELD);
	assert_int_equal(ordered("{\"scopes\":[\"own\"],\"user\":\"mia\"}", chat, "", &o),
	    ERR_NONE);
	assert_int_equal(o.claims.scopes, chat);
	assert_true(o.claims.has_own_only);
}

/* A statement of SQL reaches whatever is in the database. */
static void
own_and_sql_are_never_together(void **state)
{
	struct token_claims c = of_mia;

	(void)state;
	c.scopes |= SCOPE_BIT(SCOPE_SQL);
	assert_int_equal(judged_by(OLD, "prod", signed_by(OLD, "prod", &c), 1000), TOKEN_FORGED);
	c.has_own_only = false;
	assert_int_equal(judged_by(OLD, "prod", signed_by(OLD, "prod", &c), 1000), TOKEN_GOOD);
}

static void
an_order_is_refused_for_what_it_is(void **state)
{
	static const char *const bodies[] = { "{\"scopes\":[\"own\"]}", "{\"scopes\":[]}",
		"{\"scopes\":[\"own\",\"own\"]}", "{\"scopes\":[7]}", "{\"ttl\":901}",
		"{\"ttl\":0}", "{\"ttl\":\"9\"}", "{\"user\":\"\"}", "{\"user\":\"a b\"}",
		"{\"user\":7}", "{\"tenant\":\"x\"}", "{\"scope\":[\"chat\"]}",
		"{\"scopes\":[\"chat,own\"]}", "{\"scopes\":[\"own\",\"sql\"],\"user\":\"mia\"}",
		"{\"scopes\":[\"a\",\"b\",\"c\",\"d\",\"e\",\"f\",\"g\",\"h\",\"i\"]}" };
	struct token_order o;

	(void)state;
	for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++)
		if (ordered(bodies[i], SCOPES_UNLIMITED, "", &o) != ERR_INVALID_FIELD)
			fail_msg("%s", bodies[i]);
	assert_int_equal(ordered("{\"user\":\"bob\"}", SCOPES_UNLIMITED, "mia", &o),
	    ERR_INVALID_FIELD);
	assert_int_equal(ordered("{\"user\":\"mia\"}", SCOPES_UNLIMITED, "mia", &o), ERR_NONE);
	assert_int_equal(ordered("{\"user\":null}", SCOPES_UNLIMITED, "mia", &o), ERR_NONE);
	assert_string_equal(o.claims.user, "mia");
}

static void
an_order_is_issued_to_the_second(void **state)
{
	struct token_order o;
	json_t *json;

	(void)state;
	assert_int_equal(ordered("{\"ttl\":60}", SCOPES_UNLIMITED, "mia", &o), ERR_NONE);
	token_order_issue(&o, "acme", 7, 1999999);
	assert_int_equal(o.claims.issued_s, 1);
	assert_int_equal(o.claims.expires_s, 61);
	assert_int_equal(strlen(o.claims.id), TOKEN_ID_LEN);
	json = token_order_json(&o);
	assert_string_equal(json_string_value(json_object_get(json, "expiresAt")),
	    "1970-01-01T00:01:01.000Z");
	assert_null(json_object_get(json, "token"));
	json_decref(json);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_opens_as_it_was_signed),
		cmocka_unit_test(it_is_over_in_its_last_second),
		cmocka_unit_test(it_is_of_its_keys_and_environment),
		cmocka_unit_test(no_byte_of_it_may_be_changed),
		cmocka_unit_test(no_part_of_it_is_one),
		cmocka_unit_test(what_is_sealed_is_no_token),
		cmocka_unit_test(the_longest_fits),
		cmocka_unit_test(an_order_has_no_more_than_who_asks),
		cmocka_unit_test(own_and_sql_are_never_together),
		cmocka_unit_test(an_order_is_refused_for_what_it_is),
		cmocka_unit_test(an_order_is_issued_to_the_second),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
