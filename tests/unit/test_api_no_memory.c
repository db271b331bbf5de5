/* SPDX-License-Identifier: MIT */
/*
 * test_api_no_memory: a body that there is no memory for is not called malformed or too large: the
 * client may come again with it.
 */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "alloc_limit.h"
#include "api/chat_body.h"
#include "tenantgate/base/json.h"

/* Below the ceiling, but there is no memory for a message's copy: the client may come again. */
static void
messages_without_memory_are_overload(void **state)
{
	static const struct api_conf conf = { .top_k = 4 };
	const size_t len = ALLOC_LIMIT * 2 / 5;
	struct arena *arena = arena_new(8 * ALLOC_LIMIT);
	json_t *parts = json_array(), *root;
	struct chat_input ask = { 0 };
	struct err err = { 0 };
	char *text;

	(void)state;
	NEEDS_ALLOC_LIMIT();
	text = malloc(len);
	memset(text, 'a', len);
	for (size_t i = 0; i < 3; i++)
		json_array_append_new(parts,
		    json_pack("{s:s,s:s%}", "type", "text", "text", text, len));
	root = json_pack("{s:[{s:s,s:o}]}", "messages", "role", "user", "parts", parts);
	assert_non_null(root);
	assert_false(chat_body_read(root, &conf, arena, &ask, &err));
	assert_int_equal(err.code, ERR_OVERLOADED);
	assert_non_null(strstr(err.detail, "Try again"));
	json_decref(root);
	free(text);
	arena_free(arena);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(messages_without_memory_are_overload),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
