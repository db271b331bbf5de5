/* SPDX-License-Identifier: MIT */
/*
 * test_extract: real documents, good and bad, through the real extractor on a worker's loop; and
 * what proc.c makes of other programs.
 */
#include <sys/wait.h>

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tenantgate/base/clock.h"
#include "tenantgate/retrieval.h"
#include "tenantgate/wire/proc.h"

struct extract_case {
	struct flow flow;
	struct extract_conf conf;
	const char *mime;
	const char *password;
	struct err why;
	struct slice body;
	const struct spool *file;
	struct extract_out out;
	struct proc_conf proc;
	struct proc_result result;
	struct err err;
	bool ended;
};

static struct worker *worker;
static struct arena *arena;
static struct share_budget *parsers;
static struct extract_case extract_case;

/* Of extract_case and of its copies. */
static enum flow_rc
extract_flow_extract(struct flow *f)
{
	struct extract_case *s = (struct extract_case *)f;
	const struct extract_in in = { .mime = s->mime,
		.body = s->body,
		.password = s->password,
		.is_mapped = s->file != NULL,
		.file = s->file };

	return extract_run(f, &s->conf, parsers, SLICE_LIT("acme"), &in, &s->out, &s->why);
}

static enum flow_rc
extract_flow_read(struct flow *f)
{
	struct extract_case *s = (struct extract_case *)f;
	const struct extract_in in = { .mime = s->mime, .body = s->body };
	struct err err = s->why;

	if (err_is(&err) || !extract_read(&s->conf, &in, f->arena, &s->out, &err))
		return flow_fail_err(f, &err);
	return FLOW_NEXT;
}

static enum flow_rc
extract_flow_run(struct flow *f)
{
	(void)f;
	return proc_run(&extract_case.flow, &extract_case.proc, extract_case.body,
	    &extract_case.result);
}

static void
extract_flow_end(struct flow *f, const struct err *err)
{
	(void)f;
	extract_case.err = *err;
	extract_case.ended = true;
}

static const struct flow_step extract_steps[] = { { "extract", extract_flow_extract },
	{ "read", extract_flow_read }, { NULL, NULL } };
static const struct flow_step run_steps[] = { { "run", extract_flow_run }, { NULL, NULL } };
static const struct flow_kind extract_kind = { "extract", extract_steps, extract_flow_end, NULL };
static const struct flow_kind run_kind = { "run", run_steps, extract_flow_end, NULL };

static void
turn_end(struct flow *f, const struct err *err)
{
	((struct extract_case *)f)->err = *err;
}

static const struct flow_kind turn_kind = { "turn", extract_steps, turn_end, NULL };

static int
set_up(void **state)
{
	(void)state;
	worker = worker_new(0);
	arena = arena_new((size_t)1 << 20);
	memset(&extract_case, 0, sizeof(extract_case));
	extract_conf_init(&extract_case.conf);
	extract_case.conf.program = BUILDDIR "/tenantgate-extract";
	extract_case.conf.timeout_us = 60 * 1000000ull;
	parsers = extract_parsers_open(&extract_case.conf);
	buf_init(&extract_case.result.out, 100000);
	buf_init(&extract_case.result.err, 100);
	return worker == NULL ? -1 : 0;
}

static int
tear_down(void **state)
{
	(void)state;
	extract_free(&extract_case.out);
	extract_free(&extract_case.out);
	buf_free(&extract_case.result.out);
	buf_free(&extract_case.result.err);
	worker_free(worker);
	share_close(parsers);
	arena_free(arena);
	return 0;
}

static void
finish(void)
{
	uint64_t began = clock_mono_us();

	while (!extract_case.ended && clock_mono_us() - began < 120 * 1000000ull)
		worker_turn(worker, 50);
	assert_true(extract_case.ended);
	for (int i = 0; i < 3; i++)
		worker_turn(worker, 1);
}

static enum err_code
extract(const char *mime, struct slice body)
{
	extract_case.mime = mime;
	extract_case.body = body;
	flow_start(&extract_case.flow, &extract_kind, worker, arena);
	finish();
	return extract_case.err.code;
}

/* Borrowed until the next call. */
static struct slice
file(const char *name)
{
	static char bytes[1 << 16];
	char path[4096];
	FILE *f;
	size_t n;

	snprintf(path, sizeof(path), "%s/%s", SRCDIR, name);
	f = fopen(path, "re");
	assert_non_null(f);
	n = fread(bytes, 1, sizeof(bytes), f);
	fclose(f);
	return slice_of(bytes, n);
}

static enum err_code
extract_file(const char *name)
{
	return extract("application/pdf", file(name));
}

#define SAMPLE "contrib/sample/field-guide.pdf"

static void
the_sample_is_extracted(void **state)
{
	(void)state;
	assert_int_equal(extract_file(SAMPLE), ERR_NONE);
	assert_int_equal(extract_case.out.pages_in_all, 6);
	assert_int_equal(extract_case.out.page_count, 6);
	assert_int_equal(extract_case.out.pages[1].number, 2);
	assert_true(slice_starts(extract_case.out.pages[1].text, "The Marigold\n"));
	assert_non_null(strstr(extract_case.out.text.data, "a goat called Admiral"));
}

static void
bad_documents_are_refused(void **state)
{
	static const struct {
		const char *name;
		enum err_code code;
	} files[] = { { "tests/live/pdf/encrypted.pdf", ERR_PDF_ENCRYPTED },
		{ "tests/live/pdf/broken.pdf", ERR_PDF_BROKEN },
		{ "tests/live/pdf/empty.pdf", ERR_DOC_EMPTY },
		{ "tests/live/pdf/no-pages.pdf", ERR_PDF_BROKEN },
		{ "tests/live/pdf/image-only.pdf", ERR_PDF_NO_TEXT },
		{ "contrib/sample/make", ERR_PDF_BROKEN } };

	(void)state;
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		if (extract_file(files[i].name) != files[i].code)
			fail_msg("%s: %s: %s", files[i].name, err_slug(extract_case.err.code),
			    extract_case.err.detail);
		extract_free(&extract_case.out);
		extract_case.ended = false;
	}
}

static void
documents_past_limits_are_refused(void **state)
{
	(void)state;
	extract_case.conf.pages_max = 5;
	assert_int_equal(extract_file(SAMPLE), ERR_DOC_LIMIT);
	extract_free(&extract_case.out);
	extract_case.ended = false;
	extract_case.conf.pages_max = 6;
	extract_case.conf.text_max = 3000;
	assert_int_equal(extract_file(SAMPLE), ERR_DOC_LIMIT);
	extract_free(&extract_case.out);
	extract_case.ended = false;
	extract_case.conf.program = "/nonexistent";
	assert_int_equal(extract_file(SAMPLE), ERR_EXTRACT);
}

static void
check_text(const char *mime, struct slice body, enum err_code code)
{
	assert_int_equal(extract(mime, body), code);
	if (code != ERR_NONE)
		extract_free(&extract_case.out);
	extract_case.ended = false;
}

static void
plain_text_is_taken_as_it_is(void **state)
{
	(void)state;
	check_text("text/plain", SLICE_LIT(""), ERR_DOC_EMPTY);
	check_text("text/plain", SLICE_LIT("\xef\xbb\xbf \n\t"), ERR_DOC_EMPTY);
	check_text("text/plain", SLICE_LIT("\xff\xfe\0\xd8"), ERR_PDF_BROKEN);
	check_text("image/png", SLICE_LIT("x"), ERR_MEDIA_TYPE);
	check_text(NULL, SLICE_LIT("x"), ERR_MEDIA_TYPE);
	check_text("text/markdown", SLICE_LIT("\xef\xbb\xbf# Tide"), ERR_NONE);
	assert_int_equal(extract_case.out.page_count, 1);
	assert_int_equal(extract_case.out.pages[0].number, 0);
	assert_int_equal(extract_case.out.pages_in_all, 0);
	assert_true(slice_is(extract_case.out.pages[0].text, "# Tide"));
}

/* One parser at a time: four flows take turns, one that is aborted while it waits frees its place,
 * and a wait that is too long is an error. */
static void
extractions_take_turns(void **state)
{
	static struct extract_case others[3];

	(void)state;
	share_resize(parsers, 1);
	extract_case.mime = "application/pdf";
	extract_case.body = file(SAMPLE);
	for (int i = 0; i < 3; i++) {
		others[i] = extract_case;
		flow_start(&others[i].flow, &turn_kind, worker, arena);
	}
	worker_turn(worker, 1);
	flow_abort(&others[2].flow, ERR_CLIENT_GONE, "left");
	assert_int_equal(extract(extract_case.mime, extract_case.body), ERR_NONE);
	while (flow_count(worker) > 0)
		worker_turn(worker, 20);
	assert_int_equal(others[0].err.code, ERR_NONE);
	assert_int_equal(others[1].out.page_count, 6);
	assert_int_equal(others[2].err.code, ERR_CLIENT_GONE);
	for (int i = 0; i < 3; i++)
		extract_free(&others[i].out);
	extract_free(&extract_case.out);
	extract_case.ended = false;
	share_close(parsers);
	extract_case.conf.parallel_max = 0;
	extract_case.conf.timeout_us = 50000;
	parsers = extract_parsers_open(&extract_case.conf);
	assert_int_equal(extract(extract_case.mime, extract_case.body), ERR_OVERLOADED);
}

static void
run_script_for(const char *script, size_t input, uint64_t timeout_us)
{
	static char zeros[300000];
	const char *const args[] = { "sh", "-c", script, NULL };

	extract_case.proc = (struct proc_conf){ "/bin/sh", args, timeout_us, NULL, 0 };
	extract_case.body = slice_of(zeros, input);
	extract_case.ended = false;
	buf_reset(&extract_case.result.out);
	buf_reset(&extract_case.result.err);
	flow_start(&extract_case.flow, &run_kind, worker, arena);
	finish();
	assert_int_equal(extract_case.err.code, ERR_NONE);
}

static void
run_script(const char *script, size_t input)
{
	run_script_for(script, input, 60 * 1000000ull);
}

static void
a_child_is_fed_and_read(void **state)
{
	(void)state;
	run_script("wc -c; echo \"$HOME\" >&2; exit 3", 300000);
	assert_int_equal(extract_case.result.end, PROC_EXITED);
	assert_int_equal(extract_case.result.code, 3);
	assert_string_equal(extract_case.result.out.data, "300000\n");
	assert_string_equal(extract_case.result.err.data, "\n");
	run_script("exit 0", 300000); /* never reads: no SIGPIPE, no wait */
	assert_int_equal(extract_case.result.code, 0);
	run_script("kill -SEGV $$", 0);
	assert_int_equal(extract_case.result.end, PROC_SIGNALED);
	assert_int_equal(extract_case.result.code, SIGSEGV);
	run_script("exec yes", 0);
	assert_int_equal(extract_case.result.end, PROC_OUT_LARGE);
	run_script("yes | head -c 5000 >&2; echo over", 0);
	assert_int_equal(extract_case.result.err.len, 100);
	assert_string_equal(extract_case.result.out.data, "over\n");
	run_script_for("exec sleep 60", 0, 500000);
	assert_int_equal(extract_case.result.end, PROC_TIMEOUT);
}

/* The killed ones, too: the sanitizer sees no leak. */
static void
turn_until_reaped(void)
{
	siginfo_t info;

	while (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0)
		worker_turn(worker, 20);
	assert_int_equal(errno, ECHILD);
	worker_turn(worker, 0);
}

static void
a_cancelled_extraction_ends_its_child(void **state)
{
	const char *const args[] = { "sleep", "60", NULL };

	(void)state;
	extract_case.proc = (struct proc_conf){ "/bin/sleep", args, 60 * 1000000ull, NULL, 0 };
	flow_start(&extract_case.flow, &run_kind, worker, arena);
	worker_turn(worker, 20);
	assert_false(extract_case.ended);
	flow_abort(&extract_case.flow, ERR_CLIENT_GONE, "left");
	finish();
	assert_int_equal(extract_case.err.code, ERR_CLIENT_GONE);
	turn_until_reaped();
}

/* The sample again, aborted at every turn of the loop. */
static void
an_extraction_may_be_cancelled_anywhere(void **state)
{
	(void)state;
	for (int turns = 0; turns < 30; turns++) {
		extract_case.ended = false;
		extract_case.mime = "application/pdf";
		extract_case.body = file(SAMPLE);
		flow_start(&extract_case.flow, &extract_kind, worker, arena);
		for (int i = 0; i < turns && !extract_case.ended; i++)
			worker_turn(worker, 5);
		flow_abort(&extract_case.flow, ERR_CLIENT_GONE, "left");
		finish();
		extract_free(&extract_case.out);
	}
	turn_until_reaped();
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_sample_is_extracted),
		TEST(bad_documents_are_refused),
		TEST(documents_past_limits_are_refused),
		TEST(extractions_take_turns),
		TEST(plain_text_is_taken_as_it_is),
		TEST(a_child_is_fed_and_read),
		TEST(a_cancelled_extraction_ends_its_child),
		TEST(an_extraction_may_be_cancelled_anywhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
