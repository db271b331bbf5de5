/* SPDX-License-Identifier: MIT */
/*
 * test_spool_window: who goes through a mapping window by window keeps few of its pages, wherever
 * it begins; what lies in memory is left alone.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tenantgate/base/json.h"
#include "tenantgate/base/spool.h"

#define KIB	     ((size_t)1 << 10)
#define FILE_SIZE    (3000 * KIB + 77)
#define RESIDENT_MAX (400 * KIB) /* a window, and what is mapped around its pages */
#define EDGES_MAX    (72 * KIB)	 /* on the first page of a text and its last, and around it */
#define PIECE	     (64 * KIB)
#define PAST	     5 /* bytes that a reader goes past a window */

static char bytes[FILE_SIZE];
static struct spool spool;
static int folder;

/* In pieces, as a body comes: of what is written at once the system may map all at once. */
static void
file_fill(size_t len)
{
	struct err err = { .code = ERR_NONE };
	struct slice all;

	spool_close(&spool);
	for (size_t at = 0; at < len; at += PIECE)
		assert_true(spool_add(&spool, folder,
		    slice_of(bytes + at, len - at < PIECE ? len - at : PIECE), &err));
	assert_true(spool_map(&spool, &all, &err));
	assert_int_equal(all.len, len);
}

static int
set_up(void **state)
{
	struct err err = { .code = ERR_NONE };

	(void)state;
	for (size_t i = 0; i < FILE_SIZE; i++)
		bytes[i] = (char)(i % 251 + 1);
	folder = spool_folder_open("/tmp", &err);
	assert_true(folder > 0);
	spool_init(&spool);
	file_fill(FILE_SIZE);
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

/* Bytes of the mapping that are counted as the process's (proc(5), pagemap: bit 63). */
static size_t
resident(void)
{
	static uint64_t entries[FILE_SIZE / 4096 + 2];
	size_t page = (size_t)sysconf(_SC_PAGESIZE), pages = FILE_SIZE / page + 1, n = 0;
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	off_t at = (off_t)((uintptr_t)spool.map / page * sizeof(entries[0]));

	assert_int_equal(pread(fd, entries, pages * sizeof(entries[0]), at),
	    (ssize_t)(pages * sizeof(entries[0])));
	close(fd);
	for (size_t i = 0; i < pages; i++)
		n += (size_t)(entries[i] >> 63) * page;
	return n;
}

/* All bytes, as far as so many past each window's end. */
static void
walk(struct slice s, size_t past)
{
	const char *want = bytes + (s.p - spool.map);
	size_t at = 0, most = 0;

	spool_unload(slice_of(spool.map, FILE_SIZE));
	for (size_t end; (end = spool_window((struct spool_slice){ s, true }, at)) > at; at = end) {
		assert_true(end <= s.len);
		end = s.len - end < past ? s.len : end + past;
		assert_memory_equal(s.p + at, want + at, end - at);
		if (resident() > most)
			most = resident();
	}
	assert_int_equal(at, s.len);
	assert_in_range(most, 1, RESIDENT_MAX);
	assert_in_range(resident(), 0, EDGES_MAX);
}

static void
few_pages_are_looked_at(void **state)
{
	(void)state;
	for (size_t i = 0; i < FILE_SIZE; i += 4096)
		assert_int_equal(spool.map[i], bytes[i]);
	assert_true(resident() > 2000 * KIB);
	for (size_t from = 0; from < 300 * KIB; from += 37 * KIB + 11)
		walk(slice_of(spool.map + from, FILE_SIZE - from), from % 2 == 0 ? 0 : PAST);
	walk(slice_of(spool.map + 100, 50), 0);
}

/* What a pass leaves that stops in the midst of it, the next one does not add to. */
static void
a_pass_that_stops_leaves_little(void **state)
{
	const struct spool_slice all = { slice_of(spool.map, FILE_SIZE), true };

	(void)state;
	for (size_t stop = FILE_SIZE; stop > 500 * KIB; stop -= 500 * KIB) {
		for (size_t at = 0; at < stop;)
			for (size_t end = spool_window(all, at); at < end; at++)
				assert_true(spool.map[at] == bytes[at]);
		assert_in_range(resident(), 1, RESIDENT_MAX);
	}
}

static void
memory_is_one_window(void **state)
{
	const struct spool_slice all = { slice_of(bytes, FILE_SIZE), false };

	(void)state;
	assert_int_equal(spool_window(all, 0), FILE_SIZE);
	assert_int_equal(spool_window(all, FILE_SIZE), FILE_SIZE);
	for (size_t i = 0; i < FILE_SIZE; i++)
		assert_int_equal(bytes[i], (char)(i % 251 + 1));
	assert_int_equal(spool_window((struct spool_slice){ { NULL, 0 }, false }, 0), 0);
	assert_int_equal(spool_window((struct spool_slice){ { NULL, 0 }, true }, 0), 0);
}

/* Characters of all lengths, so that windows end in each; and what is broken at one place. */
static void
is_valid_where_all_is(size_t place, const char *broken)
{
	static const char letters[] = "a\xc3\xa9\xe2\x82\xac\xf0\x9f\x93\xaf";
	const size_t n = sizeof(letters) - 1, len = FILE_SIZE / n * n;

	for (size_t i = 0; i < FILE_SIZE; i++)
		bytes[i] = letters[i % n];
	memcpy(bytes + place, broken, strlen(broken));
	file_fill(len);
	for (size_t from = 0; from < 5 * n; from += n) {
		struct slice here = slice_of(bytes + from, len - from);
		struct slice there = slice_of(spool.map + from, len - from);

		assert_int_equal(spool_all((struct spool_slice){ there, true }, json_utf8_valid),
		    json_utf8_valid(here));
	}
}

static void
a_test_of_windows_is_one_of_all(void **state)
{
	static const char *const broken[] = { "\xe2", "\x80\x80\x80\x80\x80", "\xf0\x9f", "\xff" };

	(void)state;
	is_valid_where_all_is(0, "");
	for (unsigned i = 0; i < 4; i++)
		for (size_t place = 0; place < 16; place++) {
			size_t end =
			    spool_window((struct spool_slice){ slice_of(spool.map, FILE_SIZE),
					     true },
				0);

			is_valid_where_all_is(end - 8 + place, broken[i]);
		}
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(few_pages_are_looked_at),
		TEST(a_pass_that_stops_leaves_little),
		TEST(memory_is_one_window),
		TEST(a_test_of_windows_is_one_of_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
