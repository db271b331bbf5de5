/* SPDX-License-Identifier: MIT */
/*
 * test_preflight_extractor: a program that is asked whether it reads documents: one that does not
 * start, does not end, or says why it cannot.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "preflight_extractor.h"

static char folder[] = "preflight-XXXXXX";

static const char *
program_of(const char *script)
{
	static char path[sizeof(folder) + 16];
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s/program", folder);
	f = fopen(path, "we");
	assert_non_null(f);
	fprintf(f, "#!/bin/sh\n%s\n", script);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(chmod(path, 0700), 0);
	return path;
}

static void
what_it_says_is_told(void **state)
{
	struct buf why;

	(void)state;
	buf_init(&why, 4096);
	assert_true(preflight_extractor(program_of("exit 1"), 60000, &why));
	assert_false(
	    preflight_extractor(program_of("echo no reader >&2; echo more; exit 65"), 60000, &why));
	assert_int_equal(why.len, strlen("no reader"));
	assert_memory_equal(why.data, "no reader", why.len);
	assert_false(preflight_extractor("/nonexistent/program", 60000, &why));
	buf_free(&why);
}

/* With what it has started, which holds its output. */
static void
one_that_does_not_end_is_ended(void **state)
{
	static const char *const endless[] = { "sleep 600 & sleep 600", "while :; do echo x; done",
		"trap '' TERM; exec sleep 600" };
	struct buf why;

	(void)state;
	buf_init(&why, 4096);
	for (size_t i = 0; i < sizeof(endless) / sizeof(endless[0]); i++) {
		assert_false(preflight_extractor(program_of(endless[i]), 100, &why));
		assert_string_equal(why.data, "it does not end");
	}
	buf_free(&why);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_it_says_is_told),
		cmocka_unit_test(one_that_does_not_end_is_ended),
	};
	int failed;

	if (mkdtemp(folder) == NULL)
		return 1;
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	(void)unlink(program_of(""));
	(void)rmdir(folder);
	return failed;
}
