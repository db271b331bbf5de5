/* SPDX-License-Identifier: MIT */
/*
 * pool_fixture: one worker, fake connections, and clients that borrow one, hold it until the test
 * lets them go on, and return it. Each traces that it got a connection, or an error:
 * "ab!pool_timeout" is: a got one, b failed.
 */
#ifndef TENANTGATE_TESTS_POOL_FIXTURE_H
#define TENANTGATE_TESTS_POOL_FIXTURE_H

#include "flow_fixture.h"

#include "fake_pg.h"
#include "tenantgate/base/clock.h"
#include "tenantgate/base/log.h"

struct client {
	struct flow		 flow;
	const char		*name;
	unsigned		 key;
	const char		*password;
	const char		*host;		/* NULL: "fake" */
	bool			 is_paced;
	unsigned		 size;		/* of its pool; 0: the configured one */
	struct pool_lease	 lease;
	enum pool_hygiene	 hygiene;
	bool			 holds;		/* waits in its second step */
	unsigned		 serial;	/* of the connection it got */
	bool			 reused;
};

static struct pool_conf conf;
static struct pools *pools;

static inline void
client_left(void *arg)
{
	((struct client *)arg)->holds = false;
}

static inline enum flow_rc
client_borrow(struct flow *f)
{
	struct client *c = (struct client *)f;
	char key[16];
	struct pool_target t = {
		.pg = { .host = c->host != NULL ? c->host : "fake", .dbname = key,
		    .password = c->password },
	};

	snprintf(key, sizeof(key), "%u", c->key);
	t.key = slice_str(key);
	t.is_paced = c->is_paced;
	t.size = c->size;
	return pool_borrow(f, pools, &t, &c->lease);
}

static inline enum flow_rc
client_hold(struct flow *f)
{
	struct client *c = (struct client *)f;

	assert(!atomic_exchange(&c->lease.conn->held, true));
	trace(c->name);
	c->serial = c->lease.conn->serial;
	c->reused = c->lease.reused;
	c->holds = true;
	return flow_wait(f, client_left, c);
}

static inline void
client_end(struct flow *f, const struct err *err)
{
	struct client *c = (struct client *)f;

	if (err_is(err)) {
		trace(c->name);
		trace("!");
		trace(err_slug(err->code));
	}
	if (c->lease.conn != NULL)
		c->lease.conn->held = false;
	pool_return(&c->lease, c->hygiene);
	pool_return(&c->lease, c->hygiene); /* twice is once */
}

static const struct flow_step client_steps[] = {
	{ "borrow", client_borrow },
	{ "hold", client_hold },
	{ NULL, NULL },
};
static const struct flow_kind client_kind = { "client", client_steps, client_end, NULL };

static inline void
pool_fixture_turns(void)
{
	unsigned i;

	for (i = 0; i < 12; i++)
		worker_turn(worker, 1);
}

static inline void
borrow(struct client *c)
{
	flow_start(&c->flow, &client_kind, worker, NULL);
	pool_fixture_turns();
}

static inline void
give_back(struct client *c)
{
	assert_true(c->holds);
	c->holds = false;
	flow_wake(&c->flow);
	pool_fixture_turns();
}

static inline void
leave(struct client *c)
{
	flow_abort(&c->flow, ERR_CLIENT_GONE, "left");
	pool_fixture_turns();
}

static inline struct pool_stats
stats(void)
{
	struct pool_stats s;

	pools_stats(pools, &s);
	return s;
}

static inline void
reopen_ops(const struct pool_ops *ops)
{
	pools_detach(pools, worker);
	pools_close(pools);
	pools = pools_open(&conf, ops);
	pools_attach(pools, worker, NULL);
	fake.limit = conf.max_server_connections;
}

/* Opens again with what the test has put into conf. */
static inline void
reopen(void)
{
	reopen_ops(&fake_ops);
}

static inline int
pool_fixture_set_up(void **state)
{
	memset(&fake, 0, sizeof(fake));
	fake_later = NULL;
	fake_holds_ends = false;
	fake_never = NULL;
	log_level(LOG_ERR);
	pool_conf_init(&conf);
	conf.default_pool_size = 2;
	conf.max_server_connections = 4;
	fake.limit = 4;
	if (flow_fixture_set_up(state) != 0)
		return -1;
	pools = pools_open(&conf, &fake_ops);
	pools_attach(pools, worker, NULL);
	return 0;
}

static inline int
pool_fixture_tear_down(void **state)
{
	flow_abort_all(worker, ERR_SHUTDOWN, "over");
	pool_fixture_turns();
	pools_detach(pools, worker);
	flow_fixture_tear_down(state);
	pools_close(pools);
	return fake.open == 0 && fake.connects == fake.closes ? 0 : -1;
}

#define CLIENT(n, k)	struct client n = { .name = #n, .key = k }
#define POOL_CASE(fn) \
	cmocka_unit_test_setup_teardown(fn, pool_fixture_set_up, pool_fixture_tear_down)

#endif
