/* SPDX-License-Identifier: MIT */
/*
 * The servers of models: which settings are refused, what URLs and header lines become of them,
 * and which model a name means.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "model/model_choice.h"
#include "model/model_url.h"

static const struct model_server_conf plain = {
	.name = "a",
	.url = "https://a.example/v1",
	.api_key_header = "Authorization",
};

static void
joined(const char *base, const char *query, const char *want)
{
	char *url = model_url_join(base, "/embeddings", query);

	assert_string_equal(url, want);
	free(url);
}

static void
a_path_goes_before_the_query(void **state)
{
	(void)state;
	joined("http://h/v1", NULL, "http://h/v1/embeddings");
	joined("http://h", NULL, "http://h/embeddings");
	joined("http://h/v1//", NULL, "http://h/v1/embeddings");
	joined("http://h/v1/?key=a/b/", NULL, "http://h/v1/embeddings?key=a/b/");
	joined("http://h?k=v", NULL, "http://h/embeddings?k=v");
	joined("http://h/v1?k=v", "api-version=1", "http://h/v1/embeddings?k=v&api-version=1");
	joined("http://h/v1?", "api-version=1", "http://h/v1/embeddings?api-version=1");
	joined("http://h/v1?", NULL, "http://h/v1/embeddings");
}

static void
azure(const char *base, bool deployments, const char *version, const char *want)
{
	struct model_server_conf c = plain;
	char *url;

	c.url = base;
	c.deployments = deployments;
	c.api_version = version;
	url = model_url_of(&c, "/chat/completions", "my model/1");
	assert_string_equal(url, want);
	free(url);
}

static void
azure_has_two_forms_of_url(void **state)
{
	(void)state;
	azure("https://r.openai.azure.com", true, "2024-10-21",
	    "https://r.openai.azure.com/openai/deployments/my%20model%2F1/chat/completions"
	    "?api-version=2024-10-21");
	azure("https://r.openai.azure.com/openai/", true, "a&b",
	    "https://r.openai.azure.com/openai/deployments/my%20model%2F1/chat/completions"
	    "?api-version=a%26b");
	azure("https://r.openai.azure.com/openai/v1", false, "preview",
	    "https://r.openai.azure.com/openai/v1/chat/completions?api-version=preview");
	azure("https://r.openai.azure.com/openai/v1/", false, NULL,
	    "https://r.openai.azure.com/openai/v1/chat/completions");
}

static void
invalid(struct model_server_conf c, const char *want_key, const char *want)
{
	const char *key;
	struct err err = { 0 };

	if (model_server_conf_valid(&c, &key, &err))
		fail_msg("%s was taken", want_key);
	assert_string_equal(key, want_key);
	if (strstr(err.detail, want) == NULL)
		fail_msg("\"%s\" says nothing of \"%s\"", err.detail, want);
}

static void
settings_are_checked(void **state)
{
	static const char *const own[] = { "{\"Host\":\"x\"}", "{\"content-type\":\"x\"}",
		"{\"User-Agent\":\"x\"}", "{\"traceparent\":\"x\"}", "{\"AUTHORIZATION\":\"x\"}" };
	struct model_server_conf c = plain;
	const char *key;
	struct err err = { 0 };

	(void)state;
	c.api_key = "k";
	assert_true(model_server_conf_valid(&c, &key, &err));
	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++) {
		c.headers = own[i];
		invalid(c, "headers", "is tenantgate's own; remove it.");
	}
	c.headers = "{\"A\":\"1\",\"B\":\"1\",\"C\":\"1\",\"D\":\"1\",\"E\":\"1\",\"F\":\"1\","
		    "\"G\":\"1\",\"H\":\"1\"}";
	invalid(c, "headers", "too many fields");
	c.headers = "{\"X Y\":\"1\"}";
	invalid(c, "headers", "no name of a header field");
	c.headers = "{\"X\":\"a\\nEvil: b\"}";
	invalid(c, "headers", "a string in one line");
	c.headers = "{\"X\":\"\"}";
	invalid(c, "headers", "a string in one line");
	c.headers = "{\"X\":1}";
	invalid(c, "headers", "a string in one line");
	c.headers = "X: 1";
	invalid(c, "headers", "JSON");
	c.headers = NULL;
	c.extra_body = "{\"top_p\":1,\"messages\":[]}";
	invalid(c, "extra_body", "\"messages\" is tenantgate's own");
	c.extra_body = "[]";
	invalid(c, "extra_body", "object");
	c.extra_body = NULL;
	c.embedding_extra_body = "{\"input\":\"\"}";
	invalid(c, "embedding_extra_body", "\"input\"");
	c.embedding_extra_body = NULL;
	c.deployments = true;
	invalid(c, "api_version", "deployments = on");
	c.url = "http://h/v1#top";
	invalid(c, "url", "no fragment");
}

static void
lines_carry_key_and_fields(void **state)
{
	char *lines[SERVER_HEADERS_MAX + 1] = { NULL };
	struct model_server_conf c = plain;

	(void)state;
	c.api_key = "k1";
	c.headers = "{\"X-Title\":\"Docs\"}";
	model_server_fields(&c, lines);
	assert_string_equal(lines[0], "Authorization: Bearer k1");
	assert_string_equal(lines[1], "X-Title: Docs");
	assert_null(lines[2]);
	free(lines[0]);
	free(lines[1]);
	c.api_key_header = "api-key";
	c.headers = NULL;
	model_server_fields(&c, lines);
	assert_string_equal(lines[0], "api-key: k1");
	free(lines[0]);
}

static void
extra_members_are_a_piece_of_json(void **state)
{
	char *temperature, *extra;

	(void)state;
	extra = model_server_extra("{\"a\":{\"b\":[1,\"x\"]},\"temperature\":1}", &temperature);
	assert_string_equal(extra, ",\"a\":{\"b\":[1,\"x\"]}");
	assert_string_equal(temperature, ",\"temperature\":1");
	free(extra);
	free(temperature);
	assert_null(model_server_extra("{}", &temperature));
	assert_null(temperature);
	assert_null(model_server_extra(NULL, &temperature));
}

/* ---- which model a name means ---- */

static const struct model_server_conf named[] = {
	{ .name = "east", .url = "http://e/v1", .api_key_header = "Authorization" },
	{ .name = "west",
	    .url = "http://w",
	    .api_key_header = "api-key",
	    .deployments = true,
	    .api_version = "1" },
};

static struct model_conf
conf_of(const char *chat, const char *allowed)
{
	struct model_conf c;

	model_conf_init(&c);
	c.base_url = "http://d/v1";
	c.chat_model = chat;
	c.models_allowed = allowed;
	c.servers = named;
	c.server_count = 2;
	return c;
}

static void
means(const struct model_servers *all, const char *name, const char *server, const char *url)
{
	const struct model_choice *c = model_choice_find(all, name);

	if (c == NULL)
		fail_msg("%s is not found", name);
	assert_string_equal(c->server->conf.name, server);
	assert_string_equal(c->url, url);
}

/* Of a model that made vectors before. NULL: it is not known where it is asked. */
static void
former_is(struct model_servers *all, const struct model_conf *conf, const char *name,
    const char *url)
{
	struct model_choice former = { 0 };

	assert_int_equal(model_choice_open_former(all, conf, name, &former), url != NULL);
	if (url != NULL)
		assert_string_equal(former.url, url);
	model_choice_close(&former);
}

static void
a_server_is_named_before_the_first_slash(void **state)
{
	struct model_conf conf =
	    conf_of("west/big , meta/llama-3, east/org/small", "east/big,tiny");
	struct model_servers *all;
	struct err err = { 0 };
	const char *key;

	(void)state;
	conf.embedding_model = "east/vectors";
	conf.rerank_model = "east/judge";
	assert_true(model_conf_valid(&conf, &key, &err));
	all = model_servers_new(&conf, NULL, NULL);
	assert_int_equal(all->chat_choice_count, 3);
	assert_int_equal(all->choice_count, 5);
	assert_string_equal(all->choices[0].model, "big");
	assert_string_equal(all->choices[1].model, "meta/llama-3");
	assert_string_equal(all->choices[2].model, "org/small");
	assert_string_equal(all->embedding_choice.url, "http://e/v1/embeddings");
	means(all, "west/big", "west",
	    "http://w/openai/deployments/big/chat/completions?api-version=1");
	means(all, "east/big", "east", "http://e/v1/chat/completions");
	means(all, "big", "west", "http://w/openai/deployments/big/chat/completions?api-version=1");
	means(all, "meta/llama-3", "default", "http://d/v1/chat/completions");
	means(all, "org/small", "east", "http://e/v1/chat/completions");
	assert_null(model_choice_find(all, "east/tiny"));
	assert_null(model_choice_find(all, "gpt-9"));
	assert_null(model_choice_find(all, ""));
	model_choice_refuse(all, &err);
	assert_non_null(
	    strstr(err.detail, "west/big, meta/llama-3, east/org/small, east/big, tiny."));
	former_is(all, &conf, "east/old", "http://e/v1/embeddings");
	former_is(all, &conf, "old", "http://d/v1/embeddings");
	former_is(all, &conf, "gone/old", NULL);
	former_is(all, &conf, "east/", NULL);
	former_is(all, &conf, "", NULL);
	former_is(all, &conf, "west/..", NULL);
	former_is(all, &conf, ".", NULL);
	assert_string_equal(all->rerank_choice.url, "http://e/v1/rerank");
	assert_string_equal(all->rerank_choice.model, "judge");
	refs_give(&all->refs);
}

static void
lists_are_checked(void **state)
{
	static const char *const bad[] = { "", "a,", ",a", "a,,b", "east/" };
	struct model_conf conf;
	struct err err = { 0 };
	const char *key;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		conf = conf_of(bad[i], NULL);
		if (model_conf_valid(&conf, &key, &err))
			fail_msg("\"%s\" was taken", bad[i]);
		assert_string_equal(key, "chat_model");
		conf = conf_of("a", bad[i]);
		assert_false(model_conf_valid(&conf, &key, &err));
		assert_string_equal(key, "models_allowed");
	}
	conf = conf_of("East/big", NULL);
	assert_false(model_conf_valid(&conf, &key, &err));
	assert_string_equal(key, "chat_model");
	conf = conf_of("a", NULL);
	conf.embedding_model = "a, b";
	assert_false(model_conf_valid(&conf, &key, &err));
	assert_string_equal(key, "embedding_model");
	conf = conf_of("a", NULL);
	conf.base_url = "http://h/#x";
	assert_false(model_conf_valid(&conf, &key, &err));
	assert_string_equal(key, "model_url");
}

/* A list that is too long for a sentence ends in dots, and fits. */
static void
a_long_list_is_cut(void **state)
{
	char list[2048] = "first";
	struct model_servers *all;
	struct model_conf conf = conf_of(list, NULL);
	struct err err = { 0 };

	(void)state;
	for (unsigned i = 0; i < 40; i++)
		snprintf(list + strlen(list), 40, ", a-model-with-a-long-name-%u", i);
	all = model_servers_new(&conf, NULL, NULL);
	model_choice_refuse(all, &err);
	assert_non_null(strstr(err.detail, ": first, a-model-with-a-long-name-0, "));
	assert_non_null(strstr(err.detail, ", ...."));
	refs_give(&all->refs);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_path_goes_before_the_query),
		cmocka_unit_test(azure_has_two_forms_of_url),
		cmocka_unit_test(settings_are_checked),
		cmocka_unit_test(lines_carry_key_and_fields),
		cmocka_unit_test(extra_members_are_a_piece_of_json),
		cmocka_unit_test(a_server_is_named_before_the_first_slash),
		cmocka_unit_test(lists_are_checked),
		cmocka_unit_test(a_long_list_is_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
