/* SPDX-License-Identifier: MIT */
/*
 * test_jwk: which keys of a set are used, and which of them a token is checked with.
 */
#include <stdio.h>
#include <stdlib.h>

#include "token_fixture.h"

#define ALL "RS256 RS384 RS512 PS256 PS384 PS512 ES256 ES384 ES512 EdDSA Ed25519 HS256 HS384 HS512"

/* Members of public keys that were made for this test; nobody has their private halves. */
/* clang-format off */
#define RSA_1024 \
	"\"kty\":\"RSA\",\"n\":\"r1THjDznm4Gb-Av0amvUvpIo60vB8nKmoLVrHwt_gi52vaHGdYEX" \
	"kPjGPeUc8swr2xNGHr-DJWmvD_S_9oBr1oAaTOUjjwgZzPpmR4A9DnMHOhD60rCVDUB--n-eN8Vi" \
	"-S3shX9OFz47wmbc79gp5LCzJRnRXj03_Xj2dddGOss\",\"e\":\"AQAB\""
#define RSA_2048 \
	"\"kty\":\"RSA\",\"n\":\"zjYOejl5bcf3Lhup8n_bpEVlhWC1p4Si_6BkNlFE4Y-vzYJvpxha" \
	"EJqj-Vmxlr_vbvArI5TMCHE8XR3rXQ1zGzv9Z0ZgGkcme6sz4nL0uSqS3YDqZgotb4X9lqkKytrj" \
	"mRNJ9P-3miKy6v61CeMKQAjJyYoovApfIo4-iCqvHAr_khogNdr3Y1KPDO21oEcmEf7DzzRdagCA" \
	"3riYDT7M_EDHcBCjbExHlvCW4fPUwvtK68RGOSQHstFHXSSZtpBiCsB7pOLsWq26r_t3mhgwq791" \
	"ia3oI03LW762vjh0BrIhZIE9wpyAipnI2bid3INNVqRa3ukylUKifZJvjJxgKw\",\"e\":\"AQA" \
	"B\""
#define EC_256 \
	"\"kty\":\"EC\",\"x\":\"psPdOajw1L-WAnKuRBS1O9TXUu1y4DLS3hccGateSYE\",\"y\":" \
	"\"_U4B4D4Ri8QblgvW17-ed4Md-LtCD-BhOgsEV4a-vTQ\",\"crv\":\"P-256\""
#define EC_384 \
	"\"kty\":\"EC\",\"x\":\"7iVi2A5-GyjtGimZdPVtFbVkNWktFz3l4qO98dAVHzhB3npFhdSwL" \
	"51dpPQc32gE\",\"y\":\"5tajZ1R4YuklfXN7d9ulkAXeLlbGZ1J5K62f_RR-TZMlhOeAZklH_5" \
	"009BFuwU5l\",\"crv\":\"P-384\""
#define EC_521 \
	"\"kty\":\"EC\",\"x\":\"ALjLJmmTH8stZkuSLX84zKxPgroUOkssUWQb_uy_iiBC0223Xf5BS" \
	"n9lqFy75djPA-Lw0o8EZV_PmHWHBnKDZuS-\",\"y\":\"AdhntytCoyA4D3EKdN1W_2uoRwFvz6" \
	"ZvNWtlT1tVkUrP-y36SxrOnmqcZ8brShoE-D6magYYgpnqcsrGjSkVBUMN\",\"crv\":\"P-521" \
	"\""
#define ED_25519 \
	"\"crv\":\"Ed25519\",\"x\":\"sb85jFMCc_sr8CdZdCiynQ55ff999CDKrwwVwvDUu54\",\"" \
	"kty\":\"OKP\""
/* clang-format on */

#define SMALL(x) "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"" x "\"}"

static struct jwk_set *
set_of(const char *keys, struct err *err)
{
	char text[8192];

	snprintf(text, sizeof(text), "{\"keys\":[%s]}", keys);
	return jwk_set_read(slice_str(text), err);
}

static void
keys_are_read_or_passed_over(void **state)
{
	static const char *const good[] = { "{" RSA_2048 "}", "{" EC_256 "}", "{" EC_384 "}",
		"{" EC_521 "}", "{" ED_25519 "}", "{" EC_256 ",\"use\":\"sig\"}",
		"{" EC_256 ",\"key_ops\":[\"sign\",\"verify\"]}", "{" EC_256 ",\"x5c\":7}",
		"{" EC_256 ",\"alg\":\"ES256\"}" };
	static const char *const bad[] = { "7", "{}", "{" RSA_1024 "}",
		"{\"kty\":\"oct\",\"k\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"}",
		"{" RSA_2048 ",\"use\":\"enc\"}", "{" RSA_2048 ",\"use\":7}",
		"{" RSA_2048 ",\"key_ops\":[\"encrypt\"]}", "{" RSA_2048 ",\"key_ops\":[]}",
		"{" RSA_2048 ",\"key_ops\":\"verify\"}", "{" RSA_2048 ",\"alg\":\"none\"}",
		"{" RSA_2048 ",\"alg\":\"RSA-OAEP\"}", "{" RSA_2048 ",\"kid\":\"\"}",
		"{" RSA_2048 ",\"kid\":7}",
		/* a point that is not on the curve, one of another curve, one that is too short */
		"{\"kty\":\"EC\",\"crv\":\"P-256\","
		"\"x\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE\","
		"\"y\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE\"}",
		"{\"kty\":\"EC\",\"crv\":\"secp256k1\",\"x\":\"AA\",\"y\":\"AA\"}",
		"{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AA\",\"y\":\"AA\"}",
		"{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"AA\"}",
		/* points of small order, two of them spelt anew: anybody signs for them */
		SMALL("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"),
		SMALL("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAIA"),
		SMALL("AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"),
		SMALL("JuiVj8KyJ7BFw_SJ8u-Y8NXfrAXTxjM5sTgCiG1T_AU"),
		SMALL("JuiVj8KyJ7BFw_SJ8u-Y8NXfrAXTxjM5sTgCiG1T_IU"),
		SMALL("xxdqcD1N2E-6PAt2DRBnDyogU_osOczGTsf9d5KsA3o"),
		SMALL("xxdqcD1N2E-6PAt2DRBnDyogU_osOczGTsf9d5KsA_o"),
		SMALL("7P_______________________________________38"),
		SMALL("7f_______________________________________38"),
		SMALL("7v_______________________________________38"),
		/* with a part that only who signs should have */
		"{" EC_256 ",\"d\":\"AAAA\"}", "{" ED_25519 ",\"d\":7}",
		"{" RSA_2048 ",\"p\":\"AQ\"}", "{" RSA_2048 ",\"oth\":[]}",
		"{" RSA_2048 ",\"k\":\"AAAA\"}",
		"{\"kty\":\"OKP\",\"crv\":\"X25519\","
		"\"x\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE\"}" };

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		struct err err = { 0 };
		struct jwk_set *set = set_of(good[i], &err);

		if (set == NULL)
			fail_msg("%s: %s", good[i], err.detail);
		refs_give(&set->refs);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct err err = { 0 };

		if (set_of(bad[i], &err) != NULL)
			fail_msg("%s: taken", bad[i]);
		assert_true(err_is(&err));
	}
}

/* 2040 bits in 256 bytes. */
static void
a_modulus_that_begins_with_zero_is_short(void **state)
{
	char key[] = "{" RSA_2048 "}";
	char *n = strstr(key, "\"n\":\"");
	struct err err = { 0 };

	(void)state;
	assert_non_null(n);
	memcpy(n + 5, "AA", 2);
	assert_null(set_of(key, &err));
}

/* What is bad does not take the others with it. */
static void
a_set_is_what_of_it_can_be_used(void **state)
{
	struct err err = { 0 };
	struct jwk_set *set =
	    set_of("{" RSA_1024 "},{\"kty\":\"new\"},{" EC_256 ",\"kid\":\"a\"},7", &err);
	char many[512] = "{}";

	(void)state;
	assert_non_null(set);
	assert_int_equal(set->count, 1);
	assert_int_equal(set->passed_over, 3);
	assert_int_equal(set->given_away, 0);
	refs_give(&set->refs);
	set = set_of("{" EC_256 "},{" EC_384 ",\"d\":\"AA\"},{" ED_25519 ",\"d\":\"AA\"}", &err);
	assert_non_null(set);
	assert_int_equal(set->count, 1);
	assert_int_equal(set->given_away, 2);
	refs_give(&set->refs);
	for (unsigned i = 0; i < JWKS_KEYS_MAX; i++)
		memcpy(many + strlen(many), ",{}", 4);
	assert_null(set_of(many, &err));
	assert_null(jwk_set_read(SLICE_LIT("[]"), &err));
	assert_null(jwk_set_read(SLICE_LIT("{\"keys\":{}}"), &err));
	assert_null(jwk_set_read(SLICE_LIT("{\"keys\":[],\"keys\":[]}"), &err));
}

/* What each key may be used for, where it says nothing itself and all is allowed: one algorithm. */
static void
one_key_has_one_algorithm(void **state)
{
	static const struct {
		const char *key, *allowed, *suits;
	} cases[] = {
		{ "{" RSA_2048 "}", ALL, "RS256" },
		{ "{" RSA_2048 "}", "ES256 PS256 RS256", "PS256" },
		{ "{" RSA_2048 ",\"alg\":\"PS256\"}", ALL, "PS256" },
		{ "{" RSA_2048 ",\"alg\":\"RS512\"}", ALL, "RS512" },
		{ "{" RSA_2048 ",\"alg\":\"RS512\"}", "RS256", "" },
		{ "{" RSA_2048 ",\"alg\":\"HS256\"}", ALL, "" },
		{ "{" RSA_2048 ",\"alg\":\"ES256\"}", ALL, "" },
		{ "{" EC_256 "}", ALL, "ES256" },
		{ "{" EC_256 ",\"alg\":\"ES384\"}", ALL, "" },
		{ "{" EC_384 "}", ALL, "ES384" },
		{ "{" EC_521 "}", ALL, "ES512" },
		{ "{" ED_25519 "}", ALL, "EdDSA Ed25519" },
		{ "{" ED_25519 ",\"alg\":\"EdDSA\"}", ALL, "EdDSA Ed25519" },
		{ "{" ED_25519 "}", "Ed25519", "Ed25519" },
	};
	struct jwa_list all;
	struct err err = { 0 };

	(void)state;
	assert_true(jwa_list_read(&all, ALL, &err));
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct jwk_set *set = set_of(cases[i].key, &err);
		char suits[128] = "";
		struct jwa_list allowed;

		assert_non_null(set);
		assert_true(jwa_list_read(&allowed, cases[i].allowed, &err));
		for (unsigned a = 0; a < all.count; a++)
			if (jwk_suits(&set->keys[0], all.items[a], &allowed))
				snprintf(suits + strlen(suits), sizeof(suits) - strlen(suits),
				    "%s%s", *suits != '\0' ? " " : "", all.items[a]->name);
		assert_string_equal(suits, cases[i].suits);
		refs_give(&set->refs);
	}
}

static void
the_key_is_chosen_by_us(void **state)
{
	static const struct {
		const char *alg, *kid;
		enum jwk_choice choice;
		int which;
	} cases[] = {
		{ "RS256", "rsa", JWK_FOUND, 0 },
		{ "ES256", "ec", JWK_FOUND, 1 },
		{ "ES256", "rsa", JWK_UNFIT, -1 },
		{ "PS256", "rsa", JWK_UNFIT, -1 },
		{ "RS256", "RSA", JWK_UNKNOWN, -1 },
		{ "RS256", "rs", JWK_UNKNOWN, -1 },
		{ "ES256", NULL, JWK_AMBIGUOUS, -1 },
		{ "RS256", NULL, JWK_FOUND, 0 },
		{ "EdDSA", NULL, JWK_UNKNOWN, -1 },
		{ "RS256", "both", JWK_UNFIT, -1 },
		{ "ES384", "both", JWK_FOUND, 3 },
		{ "ES512", "both", JWK_FOUND, 4 },
		{ "EdDSA", "none", JWK_UNKNOWN, -1 },
	};
	struct err err = { 0 };
	struct jwk_set *set = set_of("{" RSA_2048 ",\"kid\":\"rsa\"},{" EC_256 ",\"kid\":\"ec\"},"
				     "{" EC_256 "},{" EC_384 ",\"kid\":\"both\"},"
				     "{" EC_521 ",\"kid\":\"both\"}",
	    &err);
	struct jwa_list allowed;

	(void)state;
	assert_non_null(set);
	assert_true(jwa_list_read(&allowed, "RS256 ES256 ES384 ES512 EdDSA", &err));
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct jwt t = { .alg = jwa_find(slice_str(cases[i].alg)),
			.kid = slice_str(cases[i].kid) };
		const struct jwk *key;

		assert_int_equal(jwk_choose(set, &t, &allowed, &key), cases[i].choice);
		assert_ptr_equal(key, cases[i].which < 0 ? NULL : &set->keys[cases[i].which]);
	}
	refs_give(&set->refs);
}

/* An HMAC's secret is as long as its digest, and what reads as a public key is none. */
static void
a_secret_is_long_enough(void **state)
{
	struct jwk_set *set = jwk_set_of_secret(SLICE_LIT(TOKEN_SECRET));
	struct jwa_list allowed;
	struct err err = { 0 };

	(void)state;
	assert_true(jwa_list_read(&allowed, ALL, &err));
	assert_true(jwk_suits(&set->keys[0], jwa_find(SLICE_LIT("HS256")), &allowed));
	assert_false(jwk_suits(&set->keys[0], jwa_find(SLICE_LIT("HS384")), &allowed));
	assert_false(jwk_suits(&set->keys[0], jwa_find(SLICE_LIT("RS256")), &allowed));
	refs_give(&set->refs);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys_are_read_or_passed_over),
		cmocka_unit_test(a_modulus_that_begins_with_zero_is_short),
		cmocka_unit_test(a_set_is_what_of_it_can_be_used),
		cmocka_unit_test(one_key_has_one_algorithm),
		cmocka_unit_test(the_key_is_chosen_by_us),
		cmocka_unit_test(a_secret_is_long_enough),
	};

	return cmocka_run_group_tests_name("jwk", tests, NULL, NULL);
}
