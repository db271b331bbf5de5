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
	char name[PROJECT_NAME_SIZE], old[PROJECT_NAME_SIZE], stem[PROJECT_NAME_SIZE];

	(void)state;
	name_project(name, "prod", "org_1:a@b.c-d");
	assert_string_equal(name, "tg-prod-org_1:a@b.c-d-e04594a59f2fc4a1707c9b82");
	name_project_old(old, "prod", "org_1:a@b.c-d");
	assert_string_equal(old, "tg-prod-org_1:a@b.c-d");
	name_project_stem(stem, "prod", "org_1:a@b.c-d");
	assert_string_equal(stem, old);
}

/* Both begin with the stem, which is what is searched for. */
static void
a_long_name_is_cut_before_its_digest(void **state)
{
	char name[PROJECT_NAME_SIZE], other[PROJECT_NAME_SIZE], old[PROJECT_NAME_SIZE],
	    stem[PROJECT_NAME_SIZE], environment[ENVIRONMENT_MAX + 1], tenant[129];

	(void)state;
	memset(environment, 'e', sizeof(environment));
	memset(tenant, 't', sizeof(tenant));
	tenant[128] = environment[ENVIRONMENT_MAX] = '\0';
	name_project(name, environment, tenant);
	assert_int_equal(strlen(name), 256);
	name_project_old(old, environment, tenant);
	assert_int_equal(strlen(old), 232);
	name_project_stem(stem, environment, tenant);
	assert_int_equal(strncmp(name, stem, strlen(stem)), 0);
	assert_int_equal(strncmp(old, stem, strlen(stem)), 0);
	tenant[127] = 'u';
	name_project(other, environment, tenant);
	assert_string_not_equal(other, name);
}

/* One letter moved over the border, and an id that another's digest was put into. */
static void
no_two_tenants_have_one_project_name(void **state)
{
	char a[PROJECT_NAME_SIZE], b[PROJECT_NAME_SIZE];

	(void)state;
	name_project(a, "prod", "eu-acme");
	name_project(b, "prod-eu", "acme");
	assert_string_not_equal(a, b);
	name_project_old(a, "prod", "eu-acme");
	name_project_old(b, "prod-eu", "acme");
	assert_string_equal(a, b);
	name_project(a, "prod", "acme");
	name_project(b, "prod", a + strlen("tg-prod-"));
	assert_string_not_equal(a, b);
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
		cmocka_unit_test(a_long_name_is_cut_before_its_digest),
		cmocka_unit_test(no_two_tenants_have_one_project_name),
		cmocka_unit_test(roles_need_no_quoting),
		cmocka_unit_test(names_from_outside_are_checked),
		cmocka_unit_test(query_values_are_encoded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
