/* SPDX-License-Identifier: MIT */
/*
 * A reload: of keys that only a start applies what runs is kept, and both kinds of changes are
 * marked.
 */
#include "conf_fixture.h"

static struct conf running;

/* What runs, and what the file says then. */
static void
reloaded(const char *before, const char *after)
{
	conf_free(&running);
	fine(before);
	running = conf;
	conf = (struct conf){ 0 };
	fine(after);
	conf_keep_running(&conf, &running);
}

static const struct admin_setting *
setting(const char *section, const char *key)
{
	const struct admin_setting *s = conf_setting(&conf, section, key);

	assert_non_null(s);
	return s;
}

/* Of all settings: how many are changed, and how many wait. */
static void
marked(unsigned changed, unsigned waiting)
{
	unsigned has_changed = 0, waits = 0;

	for (unsigned i = 0; i < conf.setting_count; i++) {
		has_changed += conf.settings[i].is_changed;
		waits += conf.settings[i].in_file != NULL;
	}
	assert_int_equal(has_changed, changed);
	assert_int_equal(waits, waiting);
}

static void
the_same_file_changes_nothing(void **state)
{
	(void)state;
	reloaded(GOOD "[plan free]\ntop_k = 2\n[model m]\nurl = http://m/v1\n",
	    GOOD "[plan free]\ntop_k = 2\n[model m]\nurl = http://m/v1\n");
	marked(0, 0);
}

static void
what_needs_a_restart_stays_and_is_named(void **state)
{
	(void)state;
	reloaded(GOOD "workers = 2\nenvironment = a\nredis_url = redis://:one@h\n",
	    GOOD "workers = 3\nenvironment = b\nredis_url = redis://:two@h\ntop_k = 9\n");
	assert_int_equal(conf.workers, 2);
	assert_string_equal(conf.tenants.environment, "a");
	assert_string_equal(conf.redis.url, "redis://:one@h");
	assert_int_equal(conf.api.top_k, 9);
	assert_string_equal(setting("tenantgate", "workers")->value, "2");
	assert_string_equal(setting("tenantgate", "workers")->in_file, "3");
	/* By its password alone: it is named, and the password is not shown. */
	assert_string_equal(setting("tenantgate", "redis_url")->in_file, "\"redis://:(secret)@h\"");
	assert_true(setting("tenantgate", "top_k")->is_changed);
	marked(1, 3);
}

static void
a_secret_that_changes_is_marked_without_being_shown(void **state)
{
	(void)state;
	reloaded(GOOD "model_api_key = one\n", GOOD "model_api_key = two\n");
	assert_true(setting("tenantgate", "model_api_key")->is_changed);
	assert_string_equal(setting("tenantgate", "model_api_key")->value, "\"(secret)\"");
	assert_string_equal(conf.model.api_key, "two");
	marked(1, 0);
}

static void
sections_are_compared_by_their_names(void **state)
{
	(void)state;
	reloaded(GOOD "[plan a]\ntop_k = 2\n[plan b]\ntop_k = 3\n",
	    GOOD "[plan b]\ntop_k = 3\n[plan a]\ntop_k = 5\n");
	assert_true(setting("plan a", "top_k")->is_changed);
	assert_false(setting("plan b", "top_k")->is_changed);
	marked(1, 0);
	reloaded(GOOD, GOOD "[model m]\nurl = http://m/v1\n");
	assert_true(setting("model m", "url")->is_changed);
	assert_null(setting("model m", "url")->in_file);
}

static int
tear_down_running(void **state)
{
	conf_free(&running);
	return tear_down(state);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_same_file_changes_nothing),
		cmocka_unit_test(what_needs_a_restart_stays_and_is_named),
		cmocka_unit_test(a_secret_that_changes_is_marked_without_being_shown),
		cmocka_unit_test(sections_are_compared_by_their_names),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down_running);
}
