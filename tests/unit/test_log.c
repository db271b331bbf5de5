/* SPDX-License-Identifier: MIT */
/*
 * test_log: one valid JSON line for one event, whatever the bytes and however many threads.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "tenantgate/base/clock.h"
#include "tenantgate/base/json.h"
#include "tenantgate/base/log.h"

#define LINES_MAX 2000

struct log_fixture {
	char path[64];
	char *text; /* of the file, at log_fixture_read() */
	json_t *lines[LINES_MAX];
	int count;
};

static int
log_fixture_open(void **state)
{
	struct log_fixture *s = calloc(1, sizeof(*s));
	int fd;

	assert_non_null(s);
	snprintf(s->path, sizeof(s->path), "/tmp/tenantgate-test-log.XXXXXX");
	fd = mkstemp(s->path);
	assert_true(fd >= 0);
	close(fd);
	log_level(LOG_INFO);
	assert_true(log_open(s->path));
	*state = s;
	return 0;
}

static int
log_fixture_close(void **state)
{
	struct log_fixture *s = *state;
	int i;

	for (i = 0; i < s->count; i++)
		json_decref(s->lines[i]);
	unlink(s->path);
	free(s->text);
	free(s);
	return 0;
}

/* Reads the file; every line of it must be a JSON object. */
static void
log_fixture_read(struct log_fixture *s)
{
	const size_t max = 1 << 20;
	FILE *f = fopen(s->path, "r");
	char *line, *end;
	size_t n;

	assert_non_null(f);
	s->text = calloc(1, max);
	assert_non_null(s->text);
	n = fread(s->text, 1, max - 1, f);
	fclose(f);
	for (line = s->text; line < s->text + n; line = end + 1) {
		struct err e = { 0 };

		end = memchr(line, '\n', (size_t)(s->text + n - line));
		assert_non_null(end);
		assert_true(s->count < LINES_MAX);
		s->lines[s->count] = json_read_object(slice_of(line, (size_t)(end - line)), &e);
		if (s->lines[s->count] == NULL)
			fail_msg("%s: %s", e.detail, line);
		s->count++;
	}
}

static const char *
field(struct log_fixture *s, int line, const char *name)
{
	assert_true(line < s->count);
	return json_string_value(json_object_get(s->lines[line], name));
}

static void
a_line_has_its_fields(void **state)
{
	struct log_fixture *s = *state;

	errno = EAGAIN;
	log_event(LOG_WARNING, "pool.login_failed", "req-1", "host %s: %d", "db", 5);
	assert_int_equal(errno, EAGAIN);
	log_event(LOG_ERR, "test.no_request", NULL, "alone");
	log_fixture_read(s);
	assert_int_equal(s->count, 2);
	assert_string_equal(field(s, 0, "level"), "warning");
	assert_string_equal(field(s, 0, "event"), "pool.login_failed");
	assert_string_equal(field(s, 0, "request_id"), "req-1");
	assert_string_equal(field(s, 0, "message"), "host db: 5");
	assert_int_equal(strlen(field(s, 0, "time")), strlen("2026-11-23T05:06:07.123Z"));
	assert_string_equal(field(s, 1, "level"), "error");
	assert_null(field(s, 1, "request_id"));
}

static void
hostile_bytes_make_one_valid_line(void **state)
{
	struct log_fixture *s = *state;
	const char *hostile = "x\r\n{\"level\":\"fake\"}\x1b[2J\"\\\xff\xed\xa0\x80\xe2\x80\xa8";

	log_event(LOG_ERR, "test.hostile", hostile, "%s", hostile);
	log_fixture_read(s);
	assert_int_equal(s->count, 1);
	assert_string_equal(field(s, 0, "level"), "error");
	assert_memory_equal(field(s, 0, "message"),
	    "x\r\n{\"level\":\"fake\"}\x1b[2J\"\\\xef\xbf\xbd", 27);
	assert_memory_equal(field(s, 0, "request_id"), "x\r\n{", 4);
	assert_null(strchr(s->text, '\r'));
	assert_null(strchr(s->text, '\x1b'));
}

static void
a_long_message_is_cut_not_lost(void **state)
{
	struct log_fixture *s = *state;
	char *text = malloc(100001);

	assert_non_null(text);
	memset(text, '\x1b', 100000);
	text[100000] = '\0';
	log_event(LOG_ERR, "test.long", text, "%s", text);
	log_fixture_read(s);
	assert_int_equal(s->count, 1);
	assert_true(strlen(field(s, 0, "message")) > 1000);
	free(text);
}

static void
the_level_filters(void **state)
{
	struct log_fixture *s = *state;

	log_event(LOG_DEBUG, "test.level", NULL, "hidden");
	log_level(LOG_DEBUG);
	log_event(LOG_DEBUG, "test.level", NULL, "shown");
	log_level(LOG_ERR);
	log_event(LOG_WARNING, "test.level", NULL, "hidden");
	log_fixture_read(s);
	assert_int_equal(s->count, 1);
	assert_string_equal(field(s, 0, "message"), "shown");
}

static void
repeats_are_counted(void **state)
{
	struct log_fixture *s = *state;
	int i;

	for (i = 0; i < LOG_BURST + 7; i++)
		log_event(LOG_ERR, "test.repeat", NULL, "line %d", i);
	log_event(LOG_WARNING, "test.repeat", NULL, "another level");
	log_event(LOG_ERR, "test.other", NULL, "another event");
	clock_test_advance(1000000);
	log_event(LOG_ERR, "test.repeat", NULL, "after");
	log_event(LOG_ERR, "test.repeat", NULL, "after that");
	log_fixture_read(s);
	assert_int_equal(s->count, LOG_BURST + 4);
	assert_string_equal(field(s, LOG_BURST, "message"), "another level");
	assert_string_equal(field(s, LOG_BURST + 1, "message"), "another event");
	assert_string_equal(field(s, LOG_BURST + 2, "message"), "after");
	assert_int_equal(json_integer_value(
			     json_object_get(s->lines[LOG_BURST + 2], "repeats_hidden")),
	    7);
	assert_null(json_object_get(s->lines[LOG_BURST + 3], "repeats_hidden"));
	assert_null(json_object_get(s->lines[0], "repeats_hidden"));
}

static void
a_renamed_file_is_opened_again(void **state)
{
	struct log_fixture *s = *state;
	char moved[80];

	snprintf(moved, sizeof(moved), "%s.1", s->path);
	log_event(LOG_ERR, "test.rotate", NULL, "old");
	assert_int_equal(rename(s->path, moved), 0);
	log_event(LOG_ERR, "test.rotate", NULL, "old too");
	assert_true(log_open(s->path));
	log_event(LOG_ERR, "test.rotate", NULL, "new");
	assert_false(log_open("/nonexistent/folder/log"));
	log_event(LOG_ERR, "test.rotate", NULL, "new too");
	log_fixture_read(s);
	assert_int_equal(s->count, 2);
	assert_string_equal(field(s, 0, "message"), "new");
	assert_string_equal(field(s, 1, "message"), "new too");
	unlink(moved);
}

static void
a_ready_line_gets_its_newline(void **state)
{
	struct log_fixture *s = *state;
	struct buf b;

	buf_init(&b, 100);
	assert_true(buf_puts(&b, "{\"status\":200}"));
	log_line(&b);
	log_line(&b);
	buf_free(&b);
	log_fixture_read(s);
	assert_int_equal(s->count, 2);
	assert_string_equal(s->text, "{\"status\":200}\n{\"status\":200}\n");
}

/* A child process, for it has its stderr to itself: its log goes to a pipe that nobody reads, then
 * to one that is read again. */
static void
a_full_pipe_is_not_waited_for(void **state)
{
	struct log_fixture *s = *state;
	char block[65536];
	int fds[2], status;
	pid_t pid;

	assert_int_equal(pipe(fds), 0);
	pid = fork();
	if (pid == 0) {
		alarm(20);
		dup2(fds[1], STDERR_FILENO);
		log_begin();
		assert_true(log_open(NULL));
		for (int i = 0; i < 1000; i++)
			log_event(LOG_ERR, "", NULL, "%01000d", i);
		memset(block, 0, sizeof(block));
		while (read(fds[0], block, sizeof(block)) == sizeof(block))
			continue;
		log_event(LOG_ERR, "", NULL, "read again");
		_exit(read(fds[0], block, sizeof(block)) > 0 && block[0] == '{' &&
			    strstr(block, "read again") != NULL
			? 0
			: 1);
	}
	close(fds[0]);
	close(fds[1]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	(void)s;
}

static void *
write_lines(void *arg)
{
	char event[32];
	int i;

	for (i = 0; i < 200; i++) {
		snprintf(event, sizeof(event), "thread.%d.%d", *(int *)arg, i / 10);
		log_event(LOG_ERR, event, NULL, "%0200d", i);
	}
	return NULL;
}

static void
threads_do_not_mix_lines(void **state)
{
	struct log_fixture *s = *state;
	int ids[4] = { 0, 1, 2, 3 }, i;
	pthread_t threads[4];

	for (i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, write_lines, &ids[i]), 0);
	for (i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	log_fixture_read(s);
	assert_int_equal(s->count, 800);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_line_has_its_fields, log_fixture_open,
		    log_fixture_close),
		cmocka_unit_test_setup_teardown(hostile_bytes_make_one_valid_line, log_fixture_open,
		    log_fixture_close),
		cmocka_unit_test_setup_teardown(a_long_message_is_cut_not_lost, log_fixture_open,
		    log_fixture_close),
		cmocka_unit_test_setup_teardown(the_level_filters, log_fixture_open,
		    log_fixture_close),
		cmocka_unit_test_setup_teardown(repeats_are_counted, log_fixture_open,
		    log_fixture_close),
		cmocka_unit_test_setup_teardown(a_renamed_file_is_opened_again, log_fixture_open,
		    log_fixture_close),
		cmocka_unit_test_setup_teardown(a_ready_line_gets_its_newline, log_fixture_open,
		    log_fixture_close),
		cmocka_unit_test_setup_teardown(a_full_pipe_is_not_waited_for, log_fixture_open,
		    log_fixture_close),
		cmocka_unit_test_setup_teardown(threads_do_not_mix_lines, log_fixture_open,
		    log_fixture_close),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
