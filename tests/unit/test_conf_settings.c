/* SPDX-License-Identifier: MIT */
/*
 * The configuration as an operator may see it: values, origins, and URLs without their secrets.
 */
#include "conf_fixture.h"

static void
shown(const char *url, const char *want, bool is_secret)
{
	struct buf b;

	buf_init(&b, 1024);
	assert_int_equal(conf_conceal_url(&b, slice_str(url)), is_secret);
	buf_putc(&b, '\0');
	assert_string_equal(b.data, want);
	buf_free(&b);
}

static void
urls_lose_their_passwords(void **state)
{
	(void)state;
	shown("postgresql://app@h/db", "postgresql://app@h/db", false);
	shown("postgresql://app:pw@h:5432/db", "postgresql://app:(secret)@h:5432/db", true);
	shown("postgresql://app:p@w@h/db", "postgresql://app:(secret)@h/db", true);
	shown("postgresql://app:12/3@h/db", "postgresql://app:(secret)@h/db", true);
	shown("postgresql://app:p?w@h/db", "postgresql://(secret)", true);
	shown("redis://:pw@h:6379/0", "redis://:(secret)@h:6379/0", true);
	shown("redis://h:6379", "redis://h:6379", false);
	shown("https://token@h:8443/v1", "https://(secret)@h:8443/v1", true);
	shown("app:pw@h", "(secret)", true);
	shown("", "", false);
}

static void
parameters_are_shown_when_known_to_be_harmless(void **state)
{
	(void)state;
	shown("postgresql://h/db?sslmode=require&connect_timeout=3",
	    "postgresql://h/db?sslmode=require&connect_timeout=3", false);
	shown("postgresql://h/db?sslmode=require&password=pw",
	    "postgresql://h/db?sslmode=require&password=(secret)", true);
	shown("postgresql://h/db?p%61ssword=pw", "postgresql://h/db?p%61ssword=(secret)", true);
	shown("https://h/v1?api-version=7&key=k", "https://h/v1?api-version=7&key=(secret)", true);
	shown("https://h/v1?k", "https://h/v1?(secret)", true);
	shown("https://h/v1?key=ab@cd", "https://(secret)", true);
	shown("https://h/v1#k", "https://h/v1#(secret)", true);
	shown("https://h/v1?", "https://h/v1?", false);
}

static void
in_force(const char *section, const char *key, const char *value, const char *unit,
    const char *origin)
{
	const struct admin_setting *s = conf_setting(&conf, section, key);
	char full[256];

	assert_non_null(s);
	assert_string_equal(s->value, value);
	assert_string_equal(unit, s->unit == NULL ? "" : s->unit);
	snprintf(full, sizeof(full), "%s%s", *origin == ':' ? path : "", origin);
	assert_string_equal(s->origin, full);
}

static void
each_type_is_shown(void **state)
{
	(void)state;
	fine(GOOD "listen_port = 81\nredis_timeout = 1500us\nmax_chat_body = 2KiB\n"
		  "access_log = off\nlog_level = error\nenvironment = a\"b\n");
	in_force("tenantgate", "listen_port", "81", "", ":5");
	in_force("tenantgate", "redis_timeout", "0.0015", "seconds", ":6");
	in_force("tenantgate", "max_chat_body", "2048", "bytes", ":7");
	in_force("tenantgate", "access_log", "false", "", ":8");
	in_force("tenantgate", "log_level", "\"error\"", "", ":9");
	in_force("tenantgate", "environment", "\"a\\\"b\"", "", ":10");
	in_force("tenantgate", "provisioning", "\"lazy\"", "", "default");
	in_force("tenantgate", "chat_timeout", "600", "seconds", "default");
	in_force("tenantgate", "neon_org_id", "null", "", "default");
	in_force("tenantgate", "seal_keys", "\"(secret)\"", "", ":3");
	in_force("tenantgate", "extract_program", "\"/installed/tenantgate-extract\"", "",
	    "default");
	assert_true(conf_setting(&conf, "tenantgate", "seal_keys")->is_secret);
	assert_null(conf_setting(&conf, "tenantgate", "no_such_key"));
	assert_null(conf_setting(&conf, "plan free", "top_k"));
}

static void
origins_follow_the_value(void **state)
{
	(void)state;
	setenv("TG_TEST_TOP_K", "9", 1);
	unsetenv("TG_TEST_NONE");
	fine(GOOD "top_k = ${TG_TEST_TOP_K:-3}\nmax_waiting = ${TG_TEST_NONE:-5}\n"
		  "extract_max_text = 2KiB\n[plan free]\nchunk_size = 500\n");
	in_force("tenantgate", "top_k", "9", "", "environment");
	assert_true(strstr(conf_setting(&conf, "tenantgate", "top_k")->place, ":5") != NULL);
	in_force("tenantgate", "max_waiting", "5", "", ":6");
	in_force("tenantgate", "max_document_text", "2048", "bytes", ":7");
	assert_null(conf_setting(&conf, "tenantgate", "extract_max_text"));
	in_force("plan free", "top_k", "9", "", "environment");
	in_force("plan free", "chunk_size", "500", "", ":9");
	in_force("plan free", "pool_size", "20", "", "default");
	fine(GOOD "max_document_text = 3KiB\nextract_max_text = 2KiB\n");
	in_force("tenantgate", "max_document_text", "2048", "bytes", ":6");
	fine(GOOD "extract_max_text = 2KiB\nmax_document_text = 3KiB\n");
	in_force("tenantgate", "max_document_text", "3072", "bytes", ":6");
	put_file("more.conf", "[tenantgate]\nextract_max_text = 2KiB\n", 0600);
	fine(GOOD "top_k = 3\nmax_document_text = 3KiB\n%include more.conf\n");
	assert_string_equal(conf_setting(&conf, "tenantgate", "max_document_text")->value, "2048");
	assert_non_null(
	    strstr(conf_setting(&conf, "tenantgate", "max_document_text")->origin, "/more.conf:2"));
}

static void
a_refused_value_is_none(void **state)
{
	(void)state;
	assert_false(load(GOOD "listen_port = many\n[plan !]\ntop_k = 1\n"));
	assert_null(conf_setting(&conf, "tenantgate", "listen_port")->value);
	in_force("tenantgate", "admin_listen_port", "0", "", "default");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(urls_lose_their_passwords),
		cmocka_unit_test(parameters_are_shown_when_known_to_be_harmless),
		cmocka_unit_test(each_type_is_shown),
		cmocka_unit_test(origins_follow_the_value),
		cmocka_unit_test(a_refused_value_is_none),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
