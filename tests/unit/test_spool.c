/* SPDX-License-Identifier: MIT */
/*
 * test_spool: bytes in a file without a name: they are all there, nobody else finds them, and what
 * the disk refuses is said.
 */
#define _GNU_SOURCE /* O_TMPFILE */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "tenantgate/base/spool.h"

#define PIECE 100003 /* bytes; no multiple of a page */
#define PIECES 7

static char piece[PIECE], folder_path[] = "/tmp/tenantgate-spool-XXXXXX";
static int folder;
static bool has_nameless; /* what __wrap_openat() lets through */
static struct spool spool;
static struct err err;

int __real_openat(int, const char *, int, ...);
int __wrap_openat(int, const char *, int, ...);

/* A file system without files that have no name. */
int
__wrap_openat(int at, const char *path, int flags, ...)
{
	if (!has_nameless && (flags & O_TMPFILE) == O_TMPFILE) {
		errno = EOPNOTSUPP;
		return -1;
	}
	return __real_openat(at, path, flags, 0600);
}

static int
set_up(void **state)
{
	(void)state;
	for (size_t i = 0; i < PIECE; i++)
		piece[i] = (char)(i * 7 + i / 251);
	memcpy(folder_path + sizeof(folder_path) - 7, "XXXXXX", 6);
	assert_non_null(mkdtemp(folder_path));
	has_nameless = true;
	err_clear(&err);
	spool_init(&spool);
	folder = spool_folder_open(folder_path, &err);
	assert_true(folder > STDERR_FILENO);
	return 0;
}

/* rmdir() refuses a folder in which a file was left. */
static int
tear_down(void **state)
{
	(void)state;
	spool_close(&spool);
	close(folder);
	assert_int_equal(rmdir(folder_path), 0);
	return 0;
}

static void
add_pieces(void)
{
	for (int i = 0; i < PIECES; i++)
		assert_true(spool_add(&spool, folder, slice_of(piece, PIECE), &err));
	assert_int_equal(spool.len, PIECES * PIECE);
}

static void
has_all(struct slice all)
{
	assert_int_equal(all.len, PIECES * PIECE);
	for (size_t i = 0; i < PIECES; i++)
		assert_memory_equal(all.p + i * PIECE, piece, PIECE);
}

static void
what_is_added_is_mapped(void **state)
{
	struct slice all;

	(void)state;
	add_pieces();
	assert_true(spool_map(&spool, &all, &err));
	has_all(all);
	spool_unload(all);
	has_all(all);
	spool_close(&spool);
	spool_close(&spool);
	assert_int_equal(spool.fd, -1);
}

/* A page that was rewritten stays so; the file, and what is read of it anew, do not change. */
static void
a_change_is_not_the_files(void **state)
{
	struct slice all;
	char read_back[4];
	int reader;

	(void)state;
	add_pieces();
	assert_true(spool_map(&spool, &all, &err));
	memcpy(spool.map, "here", 4);
	spool_unload(slice_of(all.p + 4, all.len - 4));
	assert_memory_equal(all.p, "here", 4);
	assert_memory_equal(all.p + 4, piece + 4, PIECE - 4);
	reader = spool_reader(&spool);
	assert_int_equal(read(reader, read_back, 4), 4);
	assert_memory_equal(read_back, piece, 4);
	close(reader);
}

static void
a_reader_only_reads(void **state)
{
	struct stat st;
	int reader;

	(void)state;
	add_pieces();
	reader = spool_reader(&spool);
	assert_true(reader >= 0);
	assert_int_equal(fstat(reader, &st), 0);
	assert_int_equal(st.st_size, PIECES * PIECE);
	assert_int_equal(st.st_nlink, 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(write(reader, "x", 1), -1);
	assert_int_equal(errno, EBADF);
	assert_true((fcntl(reader, F_GETFD) & FD_CLOEXEC) != 0);
	assert_true((fcntl(spool.fd, F_GETFD) & FD_CLOEXEC) != 0);
	close(reader);
}

static void
digest_and_copy_are_of_all_bytes(void **state)
{
	char got[SHA256_HEX_SIZE], want[SHA256_HEX_SIZE];
	struct slice all;
	struct buf copy;

	(void)state;
	add_pieces();
	assert_true(spool_map(&spool, &all, &err));
	sha256_hex(all, want);
	spool_sha256_hex(all, got);
	assert_string_equal(got, want);
	buf_init(&copy, all.len);
	assert_true(spool_copy(all, &copy));
	has_all(buf_view(&copy));
	buf_free(&copy);
	buf_init(&copy, all.len - 1);
	assert_false(spool_copy(all, &copy));
	buf_free(&copy);
}

static void
nothing_is_mapped_of_an_empty_one(void **state)
{
	char got[SHA256_HEX_SIZE], want[SHA256_HEX_SIZE];
	struct slice all;

	(void)state;
	assert_true(spool_add(&spool, folder, slice_of(NULL, 0), &err));
	assert_true(spool_map(&spool, &all, &err));
	assert_int_equal(all.len, 0);
	spool_unload(all);
	sha256_hex(all, want);
	spool_sha256_hex(all, got);
	assert_string_equal(got, want);
}

/* A limit of files' sizes stands for a full disk. */
static void
a_full_disk_is_said(void **state)
{
	const struct rlimit none = { RLIM_INFINITY, RLIM_INFINITY };
	const struct rlimit little = { PIECE / 2, RLIM_INFINITY };

	(void)state;
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &little), 0);
	assert_false(spool_add(&spool, folder, slice_of(piece, PIECE), &err));
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
	assert_int_equal(err.code, ERR_OVERLOADED);
	assert_null(strstr(err.detail, folder_path));
}

static void
without_nameless_files_a_name_goes_at_once(void **state)
{
	struct stat st;

	(void)state;
	has_nameless = false;
	add_pieces();
	assert_int_equal(fstat(spool.fd, &st), 0);
	assert_int_equal(st.st_nlink, 0);
	assert_int_equal(st.st_mode & 0777, 0600);
}

static void
a_folder_that_does_not_do_is_refused(void **state)
{
	static const char *const paths[] = { "/nowhere/at/all", "/dev/null", "/proc" };

	(void)state;
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		err_clear(&err);
		assert_int_equal(spool_folder_open(paths[i], &err), -1);
		assert_int_equal(err.code, ERR_CONF);
		assert_non_null(strstr(err.detail, paths[i]));
	}
}

/* A file that was cut stands for a disk that lost it: both are SIGBUS. */
static void
a_page_that_is_lost_is_said(void **state)
{
	struct spool_watch watch = { .files = { NULL, &spool } };
	struct slice all;

	(void)state;
	spool_catch_faults();
	add_pieces();
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
	add_pieces();
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
	add_pieces();
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
	add_pieces();
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

static void
memory_is_known(void **state)
{
	int shm = open("/dev/shm", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int proc = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	(void)state;
	assert_true(spool_folder_is_memory(shm));
	assert_false(spool_folder_is_memory(proc));
	close(shm);
	close(proc);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_is_added_is_mapped),
		TEST(a_change_is_not_the_files),
		TEST(a_reader_only_reads),
		TEST(digest_and_copy_are_of_all_bytes),
		TEST(nothing_is_mapped_of_an_empty_one),
		TEST(a_full_disk_is_said),
		TEST(without_nameless_files_a_name_goes_at_once),
		TEST(a_folder_that_does_not_do_is_refused),
		TEST(a_page_that_is_lost_is_said),
		TEST(what_is_lost_stays_lost),
		TEST(a_fault_of_anothers_is_anothers),
		TEST(memory_is_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
