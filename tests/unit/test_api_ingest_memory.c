/* SPDX-License-Identifier: MIT */
/*
 * test_api_ingest_memory: what ingests hold is lent by tenant: a tenant of many slow uploads, or of
 * large documents, keeps no other from its own; all is given back.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include <pthread.h>

#include "api/ingest_work.h"
#include "fake_http.h"

#define KIB	   1024u
#define MEMORY	   (8u << 20) /* half for documents, half for vectors */
#define UPLOADS	   128
#define DIMENSIONS 1024
#define CHUNK_SIZE (DIMENSIONS * (4 + 12)) /* bytes a chunk costs, but for its text */

struct upload {
	struct request req; /* first */
	struct ingest_memory memory;
	struct ingest_grants grants; /* a handler's lie in its work */
	struct http_exchange x;
	struct timer timer;
	size_t bytes;	/* of the body that has come */
	size_t chunks;	/* of the document; 0: the body never ends */
	bool is_held;	/* its vectors' share is there */
	struct err err; /* of its end */
};

static struct worker *worker;
static struct model *model;
static struct model_shares *models;
static struct api_shared shared;
static const struct api_conf settings;
static struct api_context context;
static struct upload uploads[UPLOADS];
static unsigned begun;

static struct upload *
upload_of(struct flow *f)
{
	return (struct upload *)f;
}

static enum flow_rc
upload_enter(struct flow *f)
{
	return ingest_memory_enter(f, &upload_of(f)->memory, &upload_of(f)->req);
}

/* A body never ends, or is there at once. */
static enum flow_rc
upload_body(struct flow *f)
{
	struct upload *u = upload_of(f);
	struct err err = { .code = ERR_NONE };

	if (!u->x.watch(u->x.watch_arg, u->bytes, &err))
		return flow_fail_err(f, &err);
	ingest_memory_move(&u->memory, &u->grants);
	return u->chunks > 0 ? FLOW_NEXT : flow_sleep(f, &u->timer, 3600 * 1000000ull);
}

static enum flow_rc
upload_vectors(struct flow *f)
{
	struct upload *u = upload_of(f);

	return ingest_memory_vectors(f, &u->memory, u->chunks * CHUNK_SIZE, &u->grants);
}

static enum flow_rc
upload_hold(struct flow *f)
{
	struct upload *u = upload_of(f);

	u->is_held = true;
	return flow_sleep(f, &u->timer, 3600 * 1000000ull);
}

static void
upload_end(struct flow *f, const struct err *err)
{
	upload_of(f)->err = *err;
	ingest_grants_give(&upload_of(f)->grants);
}

static const struct flow_step upload_steps[] = {
	{ "enter", upload_enter },
	{ "body", upload_body },
	{ "vectors", upload_vectors },
	{ "hold", upload_hold },
	{ NULL, NULL },
};
static const struct flow_kind upload_kind = { "upload", upload_steps, upload_end, NULL };

static struct upload *
upload_begin(const char *tenant, size_t bytes, size_t chunks)
{
	struct upload *u = &uploads[begun++];

	assert_true(begun <= UPLOADS);
	*u = (struct upload){ .bytes = bytes, .chunks = chunks };
	u->req.ctx = &context;
	u->req.conf = context.conf;
	u->req.tenant.limits = &plan_standard;
	u->req.x = &u->x;
	buf_init(&u->req.body, 10u << 20);
	snprintf(u->req.tenant_id, sizeof(u->req.tenant_id), "%s", tenant);
	flow_start(&u->req.flow, &upload_kind, worker, NULL);
	worker_turn(worker, 0);
	worker_turn(worker, 0);
	return u;
}

static void
upload_leaves(struct upload *u)
{
	flow_abort(&u->req.flow, ERR_CLIENT_GONE, "left");
	for (int i = 0; i < 3; i++)
		worker_turn(worker, 0);
}

static void
memory_open(unsigned ingests_max)
{
	const struct api_conf conf = { .ingests_max = ingests_max,
		.ingest_memory_max = MEMORY,
		.ingest_wait_timeout_us = 60 * 1000000ull };

	api_budgets_open(&shared.budgets, &conf);
}

static int
set_up(void **state)
{
	struct model_conf conf;

	(void)state;
	model_conf_init(&conf);
	conf.dimensions = DIMENSIONS;
	worker = worker_new(0);
	models = model_shares_open(&conf);
	model = model_open(worker, NULL, models, &conf);
	context = (struct api_context){ .worker = worker,
		.model = model,
		.shared = &shared,
		.conf = &settings };
	begun = 0;
	return 0;
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
	model_close(model);
	model_shares_close(models);
	api_budgets_close(&shared.budgets);
	return 0;
}

static unsigned
count_refused(void)
{
	unsigned i, n = 0;

	for (i = 0; i < begun; i++)
		n += uploads[i].err.code == ERR_OVERLOADED;
	return n;
}

/* 64 uploads that have brought a little and drip on: another tenant's documents pass. */
static void
dripping_uploads_cost_only_what_has_come(void **state)
{
	struct upload *quiet;

	(void)state;
	memory_open(64);
	for (int i = 0; i < 64; i++)
		upload_begin("noisy", 1 * KIB, 0);
	assert_int_equal(count_refused(), 0);
	quiet = upload_begin("quiet", 2048 * KIB, 10);
	assert_true(quiet->is_held);
}

/* Three quarters of the documents' half, 3 MiB, are its share alone. */
static void
large_uploads_of_one_tenant_leave_room(void **state)
{
	struct upload *last;

	(void)state;
	memory_open(64);
	for (int i = 0; i < 32; i++)
		last = upload_begin("noisy", 128 * KIB, 0);
	assert_int_equal(count_refused(), 32 - 24);
	assert_int_equal(last->err.code, ERR_OVERLOADED);
	assert_non_null(strstr(last->err.detail, "max_ingest_memory"));
	assert_in_range(last->err.retry_after, 1, 60);
	assert_true(upload_begin("quiet", 1024 * KIB, 10)->is_held);
}

static void
one_tenant_has_so_many_ingests_at_most(void **state)
{
	struct upload *first, *more;

	(void)state;
	memory_open(2);
	first = upload_begin("noisy", 1, 0);
	upload_begin("noisy", 1, 0);
	more = upload_begin("noisy", 1, 0);
	assert_int_equal(more->err.code, ERR_OVERLOADED);
	assert_non_null(strstr(more->err.detail, "max_ingests"));
	assert_true(upload_begin("quiet", 1, 1)->is_held);
	upload_leaves(first);
	assert_true(upload_begin("noisy", 1, 1)->is_held);
}

/* What is larger than a share may ever become: http_read_body() sees the lower ceiling. */
static void
a_body_past_every_share_has_no_place(void **state)
{
	struct upload *u;

	(void)state;
	memory_open(2);
	u = upload_begin("t", 1, 0);
	assert_int_equal(u->req.body.max, MEMORY / 2 / 4 * 3);
}

/* As buf_grow() has it: what is at its ceiling has doubled before. */
static void
a_body_as_large_as_a_share_may_be_has_a_place(void **state)
{
	struct err err = { .code = ERR_NONE };
	struct upload *u;
	size_t bytes;

	(void)state;
	memory_open(2);
	u = upload_begin("t", 1, 0);
	ingest_grants_give(&u->grants);
	for (bytes = 64; bytes < u->req.body.max; bytes *= 2)
		assert_true(u->x.watch(u->x.watch_arg, bytes, &err));
	assert_true(u->x.watch(u->x.watch_arg, u->req.body.max, &err));
}

/* Nobody else holds anything: to try again later would not help. */
static void
a_text_that_never_fits_beside_its_body_is_too_large(void **state)
{
	struct err err = { .code = ERR_NONE };
	struct upload *u;

	(void)state;
	memory_open(2);
	u = upload_begin("t", 2048 * KIB, 10);
	assert_true(u->is_held);
	assert_false(ingest_memory_text(&u->memory, 1536 * KIB, &u->grants, &err));
	assert_int_equal(err.code, ERR_TOO_LARGE);
	assert_non_null(strstr(err.detail, "max_ingest_memory"));
	assert_true(ingest_memory_text(&u->memory, 1024 * KIB, &u->grants, &err));
}

static void *
free_work(void *work)
{
	ingest_work_free(work);
	return NULL;
}

/* As a helper does that had the work when its flow was aborted: the share is given back with the
 * memory, not before. */
static void
what_is_still_in_memory_is_still_held(void **state)
{
	struct upload *u;
	struct ingest_work *work;
	struct share_stats stats;
	pthread_t helper;

	(void)state;
	memory_open(2);
	u = upload_begin("t", 1 * KIB, 10);
	work = ingest_work_new(&u->req, NULL);
	work->grants = u->grants;
	memset(&u->grants, 0, sizeof(u->grants));
	upload_leaves(u);
	share_stats(shared.budgets.ingests, &stats);
	assert_int_equal(stats.held, 0);
	share_stats(shared.budgets.documents, &stats);
	assert_int_equal(stats.held, 1 * KIB);
	share_stats(shared.budgets.vectors, &stats);
	assert_int_not_equal(stats.held, 0);
	assert_int_equal(pthread_create(&helper, NULL, free_work, work), 0);
	pthread_join(helper, NULL);
	share_stats(shared.budgets.documents, &stats);
	assert_int_equal(stats.held, 0);
	share_stats(shared.budgets.vectors, &stats);
	assert_int_equal(stats.held, 0);
}

/* Who holds least is next: the quiet tenant's document passes those that wait. */
static void
vectors_are_waited_for_in_the_order_of_tenants(void **state)
{
	const size_t chunks = 1024 * KIB / CHUNK_SIZE; /* 1 MiB of the vectors' 4 */
	struct upload *held[3], *waits, *quiet;

	(void)state;
	memory_open(64);
	for (int i = 0; i < 3; i++)
		held[i] = upload_begin("noisy", 1, chunks);
	waits = upload_begin("noisy", 1, chunks);
	assert_true(held[2]->is_held);
	assert_false(waits->is_held);
	quiet = upload_begin("quiet", 1, chunks);
	assert_true(quiet->is_held);
	upload_leaves(held[0]);
	assert_false(waits->is_held); /* the last MiB is left for others */
	upload_leaves(held[1]);
	assert_true(waits->is_held);
}

static void
vectors_past_every_share_are_too_large(void **state)
{
	struct upload *u;

	(void)state;
	memory_open(64);
	u = upload_begin("t", 1, 300);
	assert_int_equal(u->err.code, ERR_TOO_LARGE);
	assert_non_null(strstr(u->err.detail, "max_ingest_memory"));
}

/* Several documents of one request, one after the other. */
static void
a_documents_share_ends_with_it(void **state)
{
	struct upload *u, *other;
	struct err err = { .code = ERR_NONE };
	struct share_stats stats;

	(void)state;
	memory_open(64);
	u = upload_begin("t", 1 * KIB, 10);
	assert_true(ingest_memory_text(&u->memory, 0, &u->grants, &err));
	assert_true(ingest_memory_text(&u->memory, 5 * KIB, &u->grants, &err));
	share_stats(shared.budgets.documents, &stats);
	assert_int_equal(stats.held, 6 * KIB);
	ingest_grants_clear(&u->grants);
	ingest_grants_clear(&u->grants);
	share_stats(shared.budgets.documents, &stats);
	assert_int_equal(stats.held, 1 * KIB);
	share_stats(shared.budgets.vectors, &stats);
	assert_int_equal(stats.held, 0);
	assert_true(ingest_memory_text(&u->memory, 2048 * KIB, &u->grants, &err));
	other = upload_begin("t", 1 * KIB, 10);
	assert_false(ingest_memory_text(&other->memory, 1536 * KIB, &other->grants, &err));
	assert_int_equal(err.code, ERR_OVERLOADED);
}

#define MEMORY_TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		MEMORY_TEST(dripping_uploads_cost_only_what_has_come),
		MEMORY_TEST(large_uploads_of_one_tenant_leave_room),
		MEMORY_TEST(one_tenant_has_so_many_ingests_at_most),
		MEMORY_TEST(a_body_past_every_share_has_no_place),
		MEMORY_TEST(a_body_as_large_as_a_share_may_be_has_a_place),
		MEMORY_TEST(a_text_that_never_fits_beside_its_body_is_too_large),
		MEMORY_TEST(what_is_still_in_memory_is_still_held),
		MEMORY_TEST(vectors_are_waited_for_in_the_order_of_tenants),
		MEMORY_TEST(vectors_past_every_share_are_too_large),
		MEMORY_TEST(a_documents_share_ends_with_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
