/* SPDX-License-Identifier: MIT */
/*
 * extract: real documents, good and bad, through the real extractor on a worker's loop; and the
 * programs that proc.c runs beside it.
 */
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

struct extract_run_flow {
	struct flow flow;
	struct extract_conf conf;
	const char *mime;
	struct slice body;
	struct extract_out out;
	struct proc_conf proc;
	struct proc_result result;
	struct err err;
	bool ended;
};

static struct worker *worker;
static struct arena *arena;
static struct extract_run_flow extract_run_flow;

static enum flow_rc
extract_flow_extract(struct flow *f)
{
	(void)f;
	return extract_run(&extract_run_flow.flow, &extract_run_flow.conf, extract_run_flow.mime,
	    extract_run_flow.body, &extract_run_flow.out);
}

static enum flow_rc
extract_flow_run(struct flow *f)
{
	(void)f;
	return proc_run(&extract_run_flow.flow, &extract_run_flow.proc, extract_run_flow.body,
	    &extract_run_flow.result);
}

static void
extract_flow_end(struct flow *f, const struct err *err)
{
	(void)f;
	extract_run_flow.err = *err;
	extract_run_flow.ended = true;
}

static const struct flow_step extract_steps[] = { { "extract", extract_flow_extract },
	{ NULL, NULL } };
static const struct flow_step run_steps[] = { { "run", extract_flow_run }, { NULL, NULL } };
static const struct flow_kind extract_kind = { "extract", extract_steps, extract_flow_end, NULL };
static const struct flow_kind run_kind = { "run", run_steps, extract_flow_end, NULL };

static enum flow_rc
turn_extract(struct flow *f)
{
	struct extract_run_flow *s = (struct extract_run_flow *)f;

	return extract_run(f, &s->conf, s->mime, s->body, &s->out);
}

static void
turn_end(struct flow *f, const struct err *err)
{
	((struct extract_run_flow *)f)->err = *err;
}

static const struct flow_step turn_steps[] = { { "extract", turn_extract }, { NULL, NULL } };
static const struct flow_kind turn_kind = { "turn", turn_steps, turn_end, NULL };

static int
set_up(void **state)
{
	(void)state;
	worker = worker_new(0);
	arena = arena_new((size_t)1 << 20);
	memset(&extract_run_flow, 0, sizeof(extract_run_flow));
	extract_conf_init(&extract_run_flow.conf);
	extract_run_flow.conf.program = BUILDDIR "/tenantgate-extract";
	extract_run_flow.conf.timeout_us = 10 * 1000000ull;
	buf_init(&extract_run_flow.result.out, 100000);
	buf_init(&extract_run_flow.result.err, 100);
	return worker == NULL ? -1 : 0;
}

static int
tear_down(void **state)
{
	(void)state;
	extract_free(&extract_run_flow.out);
	extract_free(&extract_run_flow.out);
	buf_free(&extract_run_flow.result.out);
	buf_free(&extract_run_flow.result.err);
	worker_free(worker);
	arena_free(arena);
	return 0;
}

static void
finish(void)
{
	uint64_t began = clock_mono_us();

	while (!extract_run_flow.ended && clock_mono_us() - began < 20 * 1000000ull)
		worker_turn(worker, 50);
	assert_true(extract_run_flow.ended);
	for (int i = 0; i < 3; i++)
		worker_turn(worker, 1);
}

static enum err_code
extract(const char *mime, struct slice body)
{
	extract_run_flow.mime = mime;
	extract_run_flow.body = body;
	flow_start(&extract_run_flow.flow, &extract_kind, worker, arena);
	finish();
	return extract_run_flow.err.code;
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
	assert_int_equal(extract_run_flow.out.pages_in_all, 6);
	assert_int_equal(extract_run_flow.out.page_count, 6);
	assert_int_equal(extract_run_flow.out.pages[1].number, 2);
	assert_true(slice_starts(extract_run_flow.out.pages[1].text, "The Marigold\n"));
	assert_non_null(strstr(extract_run_flow.out.text.data, "a goat called Admiral"));
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
		{ "tests/live/pdf/no-pages.pdf", ERR_DOC_EMPTY },
		{ "tests/live/pdf/image-only.pdf", ERR_PDF_NO_TEXT },
		{ "contrib/sample/make", ERR_PDF_BROKEN } };

	(void)state;
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		if (extract_file(files[i].name) != files[i].code)
			fail_msg("%s: %s: %s", files[i].name, err_slug(extract_run_flow.err.code),
			    extract_run_flow.err.detail);
		extract_free(&extract_run_flow.out);
		extract_run_flow.ended = false;
	}
}

static void
documents_past_limits_are_refused(void **state)
{
	(void)state;
	extract_run_flow.conf.pages_max = 5;
	assert_int_equal(extract_file(SAMPLE), ERR_DOC_LIMIT);
	extract_free(&extract_run_flow.out);
	extract_run_flow.ended = false;
	extract_run_flow.conf.pages_max = 6;
	extract_run_flow.conf.text_max = 3000;
	assert_int_equal(extract_file(SAMPLE), ERR_DOC_LIMIT);
	extract_free(&extract_run_flow.out);
	extract_run_flow.ended = false;
	extract_run_flow.conf.program = "/nonexistent";
	assert_int_equal(extract_file(SAMPLE), ERR_EXTRACT);
}

static void
check_text(const char *mime, struct slice body, enum err_code code)
{
	assert_int_equal(extract(mime, body), code);
	if (code != ERR_NONE)
		extract_free(&extract_run_flow.out);
	extract_run_flow.ended = false;
}

static void
plain_text_is_taken_as_it_is(void **state)
{
	(void)state;
	check_text("text/plain", SLICE_LIT(""), ERR_DOC_EMPTY);
	check_text("text/plain", SLICE_LIT("\xef\xbb\xbf \n\t"), ERR_DOC_EMPTY);
	check_text("text/plain", SLICE_LIT("caf\xe9"), ERR_PDF_BROKEN);
	check_text("text/markdown", SLICE_LIT("a\0b"), ERR_PDF_BROKEN);
	check_text("image/png", SLICE_LIT("x"), ERR_MEDIA_TYPE);
	check_text(NULL, SLICE_LIT("x"), ERR_MEDIA_TYPE);
	check_text("text/markdown", SLICE_LIT("\xef\xbb\xbf# Tide"), ERR_NONE);
	assert_int_equal(extract_run_flow.out.page_count, 1);
	assert_int_equal(extract_run_flow.out.pages[0].number, 0);
	assert_int_equal(extract_run_flow.out.pages_in_all, 0);
	assert_true(slice_is(extract_run_flow.out.pages[0].text, "# Tide"));
}

/* One parser at a time: four flows take turns, one that is left while it waits leaves no place
 * taken, and who waits too long is told. */
static void
extractions_take_turns(void **state)
{
	static struct extract_run_flow others[3];

	(void)state;
	extract_run_flow.conf.parallel_max = 1;
	extract_run_flow.mime = "application/pdf";
	extract_run_flow.body = file(SAMPLE);
	for (int i = 0; i < 3; i++) {
		others[i] = extract_run_flow;
		flow_start(&others[i].flow, &turn_kind, worker, arena);
	}
	worker_turn(worker, 1);
	flow_abort(&others[2].flow, ERR_CLIENT_GONE, "left");
	assert_int_equal(extract(extract_run_flow.mime, extract_run_flow.body), ERR_NONE);
	while (flow_count(worker) > 0)
		worker_turn(worker, 20);
	assert_int_equal(others[0].err.code, ERR_NONE);
	assert_int_equal(others[1].out.page_count, 6);
	assert_int_equal(others[2].err.code, ERR_CLIENT_GONE);
	for (int i = 0; i < 3; i++)
		extract_free(&others[i].out);
	extract_free(&extract_run_flow.out);
	extract_run_flow.ended = false;
	extract_run_flow.conf.parallel_max = 0;
	extract_run_flow.conf.timeout_us = 50000;
	assert_int_equal(extract(extract_run_flow.mime, extract_run_flow.body), ERR_OVERLOADED);
}

static void
run_script(const char *script, size_t input)
{
	static char zeros[300000];
	const char *const args[] = { "sh", "-c", script, NULL };

	extract_run_flow.proc = (struct proc_conf){ "/bin/sh", args, 2 * 1000000ull };
	extract_run_flow.body = slice_of(zeros, input);
	extract_run_flow.ended = false;
	buf_reset(&extract_run_flow.result.out);
	buf_reset(&extract_run_flow.result.err);
	flow_start(&extract_run_flow.flow, &run_kind, worker, arena);
	finish();
	assert_int_equal(extract_run_flow.err.code, ERR_NONE);
}

static void
a_child_is_fed_and_read(void **state)
{
	(void)state;
	run_script("wc -c; echo \"$HOME\" >&2; exit 3", 300000);
	assert_int_equal(extract_run_flow.result.end, PROC_EXITED);
	assert_int_equal(extract_run_flow.result.code, 3);
	assert_string_equal(extract_run_flow.result.out.data, "300000\n");
	assert_string_equal(extract_run_flow.result.err.data, "\n");
	run_script("exit 0", 300000); /* never reads: no SIGPIPE, no wait */
	assert_int_equal(extract_run_flow.result.code, 0);
	run_script("kill -SEGV $$", 0);
	assert_int_equal(extract_run_flow.result.end, PROC_SIGNALED);
	assert_int_equal(extract_run_flow.result.code, SIGSEGV);
	run_script("exec yes", 0);
	assert_int_equal(extract_run_flow.result.end, PROC_OUT_LARGE);
	run_script("yes | head -c 5000 >&2; echo over", 0);
	assert_int_equal(extract_run_flow.result.err.len, 100);
	assert_string_equal(extract_run_flow.result.out.data, "over\n");
	run_script("exec sleep 60", 0);
	assert_int_equal(extract_run_flow.result.end, PROC_TIMEOUT);
}

static void
a_cancelled_extraction_ends_its_child(void **state)
{
	const char *const args[] = { "sleep", "60", NULL };

	(void)state;
	extract_run_flow.proc = (struct proc_conf){ "/bin/sleep", args, 60 * 1000000ull };
	flow_start(&extract_run_flow.flow, &run_kind, worker, arena);
	worker_turn(worker, 20);
	assert_false(extract_run_flow.ended);
	flow_abort(&extract_run_flow.flow, ERR_CLIENT_GONE, "left");
	finish();
	assert_int_equal(extract_run_flow.err.code, ERR_CLIENT_GONE);
	for (int i = 0; i < 20; i++) /* the killed one is reaped: the sanitizer sees no leak */
		worker_turn(worker, 20);
}

/* The sample again, left at every turn of the loop. */
static void
an_extraction_may_be_cancelled_anywhere(void **state)
{
	(void)state;
	for (int turns = 0; turns < 30; turns++) {
		extract_run_flow.ended = false;
		extract_run_flow.mime = "application/pdf";
		extract_run_flow.body = file(SAMPLE);
		flow_start(&extract_run_flow.flow, &extract_kind, worker, arena);
		for (int i = 0; i < turns && !extract_run_flow.ended; i++)
			worker_turn(worker, 5);
		flow_abort(&extract_run_flow.flow, ERR_CLIENT_GONE, "left");
		finish();
		extract_free(&extract_run_flow.out);
	}
	for (int i = 0; i < 20; i++)
		worker_turn(worker, 20);
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
