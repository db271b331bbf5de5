/* SPDX-License-Identifier: MIT */
/*
 * test_json_memory: whichever allocation fails while a text is read, it is read, or refused for
 * want of memory, or the process ends with a line that says so; never is memory read or written
 * that is not the reader's.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "tenantgate/base/json.h"

static unsigned calls, fail_from, fail_count; /* fail_count of them, from the fail_from-th on */

static void *
failing_malloc(size_t n)
{
	calls++;
	return calls >= fail_from && calls - fail_from < fail_count ? NULL : malloc(n);
}

static const char *const texts[] = {
	"{\"text\":\"a string that is longer than the first buffer of a token, and then some\"}",
	"[1234567890123456, -1.5e10, 12345678901234.12345678901234e-10, true, false, null]",
	"{\"a\":{\"b\":[\"\\u00e9\\ud83d\\ude00\",\"\\n\"],\"c\":{}},\"d\":[[],[[]]]}",
	"{\"one\":1,\"two\":2,\"three\":3,\"four\":4,\"five\":5,\"six\":6,\"seven\":7,\"eight\":8,"
	"\"nine\":9,\"ten\":10}",
};

/* How many allocations it takes when none fails. */
static unsigned
read_counting(const char *text)
{
	struct err err = { .code = ERR_NONE };
	json_t *value;

	calls = 0;
	fail_count = 0;
	value = json_read(slice_str(text), &err);
	assert_non_null(value);
	json_decref(value);
	return calls;
}

static void
read_failing(const char *text, unsigned from, unsigned count)
{
	struct err err = { .code = ERR_NONE };
	json_t *value;

	calls = 0;
	fail_from = from;
	fail_count = count;
	value = json_read(slice_str(text), &err);
	fail_count = 0;
	if (value == NULL)
		assert_int_equal(err.code, ERR_OVERLOADED);
	else
		assert_int_equal(err.code, ERR_NONE);
	json_decref(value);
}

static void
one_allocation_may_fail(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		unsigned all = read_counting(texts[i]);

		assert_true(all > 5);
		for (unsigned from = 1; from <= all; from++)
			read_failing(texts[i], from, 1);
	}
}

/* In a process of its own, for that may end by abort(), and by nothing else. */
static void
all_from_one_on_may_fail(void **state)
{
	unsigned refused = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		unsigned all = read_counting(texts[i]);

		for (unsigned from = 1; from <= all; from++) {
			pid_t child = fork();
			int status = 0;

			if (child == 0) {
				signal(SIGABRT, SIG_DFL);
				read_failing(texts[i], from, 100000);
				_exit(0);
			}
			assert_int_equal(waitpid(child, &status, 0), child);
			if (WIFSIGNALED(status))
				assert_int_equal(WTERMSIG(status), SIGABRT);
			else
				assert_int_equal(WEXITSTATUS(status), 0);
			refused += !WIFSIGNALED(status);
		}
	}
	assert_true(refused > 0);
}

/* Before the first text is read, which finds this malloc() in its place. */
static int
set_up_group(void **state)
{
	(void)state;
	json_set_alloc_funcs(failing_malloc, free);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_allocation_may_fail),
		cmocka_unit_test(all_from_one_on_may_fail),
	};

	return cmocka_run_group_tests(tests, set_up_group, NULL);
}
