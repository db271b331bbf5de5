/* SPDX-License-Identifier: MIT */
/*
 * test_ctl_request: what a command line becomes: which command, path, query and body; and how
 * values are shown.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ctl/ctl.h"

#define WORDS_MAX 16

/* A line by blanks, split in place. */
static int
split(char *line, char **words)
{
	int count = 0;

	for (char *p = line; *p != '\0';) {
		size_t n = strcspn(p, " ");

		words[count++] = p;
		p += n;
		if (*p == ' ')
			*p++ = '\0';
	}
	return count;
}

static bool
make(struct ctl_request *r, const char *text, bool is_dry_run, struct err *err)
{
	struct ctl_options options = { .is_dry_run = is_dry_run };
	const struct ctl_command *c;
	char line[512], *words[WORDS_MAX];
	int count, used;

	(void)snprintf(line, sizeof(line), "%s", text);
	count = split(line, words);
	c = ctl_command_find(words, count, &used);
	assert_non_null(c);
	*r = (struct ctl_request){ 0 };
	return ctl_request_make(r, c, &options, words + used, count - used, err);
}

static void
requests_are_made(void **state)
{
	static const struct {
		const char *line, *path, *body; /* body NULL: none */
	} cases[] = {
		{ "tenant show acme", "/admin/tenants/acme", NULL },
		{ "tenant show a@b:c", "/admin/tenants/a%40b%3Ac", NULL },
		{ "tenant show ../keys?x", "/admin/tenants/..%2Fkeys%3Fx", NULL },
		{ "tenant list --failed --prefix=a&b", "/admin/tenants?status=failed&prefix=a%26b",
		    NULL },
		{ "tenant list --prefix --x", "/admin/tenants?prefix=--x", NULL },
		{ "tenant set acme plan=pro settings.burst=5 compute.minCu=0.25 settings.x=null",
		    "/admin/tenants/acme",
		    "{\"compute\":{\"minCu\":0.25},\"plan\":\"pro\",\"settings\":{\"burst\":5,"
		    "\"x\":null}}" },
		{ "tenant set acme name=12:30", "/admin/tenants/acme", "{\"name\":\"12:30\"}" },
		{ "tenant suspend acme --reason unpaid", "/admin/tenants/acme/suspend",
		    "{\"reason\":\"unpaid\"}" },
		{ "tenant delete acme", "/admin/tenants/acme", NULL },
		{ "tenant delete acme --reason left", "/admin/tenants/acme",
		    "{\"reason\":\"left\"}" },
		{ "tenant retry acme", "/admin/tenants/acme/retry", "{}" },
		{ "key create --kind tenant --tenant acme --scopes chat,search", "/admin/keys",
		    "{\"kind\":\"tenant\",\"scopes\":[\"chat\",\"search\"],\"tenant\":\"acme\"}" },
		{ "tenant adopt acme --url postgres://x --take-ownership",
		    "/admin/tenants/acme/adopt?takeOwnership=true", "{\"url\":\"postgres://x\"}" },
		{ "adopt --catalog postgres://x", "/admin/adopt",
		    "{\"catalogUrl\":\"postgres://x\"}" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct ctl_request r;
		struct err err = { 0 };
		char *body;

		if (!make(&r, cases[i].line, false, &err))
			fail_msg("%s: %s", cases[i].line, err.detail);
		assert_string_equal(r.path.data, cases[i].path);
		body = r.body != NULL ? json_dumps(r.body, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
		if (cases[i].body == NULL)
			assert_null(body);
		else
			assert_string_equal(body, cases[i].body);
		free(body);
		ctl_request_free(&r);
	}
}

static void
a_dry_run_is_in_the_query(void **state)
{
	struct ctl_request r;
	struct err err = { 0 };

	(void)state;
	assert_true(make(&r, "tenant delete acme", true, &err));
	assert_string_equal(r.path.data, "/admin/tenants/acme?dryRun=true");
	assert_null(r.body);
	ctl_request_free(&r);
}

static void
what_makes_no_sense_is_told(void **state)
{
	static const struct {
		const char *line, *said;
	} cases[] = {
		{ "tenant show", "wants TENANT" },
		{ "tenant show --prefix", "wants TENANT" },
		{ "tenant show a b", "no further word \"b\"" },
		{ "tenant list --colour red", "no option --colour" },
		{ "tenant list --prefix", "no option --prefix, or it wants a value" },
		{ "tenant set acme plan", "not NAME=VALUE" },
		{ "tenant set acme =x", "not NAME=VALUE" },
		{ "tenant set acme plan=a plan.x=b", "cannot be set" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct ctl_request r;
		struct err err = { 0 };

		assert_false(make(&r, cases[i].line, false, &err));
		if (strstr(err.detail, cases[i].said) == NULL)
			fail_msg("%s: %s", cases[i].line, err.detail);
		ctl_request_free(&r);
	}
}

static void
commands_are_found_by_their_longest_words(void **state)
{
	char *words[] = { "reconcile", "remove", "--remove" };
	int used;

	(void)state;
	assert_string_equal(ctl_command_find(words, 3, &used)->words, "reconcile remove");
	assert_int_equal(used, 2);
	assert_string_equal(ctl_command_find(words, 1, &used)->words, "reconcile");
	assert_null(ctl_command_find(words + 1, 1, &used));
	assert_null(ctl_command_find(words, 0, &used));
}

/* For each command a request can be made with as many words as its path has places. */
static void
each_command_has_its_places(void **state)
{
	(void)state;
	for (const struct ctl_command *c = ctl_commands; c->words != NULL; c++) {
		struct ctl_options options = { 0 };
		struct ctl_request r = { 0 };
		struct err err = { 0 };
		char *words[] = { "x" };
		int places = strstr(c->path, "{}") != NULL ? 1 : 0;

		assert_true(places == 0 || c->arguments[0] != '\0');
		assert_true(ctl_request_make(&r, c, &options, words, places, &err));
		ctl_request_free(&r);
	}
}

static void
value_is_cut_with_a_mark(void)
{
	json_t *list = json_array();
	struct buf b;

	for (unsigned i = 0; i < 200; i++)
		json_array_append_new(list, json_string("0123456789"));
	buf_init(&b, 100);
	ctl_value_text(&b, "ids", list);
	assert_true(b.len <= 100 && b.len > 80);
	assert_string_equal(b.data + b.len - 3, "...");
	buf_free(&b);
	json_decref(list);
}

static void
values_are_for_people(void **state)
{
	static const struct {
		const char *member, *json, *shown;
	} cases[] = {
		{ "bytes", "1536", "1.5 KiB" },
		{ "bytes", "12", "12 B" },
		{ "storedBytes", "3221225472", "3.0 GiB" },
		{ "ageSeconds", "0.0021", "2.1 ms" },
		{ "ageSeconds", "75", "75 s" },
		{ "ageSeconds", "7100", "118 min" },
		{ "count", "1536", "1536" },
		{ "plan", "null", "-" },
		{ "plan", "\"\"", "-" },
		{ "on", "true", "yes" },
		{ "scopes", "[\"a\",\"b\"]", "a, b" },
		{ "scopes", "[]", "-" },
		{ "most", "[{\"tenant\":\"acme\",\"held\":3},{\"tenant\":\"b\",\"held\":1}]",
		    "acme 3, b 1" },
		{ "most", "{}", "-" },
		{ "name", "\"a\\u001b[31mb\\nc\"", "a?[31mb?c" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		json_t *value = json_loads(cases[i].json, JSON_DECODE_ANY, NULL);
		struct buf b;

		buf_init(&b, 1024);
		ctl_value_text(&b, cases[i].member, value);
		assert_string_equal(b.data, cases[i].shown);
		buf_free(&b);
		json_decref(value);
	}
	value_is_cut_with_a_mark();
	assert_int_equal(ctl_width("caf\xc3\xa9"), 4);
	assert_int_equal(ctl_width("\xe6\x97\xa5\xe6\x9c\xac"), 4);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requests_are_made),
		cmocka_unit_test(a_dry_run_is_in_the_query),
		cmocka_unit_test(what_makes_no_sense_is_told),
		cmocka_unit_test(commands_are_found_by_their_longest_words),
		cmocka_unit_test(each_command_has_its_places),
		cmocka_unit_test(values_are_for_people),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
