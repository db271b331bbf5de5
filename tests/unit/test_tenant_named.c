/* SPDX-License-Identifier: MIT */
/*
 * Which names are a tenant's, and when what they name is refused.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tenantgate/auth/tenant_named.h"

static bool
agrees(const char *name, const char *value, const char *tenant)
{
	char id[TENANT_ID_MAX + 1];
	struct err err = { 0 };
	bool ok;

	snprintf(id, sizeof(id), "%s", tenant);
	ok = tenant_named_agrees(slice_str(name), slice_str(value), id, &err);
	assert_int_equal(err.code, ok ? ERR_NONE : ERR_INVALID_TENANT);
	assert_string_equal(id, tenant);
	return ok;
}

static void
every_spelling_is_a_tenants_name(void **state)
{
	static const char *const names[] = { "tenant", "Tenant", "tenantId", "tenant_id",
		"TENANT-ID", "x-tenant", "X-Tenant-Id", "X_Tenant_Id", "x-tenant_ID", "__tenant-" };

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		assert_true(agrees(names[i], "acme", "acme"));
		assert_false(agrees(names[i], "bolt", "acme"));
		assert_false(agrees(names[i], "acme2", "acme"));
		assert_false(agrees(names[i], "ACME", "acme"));
		assert_false(agrees(names[i], "", "acme"));
	}
}

static void
other_names_are_nobodys(void **state)
{
	static const char *const names[] = { "", "-", "title", "tenants", "tenantName", "mytenant",
		"x-tenantgate-stream", "tenant id", "--------------------------------tenant" };

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		assert_true(agrees(names[i], "bolt", "acme"));
}

/* What cannot be decoded names nobody that there is. */
static void
a_value_that_cannot_be_read_disagrees(void **state)
{
	char id[TENANT_ID_MAX + 1] = "acme", none[TENANT_ID_MAX + 1] = "";
	struct err err = { 0 };

	(void)state;
	assert_false(tenant_named_agrees(SLICE_LIT("tenant"), slice_of(NULL, 0), id, &err));
	err = (struct err){ 0 };
	assert_false(tenant_named_agrees(SLICE_LIT("tenant"), slice_of(NULL, 0), none, &err));
}

static void
the_first_that_is_named_is_it_where_nothing_else_says(void **state)
{
	char id[TENANT_ID_MAX + 1] = "", long_id[TENANT_ID_MAX + 2];
	struct err err = { 0 };

	(void)state;
	memset(long_id, 'a', sizeof(long_id) - 1);
	long_id[sizeof(long_id) - 1] = '\0';
	assert_false(tenant_named_agrees(SLICE_LIT("tenant"), slice_str(long_id), id, &err));
	assert_string_equal(id, "");
	err = (struct err){ 0 };
	assert_true(tenant_named_agrees(SLICE_LIT("tenant"), SLICE_LIT("acme"), id, &err));
	assert_string_equal(id, "acme");
	assert_true(tenant_named_agrees(SLICE_LIT("X-Tenant-Id"), SLICE_LIT("acme"), id, &err));
	assert_false(tenant_named_agrees(SLICE_LIT("X-Tenant-Id"), SLICE_LIT("bolt"), id, &err));
}

/* Else it would name whoever stands before it. */
static void
a_value_with_a_nul_names_nobody(void **state)
{
	char none[TENANT_ID_MAX + 1] = "", id[TENANT_ID_MAX + 1] = "acme";
	struct err err = { 0 };

	(void)state;
	assert_false(tenant_named_agrees(SLICE_LIT("tenant"), SLICE_LIT("acme\0bolt"), none, &err));
	assert_string_equal(none, "");
	err = (struct err){ 0 };
	assert_false(tenant_named_agrees(SLICE_LIT("tenant"), SLICE_LIT("acme\0"), id, &err));
}

static bool
json_agrees(const char *text)
{
	char id[TENANT_ID_MAX + 1] = "42";
	json_t *object = json_loads(text, JSON_ALLOW_NUL, NULL);
	struct err err = { 0 };
	bool ok;

	assert_non_null(object);
	ok = tenant_named_in_json(object, id, &err);
	json_decref(object);
	return ok;
}

static void
members_that_are_texts_or_whole_numbers_name(void **state)
{
	(void)state;
	assert_true(json_agrees("{}"));
	assert_true(json_agrees("{\"tenant\":\"42\",\"tenantId\":42,\"title\":\"7\"}"));
	assert_true(json_agrees("{\"tenant\":null}"));
	assert_true(json_agrees("{\"tenant\":{\"tenant\":\"7\"}}"));
	assert_false(json_agrees("{\"tenant\":\"7\"}"));
	assert_false(json_agrees("{\"tenant\":7}"));
	assert_false(json_agrees("{\"title\":\"42\",\"tenant_id\":\"4\"}"));
	assert_false(json_agrees("{\"tenant\":\"42\\u0000\"}"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_spelling_is_a_tenants_name),
		cmocka_unit_test(other_names_are_nobodys),
		cmocka_unit_test(a_value_that_cannot_be_read_disagrees),
		cmocka_unit_test(the_first_that_is_named_is_it_where_nothing_else_says),
		cmocka_unit_test(a_value_with_a_nul_names_nobody),
		cmocka_unit_test(members_that_are_texts_or_whole_numbers_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
