/* SPDX-License-Identifier: MIT */
/*
 * test_alloc: what small memory is, and how a process ends that gets none: aborted, after one line
 * of the log that says how much was wanted.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "alloc_limit.h"
#include "tenantgate/base/alloc.h"
#include "tenantgate/base/arena.h"
#include "tenantgate/base/json.h"

static void
small_memory_is_given(void **state)
{
	static const char zeros[64];
	char *zeroed = xcalloc(4, 16), *plain = xmalloc(5), *text = xstrdup("text");

	(void)state;
	assert_memory_equal(zeroed, zeros, sizeof(zeros));
	memcpy(plain, "plain", 5);
	assert_string_equal(text, "text");
	free(zeroed);
	free(plain);
	free(text);
}

static volatile size_t too_much = 3 * ALLOC_LIMIT;

static void
want_array(void)
{
	free(xcalloc(too_much / 16, 16));
}

static void
want_product_that_wraps(void)
{
	free(xcalloc(SIZE_MAX / 4, too_much));
}

static void
want_bytes(void)
{
	free(xmalloc(too_much));
}

static void
want_first_of_arena(void)
{
	arena_free(arena_first(arena_new(SIZE_MAX), too_much));
}

/* The log of a child process that does this, which must abort it. */
static void
dies(void (*want)(void), char *output, size_t size)
{
	const struct rlimit no_core = { 0, 0 };
	int ends[2], status;
	size_t used = 0;
	ssize_t n;
	pid_t child;

	assert_int_equal(pipe(ends), 0);
	child = fork();
	if (child == 0) {
		dup2(ends[1], STDERR_FILENO);
		setrlimit(RLIMIT_CORE, &no_core);
		signal(SIGABRT, SIG_DFL);
		want();
		_exit(0);
	}
	close(ends[1]);
	while ((n = read(ends[0], output + used, size - 1 - used)) > 0)
		used += (size_t)n;
	output[used] = '\0';
	close(ends[0]);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGABRT);
}

static void
expect_line(char *output, const char *size)
{
	char *line = strstr(output, "{\"time\"");
	struct err err = { 0 };
	json_t *o;

	assert_non_null(line);
	assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
	o = json_read_object(slice_of(line, strlen(line) - 1), &err);
	assert_non_null(o);
	assert_string_equal(json_string_value(json_object_get(o, "event")), "memory");
	assert_string_equal(json_string_value(json_object_get(o, "level")), "critical");
	assert_non_null(strstr(json_string_value(json_object_get(o, "message")), size));
	json_decref(o);
}

static void
without_memory_it_aborts_with_a_line(void **state)
{
	static const struct {
		void (*want)(void);
		const char *size;
	} rows[] = {
		{ want_array, " 3145728 bytes" },
		{ want_product_that_wraps, " 18446744073709551615 bytes" },
		{ want_bytes, " 3145728 bytes" },
		{ want_first_of_arena, " 3145728 bytes" },
	};
	static char output[65536];

	(void)state;
	NEEDS_ALLOC_LIMIT();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		dies(rows[i].want, output, sizeof(output));
		expect_line(output, rows[i].size);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(small_memory_is_given),
		cmocka_unit_test(without_memory_it_aborts_with_a_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
