/* SPDX-License-Identifier: MIT */
/*
 * test_extract_file: a document that lies in a file is read there, from its beginning each time,
 * and by a child that cannot change it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tenantgate/base/clock.h"
#include "tenantgate/loop/worker.h"
#include "tenantgate/retrieval.h"
#include "tenantgate/wire/proc.h"

struct from_file {
	struct flow flow; /* first */
	struct extract_conf conf;
	struct extract_in in;
	struct extract_out out;
	struct err why, err;
	const char *const *args;
	struct proc_result result;
	bool is_over;
};

static struct worker *worker;
static struct arena *arena;
static struct share_budget *parsers;
static struct spool spool;
static struct from_file run;
static int folder;

static enum flow_rc
from_file_extract(struct flow *f)
{
	return extract_run(f, &run.conf, parsers, SLICE_LIT("acme"), &run.in, &run.out, &run.why);
}

static enum flow_rc
from_file_read(struct flow *f)
{
	if (err_is(&run.why))
		return flow_fail_err(f, &run.why);
	return extract_read(&run.conf, &run.in, arena, &run.out, &run.err)
	    ? FLOW_NEXT
	    : flow_fail_err(f, &run.err);
}

static enum flow_rc
from_file_child(struct flow *f)
{
	const struct proc_conf conf = { .path = run.args[0],
		.argv = run.args,
		.timeout_us = 60 * 1000000ull,
		.input_file = spool_reader(&spool) };
	enum flow_rc rc = proc_run(f, &conf, (struct slice){ 0 }, &run.result);

	close(conf.input_file);
	return rc;
}

static void
from_file_end(struct flow *f, const struct err *err)
{
	(void)f;
	run.err = *err;
	run.is_over = true;
}

static const struct flow_step extract_file_steps[] = { { "extract", from_file_extract },
	{ "read", from_file_read }, { NULL, NULL } };
static const struct flow_step child_file_steps[] = { { "child", from_file_child }, { NULL, NULL } };
static const struct flow_kind extract_file_kind = { "extract", extract_file_steps, from_file_end,
	NULL };
static const struct flow_kind child_file_kind = { "child", child_file_steps, from_file_end, NULL };

static void
runs(const struct flow_kind *kind)
{
	uint64_t began = clock_mono_us();

	run.is_over = false;
	flow_start(&run.flow, kind, worker, arena);
	while (!run.is_over && clock_mono_us() - began < 120 * 1000000ull)
		worker_turn(worker, 50);
	assert_true(run.is_over);
	for (int i = 0; i < 3; i++)
		worker_turn(worker, 1);
}

static void
spool_document(const char *name)
{
	static char bytes[1 << 16];
	char path[4096];
	struct err err = { .code = ERR_NONE };
	FILE *f;
	size_t n;

	snprintf(path, sizeof(path), "%s/%s", SRCDIR, name);
	f = fopen(path, "re");
	assert_non_null(f);
	n = fread(bytes, 1, sizeof(bytes), f);
	fclose(f);
	assert_true(spool_add(&spool, folder, slice_of(bytes, n), &err));
	assert_true(spool_map(&spool, &run.in.body, &err));
}

static int
set_up(void **state)
{
	struct err err = { .code = ERR_NONE };

	(void)state;
	worker = worker_new(0);
	arena = arena_new((size_t)1 << 20);
	folder = spool_folder_open("/tmp", &err);
	spool_init(&spool);
	run = (struct from_file){
		.in = { .mime = "application/pdf", .is_mapped = true, .file = &spool }
	};
	extract_conf_init(&run.conf);
	run.conf.program = BUILDDIR "/tenantgate-extract";
	run.conf.timeout_us = 60 * 1000000ull;
	parsers = extract_parsers_open(&run.conf);
	buf_init(&run.result.out, 1000);
	buf_init(&run.result.err, 1000);
	return worker == NULL || folder < 0;
}

static int
tear_down(void **state)
{
	(void)state;
	extract_free(&run.out);
	buf_free(&run.result.out);
	buf_free(&run.result.err);
	worker_free(worker);
	share_close(parsers);
	arena_free(arena);
	spool_close(&spool);
	close(folder);
	return 0;
}

static void
a_document_is_read_where_it_lies(void **state)
{
	(void)state;
	spool_document("contrib/sample/field-guide.pdf");
	for (int i = 0; i < 2; i++) {
		runs(&extract_file_kind);
		assert_int_equal(run.err.code, ERR_NONE);
		assert_int_equal(run.out.page_count, 6);
		assert_non_null(strstr(run.out.text.data, "a goat called Admiral"));
		extract_free(&run.out);
	}
}

/* Two children, one after the other: the second looks for pictures. */
static void
so_are_its_pictures(void **state)
{
	(void)state;
	spool_document("tests/live/pdf/image-only.pdf");
	runs(&extract_file_kind);
	assert_int_equal(run.err.code, ERR_PDF_NO_TEXT);
	assert_non_null(strstr(run.err.detail, "pictures"));
}

static void
a_broken_one_is_refused(void **state)
{
	(void)state;
	spool_document("tests/live/pdf/broken.pdf");
	runs(&extract_file_kind);
	assert_int_equal(run.err.code, ERR_PDF_BROKEN);
}

static void
a_child_reads_it_and_cannot_write(void **state)
{
	static const char *const args[] = { "/bin/sh", "-c",
		"wc -c; (echo x >&0) 2>/dev/null || echo no", NULL };

	(void)state;
	spool_document("tests/live/pdf/broken.pdf");
	run.args = args;
	runs(&child_file_kind);
	assert_int_equal(run.result.end, PROC_EXITED);
	assert_int_equal(strtoul(run.result.out.data, NULL, 10), spool.len);
	assert_non_null(strstr(run.result.out.data, "\nno\n"));
}

static void
one_that_is_too_large_is_not_read(void **state)
{
	static const char *const args[] = { BUILDDIR "/tenantgate-extract", "--input-max", "10",
		NULL };

	(void)state;
	spool_document("contrib/sample/field-guide.pdf");
	run.args = args;
	runs(&child_file_kind);
	assert_int_equal(run.result.end, PROC_EXITED);
	assert_int_equal(run.result.code, EXTRACT_EXIT_LARGE);
	assert_int_equal(run.result.out.len, 0);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_document_is_read_where_it_lies),
		TEST(so_are_its_pictures),
		TEST(a_broken_one_is_refused),
		TEST(a_child_reads_it_and_cannot_write),
		TEST(one_that_is_too_large_is_not_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
