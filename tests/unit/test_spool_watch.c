/* SPDX-License-Identifier: MIT */
/*
 * test_spool_watch: a page of a mapping that the disk does not give back is said to who has read
 * it, and ends nothing else.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tenantgate/base/spool.h"

#define PIECE  100003 /* bytes; no multiple of a page */
#define PIECES 7

static char piece[PIECE];
static int folder;
static struct spool spool;
static struct err err;

static int
set_up(void **state)
{
	(void)state;
	memset(piece, 'p', sizeof(piece));
	err_clear(&err);
	spool_init(&spool);
	folder = spool_folder_open("/tmp", &err);
	assert_true(folder > STDERR_FILENO);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	spool_close(&spool);
	close(folder);
	return 0;
}

static void
write_pieces(void)
{
	for (int i = 0; i < PIECES; i++)
		assert_true(spool_add(&spool, folder, slice_of(piece, PIECE), &err));
}

/* A file that was cut stands for a disk that lost it: both are SIGBUS. */
static void
a_page_that_is_lost_is_said(void **state)
{
	struct spool_watch watch = { .files = { NULL, &spool } };
	struct slice all;

	(void)state;
	spool_catch_faults();
	write_pieces();
	assert_true(spool_map(&spool, &all, &err));
	spool_watch(&watch);
	assert_memory_equal(all.p, piece, PIECE);
	assert_true(spool_unwatch(&watch, &err));
	assert_int_equal(ftruncate(spool.fd, 0), 0);
	spool_watch(&watch);
	err_set(&err, ERR_BAD_REQUEST, "What zeros are taken for.");
	for (size_t i = 0; i < all.len; i++)
		assert_int_equal(all.p[i], 0);
	assert_false(spool_unwatch(&watch, &err));
	assert_int_equal(err.code, ERR_OVERLOADED);
}

/* It stays so for who reads it later, and for who closes it. */
static void
what_is_lost_stays_lost(void **state)
{
	struct spool_watch watch = { .files = { &spool, NULL } };
	struct slice all;

	(void)state;
	spool_catch_faults();
	write_pieces();
	assert_true(spool_map(&spool, &all, &err));
	assert_int_equal(ftruncate(spool.fd, 0), 0);
	for (int i = 0; i < 2; i++) {
		err_clear(&err);
		spool_watch(&watch);
		assert_int_equal(all.p[PIECE], 0);
		assert_false(spool_unwatch(&watch, &err));
	}
	spool_close(&spool);
	err_clear(&err);
	spool_watch(&watch);
	assert_true(spool_unwatch(&watch, &err));
	write_pieces();
	assert_true(spool_map(&spool, &all, &err));
	assert_int_equal(ftruncate(spool.fd, 0), 0);
	spool_watch(&watch);
	assert_int_equal(all.p[PIECE], 0);
	spool_close(&spool);
	assert_false(spool_unwatch(&watch, &err));
	assert_int_equal(err.code, ERR_OVERLOADED);
}

/* Who had SIGBUS before has it again, however often it was caught. */
static sigjmp_buf after_fault;

static void
leave_fault(int sig)
{
	siglongjmp(after_fault, sig);
}

static void
a_fault_of_anothers_is_anothers(void **state)
{
	struct spool_watch watch = { .files = { NULL, NULL } };
	struct slice all;

	(void)state;
	signal(SIGBUS, leave_fault);
	spool_catch_faults();
	spool_catch_faults();
	write_pieces();
	assert_true(spool_map(&spool, &all, &err));
	assert_int_equal(ftruncate(spool.fd, 0), 0);
	spool_watch(&watch);
	if (sigsetjmp(after_fault, 1) == 0) {
		assert_int_equal(all.p[0], 0);
		fail_msg("%s", "It was read.");
	}
	assert_true(spool_unwatch(&watch, &err));
	signal(SIGBUS, SIG_DFL);
}

#define WATCH_TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		WATCH_TEST(a_page_that_is_lost_is_said),
		WATCH_TEST(what_is_lost_stays_lost),
		WATCH_TEST(a_fault_of_anothers_is_anothers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
