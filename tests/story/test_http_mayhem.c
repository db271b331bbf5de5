/* SPDX-License-Identifier: MIT */
/*
 * Forty clients that do anything at random for a second: half requests, bodies, rubbish, silence,
 * closes of every kind. Afterwards nothing is left of them, and the next one is served.
 */
#include "http_session.h"

#include <sys/socket.h>

#include <stdlib.h>
#include <unistd.h>

#include "tenantgate/base/clock.h"

#define CLIENTS	  40
#define MAYHEM_US 1200000

static const char *const messages[] = {
	"GET /hello" TAIL "\r\n",
	"GET /sleep" TAIL "\r\n",
	"GET /words" TAIL "\r\n",
	"GET /flood" TAIL "\r\n",
	"GET /wait" TAIL "\r\n",
	"GET /break" TAIL "\r\n",
	"GET /crash" TAIL "\r\n",
	"POST /echo" TAIL "Content-Length: 10\r\n\r\n01234",
	"POST /echo" TAIL "Content-Length: 5\r\nExpect: 100-continue\r\n\r\n",
	"POST /echo" TAIL "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
	"POST /unread" TAIL "Content-Length: 100\r\n\r\n",
	"GET /words HTTP/1.0\r\n\r\n",
	"HEAD /words" TAIL "\r\n",
	"GET /he",
	"56789",
	"0\r\n\r\n",
	"\r\n",
	"rubbish\r\n",
};

#define MESSAGES (sizeof(messages) / sizeof(*messages))

static void
act_at_random(struct http_session *v, int *fd, unsigned *seed)
{
	static char junk[40000];
	unsigned what = (unsigned)rand_r(seed) % 64;
	char ignored[4096];

	if (what < 40) {
		client_send(*fd, messages[(unsigned)rand_r(seed) % MESSAGES]);
		return;
	}
	if (what < 54) {
		while (recv(*fd, ignored, sizeof(ignored), MSG_DONTWAIT) > 0 && what++ < 54)
			continue;
		return;
	}
	if (what == 54) {
		send(*fd, junk, sizeof(junk), MSG_NOSIGNAL | MSG_DONTWAIT);
		return;
	}
	if (what < 58) {
		shutdown(*fd, SHUT_WR);
		return;
	}
	if (what < 61)
		client_reset(*fd);
	else
		close(*fd);
	*fd = client_open(&v->fixture);
}

static bool
all_gone(struct http_session *v)
{
	for (int i = 0; i < 4000; i++) {
		if (http_shared_connections(v->fixture.shared) <= 1)
			return true;
		usleep(5000);
	}
	return false;
}

static void
mayhem_leaves_nothing_behind(void **state)
{
	struct http_session *v = *state;
	unsigned seed = (unsigned)clock_wall_us();
	uint64_t end = clock_mono_us() + MAYHEM_US;
	int fd[CLIENTS];

	clock_test_freeze(false); /* time-outs are a part of it */
	print_message("seed %u\n", seed);
	for (int i = 0; i < CLIENTS; i++)
		fd[i] = client_open(&v->fixture);
	while (clock_mono_us() < end) {
		act_at_random(v, &fd[(unsigned)rand_r(&seed) % CLIENTS], &seed);
		if (rand_r(&seed) % 8 == 0)
			usleep(100);
	}
	for (int i = 0; i < CLIENTS; i++)
		close(fd[i]);
	assert_true(all_gone(v));
	clock_test_freeze(true);
	close(v->fd);
	v->fd = client_open(&v->fixture);
	client_send(v->fd, "GET /sleep" TAIL "\r\n");
	receives(v, "hello\n", 1);
}

/* The server closes in the middle of any of its clients' requests. */
static void
a_server_may_close_amid_everything(void **state)
{
	struct http_session *v = *state;
	struct http_conf conf;

	for (unsigned i = 0; i < 20; i++) {
		client_send(v->fd, messages[i % MESSAGES]);
		usleep(500);
		http_fixture_close(&v->fixture);
		http_fixture_conf(&conf);
		http_fixture_open(&v->fixture, &conf);
		close(v->fd);
		v->fd = client_open(&v->fixture);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		SESSION(mayhem_leaves_nothing_behind),
		SESSION(a_server_may_close_amid_everything),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
