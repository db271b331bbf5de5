/* SPDX-License-Identifier: MIT */
/*
 * test_api_ingest_arrive: a body that is large goes to a file piece by piece, within its tenant's
 * share of the disk; a small one stays in memory. Whatever ends it, file and share go.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "api/ingest_arrive.h"
#include "fake_http.h"

#define KIB	   1024
#define SPOOL_MAX  (16u << 20) /* three quarters of it are one tenant's */
#define SENDERS	   16
#define BODY_BYTES (2u << 20)

struct sender {
	struct request req; /* first */
	struct ingest_memory memory;
	struct http_exchange x;
	void *arrived;
	struct err err;
	bool is_over;
};

static struct worker *worker;
static struct api_shared shared;
static struct api_context context;
static struct sender senders[SENDERS];
static char *bytes;

static enum flow_rc
sender_enter(struct flow *f)
{
	struct sender *s = (struct sender *)f;

	return ingest_memory_enter(f, &s->memory, &s->req);
}

static enum flow_rc
sender_arrive(struct flow *f)
{
	struct sender *s = (struct sender *)f;

	return ingest_arrive(f, &s->memory, &s->arrived);
}

static void
sender_end(struct flow *f, const struct err *err)
{
	struct sender *s = (struct sender *)f;

	s->err = *err;
	s->is_over = true;
}

static const struct flow_step sender_steps[] = {
	{ "enter", sender_enter },
	{ "arrive", sender_arrive },
	{ NULL, NULL },
};
static const struct flow_kind sender_kind = { "sender", sender_steps, sender_end, NULL };

static struct sender *
sender_begin(unsigned i, const char *tenant, size_t n)
{
	struct sender *s = &senders[i];

	*s = (struct sender){ .is_over = false };
	s->req.ctx = &context;
	s->req.conf = context.conf;
	s->req.x = &s->x;
	s->x.rest = slice_of(bytes, n);
	buf_init(&s->req.body, BODY_BYTES + 1000);
	snprintf(s->req.tenant_id, sizeof(s->req.tenant_id), "%s", tenant);
	flow_start(&s->req.flow, &sender_kind, worker, arena_new(64 * KIB));
	return s;
}

static struct sender *
sender_runs(unsigned i, const char *tenant, size_t n)
{
	struct sender *s = sender_begin(i, tenant, n);

	while (!s->is_over)
		worker_turn(worker, 20);
	return s;
}

static void
sender_free(struct sender *s)
{
	arrived_free(s->arrived);
	s->arrived = NULL;
	buf_free(&s->req.body);
	arena_free(s->req.flow.arena);
}

static uint64_t
held_of(struct share_budget *budget)
{
	struct share_stats stats;

	share_stats(budget, &stats);
	return stats.held;
}

static int
set_up(void **state)
{
	static const struct api_conf conf = { .ingests_max = 100,
		.ingest_memory_max = 64u << 20,
		.spool_dir = "/tmp",
		.spool_max = SPOOL_MAX };
	struct offload_conf helpers;
	struct err err = { .code = ERR_NONE };

	(void)state;
	bytes = malloc(BODY_BYTES);
	for (size_t i = 0; i < BODY_BYTES; i++)
		bytes[i] = (char)(i * 11 + i / 509);
	worker = worker_new(0);
	offload_conf_init(&helpers);
	shared.spool_helpers = offload_open(&helpers);
	shared.spool_folder = spool_folder_open("/tmp", &err);
	api_budgets_open(&shared.budgets, &conf);
	context = (struct api_context){ .worker = worker, .shared = &shared, .conf = &conf };
	return err_is(&err);
}

/* The budgets refuse to be closed while something is held. */
static int
tear_down(void **state)
{
	(void)state;
	flow_abort_all(worker, ERR_SHUTDOWN, "stopping");
	while (flow_count(worker) > 0)
		worker_turn(worker, 5);
	worker_free(worker);
	offload_close(shared.spool_helpers);
	close(shared.spool_folder);
	api_budgets_close(&shared.budgets);
	free(bytes);
	return 0;
}

static void
is_in_a_file(const struct sender *s, size_t n)
{
	struct arrived *in = s->arrived;
	struct err err = { .code = ERR_NONE };
	struct slice all;

	assert_int_equal(s->err.code, ERR_NONE);
	assert_non_null(in);
	assert_true(spool_map(&in->file, &all, &err));
	assert_int_equal(all.len, n);
	assert_memory_equal(all.p, bytes, n);
	assert_int_equal(in->room.grant.units, n);
	assert_int_equal(s->req.body.cap, 0);
	assert_int_equal(s->req.body.max, BODY_BYTES + 1000);
}

/* Around a piece, and around several. */
static void
a_large_body_is_in_a_file(void **state)
{
	static const size_t sizes[] = { ARRIVE_PIECE + 1, 2 * ARRIVE_PIECE - 1, 2 * ARRIVE_PIECE,
		2 * ARRIVE_PIECE + 1, BODY_BYTES };

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct sender *s = sender_runs(0, "t", sizes[i]);

		is_in_a_file(s, sizes[i]);
		assert_int_equal(held_of(shared.budgets.documents), 0);
		assert_int_equal(held_of(shared.budgets.spool), sizes[i]);
		sender_free(s);
		assert_int_equal(held_of(shared.budgets.spool), 0);
	}
}

static void
a_small_body_is_in_memory(void **state)
{
	static const size_t sizes[] = { 0, 1, ARRIVE_PIECE - 1, ARRIVE_PIECE };

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct sender *s = sender_runs(0, "t", sizes[i]);

		assert_int_equal(s->err.code, ERR_NONE);
		assert_null(s->arrived);
		assert_int_equal(s->req.body.len, sizes[i]);
		sender_free(s);
	}
}

static void
without_a_folder_all_are_in_memory(void **state)
{
	struct sender *s;

	(void)state;
	close(shared.spool_folder);
	shared.spool_folder = 0;
	s = sender_runs(0, "t", BODY_BYTES);
	assert_null(s->arrived);
	assert_int_equal(s->req.body.len, BODY_BYTES);
	sender_free(s);
	shared.spool_folder = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* Two MiB each. */
static void
a_tenant_has_its_share_of_the_disk(void **state)
{
	unsigned stored = 0;

	(void)state;
	while (stored < SENDERS && !err_is(&sender_runs(stored, "noisy", BODY_BYTES)->err))
		stored++;
	assert_in_range(stored, SPOOL_MAX / BODY_BYTES / 2, SPOOL_MAX / BODY_BYTES - 1);
	assert_int_equal(senders[stored].err.code, ERR_OVERLOADED);
	assert_non_null(strstr(senders[stored].err.detail, "max_spool_size"));
	sender_free(&senders[stored]);
	assert_int_equal(held_of(shared.budgets.spool), stored * BODY_BYTES);
	is_in_a_file(sender_runs(stored, "quiet", BODY_BYTES), BODY_BYTES);
	for (unsigned i = 0; i <= stored; i++)
		sender_free(&senders[i]);
	assert_int_equal(held_of(shared.budgets.spool), 0);
}

/* A limit of files' sizes stands for a full disk. */
static void
a_full_disk_refuses_it(void **state)
{
	const struct rlimit none = { RLIM_INFINITY, RLIM_INFINITY };
	const struct rlimit little = { ARRIVE_PIECE + 1000, RLIM_INFINITY };
	struct sender *s;

	(void)state;
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &little), 0);
	s = sender_runs(0, "t", BODY_BYTES);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
	assert_int_equal(s->err.code, ERR_OVERLOADED);
	sender_free(s);
	assert_int_equal(held_of(shared.budgets.spool), 0);
	assert_int_equal(held_of(shared.budgets.documents), 0);
}

/* Aborted at every turn: also while a helper has it, which then lets it go. */
static void
a_client_may_leave_at_any_moment(void **state)
{
	(void)state;
	for (int turns = 0; turns < 40; turns++) {
		struct sender *s = sender_begin(0, "t", BODY_BYTES);

		for (int i = 0; i < turns && !s->is_over; i++)
			worker_turn(worker, 0);
		flow_abort(&s->req.flow, ERR_CLIENT_GONE, "left");
		while (!s->is_over)
			worker_turn(worker, 5);
		sender_free(s);
	}
	while (held_of(shared.budgets.spool) > 0)
		usleep(1000);
	assert_int_equal(held_of(shared.budgets.documents), 0);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_large_body_is_in_a_file),
		TEST(a_small_body_is_in_memory),
		TEST(without_a_folder_all_are_in_memory),
		TEST(a_tenant_has_its_share_of_the_disk),
		TEST(a_full_disk_refuses_it),
		TEST(a_client_may_leave_at_any_moment),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
