/* SPDX-License-Identifier: MIT */
/* What a failed login means for those that would follow, and what costs no login. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "pool_fixture.h"
#include "tenantgate/base/log.h"

enum { CROWD = 20, SECOND_US = 1000000 };

static struct client crowd[CROWD];

static void
refuse_all(void)
{
	fake.fail_logins = 1000;
}

/* Borrows and gives back, if it can. */
static void
ask_once(struct client *c)
{
	const char *host = c->host, *password = c->password;

	*c = (struct client){ .name = "", .key = 1, .host = host, .password = password };
	borrow(c);
	if (c->holds)
		give_back(c);
}

static void
back_off_outlives_a_forget(void **state)
{
	struct client a = { 0 }, b = { 0 }, c = { 0 };

	(void)state;
	refuse_all();
	ask_once(&a);
	assert_true(a.lease.login_failed);
	pool_forget(pools, SLICE_LIT("1"));
	ask_once(&b);
	assert_string_equal(b.flow.err.detail, a.flow.err.detail);
	assert_in_range(b.flow.err.retry_after, 1, 5);
	assert_false(b.lease.login_failed); /* nothing new is known of the target */
	assert_int_equal(fake.connects, 1);
	clock_test_advance(conf.server_login_retry_us);
	fake.fail_logins = 0;
	ask_once(&c);
	assert_int_equal(c.flow.err.code, ERR_NONE);
}

static void
a_changed_target_starts_clean(void **state)
{
	struct client a = { .password = "old" }, b = { .password = "new" };

	(void)state;
	refuse_all();
	ask_once(&a);
	fake.fail_logins = 0;
	ask_once(&b);
	assert_int_equal(b.flow.err.code, ERR_NONE);
}

static void
who_paces_their_own_tries_may_end_it(void **state)
{
	struct client a = { 0 }, b = { 0 };

	(void)state;
	refuse_all();
	ask_once(&a);
	fake.fail_logins = 0;
	pool_retry_now(pools, SLICE_LIT("1"));
	pool_retry_now(pools, SLICE_LIT("never heard of"));
	ask_once(&b);
	assert_int_equal(b.flow.err.code, ERR_NONE);
}

/* No login for so long; then one. */
static void
login_is_tried_between(uint64_t after_us, uint64_t before_us)
{
	unsigned connects = fake.connects;
	struct client early = { 0 }, late = { 0 };

	clock_test_advance(after_us);
	ask_once(&early);
	assert_int_equal(fake.connects, connects);
	clock_test_advance(before_us - after_us);
	ask_once(&late);
	assert_int_equal(fake.connects, connects + 1);
}

/* The waits are by chance down to half of 600, 1200, 2400 seconds: so long that the machine's own
 * pauses do not count. */
static void
the_wait_grows_up_to_four_times_and_ends_with_a_success(void **state)
{
	struct client a = { 0 };
	unsigned i;

	(void)state;
	conf.server_login_retry_us = 600ull * SECOND_US;
	conf.pool_idle_timeout_us = 86400ull * SECOND_US;
	reopen();
	refuse_all();
	ask_once(&a);
	login_is_tried_between(299ull * SECOND_US, 600ull * SECOND_US);
	login_is_tried_between(599ull * SECOND_US, 1200ull * SECOND_US);
	for (i = 0; i < 4; i++)
		login_is_tried_between(1199ull * SECOND_US, 2400ull * SECOND_US);
	clock_test_advance(2400ull * SECOND_US);
	fake.fail_logins = 0;
	ask_once(&a);
	assert_int_equal(a.flow.err.code, ERR_NONE);
	fake.kill = 1000; /* the idle one is found dead */
	refuse_all();
	ask_once(&a);
	login_is_tried_between(299ull * SECOND_US, 600ull * SECOND_US);
}

/* Fault f: each of 20 clients asks again at once, and each failure makes its request forget. */
static void
refused_logins_are_few(void **state)
{
	uint64_t end_us;
	unsigned i;

	(void)state;
	conf.default_pool_size = 20;
	conf.max_server_connections = 40;
	reopen();
	refuse_all();
	end_us = clock_mono_us() + 5ull * SECOND_US;
	for (i = 0; i < CROWD; i++) {
		crowd[i] = (struct client){ .name = "", .key = 1 };
		flow_start(&crowd[i].flow, &client_kind, worker, NULL);
	}
	pool_fixture_turns();
	traced[0] = '\0';
	while (clock_mono_us() < end_us) {
		for (i = 0; i < 4; i++) {
			ask_once(&crowd[i]);
			assert_int_equal(crowd[i].flow.err.code, ERR_DATABASE);
			pool_forget(pools, SLICE_LIT("1"));
			traced[0] = '\0';
		}
		clock_test_advance(50000);
	}
	assert_in_range(fake.connects, 4, 6);
}

static void
never_over(struct pg_conn *c, uint64_t us, void (*fn)(void *))
{
	(void)c;
	(void)us;
	(void)fn;
}

/* A target that has accepted none is not sent a login for each waiter. */
static void
a_crowd_before_an_unknown_target_logs_in_four_at_once(void **state)
{
	unsigned i;

	(void)state;
	conf.default_pool_size = 20;
	conf.max_server_connections = 40;
	reopen();
	fake_later = never_over;
	for (i = 0; i < CROWD; i++) {
		crowd[i] = (struct client){ .name = "", .key = 1 };
		borrow(&crowd[i]);
	}
	assert_int_equal(fake.connects, 4);
	for (i = 0; i < CROWD; i++)
		leave(&crowd[i]);
	fake_later = NULL;
}

/* More would be refused by the helpers' queue, which lets 64 of one target wait; and each refusal
 * would put a good database into back-off. */
static void
a_crowd_before_a_good_target_logs_in_a_few_dozen_at_once(void **state)
{
	static struct client many[80];
	struct client first = { .name = "", .key = 1 };
	unsigned i;

	(void)state;
	conf.default_pool_size = 100;
	conf.max_server_connections = 200;
	reopen();
	borrow(&first);
	fake_later = never_over;
	for (i = 0; i < 80; i++) {
		many[i] = (struct client){ .name = "", .key = 1 };
		flow_start(&many[i].flow, &client_kind, worker, NULL);
	}
	pool_fixture_turns();
	assert_int_equal(fake.connects, 1 + 32);
	for (i = 0; i < 80; i++) {
		leave(&many[i]);
		traced[0] = '\0';
	}
	fake_later = NULL;
	give_back(&first);
}

static void
after_a_failure_one_login_goes_ahead(void **state)
{
	struct client a = { 0 };
	unsigned i;

	(void)state;
	conf.default_pool_size = 20;
	conf.max_server_connections = 40;
	reopen();
	refuse_all();
	ask_once(&a);
	clock_test_advance(conf.server_login_retry_us);
	fake_later = never_over;
	for (i = 0; i < CROWD; i++) {
		crowd[i] = (struct client){ .name = "", .key = 1 };
		borrow(&crowd[i]);
	}
	assert_int_equal(fake.connects, 2);
	for (i = 0; i < CROWD; i++)
		leave(&crowd[i]);
	fake_later = NULL;
}

/* 20 failing searches: the session is in a failed transaction, or good; the request returns it as
 * dirty and forgets nothing. */
static void
failed_statements_cost_no_login(void **state)
{
	unsigned i;

	(void)state;
	for (i = 0; i < 20; i++) {
		CLIENT(a, 1);
		a.hygiene = POOL_DIRTY;
		borrow(&a);
		a.lease.conn->state = i % 2 == 0 ? PG_IN_TRANSACTION : PG_IDLE;
		give_back(&a);
	}
	assert_int_equal(fake.connects, 1);
	assert_int_equal(fake.closes, 0);
}

static unsigned
login_lines_count(const char *path)
{
	FILE *file = fopen(path, "r");
	char line[1024];
	unsigned n = 0;

	assert_non_null(file);
	while (fgets(line, sizeof(line), file) != NULL)
		n += strstr(line, "pool.login_failed") != NULL;
	assert_int_equal(fclose(file), 0);
	return n;
}

static void
a_server_that_stays_away_is_a_line_a_minute(void **state)
{
	char path[] = "/tmp/tenantgate-test-pool.XXXXXX";
	int fd = mkstemp(path);
	struct client a = { 0 };
	unsigned connects;

	(void)state;
	assert_true(fd >= 0 && close(fd) == 0 && log_open(path));
	log_level(LOG_WARNING);
	refuse_all();
	for (unsigned minute = 1; minute <= 2; minute++) {
		connects = fake.connects;
		for (int i = 0; i < 3; i++) {
			clock_test_advance(4 * conf.server_login_retry_us);
			ask_once(&a);
		}
		assert_int_equal(fake.connects, connects + 3);
		assert_int_equal(login_lines_count(path), minute);
		clock_test_advance(LOG_MINUTE);
	}
	fake.fail_logins = 0;
	ask_once(&a);
	assert_int_equal(a.flow.err.code, ERR_NONE);
	fake.kill = 1000; /* the idle one is found dead */
	refuse_all();
	ask_once(&a);
	assert_int_equal(login_lines_count(path), 3); /* it had come back: that is news */
	assert_true(log_open(NULL));
	assert_int_equal(unlink(path), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		POOL_CASE(back_off_outlives_a_forget),
		POOL_CASE(a_changed_target_starts_clean),
		POOL_CASE(who_paces_their_own_tries_may_end_it),
		POOL_CASE(the_wait_grows_up_to_four_times_and_ends_with_a_success),
		POOL_CASE(refused_logins_are_few),
		POOL_CASE(a_crowd_before_an_unknown_target_logs_in_four_at_once),
		POOL_CASE(a_crowd_before_a_good_target_logs_in_a_few_dozen_at_once),
		POOL_CASE(after_a_failure_one_login_goes_ahead),
		POOL_CASE(failed_statements_cost_no_login),
		POOL_CASE(a_server_that_stays_away_is_a_line_a_minute),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
