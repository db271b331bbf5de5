/* SPDX-License-Identifier: MIT */
/*
 * test_neon_settings: what a tenant's database may be given of Neon's, from a body of ours to one
 * of Neon's.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tenant/neon_settings.h"

static json_t *
object_of(const char *text)
{
	json_t *o = json_loads(text, 0, NULL);

	assert_non_null(o);
	return o;
}

/* What is wished after the body; NULL, with the detail in err, when it is refused. */
static json_t *
merged(const char *before, const char *body, bool is_made, struct err *err)
{
	json_t *wished = object_of(before), *b = object_of(body);

	*err = (struct err){ 0 };
	if (!neon_settings_merge(wished, b, is_made, err)) {
		assert_int_equal(err->code, ERR_INVALID_FIELD);
		json_decref(wished);
		wished = NULL;
	}
	json_decref(b);
	return wished;
}

static void
assert_merged(const char *before, const char *body, bool is_made, const char *after)
{
	struct err err;
	json_t *got = merged(before, body, is_made, &err), *want = object_of(after);

	if (got == NULL)
		fail_msg("%s is refused: %s", body, err.detail);
	if (!json_equal(got, want))
		fail_msg("%s becomes %s", body, json_dumps(got, 0));
	json_decref(got);
	json_decref(want);
}

static void
assert_refused(const char *before, const char *body, bool is_made, const char *names)
{
	struct err err;
	json_t *got = merged(before, body, is_made, &err);

	if (got != NULL)
		fail_msg("%s is taken", body);
	if (strstr(err.detail, names) == NULL)
		fail_msg("%s: \"%s\" does not name %s", body, err.detail, names);
}

static void
members_become_what_is_wished(void **state)
{
	(void)state;
	assert_merged("{}", "{\"compute\":{\"minCu\":1,\"maxCu\":9},\"plan\":\"x\"}", false,
	    "{\"minCu\":1.0,\"maxCu\":9.0}");
	assert_merged("{\"minCu\":1.0}", "{\"quotas\":{\"writtenDataBytes\":5}}", true,
	    "{\"minCu\":1.0,\"writtenDataBytes\":5}");
	assert_merged("{}", "{\"compute\":{\"suspendTimeout\":-1}}", false,
	    "{\"suspendTimeout\":-1}");
	assert_merged("{}", "{\"compute\":null}", false, "{}");
}

static void
null_takes_away_what_neon_has_a_default_for(void **state)
{
	const char *before = "{\"minCu\":1.0,\"suspendTimeout\":60,\"logicalSizeBytes\":7}";

	(void)state;
	assert_merged(before, "{\"compute\":{\"minCu\":null,\"suspendTimeout\":null}}", false,
	    "{\"logicalSizeBytes\":7}");
	assert_merged(before,
	    "{\"compute\":{\"suspendTimeout\":null},\"quotas\":{\"logicalSizeBytes\":null}}", true,
	    "{\"minCu\":1.0,\"suspendTimeout\":0,\"logicalSizeBytes\":0}");
	assert_merged(before, "{\"compute\":{\"maxCu\":null}}", true, before);
	assert_refused(before, "{\"compute\":{\"minCu\":null}}", true, "minCu");
}

static void
what_neon_does_not_have_is_refused(void **state)
{
	static const struct {
		const char *body, *names;
	} cases[] = {
		{ "{\"compute\":{\"minCu\":0}}", "minCu" },
		{ "{\"compute\":{\"minCu\":0.3}}", "minCu" },
		{ "{\"compute\":{\"minCu\":57}}", "minCu" },
		{ "{\"compute\":{\"minCu\":\"1\"}}", "minCu" },
		{ "{\"compute\":{\"minCu\":0.25,\"maxCu\":8.5}}", "maxCu" },
		{ "{\"compute\":{\"minCu\":2,\"maxCu\":1}}", "maxCu" },
		{ "{\"compute\":{\"suspendTimeout\":59}}", "suspendTimeout" },
		{ "{\"compute\":{\"suspendTimeout\":604801}}", "suspendTimeout" },
		{ "{\"compute\":{\"suspendTimeout\":-2}}", "suspendTimeout" },
		{ "{\"compute\":{\"suspendTimeout\":60.5}}", "suspendTimeout" },
		{ "{\"quotas\":{\"activeTimeSeconds\":-1}}", "activeTimeSeconds" },
		{ "{\"quotas\":{\"minCu\":1}}", "quotas.minCu" },
		{ "{\"compute\":{\"cores\":1}}", "compute.cores" },
		{ "{\"compute\":[]}", "compute" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_refused("{}", cases[i].body, false, cases[i].names);
	assert_refused("{\"minCu\":4.0}", "{\"compute\":{\"maxCu\":3}}", true, "maxCu");
}

static void
assert_put(void (*put)(struct buf *, const json_t *), const char *wished, const char *want)
{
	json_t *o = object_of(wished);
	struct buf b;

	buf_init(&b, NEON_SETTINGS_SIZE);
	put(&b, o);
	assert_string_equal(b.data != NULL ? b.data : "", want);
	buf_free(&b);
	json_decref(o);
}

static void
put_project(struct buf *b, const json_t *o)
{
	neon_settings_put_patch(b, o, NEON_PROJECT);
}

static void
put_endpoint(struct buf *b, const json_t *o)
{
	neon_settings_put_patch(b, o, NEON_ENDPOINT);
}

static void
neon_is_asked_by_its_own_names(void **state)
{
	const char *all = "{\"minCu\":0.25,\"maxCu\":2.0,\"suspendTimeout\":300,"
			  "\"logicalSizeBytes\":9007199254740992}";

	(void)state;
	assert_put(put_endpoint, all,
	    "{\"endpoint\":{\"autoscaling_limit_min_cu\":0.25,\"autoscaling_limit_max_cu\":2,"
	    "\"suspend_timeout_seconds\":300}}");
	assert_put(put_project, all,
	    "{\"project\":{\"settings\":{\"quota\":{\"logical_size_bytes\":9007199254740992}}}}");
	assert_put(neon_settings_put_creation, all,
	    ",\"default_endpoint_settings\":{\"autoscaling_limit_min_cu\":0.25,"
	    "\"autoscaling_limit_max_cu\":2,\"suspend_timeout_seconds\":300},\"settings\":{"
	    "\"quota\":"
	    "{\"logical_size_bytes\":9007199254740992}}");
	assert_put(neon_settings_put_creation, "{}", "");
}

static void
parts_differ_and_are_copied_by_themselves(void **state)
{
	json_t *wished = object_of("{\"minCu\":1.0,\"activeTimeSeconds\":5}");
	json_t *applied = object_of("{\"minCu\":1}");

	(void)state;
	assert_false(neon_settings_differ(wished, applied, NEON_ENDPOINT));
	assert_true(neon_settings_differ(wished, applied, NEON_PROJECT));
	neon_settings_copy(applied, wished, NEON_PROJECT);
	assert_false(neon_settings_differ(wished, applied, NEON_PROJECT));
	json_object_del(wished, "minCu");
	assert_true(neon_settings_differ(wished, applied, NEON_ENDPOINT));
	json_decref(wished);
	json_decref(applied);
}

/* What was not set before is Neon's default again, where it has one. */
static void
the_way_back_takes_quotas_away(void **state)
{
	json_t *before = object_of("{\"maxCu\":2.0}");
	json_t *applied = object_of("{\"maxCu\":4.0,\"minCu\":1.0,\"activeTimeSeconds\":5}");
	json_t *want = object_of("{\"maxCu\":2.0,\"minCu\":1.0,\"activeTimeSeconds\":0}");

	(void)state;
	neon_settings_go_back(before, applied);
	assert_true(json_equal(before, want));
	json_decref(before);
	json_decref(applied);
	json_decref(want);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(members_become_what_is_wished),
		cmocka_unit_test(null_takes_away_what_neon_has_a_default_for),
		cmocka_unit_test(what_neon_does_not_have_is_refused),
		cmocka_unit_test(neon_is_asked_by_its_own_names),
		cmocka_unit_test(parts_differ_and_are_copied_by_themselves),
		cmocka_unit_test(the_way_back_takes_quotas_away),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
