/* SPDX-License-Identifier: MIT */
/*
 * Eight workers borrow from the same few pools: random holding times, departures, deadlines, dying
 * connections, failing logins and resets, forgotten targets, a server that is full, limits that
 * others set. The fakes assert at every moment that no limit is passed and no connection is held by
 * two; at the end all is closed.
 *
 *	test_pool_stress [borrowers a worker [seed]]	(default 3000, 1)
 */
#include <pthread.h>
#include <time.h>

#include "fake_pg.h"
#include "tenantgate/base/clock.h"
#include "tenantgate/base/log.h"
#include "tenantgate/loop/worker.h"

enum { WORKERS = 8, KEYS = 12, BUDGET = 20, SIZE = 4, LIVE_MAX = 60 };

struct stress_worker {
	struct worker *worker;
	struct timer driver;
	struct task open_task, leave_task;
	unsigned left; /* borrowers still to come */
	unsigned lent, refused, late, departed, busy;
};

struct borrower {
	struct flow flow;
	struct stress_worker *stress_worker;
	struct pool_lease lease;
	struct timer timer;
	unsigned key, rounds;
};

static struct pools *pools;
static struct stress_worker stress_workers[WORKERS];
static atomic_uint finished;
static unsigned seed = 1;

static enum flow_rc
borrower_ask(struct flow *f)
{
	struct borrower *b = (struct borrower *)f;
	char key[16];
	struct pool_target t = { .pg = { .host = b->key % 3 == 0 ? "full" : "fake",
				     .dbname = key } };

	snprintf(key, sizeof(key), "%u", b->key);
	t.key = slice_str(key);
	return pool_borrow(f, pools, &t, &b->lease);
}

static enum flow_rc
borrower_use(struct flow *f)
{
	struct borrower *b = (struct borrower *)f;

	assert(b->lease.conn->key == b->key);
	assert(!atomic_exchange(&b->lease.conn->held, true));
	b->stress_worker->lent++;
	if (fake_dice(10) == 0)
		return FLOW_NEXT;
	return flow_sleep(f, &b->timer, fake_dice(300));
}

static void
borrower_give_back(struct borrower *b)
{
	struct pg_conn *c = b->lease.conn;

	if (c == NULL)
		return;
	if (fake_dice(30) == 0)
		c->state = PG_IN_TRANSACTION;
	if (fake_dice(50) == 0)
		c->state = PG_BROKEN;
	if (fake_dice(50) == 0)
		c->dead = true;
	c->held = false;
	pool_return(&b->lease, fake_dice(4) == 0 ? POOL_DIRTY : POOL_CLEAN);
	assert(b->lease.conn == NULL);
}

static enum flow_rc
borrower_again(struct flow *f)
{
	struct borrower *b = (struct borrower *)f;

	borrower_give_back(b);
	if (--b->rounds == 0)
		return FLOW_DONE;
	b->key = fake_dice(KEYS);
	return flow_goto(f, borrower_ask);
}

static void
borrower_end(struct flow *f, const struct err *err)
{
	struct borrower *b = (struct borrower *)f;

	/* Held: set by borrower_use() only; aborted before that, it is not. */
	borrower_give_back(b);
	b->stress_worker->refused += err->code == ERR_DATABASE;
	b->stress_worker->late += err->code == ERR_POOL_TIMEOUT || err->code == ERR_TIMEOUT;
	b->stress_worker->departed += err->code == ERR_CLIENT_GONE;
	b->stress_worker->busy += err->code == ERR_OVERLOADED;
}

static void
borrower_release(struct flow *f)
{
	free(f);
}

static const struct flow_step borrower_steps[] = {
	{ "ask", borrower_ask },
	{ "use", borrower_use },
	{ "again", borrower_again },
	{ NULL, NULL },
};
static const struct flow_kind borrower_kind = { "borrower", borrower_steps, borrower_end,
	borrower_release };

static void
borrower_start(struct stress_worker *st)
{
	struct borrower *b = calloc(1, sizeof(*b));

	assert(b != NULL);
	b->stress_worker = st;
	b->rounds = 1 + fake_dice(4);
	b->key = fake_dice(3) == 0 ? 0 : fake_dice(KEYS); /* key 0 is the noisy one */
	flow_start(&b->flow, &borrower_kind, st->worker, NULL);
	if (fake_dice(10) == 0)
		flow_deadline(&b->flow, 1 + fake_dice(5000));
}

static void
abort_some_borrowers(struct flow *f, void *arg)
{
	(void)arg;
	if (fake_dice(400) == 0)
		flow_abort(f, ERR_CLIENT_GONE, "left");
}

static void
note_stress_host(const struct pool_host_stats *h, void *arg)
{
	(void)arg;
	assert(h->key.len > 0 && h->used <= BUDGET);
}

/* What other replicas and the operator do. */
static void
disturb_pools(void)
{
	if (fake_dice(20) == 0)
		pool_forget(pools, fake_dice(2) == 0 ? SLICE_LIT("1") : SLICE_LIT("3"));
	if (fake_dice(20) == 0)
		pool_retry_now(pools, SLICE_LIT("1"));
	if (fake_dice(20) == 0)
		pools_host_limit(pools, SLICE_LIT("fake:0"), 10 + fake_dice(20));
	if (fake_dice(20) == 0)
		pools_host_limit(pools, SLICE_LIT("full:0"), fake_dice(20));
	if (fake_dice(20) == 0)
		pools_replicas(pools, fake_dice(4));
	if (fake_dice(20) == 0)
		pools_hosts(pools, true, note_stress_host, NULL);
}

static void
stress_worker_drive(void *arg)
{
	struct stress_worker *st = arg;
	unsigned burst = fake_dice(40);

	while (st->left > 0 && burst-- > 0 && flow_count(st->worker) < LIVE_MAX) {
		borrower_start(st);
		st->left--;
	}
	flow_each(st->worker, abort_some_borrowers, NULL);
	disturb_pools();
	if (st->left > 0 || flow_count(st->worker) > 0)
		timer_start(&st->driver, fake_dice(500));
	else
		finished++;
}

static void
stress_worker_open(void *arg)
{
	struct stress_worker *st = arg;

	fake_rng = (seed * 1000 + worker_index(st->worker) + 1) * 0x9e3779b97f4a7c15ull;
	pools_attach(pools, st->worker, NULL);
	if (!timer_init(&st->driver, st->worker, stress_worker_drive, st))
		abort();
	timer_start(&st->driver, 0);
}

static void
stress_worker_leave(void *arg)
{
	struct stress_worker *st = arg;

	timer_free(&st->driver);
	flow_abort_all(st->worker, ERR_SHUTDOWN, "stopping");
	pools_detach(pools, st->worker);
	worker_stop(st->worker);
}

static void
stress_workers_run(unsigned borrowers)
{
	unsigned i;

	for (i = 0; i < WORKERS; i++) {
		stress_workers[i].worker = worker_new(i);
		stress_workers[i].left = borrowers;
		if (stress_workers[i].worker == NULL || !worker_start(stress_workers[i].worker))
			abort();
		worker_post(stress_workers[i].worker, &stress_workers[i].open_task,
		    stress_worker_open, &stress_workers[i]);
	}
	while (finished < WORKERS)
		nanosleep(&(struct timespec){ .tv_nsec = 5000000 }, NULL);
	for (i = 0; i < WORKERS; i++)
		worker_post(stress_workers[i].worker, &stress_workers[i].leave_task,
		    stress_worker_leave, &stress_workers[i]);
	for (i = 0; i < WORKERS; i++)
		worker_join(stress_workers[i].worker);
	for (i = 0; i < WORKERS; i++)
		worker_free(stress_workers[i].worker);
}

static void
conf_fill(struct pool_conf *conf)
{
	unsigned i;

	pool_conf_init(conf);
	conf->default_pool_size = SIZE;
	conf->max_server_connections = BUDGET;
	conf->max_waiting = 200;
	conf->max_host_statements = 4;
	conf->query_wait_timeout_us = 200000;
	conf->server_login_retry_us = 1000;
	conf->server_idle_timeout_us = 20000;
	conf->server_lifetime_us = 30000;
	conf->server_lifetime_jitter_us = 10000;
	conf->pool_idle_timeout_us = 30000;
	fake.limit = BUDGET;
	for (i = 0; i < KEYS; i++)
		fake.key_limit[i] = SIZE;
	fake.full_at = 6;
	fake.max_connections = 17 + 2 * SIZE;
	fake.fail_logins = 20;
	fake.fail_resets = 20;
	fake.kill = 10;
	fake.login_us = 500;
}

static void
report(double s)
{
	struct stress_worker sum = { 0 };
	unsigned i;

	for (i = 0; i < WORKERS; i++) {
		sum.lent += stress_workers[i].lent;
		sum.refused += stress_workers[i].refused;
		sum.late += stress_workers[i].late;
		sum.departed += stress_workers[i].departed;
		sum.busy += stress_workers[i].busy;
	}
	printf("lent %u; refused %u late %u departed %u busy %u; connects %u (most at once %u of "
	       "%u) closes %u resets %u; %.2f s\n",
	    sum.lent, sum.refused, sum.late, sum.departed, sum.busy, fake.connects, fake.open_max,
	    fake.limit, fake.closes, fake.resets, s);
}

int
main(int argc, char **argv)
{
	unsigned borrowers = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 3000;
	uint64_t began = clock_mono_us();
	struct pool_conf conf;

	seed = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 1;
	printf("test_pool_stress: %u borrowers on each of %u workers, seed %u\n", borrowers,
	    WORKERS, seed);
	log_level(LOG_ERR);
	conf_fill(&conf);
	pools = pools_open(&conf, &fake_ending_ops);
	stress_workers_run(borrowers);
	pools_close(pools);
	report((double)(clock_mono_us() - began) / 1e6);
	return fake.open == 0 && fake.connects == fake.closes ? 0 : 1;
}
