/* SPDX-License-Identifier: MIT */
/*
 * test_plan: a tenant's own value goes before its plan's, and that before [tenantgate]'s; what is
 * no value changes nothing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "tenantgate/base/language.h"
#include "tenantgate/base/log.h"
#include "tenantgate/plan.h"

static const struct plan free_plan = {
	.name = "free",
	.documents_max = 3,
	.bytes_max = 1000,
	.document_max = 10u << 20,
	.question_max = 500,
	.requests_per_minute = 10,
	.pool_size = 2,
	.top_k = 2,
	.chunk_size = 1000,
	.chunk_overlap = 100,
	.temperature = 0,
	.system_prompt = "Be kind.",
};

static struct plan *
resolved(const char *settings)
{
	return plan_resolve(&free_plan, slice_str(settings), "acme");
}

static void
what_says_nothing_is_the_plan_itself(void **state)
{
	static const char *const texts[] = { "", "{}", "{ }", "null", "[]", "3", "{",
		"{\"top_k\":null}", "{\"no_such\":1}",
		"{\"max_documents\":3,\"max_documents\":4}" };

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		assert_null(resolved(texts[i]));
}

static void
own_values_go_before_the_plans(void **state)
{
	struct plan *p =
	    resolved("{\"max_documents\":7,\"max_bytes\":5000000000,\"max_question\":0,"
		     "\"temperature\":0.5,\"rerank\":true,\"text_language\":\"german\","
		     "\"system_prompt\":\"Be brief.\","
		     "\"models_allowed\":\"a, b/c\",\"no_such\":[1]}");

	(void)state;
	assert_non_null(p);
	assert_int_equal(p->documents_max, 7);
	assert_true(p->bytes_max == 5000000000);
	assert_int_equal(p->question_max, 0);
	assert_true(p->temperature == 0.5);
	assert_int_equal(p->rerank, 1);
	assert_int_equal(p->text_language, LANGUAGE_german);
	assert_string_equal(p->system_prompt, "Be brief.");
	assert_string_equal(p->models_allowed, "a, b/c");
	assert_int_equal(p->requests_per_minute, 10); /* the plan's */
	assert_int_equal(p->chunk_overlap, 100);
	assert_int_equal(p->of_tenant,
	    1 << PLAN_MAX_DOCUMENTS | 1 << PLAN_MAX_BYTES | 1 << PLAN_MAX_QUESTION |
		1 << PLAN_TEXT_LANGUAGE | 1 << PLAN_TEMPERATURE | 1 << PLAN_RERANK |
		1 << PLAN_SYSTEM_PROMPT | 1 << PLAN_MODELS_ALLOWED);
	free(p);
}

/* Each by itself: the member beside it holds. */
static void
a_value_of_the_wrong_kind_is_passed_over(void **state)
{
	static const char *const wrong[] = { "\"max_documents\":\"7\"", "\"max_documents\":-1",
		"\"max_documents\":1.5", "\"max_documents\":9223372036854775807",
		"\"max_documents\":true", "\"top_k\":0", "\"top_k\":101", "\"max_question\":[]",
		"\"pool_size\":0", "\"chunk_size\":49", "\"chunk_overlap\":2000",
		"\"temperature\":2.01", "\"temperature\":\"1\"", "\"temperature\":-0.1",
		"\"system_prompt\":7", "\"rerank\":1", "\"rerank\":\"on\"", "\"text_language\":7",
		"\"text_language\":\"klingon\"", "\"text_language\":\"\"",
		"\"models_allowed\":[\"a\"]", "\"MAX_DOCUMENTS\":4" };
	char text[128];

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct plan *p, expected = free_plan;

		snprintf(text, sizeof(text), "{%s,\"max_bytes\":7}", wrong[i]);
		p = resolved(text);
		assert_non_null(p);
		expected.bytes_max = 7;
		expected.of_tenant = 1 << PLAN_MAX_BYTES;
		expected.system_prompt = p->system_prompt;
		assert_memory_equal(p, &expected, sizeof(expected));
		assert_string_equal(p->system_prompt, "Be kind.");
		free(p);
	}
}

static void
a_prompt_may_have_4_kib(void **state)
{
	char text[PLAN_PROMPT_MAX + 64];
	size_t n = (size_t)snprintf(text, sizeof(text), "{\"system_prompt\":\"");
	struct plan *p;

	(void)state;
	memset(text + n, 'x', PLAN_PROMPT_MAX + 1);
	memcpy(text + n + PLAN_PROMPT_MAX, "\"}", 3);
	p = resolved(text);
	assert_int_equal(strlen(p->system_prompt), PLAN_PROMPT_MAX);
	free(p);
	memcpy(text + n + PLAN_PROMPT_MAX, "x\"}", 4);
	assert_null(resolved(text));
}

static void
a_plan_is_found_by_its_name(void **state)
{
	const struct plans plans = { .standard = &plan_standard, .items = &free_plan, .count = 1 };

	(void)state;
	assert_ptr_equal(plan_of_name(&plans, "", "acme"), &plan_standard);
	assert_ptr_equal(plan_of_name(&plans, "free", "acme"), &free_plan);
	assert_ptr_equal(plan_of_name(&plans, "Free", "acme"), &plan_standard);
	assert_ptr_equal(plan_of_name(&plans, "gold", "acme"), &plan_standard);
}

static void
a_key_is_where_its_value_is_from(void **state)
{
	char key[PLAN_KEY_SIZE];
	struct plan compared = free_plan, *p;

	(void)state;
	plan_compare(&compared, &plan_standard);
	p = plan_resolve(&compared, SLICE_LIT("{\"max_bytes\":7}"), "acme");
	assert_string_equal(plan_key(p, PLAN_MAX_BYTES, key), "max_bytes of the tenant's settings");
	assert_string_equal(plan_key(p, PLAN_MAX_DOCUMENTS, key), "max_documents of [plan free]");
	assert_string_equal(plan_key(p, PLAN_CHUNK_SIZE, key), "chunk_size of [tenantgate]");
	assert_string_equal(plan_key(&plan_standard, PLAN_REQUESTS_PER_MINUTE, key),
	    "rate_limit_requests_per_minute of [tenantgate]");
	free(p);
}

/* Whether all would be taken; else *detail names what would not. */
static bool
checked(const char *settings, struct err *err)
{
	json_t *o = json_loads(settings, 0, NULL);
	bool fine;

	*err = (struct err){ 0 };
	assert_non_null(o);
	fine = plan_settings_check(&plan_standard, o, err);
	json_decref(o);
	return fine;
}

static void
settings_are_checked_before_they_are_written(void **state)
{
	static const struct {
		const char *settings, *names;
	} refused[] = {
		{ "{\"top_k\":5,\"rerank\":1}", "\"rerank\"" },
		{ "{\"top_k\":101}", "1 to 100" },
		{ "{\"top_k\":\"5\"}", "\"top_k\"" },
		{ "{\"top\":5}", "\"top\"" },
		{ "{\"temperature\":3}", "0 to 2" },
		{ "{\"text_language\":\"klingon\"}", "text_language" },
		{ "{\"chunk_size\":100,\"chunk_overlap\":100}", "less than chunk_size" },
		{ "{\"chunk_size\":150}", "less than chunk_size" },
	};
	struct err err;

	(void)state;
	assert_true(checked("{}", &err));
	assert_true(checked("{\"top_k\":100,\"rerank\":true,\"temperature\":0.5,\"max_bytes\":0,"
			    "\"chunk_size\":150,\"chunk_overlap\":149,\"system_prompt\":null}",
	    &err));
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		if (checked(refused[i].settings, &err))
			fail_msg("%s is taken", refused[i].settings);
		assert_int_equal(err.code, ERR_INVALID_FIELD);
		if (strstr(err.detail, refused[i].names) == NULL)
			fail_msg("%s: \"%s\"", refused[i].settings, err.detail);
	}
}

static void
a_copy_has_texts_of_its_own(void **state)
{
	struct arena *arena = arena_new(4096);
	struct plan *p = resolved("{\"system_prompt\":\"Be brief.\"}");
	const struct plan *copy = plan_copy(p, arena);

	(void)state;
	free(p);
	assert_string_equal(copy->system_prompt, "Be brief.");
	assert_null(copy->models_allowed);
	assert_int_equal(copy->documents_max, 3);
	arena_free(arena);
}

static void
a_temperature_is_a_plain_number(void **state)
{
	double t;

	(void)state;
	assert_true(plan_temperature_read("0.25", &t) && t == 0.25);
	assert_true(plan_temperature_read("2", &t) && t == 2);
	assert_true(plan_temperature_read("", &t) && t == -1);
	assert_true(plan_temperature_read(NULL, &t) && t == -1);
	assert_false(plan_temperature_read("2.1", &t));
	assert_false(plan_temperature_read("-1", &t));
	assert_false(plan_temperature_read("1e0", &t));
	assert_false(plan_temperature_read("1.2.3", &t));
	assert_false(plan_temperature_read("warm", &t));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_says_nothing_is_the_plan_itself),
		cmocka_unit_test(own_values_go_before_the_plans),
		cmocka_unit_test(a_value_of_the_wrong_kind_is_passed_over),
		cmocka_unit_test(a_prompt_may_have_4_kib),
		cmocka_unit_test(a_plan_is_found_by_its_name),
		cmocka_unit_test(a_key_is_where_its_value_is_from),
		cmocka_unit_test(settings_are_checked_before_they_are_written),
		cmocka_unit_test(a_copy_has_texts_of_its_own),
		cmocka_unit_test(a_temperature_is_a_plain_number),
	};

	log_level(LOG_EMERG);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
