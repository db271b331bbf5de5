/* SPDX-License-Identifier: MIT */
/*
 * test_body_job: a large body is worked on by a helper while the loop turns, and whenever its flow
 * is aborted nothing of it is used after it was freed, nor left behind (the sanitizer sees both).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "api/body_job.h"
#include "tenantgate/base/clock.h"
#include "tenantgate/base/json.h"

#define LARGE	  ((size_t)200 << 10)
#define NODES_MAX 100

/* What the helper's function and the test say to one another. */
static struct {
	_Atomic bool held; /* the function waits until it is false */
	atomic_uint begun, ended, dropped;
	pthread_t dropper; /* of the last dropped */
} hold;

struct reading {
	struct body_job job; /* first */
	pthread_t thread;
	size_t text; /* bytes of the field of that name */
};

struct body_flow {
	struct request req; /* first */
	void *job;	    /* owned: struct reading; NULL while it is read */
	size_t text;
	size_t more; /* bytes that the job is said to have besides */
	bool ended, by_helper;
	struct err err;
};

static struct worker *worker;
static struct offload *offload;
static struct api_context ctx;

static void
reading_of_body(void *arg)
{
	struct reading *r = arg;
	struct slice text = { 0 };
	json_t *root;

	atomic_fetch_add(&hold.begun, 1);
	while (atomic_load(&hold.held))
		sched_yield();
	r->thread = pthread_self();
	root = body_job_json(&r->job, NODES_MAX);
	if (root != NULL && json_get_string(root, "text", &text, &r->job.err))
		r->text = body_job_copy(&r->job, text).len;
	json_decref(root);
	atomic_fetch_add(&hold.ended, 1);
}

static void
reading_gone(void *arg)
{
	body_job_free(arg);
	hold.dropper = pthread_self();
	atomic_fetch_add(&hold.dropped, 1);
}

static struct body_flow *
body_flow_of(struct flow *f)
{
	return (struct body_flow *)(void *)f;
}

static enum flow_rc
body_flow_read(struct flow *f)
{
	struct body_flow *b = body_flow_of(f);
	struct reading *r = body_job_new(&b->req, sizeof(*r));

	assert_int_equal(b->req.body.len, 0);
	b->job = r;
	return body_job_run(f, r->job.body.len, reading_of_body, reading_gone, &b->job);
}

static enum flow_rc
body_flow_take(struct flow *f)
{
	struct body_flow *b = body_flow_of(f);
	const struct reading *r = b->job;

	if (err_is(&r->job.err))
		return flow_fail_err(f, &r->job.err);
	b->text = r->text;
	b->by_helper = !pthread_equal(r->thread, pthread_self());
	return FLOW_DONE;
}

static void
body_flow_end(struct flow *f, const struct err *err)
{
	struct body_flow *b = body_flow_of(f);

	b->err = *err;
	b->ended = true;
	body_job_end(&b->req, reading_gone, b->job, b->more);
	buf_free(&b->req.body);
}

static const struct flow_step body_flow_steps[] = { { "read", body_flow_read },
	{ "take", body_flow_take }, { NULL, NULL } };
static const struct flow_kind body_flow_kind = { "body", body_flow_steps, body_flow_end, NULL };

static int
set_up(void **state)
{
	struct offload_conf conf;

	(void)state;
	memset(&hold, 0, sizeof(hold));
	worker = worker_new(0);
	offload_conf_init(&conf);
	conf.helpers = 2;
	conf.running_max = 1;
	conf.waiting_max = 1;
	offload = offload_open(&conf);
	offload_attach(offload, worker);
	ctx.worker = worker;
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	atomic_store(&hold.held, false);
	worker_free(worker);
	offload_close(offload);
	return 0;
}

/* A body of some `size` bytes: {"text":"xxx...","more":[0,0,...]}. */
static void
body_flow_start(struct body_flow *b, size_t size, unsigned more)
{
	memset(b, 0, sizeof(*b));
	b->req.magic = REQUEST_MAGIC;
	b->req.ctx = &ctx;
	snprintf(b->req.tenant_id, sizeof(b->req.tenant_id), "acme");
	buf_init(&b->req.body, 2 * LARGE);
	buf_puts(&b->req.body, "{\"text\":\"");
	memset(buf_extend(&b->req.body, size), 'x', size);
	buf_puts(&b->req.body, "\",\"more\":[0");
	for (unsigned i = 0; i < more; i++)
		buf_puts(&b->req.body, ",0");
	buf_puts(&b->req.body, "]}");
	assert_false(b->req.body.failed);
	flow_start(&b->req.flow, &body_flow_kind, worker, NULL);
}

/* Half a minute: only a broken program waits so long. */
static void
wait_for(atomic_uint *count, unsigned wanted)
{
	uint64_t began = clock_mono_us();

	while (atomic_load(count) < wanted) {
		assert_true(clock_mono_us() - began < 30000000);
		sched_yield();
	}
}

static void
body_flow_turn(struct body_flow *b)
{
	while (!b->ended)
		worker_turn(worker, 100);
}

static void
a_small_body_is_read_at_once(void **state)
{
	struct body_flow b;

	(void)state;
	body_flow_start(&b, 1000, 1);
	worker_turn(worker, 0);
	assert_true(b.ended);
	assert_int_equal(b.err.code, ERR_NONE);
	assert_int_equal(b.text, 1000);
	assert_false(b.by_helper);
	assert_int_equal(hold.dropped, 1);
}

static void
a_large_body_is_read_while_the_loop_turns(void **state)
{
	struct body_flow large, small;

	(void)state;
	atomic_store(&hold.held, true);
	body_flow_start(&large, LARGE, 1);
	worker_turn(worker, 0);
	wait_for(&hold.begun, 1);
	assert_false(large.ended);
	assert_null(large.job);
	atomic_store(&hold.held, false);
	body_flow_start(&small, 10, 1);
	body_flow_turn(&small);
	body_flow_turn(&large);
	assert_int_equal(large.err.code, ERR_NONE);
	assert_int_equal(large.text, LARGE);
	assert_true(large.by_helper);
}

static void
what_is_wrong_with_a_large_body_is_said(void **state)
{
	struct body_flow b;

	(void)state;
	body_flow_start(&b, LARGE, NODES_MAX);
	body_flow_turn(&b);
	assert_int_equal(b.err.code, ERR_INVALID_JSON);
	assert_non_null(strstr(b.err.detail, "more than 100 values"));
	assert_int_equal(hold.dropped, 1);
}

/* In the queue, in the middle, and when it has ended but the flow has not had its turn. */
static void
an_abort_leaves_the_job_to_who_has_it(void **state)
{
	struct body_flow running, queued, over;

	(void)state;
	atomic_store(&hold.held, true);
	body_flow_start(&running, LARGE, 1);
	worker_turn(worker, 0);
	wait_for(&hold.begun, 1);
	body_flow_start(&queued, LARGE, 1);
	worker_turn(worker, 0);
	flow_abort(&queued.req.flow, ERR_CLIENT_GONE, "The client left.");
	flow_abort(&running.req.flow, ERR_CLIENT_GONE, "The client left.");
	body_flow_turn(&queued);
	body_flow_turn(&running);
	assert_int_equal(running.err.code, ERR_CLIENT_GONE);
	assert_int_equal(hold.dropped, 1);
	atomic_store(&hold.held, false);
	wait_for(&hold.dropped, 2);

	body_flow_start(&over, LARGE, 1);
	worker_turn(worker, 0);
	wait_for(&hold.ended, 2);
	flow_abort(&over.req.flow, ERR_CLIENT_GONE, "The client left.");
	body_flow_turn(&over);
	while (atomic_load(&hold.dropped) < 3)
		worker_turn(worker, 10);
	assert_int_equal(over.err.code, ERR_CLIENT_GONE);
	assert_int_equal(hold.begun, 2);
}

static void
what_is_large_is_freed_by_a_helper(void **state)
{
	struct body_flow b;

	(void)state;
	body_flow_start(&b, LARGE, 1);
	body_flow_turn(&b);
	assert_true(pthread_equal(hold.dropper, pthread_self()));
	body_flow_start(&b, LARGE, 1);
	b.more = BODY_FREED_HERE_MAX;
	body_flow_turn(&b);
	wait_for(&hold.dropped, 2);
	assert_false(pthread_equal(hold.dropper, pthread_self()));
}

static void
too_many_of_one_tenant_are_refused(void **state)
{
	struct body_flow flows[3];

	(void)state;
	atomic_store(&hold.held, true);
	for (int i = 0; i < 3; i++) {
		body_flow_start(&flows[i], LARGE, 1);
		worker_turn(worker, 0);
		wait_for(&hold.begun, 1);
	}
	body_flow_turn(&flows[2]);
	assert_int_equal(flows[2].err.code, ERR_OVERLOADED);
	assert_null(flows[2].job);
	assert_int_equal(hold.dropped, 1);
	atomic_store(&hold.held, false);
	for (int i = 0; i < 2; i++) {
		body_flow_turn(&flows[i]);
		assert_int_equal(flows[i].err.code, ERR_NONE);
	}
	assert_int_equal(hold.dropped, 3);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_small_body_is_read_at_once),
		TEST(a_large_body_is_read_while_the_loop_turns),
		TEST(what_is_wrong_with_a_large_body_is_said),
		TEST(an_abort_leaves_the_job_to_who_has_it),
		TEST(what_is_large_is_freed_by_a_helper),
		TEST(too_many_of_one_tenant_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
