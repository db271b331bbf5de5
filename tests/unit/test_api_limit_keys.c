/* SPDX-License-Identifier: MIT */
/*
 * test_api_limit_keys: no two of environment, tenant and user have one key of a limit; the longest
 * fits; and in a cluster all of an environment are in one slot.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "api/request_keys.h"
#include "tenantgate/auth.h"
#include "tenantgate/limit.h"
#include "tenantgate/replica.h"
#include "tenantgate/tenant.h"
#include "tenantgate/wire/redis.h"

static void
keys_are_as_they_were(void **state)
{
	char key[LIMIT_KEY_MAX + 1];

	(void)state;
	limit_key_write(key, sizeof(key), "prod", false, (struct limit_name){ "tenant", "a", "" });
	assert_string_equal(key, "tg:limit:prod:tenant:a");
	limit_key_write(key, sizeof(key), "prod", true, (struct limit_name){ "user", "a", "u" });
	assert_string_equal(key, "tg:limit:{prod}:user:a/u");
}

static void
environments_that_begin_alike_have_keys_of_their_own(void **state)
{
	char names[2][REPLICA_ENVIRONMENT_MAX + 1], keys[2][LIMIT_KEY_MAX + 1];

	(void)state;
	for (int is_cluster = 0; is_cluster < 2; is_cluster++) {
		for (int i = 0; i < 2; i++) {
			memset(names[i], 'e', REPLICA_ENVIRONMENT_MAX);
			names[i][REPLICA_ENVIRONMENT_MAX] = '\0';
			names[i][REPLICA_ENVIRONMENT_MAX - 1] = (char)('1' + i);
			limit_key_write(keys[i], sizeof(keys[i]), names[i], is_cluster != 0,
			    (struct limit_name){ "tenant", "acme", "" });
		}
		assert_string_not_equal(keys[0], keys[1]);
	}
	assert_memory_equal(keys[0], keys[1], sizeof("tg:limit:{}") - 1 + REDIS_TAG_MAX);
	assert_int_equal(keys[0][sizeof("tg:limit:{") - 1 + REDIS_TAG_MAX], '}');
}

static void
the_longest_names_fit(void **state)
{
	char environment[REPLICA_ENVIRONMENT_MAX + 1], id[TENANT_ID_MAX + 1], user[USER_ID_MAX + 1],
	    key[LIMIT_KEY_MAX + 1];

	(void)state;
	memset(environment, 'e', sizeof(environment));
	memset(id, 't', sizeof(id));
	memset(user, 'u', sizeof(user));
	environment[REPLICA_ENVIRONMENT_MAX] = id[TENANT_ID_MAX] = user[USER_ID_MAX] = '\0';
	assert_true(limit_key_write(key, sizeof(key), environment, true,
			(struct limit_name){ "provisions", id, user }) <= LIMIT_KEY_MAX);
	assert_true(limit_key_write(key, TENANT_REDIS_KEY_SIZE, environment, true,
			(struct limit_name){ "leases", id, "" }) < TENANT_REDIS_KEY_SIZE);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys_are_as_they_were),
		cmocka_unit_test(environments_that_begin_alike_have_keys_of_their_own),
		cmocka_unit_test(the_longest_names_fit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
