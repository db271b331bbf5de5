/* SPDX-License-Identifier: MIT */
/*
 * A database that wakes, restarts, is full, or went silent, as the pool's borrowers see it: what
 * passes is waited for, the rest is told with its kind and a time; suspects are probed.
 */
#include "pool_fixture.h"

enum { SECOND_US = 1000000 };

/* Until it holds a connection, or has failed: a login's pauses are real time. */
static void
wait_until_served(const struct client *c)
{
	unsigned turns;

	for (turns = 0; !c->holds && c->flow.state != FLOW_ENDED && turns < 3000; turns++)
		worker_turn(worker, 10);
	assert_true(c->holds || c->flow.state == FLOW_ENDED);
}

static void
refuse_next(unsigned n, const char *sqlstate, const char *message)
{
	fake.lost_logins = n;
	fake.sqlstate = sqlstate;
	fake.message = message;
}

/* The client's words name nothing that the server said. */
static void
is_told(const struct client *c, enum err_code code, const char *cause)
{
	assert_int_equal(c->flow.err.code, code);
	assert_non_null(strstr(c->flow.err.cause, cause));
	assert_null(strstr(c->flow.err.detail, cause));
	assert_null(strstr(c->flow.err.detail, "SQLSTATE"));
	assert_true(c->flow.err.retry_after >= 1);
}

/* ---- what passes is waited for ---- */

static void
a_wake_outlasts_query_wait_timeout(void **state)
{
	CLIENT(a, 1);

	(void)state;
	conf.query_wait_timeout_us = 1000;
	reopen();
	refuse_next(3, "57P03", "the database system is starting up");
	borrow(&a);
	wait_until_served(&a);
	assert_string_equal(traced, "a");
	assert_int_equal(fake.connects, 4);
	give_back(&a);
}

static void
a_slow_login_outlasts_query_wait_timeout(void **state)
{
	CLIENT(a, 1);

	(void)state;
	conf.query_wait_timeout_us = 1000;
	reopen();
	fake.login_us = 2 * SECOND_US;
	borrow(&a);
	wait_until_served(&a);
	assert_string_equal(traced, "a");
	give_back(&a);
}

static void
a_wake_past_server_connect_timeout_is_told(void **state)
{
	CLIENT(a, 1);
	CLIENT(b, 1);

	(void)state;
	conf.server_connect_timeout_us = SECOND_US;
	reopen();
	refuse_next(1000, "57P03", "the database system is starting up");
	borrow(&a);
	wait_until_served(&a);
	is_told(&a, ERR_DATABASE_AWAY, "starting up");
	assert_true(fake.connects > 1);
	borrow(&b); /* in back-off: at once, and no login is made for it */
	is_told(&b, ERR_DATABASE_AWAY, "starting up");
	assert_false(b.lease.login_failed);
}

/* Nobody is there, and nobody has ever been: that is not waited for. Who was there comes back. */
static void
only_a_known_server_is_waited_for_when_nobody_answers(void **state)
{
	CLIENT(a, 1);
	CLIENT(b, 1);
	CLIENT(c, 1);

	(void)state;
	refuse_next(1, "", "Connection refused");
	borrow(&a);
	is_told(&a, ERR_DATABASE_AWAY, "refused");
	assert_int_equal(fake.connects, 1);
	clock_test_advance(conf.server_login_retry_us);
	borrow(&b);
	assert_true(b.holds);
	b.lease.conn->state = PG_BROKEN;
	give_back(&b);
	refuse_next(2, "", "Connection refused");
	borrow(&c);
	wait_until_served(&c);
	assert_true(c.holds);
	assert_int_equal(fake.connects, 5);
	give_back(&c);
}

static void
who_paces_their_own_tries_hears_at_once(void **state)
{
	struct client a = { .name = "a", .key = 1, .is_paced = true };

	(void)state;
	refuse_next(1, "57P03", "the database system is starting up");
	borrow(&a);
	is_told(&a, ERR_DATABASE_AWAY, "starting up");
	assert_int_equal(fake.connects, 1);
}

/* ---- what does not is told ---- */

static void
kind_is(const char *sqlstate, const char *message, enum err_code code, int retry_after)
{
	CLIENT(a, 1);

	refuse_next(1, sqlstate, message);
	borrow(&a);
	wait_until_served(&a);
	is_told(&a, code, message);
	assert_true(a.flow.err.retry_after >= retry_after);
	clock_test_advance(4 * conf.server_login_retry_us);
}

static void
each_failure_has_its_kind(void **state)
{
	(void)state;
	kind_is("28P01", "password authentication failed for role", ERR_DATABASE, 1);
	kind_is("3D000", "database x does not exist", ERR_DATABASE, 1);
	kind_is("53300", "sorry, too many clients already", ERR_OVERLOADED, 1);
	kind_is("53200", "out of memory", ERR_DATABASE_AWAY, 5);
	kind_is("XX000", "Your project has exceeded the compute time quota", ERR_DATABASE_QUOTA,
	    60);
	kind_is("XX000", "Your project has exceeded the data transfer quota", ERR_DATABASE_QUOTA,
	    60);
	kind_is("XX000", "Too many connections attempts", ERR_OVERLOADED, 1);
	kind_is("XX000", "The endpoint has been disabled", ERR_DATABASE_AWAY, 60);
	kind_is("XX000", "The requested endpoint could not be found", ERR_DATABASE, 1);
	kind_is("", "SSL error: certificate verify failed", ERR_DATABASE, 1);
	kind_is("42501", "something else", ERR_DATABASE, 1);
}

/* ---- what is ours ---- */

/* Of more refusals than a pool forgives its target: it has none to forgive. */
static void
our_own_refusal_is_no_failure_of_the_target(void **state)
{
	CLIENT(a, 1);
	CLIENT(b, 1);

	(void)state;
	fake.login_status = PG_REFUSED;
	refuse_next(3, "", "64 jobs of one holder wait for a helper");
	borrow(&a);
	borrow(&b);
	wait_until_served(&a);
	wait_until_served(&b);
	assert_true(a.holds && b.holds);
	give_back(&a);
	give_back(&b);
}

/* ---- suspects ---- */

static struct client trio[3];

/* Two idle connections, and a third that broke in use. */
static void
one_breaks_of_three(void)
{
	unsigned i;

	conf.default_pool_size = 3;
	reopen();
	for (i = 0; i < 3; i++) {
		trio[i] = (struct client){ .name = "", .key = 1 };
		borrow(&trio[i]);
	}
	give_back(&trio[0]);
	give_back(&trio[1]);
	trio[2].lease.conn->state = PG_BROKEN;
	give_back(&trio[2]);
}

static void
siblings_of_a_broken_one_are_probed_once(void **state)
{
	CLIENT(a, 1);
	CLIENT(b, 1);
	CLIENT(c, 1);

	(void)state;
	one_breaks_of_three();
	borrow(&a);
	borrow(&b);
	assert_string_equal(traced, "ab");
	assert_int_equal(fake.probes, 2);
	give_back(&a);
	give_back(&b);
	borrow(&c); /* proven */
	assert_int_equal(fake.probes, 2);
	assert_int_equal(fake.connects, 3);
	give_back(&c);
}

static void
silent_suspects_are_closed(void **state)
{
	CLIENT(a, 1);

	(void)state;
	one_breaks_of_three();
	fake.is_silent = true;
	borrow(&a);
	assert_string_equal(traced, "a");
	assert_in_range(fake.probes, 1, 2);
	assert_int_equal(fake.connects, 4);
	assert_int_equal(fake.open, 1);
	give_back(&a);
}

/* The idle one goes to a waiter in another way than to one who finds it. */
static void
a_waiter_gets_no_suspect_unprobed(void **state)
{
	CLIENT(a, 1);
	CLIENT(b, 2);
	CLIENT(c, 3);
	CLIENT(d, 1);

	(void)state;
	one_breaks_of_three();
	borrow(&b);
	borrow(&c);
	borrow(&a);
	borrow(&d);
	assert_true(a.holds);
	assert_true(fake.probes >= 1);
	give_back(&b);
	give_back(&c);
	wait_until_served(&d);
	give_back(&a);
	give_back(&d);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		POOL_CASE(a_wake_outlasts_query_wait_timeout),
		POOL_CASE(a_slow_login_outlasts_query_wait_timeout),
		POOL_CASE(a_wake_past_server_connect_timeout_is_told),
		POOL_CASE(only_a_known_server_is_waited_for_when_nobody_answers),
		POOL_CASE(who_paces_their_own_tries_hears_at_once),
		POOL_CASE(each_failure_has_its_kind),
		POOL_CASE(our_own_refusal_is_no_failure_of_the_target),
		POOL_CASE(siblings_of_a_broken_one_are_probed_once),
		POOL_CASE(silent_suspects_are_closed),
		POOL_CASE(a_waiter_gets_no_suspect_unprobed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
