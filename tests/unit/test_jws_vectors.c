/* SPDX-License-Identifier: MIT */
/*
 * test_jws_vectors: Wycheproof's signed tokens (tests/unit/vectors). None that is invalid is
 * accepted, and every valid one of an algorithm of ours is, save for the table below.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "auth/jwk.h"
#include "tenantgate/base/b64.h"

#define ALL "HS256 HS384 HS512 RS256 RS384 RS512 PS256 PS384 PS512 ES256 ES384 ES512 EdDSA Ed25519"

/* Valid, and refused here. */
static const struct {
	int id;
	const char *why;
} refused[] = {
	{ 346, "PS384 on a key that says PS256: one key, one algorithm (RFC 8725bis 3.1)" },
	{ 347, "its key says ES521, which is no algorithm's name" },
	{ 350, "as 346" },
	{ 351, "as 347" },
	{ 372, "'?' is no byte of base64url (RFC 7515 section 2)" },
	{ 373, "as 372" },
};

/* Called invalid for a padding that the file does not have: each is, byte for byte, the token that
 * it calls valid before them. */
#define VALID_MAC 357
static const int mislabelled[] = { 367, 370 };

static bool
is_mislabelled(int id)
{
	return id == mislabelled[0] || id == mislabelled[1];
}

static bool
is_expected(int id)
{
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
		if (refused[i].id == id)
			return true;
	return false;
}

static json_t *
vectors_load(void)
{
	json_error_t why;
	json_t *root = json_load_file(VECTORS_DIR "/wycheproof_jws.json", 0, &why);

	if (root == NULL)
		fail_msg("%s", why.text);
	return root;
}

/* A shared secret is not read of a set: its bytes come from the operator's file. It has the one
 * algorithm that its group names. */
static struct jwk_set *
secret_set(const json_t *key)
{
	struct jwk_set *set = NULL;
	struct buf bytes;

	buf_init(&bytes, 4096);
	if (b64url_get(&bytes, slice_str(json_string_value(json_object_get(key, "k")))))
		set = jwk_set_of_secret(buf_view(&bytes));
	buf_free(&bytes);
	assert_non_null(set);
	return set;
}

/* NULL: none of its keys may be used. */
static struct jwk_set *
group_keys(json_t *group, struct jwa_list *allowed)
{
	json_t *public = json_object_get(group, "public"), *set = NULL;
	json_t *key = public != NULL ? public : json_object_get(group, "private");
	const char *alg = json_string_value(json_object_get(key, "alg"));
	struct jwk_set *out;
	struct err err = { 0 };
	char *text;

	if (public == NULL) {
		assert_true(jwa_list_read(allowed, alg, &err));
		return secret_set(key);
	}
	assert_true(jwa_list_read(allowed, ALL, &err));
	set = json_pack("{s:[O]}", "keys", key);
	text = json_dumps(set, 0);
	out = jwk_set_read(slice_str(text), &err);
	free(text);
	json_decref(set);
	return out;
}

static bool
is_accepted(const json_t *jws, const struct jwk_set *set, const struct jwa_list *allowed)
{
	const struct jwk *key = NULL;
	const char *why = NULL;
	bool good = false;
	struct jwt t;

	if (set == NULL || !json_is_string(jws))
		return false;
	if (jwt_parse(slice_str(json_string_value(jws)), &t, &why))
		good = jwk_choose(set, &t, allowed, &key) == JWK_FOUND &&
		    jwt_signature_is_good(&t, key);
	jwt_free(&t);
	return good;
}

struct vector_tally {
	unsigned valid, invalid, excepted, mislabelled;
	const char *valid_mac;
};

/* Also that such a case is what the table says of it. */
static bool
is_copy(struct vector_tally *tally, int id, const json_t *jws)
{
	if (id == VALID_MAC)
		tally->valid_mac = json_string_value(jws);
	if (!is_mislabelled(id))
		return false;
	assert_string_equal(json_string_value(jws), tally->valid_mac);
	tally->mislabelled++;
	return true;
}

static void
judge_test(const json_t *test, const struct jwk_set *set, const struct jwa_list *allowed,
    struct vector_tally *tally)
{
	const char *result = json_string_value(json_object_get(test, "result"));
	int id = (int)json_integer_value(json_object_get(test, "tcId"));
	bool is_valid = strcmp(result, "valid") == 0;
	const json_t *jws = json_object_get(test, "jws");
	bool accepted = is_accepted(jws, set, allowed);

	if (is_copy(tally, id, jws))
		return;
	if (is_valid && is_expected(id) && !accepted)
		tally->excepted++;
	else if (accepted != is_valid)
		print_error("%d (%s): %s, and %s\n", id,
		    json_string_value(json_object_get(test, "comment")), result,
		    accepted ? "accepted" : "refused");
	else if (is_valid)
		tally->valid++;
	else
		tally->invalid++;
}

static void
each_vector_is_judged_right(void **state)
{
	json_t *root = vectors_load(), *group, *test;
	struct vector_tally tally = { 0 };
	size_t i, j;

	(void)state;
	json_array_foreach(json_object_get(root, "testGroups"), i, group) {
		struct jwa_list allowed;
		struct jwk_set *set = group_keys(group, &allowed);

		json_array_foreach(json_object_get(group, "tests"), j, test) {
			judge_test(test, set, &allowed, &tally);
		}
		if (set != NULL)
			refs_give(&set->refs);
	}
	json_decref(root);
	assert_int_equal(tally.excepted, sizeof(refused) / sizeof(refused[0]));
	assert_int_equal(tally.valid, 46 - tally.excepted);
	assert_int_equal(tally.mislabelled, 2);
	assert_int_equal(tally.invalid, 355 - tally.mislabelled);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(each_vector_is_judged_right) };

	return cmocka_run_group_tests_name("jws_vectors", tests, NULL, NULL);
}
