/* SPDX-License-Identifier: MIT */
/*
 * A resolver that hangs, under the HTTP client: other timers fire, a deadline and a departed client
 * end their fetch at once, and nothing waits for the resolver's thread.
 */
#include <netdb.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <pthread.h>

#include "web_client_fixture.h"

#define LONG_US 60000000

static struct worker *worker;
static struct web *web;
static unsigned ticks;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t let_go = PTHREAD_COND_INITIALIZER;
static bool is_let_go;

/* In front of libc's, for libcurl's threads: it hangs until the test lets it go. */
int
getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
    struct addrinfo **res)
{
	(void)node;
	(void)service;
	(void)hints;
	*res = NULL;
	(void)pthread_mutex_lock(&lock);
	while (!is_let_go)
		(void)pthread_cond_wait(&let_go, &lock);
	(void)pthread_mutex_unlock(&lock);
	return EAI_AGAIN;
}

static void
resolvers_let_go(void)
{
	(void)pthread_mutex_lock(&lock);
	is_let_go = true;
	(void)pthread_cond_broadcast(&let_go);
	(void)pthread_mutex_unlock(&lock);
}

static void
stalled_fetch(struct fetch *t, uint64_t first_byte_us)
{
	fetch_open(t, worker, web, "http://stalled.test", "/");
	t->request.first_byte_timeout_us = first_byte_us;
	t->request.response_max = 100;
	fetch_start(t);
}

static void
tick_again(void *arg)
{
	ticks++;
	timer_start(arg, 5000);
}

static void
a_hanging_resolver_blocks_nobody(void **state)
{
	struct web_conf conf = { .connections_max = 4 };
	struct fetch late, left, failed;
	struct timer timer = { 0 };

	(void)state;
	worker = worker_new(0);
	web = web_open(worker, &conf);
	assert_true(timer_init(&timer, worker, tick_again, &timer));
	tick_again(&timer);
	stalled_fetch(&late, 60000);
	stalled_fetch(&left, LONG_US);
	stalled_fetch(&failed, LONG_US);
	turn_for(worker, 30);
	flow_abort(&left.probe.flow, ERR_CLIENT_GONE, "left");
	turn_until(worker, &left.probe.ended);
	turn_until(worker, &late.probe.ended);
	turn_until_count(worker, &ticks, 50);
	assert_false(failed.probe.ended);
	assert_int_equal(late.response.failure, WEB_TIMEOUT);
	assert_false(late.response.sent);
	resolvers_let_go();
	turn_until(worker, &failed.probe.ended);
	assert_int_equal(failed.response.failure, WEB_RESOLVE);
	timer_free(&timer);
	web_close(web);
	worker_free(worker);
	usleep(200000); /* libcurl's threads, let go of, end by themselves */
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_hanging_resolver_blocks_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
