/* SPDX-License-Identifier: MIT */
/*
 * test_jwt: the form of a token, its header, its claims, and what becomes of a subject.
 */
#include <stdio.h>
#include <stdlib.h>

#include "token_fixture.h"

#define GOOD_CLAIMS \
	"\"iss\":\"https://one.example\",\"aud\":\"us\",\"exp\":1800000100," \
	"\"sub\":\"ann\",\"org_id\":\"harbour\""

/* NULL: it is good. Else why it is not. */
static const char *
judge_with(const struct issuer_conf *conf, const char *header, const char *claims,
    struct jwt_sender *out)
{
	const char *why = NULL;
	struct jwt t;
	struct buf b;
	bool good = jwt_parse(jwt_sign_hs256(&b, header, claims), &t, &why) &&
	    jwt_read_claims(&t, &why) && jwt_claims_judge(&t, conf, TOKEN_NOW * 1000000, out, &why);

	assert_true(good == (why == NULL));
	jwt_free(&t);
	buf_free(&b);
	return why;
}

static const char *
judge(const char *header, const char *claims)
{
	struct jwt_sender sender;

	return judge_with(&token_issuer, header, claims, &sender);
}

static void
assert_why(const char *why, const char *with, const char *of)
{
	if (why == NULL || strstr(why, with) == NULL)
		fail_msg("%s: %s", of, why != NULL ? why : "accepted");
}

static void
headers_are_judged(void **state)
{
	static const struct {
		const char *header, *why;
	} bad[] = {
		{ "{}", "algorithm" },
		{ "[]", "header" },
		{ "", "header" },
		{ "{\"alg\":\"none\"}", "algorithm" },
		{ "{\"alg\":\"None\"}", "algorithm" },
		{ "{\"alg\":\"hs256\"}", "algorithm" },
		{ "{\"alg\":\"HS256 \"}", "algorithm" },
		{ "{\"alg\":\"\"}", "algorithm" },
		{ "{\"alg\":null}", "algorithm" },
		{ "{\"alg\":[\"HS256\"]}", "algorithm" },
		{ "{\"alg\":\"none\",\"alg\":\"HS256\"}", "twice" },
		{ "{\"alg\":\"HS256\",\"alg\":\"none\"}", "twice" },
		{ "{\"alg\":\"HS256\",\"\\u0061lg\":\"none\"}", "twice" },
		{ "{\"alg\":\"HS256\\u0000\"}", "header" },
		{ "{\"alg\":\"HS256\",\"crit\":[\"exp\"]}", "crit" },
		{ "{\"alg\":\"HS256\",\"crit\":[]}", "crit" },
		{ "{\"alg\":\"HS256\",\"crit\":null}", "crit" },
		{ "{\"alg\":\"HS256\",\"b64\":true}", "crit" },
		{ "{\"alg\":\"HS256\",\"zip\":\"DEF\"}", "crit" },
		{ "{\"alg\":\"HS256\",\"enc\":\"A128GCM\"}", "crit" },
		{ "{\"alg\":\"HS256\",\"kid\":7}", "kid" },
		{ "{\"alg\":\"HS256\",\"kid\":\"\"}", "kid" },
		{ "{\"alg\":\"HS256\",\"typ\":7}", "typ" },
		{ "{\"alg\":\"HS256\",\"typ\":\"logout+jwt\"}", "typ" },
		{ "{\"alg\":\"HS256\",\"typ\":\"application/secevent+jwt\"}", "typ" },
	};
	static const char *const good[] = { HS256_HEADER, "{\"alg\":\"HS256\",\"typ\":\"jwt\"}",
		"{\"alg\":\"HS256\",\"typ\":\"application/at+JWT\"}",
		"{\"jku\":\"http://evil\",\"x5u\":1,\"jwk\":{\"kty\":\"oct\"},\"alg\":\"HS256\"}" };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_why(judge(bad[i].header, "{" GOOD_CLAIMS "}"), bad[i].why, bad[i].header);
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_null(judge(good[i], "{" GOOD_CLAIMS "}"));
}

/* Claims with one of them put in the place of the good one; why NULL: they are good. The leeway is
 * 30 s. */
static const struct {
	const char *iss, *aud, *exp, *more, *why;
} claim_cases[] = {
	{ "\"https://one.example\"", "\"us\"", "1800000100", "", NULL },
	{ "\"https://one.example/\"", "\"us\"", "1800000100", "", "iss" },
	{ "\"https://ONE.example\"", "\"us\"", "1800000100", "", "iss" },
	{ "[\"https://one.example\"]", "\"us\"", "1800000100", "", "iss" },
	{ "\"https://one.example\"", "\"u\"", "1800000100", "", "aud" },
	{ "\"https://one.example\"", "\"us us\"", "1800000100", "", "aud" },
	{ "\"https://one.example\"", "\"\"", "1800000100", "", "aud" },
	{ "\"https://one.example\"", "[]", "1800000100", "", "aud" },
	{ "\"https://one.example\"", "[\"a\",\"us\"]", "1800000100", "", NULL },
	{ "\"https://one.example\"", "[\"us\",7]", "1800000100", "", "aud" },
	{ "\"https://one.example\"", "{\"us\":1}", "1800000100", "", "aud" },
	{ "\"https://one.example\"", "null", "1800000100", "", "aud" },
	{ "\"https://one.example\"", "\"us\"", "1799999971", "", NULL },
	{ "\"https://one.example\"", "\"us\"", "1799999970.5", "", NULL },
	{ "\"https://one.example\"", "\"us\"", "1799999970", "", "expired" },
	{ "\"https://one.example\"", "\"us\"", "0", "", "expired" },
	{ "\"https://one.example\"", "\"us\"", "-0.0", "", "expired" },
	{ "\"https://one.example\"", "\"us\"", "-1", "", "exp" },
	{ "\"https://one.example\"", "\"us\"", "1e308", "", "exp" },
	{ "\"https://one.example\"", "\"us\"", "9223372036854775807", "", "exp" },
	{ "\"https://one.example\"", "\"us\"", "9223372036854775808", "", "claims" },
	{ "\"https://one.example\"", "\"us\"", "1e400", "", "claims" },
	{ "\"https://one.example\"", "\"us\"", "NaN", "", "claims" },
	{ "\"https://one.example\"", "\"us\"", "\"1800000100\"", "", "exp" },
	{ "\"https://one.example\"", "\"us\"", "true", "", "exp" },
	{ "\"https://one.example\"", "\"us\"", "null", "", "exp" },
	{ "\"https://one.example\"", "\"us\"", "253402300799", "", NULL },
	{ "\"https://one.example\"", "\"us\"", "253402300800", "", "exp" },
	{ "\"https://one.example\"", "\"us\"", "1800000100", ",\"nbf\":1800000030", NULL },
	{ "\"https://one.example\"", "\"us\"", "1800000100", ",\"nbf\":1800000031",
	    "not valid yet" },
	{ "\"https://one.example\"", "\"us\"", "1800000100", ",\"nbf\":\"now\"", "nbf" },
	{ "\"https://one.example\"", "\"us\"", "1800000100", ",\"iat\":1800000031", "future" },
	{ "\"https://one.example\"", "\"us\"", "1800000100", ",\"iat\":null", "iat" },
	{ "\"https://one.example\"", "\"us\"", "1800000010", ",\"iat\":1800000020", "before its" },
	{ "\"https://one.example\"", "\"us\"", "1800000100", ",\"aud\":\"us\"", "twice" },
};

static void
claims_are_judged(void **state)
{
	char claims[512];

	(void)state;
	for (size_t i = 0; i < sizeof(claim_cases) / sizeof(claim_cases[0]); i++) {
		const char *why;

		snprintf(claims, sizeof(claims),
		    "{\"sub\":\"ann\",\"org_id\":\"harbour\",\"iss\":%s,\"aud\":%s,\"exp\":%s%s}",
		    claim_cases[i].iss, claim_cases[i].aud, claim_cases[i].exp,
		    claim_cases[i].more);
		why = judge(HS256_HEADER, claims);
		if (claim_cases[i].why != NULL)
			assert_why(why, claim_cases[i].why, claims);
		else if (why != NULL)
			fail_msg("%s: %s", claims, why);
	}
	assert_why(judge(HS256_HEADER,
		       "{\"iss\":\"https://one.example\",\"aud\":\"us\",\"sub\":\"a\"}"),
	    "exp", "no exp");
}

static void
a_tenant_and_a_user_are_told(void **state)
{
	struct issuer_conf conf = token_issuer;
	struct jwt_sender s;

	(void)state;
	assert_null(judge_with(&conf, HS256_HEADER, "{" GOOD_CLAIMS "}", &s));
	assert_string_equal(s.tenant, "harbour");
	assert_string_equal(s.user, "ann");
	conf.tenant_prefix = "one.";
	conf.user_prefix = "u-";
	assert_null(judge_with(&conf, HS256_HEADER, "{" GOOD_CLAIMS "}", &s));
	assert_string_equal(s.tenant, "one.harbour");
	assert_string_equal(s.user, "u-ann");
	/* The tenant is the user: as the subject is written, without the user's prefix. */
	conf.tenant_claim = "sub";
	assert_null(judge_with(&conf, HS256_HEADER,
	    "{\"iss\":\"https://one.example\",\"aud\":\"us\",\"exp\":1800000100,"
	    "\"sub\":\"auth0|7\"}",
	    &s));
	assert_string_equal(s.tenant, "one.auth0:7c7");
	assert_string_equal(s.user, "u-auth0:7c7");
	/* A tenant's id is never made to fit. */
	conf.tenant_claim = "/app/org~1id";
	assert_null(
	    judge_with(&conf, HS256_HEADER, "{" GOOD_CLAIMS ",\"app\":{\"org/id\":\"acme\"}}", &s));
	assert_string_equal(s.tenant, "one.acme");
	for (const char *const *bad =
		 (const char *const[]){ "{\"org/id\":\"a|b\"}", "{\"org/id\":\"\"}",
		     "{\"org/id\":7}", "{\"org/id\":null}", "{}", "[\"acme\"]", "\"acme\"", NULL };
	     *bad != NULL; bad++) {
		char claims[512];

		snprintf(claims, sizeof(claims), "{" GOOD_CLAIMS ",\"app\":%s}", *bad);
		assert_why(judge_with(&conf, HS256_HEADER, claims, &s), "tenant", *bad);
	}
}

static void
an_id_that_does_not_fit_is_refused(void **state)
{
	char claims[512], id[TENANT_ID_MAX + 2] = { 0 };
	struct issuer_conf conf = token_issuer;
	struct jwt_sender s;

	(void)state;
	conf.tenant_prefix = "12345678";
	for (size_t n = TENANT_ID_MAX - 8; n <= TENANT_ID_MAX + 1; n++) {
		memset(id, 'x', n);
		snprintf(claims, sizeof(claims),
		    "{\"iss\":\"https://one.example\",\"aud\":\"us\",\"exp\":1800000100,"
		    "\"sub\":\"ann\",\"org_id\":\"%s\"}",
		    id);
		if (n == TENANT_ID_MAX - 8)
			assert_null(judge_with(&conf, HS256_HEADER, claims, &s));
		else
			assert_why(judge_with(&conf, HS256_HEADER, claims, &s), "tenant", id);
	}
}

static void
an_address_that_is_not_proved_is_not_told(void **state)
{
	struct jwt_sender s;

	(void)state;
	assert_null(judge_with(&token_issuer, HS256_HEADER,
	    "{" GOOD_CLAIMS ",\"name\":\"\",\"email\":\"a@b\",\"email_verified\":false,"
	    "\"picture\":7}",
	    &s));
	assert_null(s.email.p);
	assert_null(s.avatar_url.p);
}

static void
only_true_is_proved(void **state)
{
	static const struct {
		const char *verified;
		bool is_told;
	} cases[] = { { "", true }, { ",\"email_verified\":true", true },
		{ ",\"email_verified\":\"true\"", true },
		{ ",\"email_verified\":\"false\"", false }, { ",\"email_verified\":null", false },
		{ ",\"email_verified\":0", false }, { ",\"emailVerified\":true", true },
		{ ",\"emailVerified\":false", false },
		{ ",\"email_verified\":true,\"emailVerified\":false", false } };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct jwt_sender s;
		char claims[512];

		(void)snprintf(claims, sizeof(claims), "{" GOOD_CLAIMS ",\"email\":\"a@b\"%s}",
		    cases[i].verified);
		assert_null(judge_with(&token_issuer, HS256_HEADER, claims, &s));
		assert_int_equal(s.email.p != NULL, cases[i].is_told);
	}
}

/* Two subjects never become one id. */
static void
subjects_stay_apart(void **state)
{
	static const struct {
		const char *subject, *id;
	} cases[] = {
		{ "ann", "ann" },
		{ "ann@example.org", "ann@example.org" },
		{ "user_2abc-D.e", "user_2abc-D.e" },
		{ "auth0|1", "auth0:7c1" },
		{ "auth0:7c1", "auth0:3a7c1" },
		{ "auth0:1", "auth0:3a1" },
		{ "a b/c", "a:20b:2fc" },
		{ "\xc3\xa9", ":c3:a9" },
		{ ":", ":3a" },
	};
	char id[USER_ID_MAX + 1], other[USER_ID_MAX + 1];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_true(subject_id_write(slice_str(cases[i].subject), id));
		assert_string_equal(id, cases[i].id);
		assert_true(auth_tenant_valid(slice_str(id)));
	}
	assert_false(subject_id_write(slice_str(""), id));
	/* All of two bytes: no id comes twice. */
	for (unsigned a = 1; a < 0x10000; a++) {
		char two[2] = { (char)(a & 255), (char)(a >> 8) }, back[3] = { 0 };
		size_t n = 0;

		assert_true(subject_id_write(slice_of(two, 2), other));
		for (const char *p = other; *p != '\0'; n++) {
			char hex[3] = { p[0] == ':' ? p[1] : '\0', p[0] == ':' ? p[2] : '\0', 0 };

			back[n] = *p == ':' ? (char)strtoul(hex, NULL, 16) : *p;
			p += *p == ':' ? 3 : 1;
		}
		assert_int_equal(n, 2);
		assert_memory_equal(back, two, 2);
	}
}

static void
only_the_form_of_a_token_is_taken(void **state)
{
	static const char *const none[] = { "Bearer", "Bearer ", "Bearer a.b", "Bearer a.b.c.d",
		"Basic a.b.c", "a.b.c", "Bearera.b.c", "" };
	struct slice token;
	char big[JWT_MAX + 16];

	(void)state;
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
		assert_false(jwt_from_header(slice_str(none[i]), &token));
	assert_false(jwt_from_header(slice_of(NULL, 0), &token));
	assert_true(jwt_from_header(SLICE_LIT(" bearer   a.b.c "), &token));
	assert_true(slice_is(token, "a.b.c"));
	memset(big, 'a', sizeof(big));
	big[1] = big[3] = '.';
	assert_true(jwt_looks_like(slice_of(big, JWT_MAX)));
	assert_false(jwt_looks_like(slice_of(big, JWT_MAX + 1)));
}

/* Each byte of the text but those of base64url and its two dots is refused, wherever it stands. */
static void
one_spelling_of_a_token(void **state)
{
	const char *why;
	struct slice text;
	struct jwt t;
	struct buf b;

	(void)state;
	text = jwt_sign_hs256(&b, HS256_HEADER, "{" GOOD_CLAIMS "}");
	for (size_t at = 0; at < text.len; at += 7) {
		char kept = b.data[at];

		for (const char *p = " =+/\n\t%\"\x80"; *p != '\0'; p++) {
			b.data[at] = *p;
			assert_false(jwt_parse(text, &t, &why));
			jwt_free(&t);
		}
		b.data[at] = kept;
	}
	assert_true(jwt_parse(text, &t, &why));
	jwt_free(&t);
	/* The stray bits of the last character: 32 bytes end in one that has two. */
	b.data[b.len - 1]++;
	assert_false(jwt_parse(text, &t, &why));
	jwt_free(&t);
	buf_free(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(headers_are_judged),
		cmocka_unit_test(claims_are_judged),
		cmocka_unit_test(a_tenant_and_a_user_are_told),
		cmocka_unit_test(an_id_that_does_not_fit_is_refused),
		cmocka_unit_test(an_address_that_is_not_proved_is_not_told),
		cmocka_unit_test(only_true_is_proved),
		cmocka_unit_test(subjects_stay_apart),
		cmocka_unit_test(only_the_form_of_a_token_is_taken),
		cmocka_unit_test(one_spelling_of_a_token),
	};

	return cmocka_run_group_tests_name("jwt", tests, NULL, NULL);
}
