/* SPDX-License-Identifier: MIT */
/*
 * The configuration file: every type of value, and every refusal with its file and line. The
 * functions of other modules that loading calls are in fake_conf_init.c.
 */
#include "conf_fixture.h"

static void
absent_keys_have_their_defaults(void **state)
{
	(void)state;
	fine(GOOD);
	assert_string_equal(conf.http.listen_addr, "127.0.0.1");
	assert_int_equal(conf.http.listen_port, 8080);
	assert_int_equal(conf.api.document_max, 64 << 20);
	assert_int_equal(conf.api.chunk_size, 1000);
	assert_int_equal(conf.api.chunk_overlap, 200);
	assert_int_equal(conf.redis.timeout_us, 100000);
	assert_string_equal(conf.redis.url, "");
	assert_null(conf.model.api_key);
	assert_true(conf.tenants.lazy);
	assert_int_equal(conf.tenants.provider, PROVIDER_NEON);
	assert_int_equal(conf.redis_failure_mode, LIMIT_LOCAL);
	assert_int_equal(conf.log_level, LOG_NOTICE);
	assert_non_null(strstr(conf.api.extract.program, "/tenantgate-extract"));
}

static void
every_type_is_read(void **state)
{
	(void)state;
	fine(GOOD "listen_addr = *\n"
		  "listen_port = 65535\n"
		  "  max_document_size=32MiB  \r\n"
		  "# a comment\n"
		  "; another\n"
		  "\n"
		  "redis_timeout = 250 ms\n"
		  "drain_delay = 0\n"
		  "tenant_redis_ttl = 2d\n"
		  "access_log = no\n"
		  "log_level = debug\n"
		  "provisioning = explicit\n"
		  "redis_failure_mode = closed\n"
		  "chat_model = a model = b\n"
		  "model_url = http://127.0.0.1:1/v1/\n"
		  "server_header =\n"
		  "model_api_key = sk-1");
	assert_string_equal(conf.http.listen_addr, "*");
	assert_int_equal(conf.http.listen_port, 65535);
	assert_int_equal(conf.api.document_max, 32 << 20);
	assert_int_equal(conf.redis.timeout_us, 250000);
	assert_int_equal(conf.drain_delay_us, 0);
	assert_int_equal(conf.tenants.redis_ttl_us, 2 * 86400000000ull);
	assert_false(conf.api.access_log);
	assert_int_equal(conf.log_level, LOG_DEBUG);
	assert_false(conf.tenants.lazy);
	assert_int_equal(conf.redis_failure_mode, LIMIT_CLOSED);
	assert_string_equal(conf.model.chat_model, "a model = b");
	assert_string_equal(conf.model.base_url, "http://127.0.0.1:1/v1");
	assert_null(conf.http.server_name);
	assert_string_equal(conf.model.api_key, "sk-1");
}

static void
wrong_numbers_are_refused(void **state)
{
	(void)state;
	refused(GOOD "listen_port = 70000\n",
	    "5: listen_port takes a number from 0 to 65535, not \"70000\".");
	refused(GOOD "listen_port = 80x\n",
	    "5: listen_port takes a number from 0 to 65535, not \"80x\".");
	refused(GOOD "listen_port = -1\n",
	    "5: listen_port takes a number from 0 to 65535, not \"-1\".");
	refused(GOOD "top_k =\n", "5: top_k takes a number from 1 to 100, not \"\".");
	refused(GOOD "listen_port = 99999999999999999999999\n",
	    "5: listen_port takes a number from 0 to 65535, not \"99999999999999999999999\".");
	refused(GOOD "max_chat_body = 1000\n",
	    "5: max_chat_body takes a size (B, KiB, MiB, GiB) from 1KiB to 1GiB, not \"1000\".");
	refused(GOOD "max_chat_body = 99999999999999GiB\n",
	    "5: max_chat_body takes a size (B, KiB, MiB, GiB) from 1KiB to 1GiB, not "
	    "\"99999999999999GiB\".");
	refused(GOOD "redis_timeout = 5 sec\n",
	    "5: redis_timeout takes a time (us, ms, s, m, h, d) from 1ms to 1m, not \"5 sec\".");
	refused(GOOD "redis_timeout = 0\n",
	    "5: redis_timeout takes a time (us, ms, s, m, h, d) from 1ms to 1m, not \"0\".");
	refused(GOOD "drain_delay = 2h\n",
	    "5: drain_delay takes a time (us, ms, s, m, h, d) from 0 to 1h, not \"2h\".");
}

static void
urls_are_read_and_malformed_ones_refused(void **state)
{
	static const char *const malformed[] = { "neon_api_url = http://:80",
		"model_url = http:///v1", "model_url = https://u:hunter2@/v1",
		"model_url = http://h:port", "model_url = http://u:hunter2%@h",
		"model_url = http://u:hunter2%00@h", "model_url = http://[::1/v1",
		"redis_url = redis://:hunter2@", "redis_url = redis://:hunter2%zz@h" };
	char text[512];

	(void)state;
	for (size_t i = 0; i < sizeof(malformed) / sizeof(malformed[0]); i++) {
		snprintf(text, sizeof(text), GOOD "%s\n", malformed[i]);
		assert_false(load(text));
		assert_non_null(strstr(errors.data, "_url: The URL is malformed: write SCHEME"));
		assert_null(strstr(errors.data, "hunter2"));
	}
	fine(GOOD "model_url = HTTPS://u:p%40@[::1]:8443/v1//\nredis_url = redis://:a/b@c@h/1\n");
	assert_string_equal(conf.model.base_url, "HTTPS://u:p%40@[::1]:8443/v1");
	assert_string_equal(conf.redis.url, "redis://:a/b@c@h/1");
}

static void
wrong_words_and_urls_are_refused(void **state)
{
	(void)state;
	refused(GOOD "access_log = maybe\n", "5: access_log must be on or off, not \"maybe\".");
	refused(GOOD "redis_failure_mode = openn\n",
	    "5: redis_failure_mode must be local, open or closed, not \"openn\".");
	refused(GOOD "redis_url = http://x\n",
	    "5: redis_url must be a URL that starts with redis://.");
	refused(GOOD "redis_url = redis://a b\n",
	    "5: redis_url holds a blank or a control character; percent-encode it (a blank is "
	    "%20).");
	refused(GOOD "neon_api_url = api.neon.tech\n",
	    "5: neon_api_url must be a URL that starts with http://.");
	refused(GOOD "chat_model =\n", "5: chat_model must not be empty.");
	refused(GOOD "neon_sslmode = yes\n",
	    "5: neon_sslmode must be disable, prefer, require, verify-ca or verify-full.");
}

static void
wrong_lines_are_refused(void **state)
{
	(void)state;
	refused(GOOD "listn_port = 1\n",
	    "5: Unknown key \"listn_port\"; did you mean \"listen_port\"?");
	refused(GOOD "flavour_of_the_day = 1\n",
	    "5: Unknown key \"flavour_of_the_day\"; `tenantgate --help` lists all of them.");
	refused(GOOD "hello\n", "5: This line is neither a comment nor `key = value`.");
	refused(GOOD "[pgbouncer]\n",
	    "5: Unknown section [pgbouncer]; there are [tenantgate], [model NAME], "
	    "[plan NAME] and [issuer NAME].");
	refused(GOOD "[tenantgate\n", "5: The line of a section ends in ].");
	refused("listen_port = 1\n" GOOD,
	    "1: listen_port stands before any section; begin the file with [tenantgate].");
	refused(GOOD "%include\n", "5: Write `%include FILE`.");
	refused(GOOD "\x1b[31m = 1\n",
	    "5: Unknown key \"?[31m\"; `tenantgate --help` lists all of them.");
}

static void
a_duplicate_is_refused(void **state)
{
	char want[512];

	(void)state;
	assert_false(load(GOOD "top_k = 2\n\ntop_k = 3\n"));
	snprintf(want, sizeof(want), "%s:7: top_k is set twice; it was first set at %s:5.\n", path,
	    path);
	assert_string_equal(errors.data, want);
}

static void
every_error_is_reported(void **state)
{
	(void)state;
	assert_false(load("[tenantgate]\ntop_k = x\nnonsense\nlisten_prt = 1\n"));
	assert_non_null(strstr(errors.data, ":2: top_k takes"));
	assert_non_null(strstr(errors.data, ":3: This line is neither"));
	assert_non_null(strstr(errors.data, ":4: Unknown key \"listen_prt\""));
	assert_non_null(strstr(errors.data, "t.conf: catalog_url must be set.\n"));
	assert_non_null(strstr(errors.data, "t.conf: seal_keys must be set.\n"));
	assert_non_null(
	    strstr(errors.data, "t.conf: neon_api_key must be set when provider = neon.\n"));
}

static void
keys_that_contradict_are_refused(void **state)
{
	(void)state;
	refused(GOOD "chunk_size = 100\nchunk_overlap = 100\n",
	    "6: chunk_overlap must be less than chunk_size.");
	refused(GOOD "provider = postgres\n",
	    " postgres_admin_url must be set when provider = postgres.");
	refused("[tenantgate]\ncatalog_url = postgresql://u@h/tg\nseal_keys = 123\nneon_api_key = "
		"k\n",
	    "3: seal_keys takes 64 hexadecimal digits a key, a comma between keys; `openssl rand "
	    "-hex 32` makes one.");
	refused("[tenantgate]\nseal_keys = " HEX64 "\nneon_api_key = k\n"
		"catalog_url = postgresql://malformed\n",
	    "4: catalog_url: The URL is malformed.");
}

static void
what_a_start_would_refuse_is_refused_with_its_line(void **state)
{
	char text[512];

	(void)state;
	snprintf(text, sizeof(text), GOOD "environment = %0100d\n", 1);
	fine(text);
	snprintf(text, sizeof(text), GOOD "environment = %0101d\n", 1);
	refused(text, "5: environment must be 100 bytes at most.");
	fine(GOOD "dns_nameserver = [::1]:5353\n");
	refused(GOOD "dns_nameserver = ns.example\n",
	    "5: dns_nameserver must be an address, with a port or without: 127.0.0.1:53.");
	fine(GOOD "redis_url = redis://:p@h/1\n");
	assert_false(load(GOOD "redis_url = redis://h/one\n"));
	assert_non_null(strstr(errors.data, ":5: redis_url: "));
}

static void
an_older_name_is_read_and_told(void **state)
{
	(void)state;
	fine(GOOD "max_document_text = 1MiB\n");
	assert_null(conf.advice);
	fine(GOOD "extract_max_text = 2MiB\n");
	assert_int_equal(conf.api.extract.text_max, 2 << 20);
	assert_string_equal(conf.advice,
	    "Line 5: extract_max_text is called max_document_text now; write that.");
	fine(GOOD "extract_max_text = 2MiB\nmax_document_text = 3MiB\n");
	assert_int_equal(conf.api.extract.text_max, 3 << 20);
	assert_non_null(conf.advice);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(absent_keys_have_their_defaults),
		cmocka_unit_test(every_type_is_read),
		cmocka_unit_test(wrong_numbers_are_refused),
		cmocka_unit_test(wrong_words_and_urls_are_refused),
		cmocka_unit_test(urls_are_read_and_malformed_ones_refused),
		cmocka_unit_test(wrong_lines_are_refused),
		cmocka_unit_test(a_duplicate_is_refused),
		cmocka_unit_test(every_error_is_reported),
		cmocka_unit_test(keys_that_contradict_are_refused),
		cmocka_unit_test(what_a_start_would_refuse_is_refused_with_its_line),
		cmocka_unit_test(an_older_name_is_read_and_told),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
