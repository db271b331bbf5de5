/* SPDX-License-Identifier: MIT */
/*
 * test_map: what is evicted and dropped, and the hash against OpenSSL's.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include "base/siphash.h"
#include "tenantgate/base/map.h"

static char dropped[256];

static void
note_drop(void *value)
{
	size_t n = strlen(dropped);

	snprintf(dropped + n, sizeof(dropped) - n, "%s ", (const char *)value);
}

static struct map *
map_of(size_t max)
{
	dropped[0] = '\0';
	return map_new(max, note_drop);
}

static void *
get(struct map *m, const char *key)
{
	return map_get(m, slice_str(key));
}

static void
put(struct map *m, const char *key, const char *value)
{
	assert_true(map_put(m, slice_str(key), (void *)value));
}

static void
a_full_map_drops_the_least_recently_used(void **state)
{
	struct map *m = map_of(3);

	(void)state;
	put(m, "a", "A");
	put(m, "b", "B");
	put(m, "c", "C");
	assert_string_equal(get(m, "a"), "A");
	put(m, "d", "D");
	assert_string_equal(dropped, "B ");
	assert_null(get(m, "b"));
	put(m, "c", "C2"); /* replacing is using */
	put(m, "e", "E");
	assert_string_equal(dropped, "B C A ");
	assert_int_equal(map_count(m), 3);
	map_free(m);
	assert_int_equal(strlen(dropped), strlen("B C A D C2 E "));
}

static void
drop_follows_the_value(void **state)
{
	struct map *m = map_of(0);
	const char *same = "S";

	(void)state;
	put(m, "a", "A");
	put(m, "a", "A2");
	assert_string_equal(dropped, "A ");
	put(m, "s", same);
	put(m, "s", same); /* has not left */
	assert_string_equal(dropped, "A ");
	assert_true(map_del(m, slice_str("a")));
	assert_false(map_del(m, slice_str("a")));
	assert_string_equal(dropped, "A A2 ");
	assert_ptr_equal(map_take(m, slice_str("s")), same);
	assert_null(map_take(m, slice_str("s")));
	assert_string_equal(dropped, "A A2 ");
	assert_int_equal(map_count(m), 0);
	put(m, "z", "Z");
	map_free(m);
	assert_string_equal(dropped, "A A2 Z ");
	map_free(NULL);
}

static void
keys_are_bytes_and_copied(void **state)
{
	struct map *m = map_of(0);
	char key[] = "ab";

	(void)state;
	put(m, key, "1");
	key[0] = 'X';
	assert_string_equal(get(m, "ab"), "1");
	assert_null(get(m, "a"));
	assert_null(get(m, "abc"));
	assert_true(map_put(m, slice_of("a\0b", 3), (void *)"nul"));
	assert_true(map_put(m, slice_of(NULL, 0), (void *)"empty"));
	assert_string_equal(map_get(m, slice_of("a\0b", 3)), "nul");
	assert_null(map_get(m, slice_of("a\0c", 3)));
	assert_string_equal(map_get(m, slice_of("", 0)), "empty");
	map_free(m);
}

static void
many_keys_are_all_found(void **state)
{
	enum { MANY = 20000, KEPT = 5000 };
	struct map *m = map_new(KEPT, NULL), *all = map_new(0, NULL);
	static int numbers[MANY];
	char key[16];
	int i;

	(void)state;
	for (i = 0; i < MANY; i++) {
		numbers[i] = i;
		snprintf(key, sizeof(key), "k%d", i);
		assert_true(map_put(m, slice_str(key), &numbers[i]));
		assert_true(map_put(all, slice_str(key), &numbers[i]));
	}
	assert_int_equal(map_count(m), KEPT);
	assert_int_equal(map_count(all), MANY);
	for (i = 0; i < MANY; i++) {
		snprintf(key, sizeof(key), "k%d", i);
		assert_ptr_equal(map_get(all, slice_str(key)), &numbers[i]);
		assert_ptr_equal(map_get(m, slice_str(key)), i < MANY - KEPT ? NULL : &numbers[i]);
		if (i % 2 == 0)
			assert_true(map_del(all, slice_str(key)));
	}
	assert_int_equal(map_count(all), MANY / 2);
	map_free(m);
	map_free(all);
}

struct walk {
	int seen;
	int stop_at;
	size_t key_bytes;
};

static bool
count_entry(struct slice key, void *value, void *arg)
{
	struct walk *w = arg;

	assert_non_null(value);
	w->key_bytes += key.len;
	return ++w->seen != w->stop_at;
}

static void
walking_can_stop(void **state)
{
	struct map *m = map_of(0);
	struct walk all = { 0, 0, 0 }, two = { 0, 2, 0 };

	(void)state;
	put(m, "a", "1");
	put(m, "bb", "2");
	put(m, "ccc", "3");
	map_each(m, count_entry, &all);
	assert_int_equal(all.seen, 3);
	assert_int_equal(all.key_bytes, 6);
	map_each(m, count_entry, &two);
	assert_int_equal(two.seen, 2);
	map_free(m);
}

static uint64_t
openssl_siphash(const uint8_t *key, const uint8_t *in, size_t n)
{
	size_t size = 8;
	OSSL_PARAM params[] = { OSSL_PARAM_construct_size_t(OSSL_MAC_PARAM_SIZE, &size),
		OSSL_PARAM_construct_end() };
	EVP_MAC *mac = EVP_MAC_fetch(NULL, "SIPHASH", NULL);
	EVP_MAC_CTX *c = EVP_MAC_CTX_new(mac);
	uint8_t raw[8];
	uint64_t out = 0;
	int i;

	assert_int_equal(EVP_MAC_init(c, key, SIPHASH_KEY_SIZE, params), 1);
	assert_int_equal(EVP_MAC_update(c, in, n), 1);
	assert_int_equal(EVP_MAC_final(c, raw, &size, sizeof(raw)), 1);
	EVP_MAC_CTX_free(c);
	EVP_MAC_free(mac);
	for (i = 7; i >= 0; i--)
		out = out << 8 | raw[i];
	return out;
}

static void
the_hash_is_siphash(void **state)
{
	uint8_t key[SIPHASH_KEY_SIZE], in[64];
	size_t n;

	(void)state;
	for (n = 0; n < sizeof(key); n++)
		key[n] = (uint8_t)n;
	for (n = 0; n < sizeof(in); n++)
		in[n] = (uint8_t)n;
	/* The worked example at the end of the paper. */
	assert_true(siphash(key, slice_of((char *)in, 15)) == UINT64_C(0xa129ca6149be45e5));
	for (n = 0; n < sizeof(in); n++)
		assert_true(siphash(key, slice_of((char *)in, n)) == openssl_siphash(key, in, n));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_full_map_drops_the_least_recently_used),
		cmocka_unit_test(drop_follows_the_value),
		cmocka_unit_test(keys_are_bytes_and_copied),
		cmocka_unit_test(many_keys_are_all_found),
		cmocka_unit_test(walking_can_stop),
		cmocka_unit_test(the_hash_is_siphash),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
