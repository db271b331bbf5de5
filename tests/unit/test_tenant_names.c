/* SPDX-License-Identifier: MIT */
/*
 * test_tenant_names: names derived from tenant ids, and names that others send.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tenant/names.h"

static void
projects_are_named_after_tenants(void **state)
{
	char name[PROJECT_NAME_SIZE], environment[160], tenant[129];

	(void)state;
	assert_true(name_project(name, "prod", "org_1:a@b.c-d"));
	assert_string_equal(name, "tg-prod-org_1:a@b.c-d");
	memset(environment, 'e', sizeof(environment));
	memset(tenant, 't', sizeof(tenant));
	tenant[128] = '\0';
	environment[124] = '\0';
	assert_true(name_project(name, environment, tenant));
	assert_int_equal(strlen(name), 256);
	environment[124] = 'e';
	environment[125] = '\0';
	assert_false(name_project(name, environment, tenant));
}

static void
roles_need_no_quoting(void **state)
{
	char a[CLUSTER_NAME_SIZE], b[CLUSTER_NAME_SIZE];

	(void)state;
	name_cluster(a, "prod", "x\"; DROP ROLE y; --");
	assert_int_equal(strlen(a), 27);
	assert_int_equal(strspn(a + 3, "0123456789abcdef"), 24);
	name_cluster(b, "prod", "x\"; DROP ROLE y; --");
	assert_string_equal(a, b);
	name_cluster(a, "ab", "c");
	name_cluster(b, "a", "bc");
	assert_string_not_equal(a, b);
}

static void
names_from_outside_are_checked(void **state)
{
	(void)state;
	assert_true(name_provider_id(slice_str("spring-example-302709")));
	assert_false(name_provider_id(slice_str("")));
	assert_false(name_provider_id(slice_str("../users")));
	assert_false(name_provider_id(slice_str("a?b")));
	assert_false(name_provider_id(slice_of("a\0b", 3)));
	assert_true(name_host(slice_str("ep-x.c-2.us-east-2.aws.neon.tech")));
	assert_true(name_host(slice_str("::1")));
	assert_false(name_host(slice_str("/tmp")));
	assert_false(name_host(slice_str("a,b")));
	assert_false(name_host(slice_str("a b")));
}

static void
query_values_are_encoded(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 256);
	assert_true(name_url_encode(&b, slice_str("tg-p_x.~a:b@c&d=e f\xff")));
	assert_true(slice_is(buf_view(&b), "tg-p_x.~a%3Ab%40c%26d%3De%20f%FF"));
	buf_free(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(projects_are_named_after_tenants),
		cmocka_unit_test(roles_need_no_quoting),
		cmocka_unit_test(names_from_outside_are_checked),
		cmocka_unit_test(query_values_are_encoded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
