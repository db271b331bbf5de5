/* SPDX-License-Identifier: MIT */
/*
 * The sections that have a name: what one of them fills, what it takes from [tenantgate], and each
 * refusal.
 */
#include "conf_fixture.h"

#define URL "url = http://a/v1\n"

static void
a_section_fills_an_item_of_its_own(void **state)
{
	const struct model_server_conf *s;

	(void)state;
	setenv("TG_TEST_KEY", "sk-env", 1);
	fine(GOOD "[model azure]\nurl = https://r.example/openai/?a=b/\napi_key = ${TG_TEST_KEY}\n"
		  "api_key_header = api-key\nheaders = {\"X-Title\": \"Docs\"}\n"
		  "deployments = on\napi_version = 2024-10-21\nretries = 5\n"
		  "max_tokens_field = max_completion_tokens\n"
		  "[model Near-by_2.0]\n" URL);
	assert_int_equal(conf.model.server_count, 2);
	assert_ptr_equal(conf.model.servers, conf.model_servers);
	s = &conf.model.servers[0];
	assert_string_equal(s->name, "azure");
	assert_string_equal(s->url, "https://r.example/openai/?a=b/");
	assert_string_equal(s->api_key, "sk-env");
	assert_string_equal(s->api_key_header, "api-key");
	assert_string_equal(s->headers, "{\"X-Title\": \"Docs\"}");
	assert_true(s->deployments);
	assert_string_equal(s->api_version, "2024-10-21");
	assert_int_equal(s->retries, 5);
	assert_int_equal(s->length_field, MODEL_LENGTH_MAX_COMPLETION_TOKENS);
	s = &conf.model.servers[1];
	assert_string_equal(s->name, "Near-by_2.0");
	assert_string_equal(s->url, "http://a/v1");
	assert_string_equal(s->api_key_header, "Authorization");
	assert_null(s->api_key);
	assert_null(s->headers);
	assert_false(s->deployments);
}

/* Whichever comes first in the file. */
static void
what_is_not_set_is_as_in_tenantgate(void **state)
{
	const struct model_server_conf *s = conf.model_servers;

	(void)state;
	fine("[model a]\n" URL "idle_timeout = 7s\n" GOOD
	     "model_retries = 9\nmodel_idle_timeout = 3s\nmodel_first_byte_timeout = 4s\n"
	     "embedding_batch_items = 10\nembedding_batch_size = 2KiB\nanswer_tokens = 77\n"
	     "model_send_user = on\n");
	assert_int_equal(s->retries, 9);
	assert_int_equal(s->idle_timeout_us, 7000000);
	assert_int_equal(s->first_byte_timeout_us, 4000000);
	assert_int_equal(s->connect_timeout_us, 5000000);
	assert_int_equal(s->batch_items_max, 10);
	assert_int_equal(s->batch_bytes_max, 2048);
	assert_int_equal(s->answer_tokens, 77);
	assert_true(s->send_user);
}

static void
tenantgate_may_go_on_after_a_section(void **state)
{
	(void)state;
	fine(GOOD "[model a]\n" URL "[tenantgate]\ntop_k = 9\n");
	assert_int_equal(conf.api.top_k, 9);
	put_file("more.conf", "[model b]\n" URL, 0600);
	fine(GOOD "[model a]\n" URL "%include more.conf\nretries = 4\n");
	assert_int_equal(conf.model.server_count, 2);
	assert_int_equal(conf.model.servers[0].retries, 4);
	assert_int_equal(conf.model.servers[1].retries, 2);
}

static void
wrong_sections_are_refused(void **state)
{
	(void)state;
	refused(GOOD "[modle a]\n" URL, "5: Unknown section [modle a]; did you mean [model NAME]?");
	refused(GOOD "[tenantgte]\ntop_k = 9\n",
	    "5: Unknown section [tenantgte]; did you mean [tenantgate]?");
	refused(GOOD "[listeners]\nurl = 1\n",
	    "5: Unknown section [listeners]; there are [tenantgate], [model NAME], "
	    "[plan NAME] and [issuer NAME].");
	refused(GOOD "[issuer a]\naudience = us\n", "5: issuer must be set.");
	refused(GOOD "[issuer a]\nissuer = i\nalgorithms = malformed\n",
	    "7: algorithms: The list is malformed.");
	refused(GOOD "[issuer a]\nissuer = i\njwks_url = ftp://h/\n",
	    "7: jwks_url must be a URL that starts with http://.");
	refused(GOOD "[tenantgate x]\ntop_k = 9\n",
	    "5: Section [tenantgate] takes no name; write it without.");
	refused(GOOD "[model]\n" URL,
	    "5: Write [model NAME], with a name of 1 to 32 letters, digits, '-', '_' and '.'.");
	refused(GOOD "[model a/b]\n" URL,
	    "5: Write [model NAME], with a name of 1 to 32 letters, digits, '-', '_' and '.'.");
	refused(GOOD "[model a b]\n" URL,
	    "5: Write [model NAME], with a name of 1 to 32 letters, digits, '-', '_' and '.'.");
	refused(GOOD "[model default]\n" URL,
	    "5: The name of [model default] is reserved; choose another.");
	assert_false(load(GOOD "[model a]\n" URL "[model a]\n" URL));
	assert_non_null(strstr(errors.data,
	    "t.conf:7: Section [model a] is there twice; it was first opened at "));
	assert_non_null(strstr(errors.data, "t.conf:5.\n"));
}

static void
there_is_a_limit(void **state)
{
	static char text[4096];

	(void)state;
	snprintf(text, sizeof(text), "%s", GOOD);
	for (int i = 0; i <= MODEL_SERVERS_MAX; i++) {
		if (i == MODEL_SERVERS_MAX)
			fine(text);
		snprintf(text + strlen(text), 64, "[model m%d]\n" URL, i);
	}
	refused(text, "37: There are more than 16 sections [model NAME]; remove one.");
}

static void
keys_of_a_section_are_its_own(void **state)
{
	(void)state;
	refused(GOOD "[model a]\n" URL "api_kee = 1\n",
	    "7: Unknown key \"api_kee\"; did you mean \"api_key\"?");
	refused(GOOD "[model a]\n" URL "top_k = 1\n",
	    "7: top_k is no key of [model NAME]; it belongs to [tenantgate].");
	refused(GOOD "[model a]\n", "5: url must be set.");
	refused(GOOD "[model a]\nurl = nonsense\n",
	    "6: url must be a URL that starts with http://.");
	refused(GOOD "[model a]\n" URL "retries = 99\n",
	    "7: retries takes a number from 0 to 10, not \"99\".");
	refused(GOOD "[model a]\n" URL "headers = malformed\n",
	    "7: headers: The fields are malformed.");
	assert_false(load(GOOD "[model a]\n" URL "retries = 1\nretries = 2\n"));
	assert_non_null(strstr(errors.data, "t.conf:8: retries is set twice; it was first set at"));
	fine(GOOD "[model a]\n" URL "retries = 1\n[model b]\n" URL "retries = 3\n");
	assert_int_equal(conf.model.servers[1].retries, 3);
}

static void
a_secret_of_a_section_is_kept(void **state)
{
	static const char text[] =
	    "[tenantgate]\nseal_keys = ${TG_TEST_HEX}\n"
	    "neon_api_key = ${TG_TEST_HEX}\ncatalog_url = postgresql://u@h/d\n"
	    "[model a]\n" URL;
	char with[512];

	(void)state;
	setenv("TG_TEST_HEX", HEX64, 1);
	assert_true(load_mode(text, 0644));
	snprintf(with, sizeof(with), "%sapi_key = sk-1\n", text);
	assert_false(load_mode(with, 0644));
	assert_non_null(strstr(errors.data, ":7: api_key is a secret and others may read"));
	snprintf(with, sizeof(with), "%sheaders = {\"X-Key\":\"sk-1\"}\n", text);
	assert_false(load_mode(with, 0644));
	assert_non_null(strstr(errors.data, ":7: headers is a secret and others may read"));
	assert_null(strstr(errors.data, "sk-1"));
}

static char *
printed_text(void (*print)(FILE *))
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	assert_non_null(f);
	print(f);
	fclose(f);
	return text;
}

/* The sample's section, with its comment signs taken off, is one that loads: with the defaults that
 * hold when it is not there. */
static void
the_sample_section_loads(void **state)
{
	char *sample = printed_text(conf_print_sample), *help = printed_text(conf_print_keys);
	const char *at = strstr(sample, "#[model NAME]\n");
	static char text[16384];

	(void)state;
	assert_non_null(strstr(help, "\n[model NAME]: "));
	snprintf(text, sizeof(text), "%s", GOOD);
	for (assert_non_null(at); at != NULL; at = strchr(at, '\n') ? strchr(at, '\n') + 1 : NULL)
		if (at[0] == '#' && at[1] != ' ')
			snprintf(text + strlen(text), sizeof(text) - strlen(text), "%.*s\n",
			    (int)strcspn(at + 1, "\n"), at + 1);
	setenv("MODEL_URL", "http://h/v1", 1);
	setenv("ISSUER", "https://i.example", 1);
	fine(text);
	assert_string_equal(conf.model.servers[0].name, "NAME");
	assert_int_equal(conf.model.servers[0].retries, conf.model.retries);
	assert_int_equal(conf.model.servers[0].batch_bytes_max, conf.model.batch_bytes_max);
	for (unsigned i = 0; i < conf_model_keys_count; i++)
		assert_non_null(strstr(help, conf_model_keys[i].name));
	free(sample);
	free(help);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_section_fills_an_item_of_its_own),
		cmocka_unit_test(what_is_not_set_is_as_in_tenantgate),
		cmocka_unit_test(tenantgate_may_go_on_after_a_section),
		cmocka_unit_test(wrong_sections_are_refused),
		cmocka_unit_test(there_is_a_limit),
		cmocka_unit_test(keys_of_a_section_are_its_own),
		cmocka_unit_test(a_secret_of_a_section_is_kept),
		cmocka_unit_test(the_sample_section_loads),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
