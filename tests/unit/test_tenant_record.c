/* SPDX-License-Identifier: MIT */
/*
 * test_tenant_record: a record in Redis opens unchanged, for its own tenant and environment, or
 * not at all.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tenant/tenant_record.h"

#define KEY "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"

static const struct tenant acme = {
	.id = "acme",
	.state = TENANT_READY,
	.plan = "pro",
	.requests_per_minute = 600,
	.token_generation = 1795734703701000,
	.host = "ep-x.neon.tech",
	.port = 5433,
	.dbname = "neondb",
	.user = "neondb_owner",
	.password = "p\"w\\d",
	.sslmode = "verify-full",
};

#define SETTINGS "{\"max_documents\": 3, \"system_prompt\": \"Say \\\"hm\\\".\"}"

static char settings[PLAN_SETTINGS_MAX + 1];

static struct buf
record_closed(const struct seal *seal, const struct tenant *t, const char *environment)
{
	char key[RECORD_KEY_SIZE];
	struct buf b;

	buf_init(&b, RECORD_SEALED_MAX);
	record_redis_key(key, environment, t->id, false);
	assert_true(record_close(seal, t, SETTINGS, key, &b));
	return b;
}

static bool
record_opens(const struct seal *seal, struct slice sealed, const char *environment, const char *id,
    struct tenant *out)
{
	char key[RECORD_KEY_SIZE];

	record_redis_key(key, environment, id, false);
	return record_open(seal, id, key, sealed, out, settings);
}

static void
a_sealed_record_opens(void **state)
{
	struct seal *seal = seal_new(KEY);
	struct buf b = record_closed(seal, &acme, "prod");
	struct tenant t;

	(void)state;
	assert_true(record_opens(seal, buf_view(&b), "prod", "acme", &t));
	assert_string_equal(t.id, acme.id);
	assert_int_equal(t.state, TENANT_READY);
	assert_string_equal(t.plan, acme.plan);
	assert_int_equal(t.requests_per_minute, 600);
	assert_true(t.token_generation == acme.token_generation);
	assert_string_equal(t.host, acme.host);
	assert_int_equal(t.port, 5433);
	assert_string_equal(t.password, acme.password);
	assert_string_equal(t.sslmode, acme.sslmode);
	assert_string_equal(settings, SETTINGS);
	buf_free(&b);
	seal_free(seal);
}

static void
a_record_opens_for_no_other_tenant(void **state)
{
	struct seal *seal = seal_new(KEY);
	struct buf b = record_closed(seal, &acme, "prod");
	struct tenant t;

	(void)state;
	assert_false(record_opens(seal, buf_view(&b), "prod", "other", &t));
	assert_false(record_opens(seal, buf_view(&b), "staging", "acme", &t));
	buf_free(&b);
	seal_free(seal);
}

static void
a_changed_record_does_not_open(void **state)
{
	struct seal *seal = seal_new(KEY);
	struct buf b = record_closed(seal, &acme, "prod");
	struct tenant t;
	size_t i;

	(void)state;
	for (i = 0; i < b.len; i++) {
		b.data[i] ^= 4;
		assert_false(record_opens(seal, buf_view(&b), "prod", "acme", &t));
		b.data[i] ^= 4;
		assert_false(record_opens(seal, slice_of(b.data, i), "prod", "acme", &t));
	}
	assert_true(record_opens(seal, buf_view(&b), "prod", "acme", &t));
	buf_free(&b);
	seal_free(seal);
}

/* Sealed by somebody who has the key, yet not a record. */
static void
sealed_nonsense_is_refused(void **state)
{
	static const char *const texts[] = { "", "{}", "[]", "null", "{\"v\":3,\"port\":1}",
		"{\"v\":2,\"port\":0,\"id\":\"acme\"}", "{\"v\":2,\"port\":5432,\"id\":\"acme\"}",
		"{\"v\":2,\"port\":5432,\"rpm\":0,\"id\":\"acme\",\"plan\":\"\",\"host\":7}" };
	struct seal *seal = seal_new(KEY);
	char key[RECORD_KEY_SIZE];
	struct tenant t;
	size_t i;

	(void)state;
	record_redis_key(key, "prod", "acme", false);
	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct buf b;

		buf_init(&b, 8192);
		assert_true(seal_encrypt(seal, slice_str(texts[i]), slice_str(key), &b));
		assert_false(record_open(seal, "acme", key, buf_view(&b), &t, settings));
		buf_free(&b);
	}
	seal_free(seal);
}

/* A tag is the same for all keys of an environment; what is too long for it is behind it. */
static void
a_key_has_a_hash_tag_in_a_cluster_alone(void **state)
{
	const char *longest = "0123456789012345678901234567890123456789rest";
	char key[RECORD_KEY_SIZE];

	(void)state;
	record_redis_key(key, "prod", "acme", false);
	assert_string_equal(key, "tg:tenant:prod:acme");
	record_redis_key(key, "prod", "acme", true);
	assert_string_equal(key, "tg:tenant:{prod}:acme");
	record_redis_key(key, longest, "acme", true);
	assert_string_equal(key, "tg:tenant:{0123456789012345678901234567890123456789}rest:acme");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_sealed_record_opens),
		cmocka_unit_test(a_record_opens_for_no_other_tenant),
		cmocka_unit_test(a_key_has_a_hash_tag_in_a_cluster_alone),
		cmocka_unit_test(a_changed_record_does_not_open),
		cmocka_unit_test(sealed_nonsense_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
