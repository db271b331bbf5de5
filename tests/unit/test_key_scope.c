/* SPDX-License-Identifier: MIT */
/*
 * test_key_scope: which names a list of scopes may have, and what it means.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tenantgate/auth/key_scope.h"

#define CHAT   SCOPE_BIT(SCOPE_CHAT)
#define SEARCH SCOPE_BIT(SCOPE_SEARCH)

static void
names_are_read_by_commas_and_blanks(void **state)
{
	static const struct {
		const char *list;
		unsigned scopes;
	} good[] = {
		{ "chat", CHAT },
		{ "chat,search", CHAT | SEARCH },
		{ " search , chat\t", CHAT | SEARCH },
		{ "chat,chat", CHAT },
		{ ",chat,,", CHAT },
		{ "ingest chat search documents sql v1 mcp", SCOPES_NAMED },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		struct err err = { 0 };
		unsigned scopes = ~0u;

		assert_true(key_scopes_parse(slice_str(good[i].list), &scopes, &err));
		assert_int_equal(scopes, good[i].scopes);
		assert_int_equal(key_scopes_known(slice_str(good[i].list)), good[i].scopes);
	}
}

/* Nor does a list without a name mean everything. */
static void
what_is_no_name_is_refused(void **state)
{
	static const char *const bad[] = { "", " ", ",", "chats", "Chat", "chat,all", "*",
		"chat;search", "chat,tenant", "v2" };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct err err = { 0 };
		unsigned scopes;

		assert_false(key_scopes_parse(slice_str(bad[i]), &scopes, &err));
		assert_int_equal(err.code, ERR_INVALID_FIELD);
		assert_non_null(strstr(err.detail, "documents, sql, v1, mcp"));
	}
}

/* A later build's names in a row: the key has the others, or nothing; never everything. */
static void
unknown_names_of_a_row_count_for_nothing(void **state)
{
	(void)state;
	assert_int_equal(key_scopes_known(SLICE_LIT("chat,telepathy")), CHAT);
	assert_int_equal(key_scopes_known(SLICE_LIT("telepathy")), 0);
	assert_int_equal(key_scopes_known(SLICE_LIT("-")), 0);
	assert_int_equal(key_scopes_known(SLICE_LIT("")), 0);
}

static void
scopes_are_printed_by_name(void **state)
{
	char out[KEY_SCOPES_SIZE];

	(void)state;
	key_scopes_print(CHAT | SEARCH, " or ", out);
	assert_string_equal(out, "chat or search");
	key_scopes_print(SCOPES_NAMED, ",", out);
	assert_string_equal(out, "ingest,chat,search,documents,sql,v1,mcp");
	key_scopes_print(0, ",", out);
	assert_string_equal(out, "");
	key_scopes_print(SCOPES_UNLIMITED, ",", out);
	assert_string_equal(out, "");
	assert_int_equal(SCOPES_NAMED & SCOPE_WHOLE_KEY, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_read_by_commas_and_blanks),
		cmocka_unit_test(what_is_no_name_is_refused),
		cmocka_unit_test(unknown_names_of_a_row_count_for_nothing),
		cmocka_unit_test(scopes_are_printed_by_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
