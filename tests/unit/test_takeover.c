/* SPDX-License-Identifier: MIT */
/*
 * How listening sockets are handed on: between two processes (here: two threads), by what systemd
 * says in the environment, and to whom by their ports.
 */
#define _GNU_SOURCE /* accept4 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "takeover.h"
#include "tenantgate/base/clock.h"

#define MANY 300 /* more than one message takes */

static char folder[] = "/tmp/test_takeover.XXXXXX";
static char path[64];

static int
make_folder(void **state)
{
	(void)state;
	if (mkdtemp(folder) == NULL)
		return -1;
	(void)snprintf(path, sizeof(path), "%s/socket", folder);
	return 0;
}

static int
remove_folder(void **state)
{
	(void)state;
	(void)unlink(path);
	return rmdir(folder);
}

/* Listens at a free port, which is set. */
static int
listening_socket(uint16_t *port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &size), 0);
	*port = ntohs(a.sin_port);
	return fd;
}

static bool
is_same_file(int one, int other)
{
	struct stat a, b;

	return fstat(one, &a) == 0 && fstat(other, &b) == 0 && a.st_ino == b.st_ino;
}

static void
close_inherited(struct inherited *all)
{
	for (unsigned i = 0; i < all->count; i++)
		if (all->fds[i] != -1)
			close(all->fds[i]);
	all->count = 0;
}

/* ---- the predecessor's side, in the main thread ---- */
static enum takeover_event
next_event(struct takeover *t)
{
	struct pollfd polls[TAKEOVER_POLLS];
	unsigned count = takeover_polls(t, polls);

	assert_int_equal(count, 1);
	assert_int_equal(poll(polls, count, 60000), 1);
	return takeover_receive(t, polls, count);
}

/* The first that is something. */
static enum takeover_event
event_of(struct takeover *t)
{
	enum takeover_event event = TAKEOVER_NOTHING;

	while (event == TAKEOVER_NOTHING)
		event = next_event(t);
	return event;
}

static void
takeover_begin(struct takeover *t)
{
	struct err err = { 0 };

	assert_true(takeover_open(t, path, &err));
}

/* ---- the successor's, in a thread ---- */
struct successor {
	pthread_t thread;
	struct inherited sockets;
	struct err err;
	int predecessor;
};

static void *
successor_ask(void *arg)
{
	struct successor *s = arg;

	s->predecessor = takeover_ask(path, &s->sockets, &s->err);
	return NULL;
}

static void
successor_start(struct successor *s)
{
	*s = (struct successor){ .predecessor = -1 };
	assert_int_equal(pthread_create(&s->thread, NULL, successor_ask, s), 0);
}

static void
successor_join(struct successor *s)
{
	assert_int_equal(pthread_join(s->thread, NULL), 0);
}

/* ---- the tests ---- */
static void
all_sockets_come_over(void **state)
{
	struct inherited given = { .count = 0 };
	struct successor s;
	struct takeover t;
	uint16_t port;
	int fds[INHERITED_MAX], one = listening_socket(&port);

	(void)state;
	takeover_begin(&t);
	for (unsigned i = 0; i < MANY; i++)
		given.fds[given.count++] = dup(one);
	successor_start(&s);
	assert_int_equal(event_of(&t), TAKEOVER_ASKED);
	takeover_give(&t, &given);
	successor_join(&s);
	assert_int_not_equal(s.predecessor, -1);
	assert_int_equal(s.sockets.count, MANY);
	for (unsigned i = 0; i < MANY; i++)
		assert_true(is_same_file(s.sockets.fds[i], one));
	takeover_ready(s.predecessor);
	assert_int_equal(event_of(&t), TAKEOVER_READY);

	assert_int_equal(inherited_take(&s.sockets, 0, fds), 0);
	assert_int_equal(inherited_take(&s.sockets, port, fds), MANY);
	assert_int_equal(inherited_take(&s.sockets, port, fds), 0);
	for (unsigned i = 0; i < MANY; i++)
		close(fds[i]);
	close_inherited(&given);
	close(one);
	takeover_close(&t);
}

/* Connects and sends what it is told. */
static int
stranger(const char *text)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	(void)snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
	assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	if (text != NULL)
		assert_int_equal(send(fd, text, strlen(text), 0), strlen(text));
	return fd;
}

static void
what_speaks_otherwise_is_dropped(void **state)
{
	static const char *const texts[] = { "hello", "tenantgate takeover 2", "", "sockets",
		NULL };
	struct inherited given = { .count = 0 };
	struct successor s;
	struct takeover t;
	uint16_t port;

	(void)state;
	takeover_begin(&t);
	for (unsigned i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		int fd = stranger(texts[i]);

		if (texts[i] == NULL)
			close(fd);
		assert_int_equal(next_event(&t), TAKEOVER_NOTHING); /* accepted */
		assert_int_equal(next_event(&t), TAKEOVER_NOTHING); /* and dropped */
		assert_int_equal(t.successor, -1);
		if (texts[i] != NULL)
			close(fd);
	}
	given.fds[given.count++] = listening_socket(&port);
	successor_start(&s);
	assert_int_equal(event_of(&t), TAKEOVER_ASKED);
	takeover_give(&t, &given);
	successor_join(&s);
	assert_int_equal(s.sockets.count, 1);
	close(s.predecessor); /* it ends before it was ready */
	assert_int_equal(next_event(&t), TAKEOVER_NOTHING);
	assert_int_equal(t.successor, -1);
	close_inherited(&s.sockets);
	close_inherited(&given);
	takeover_close(&t);
}

static void
a_successor_that_hangs_is_given_up(void **state)
{
	struct pollfd polls[TAKEOVER_POLLS];
	struct takeover t;
	int fd;

	(void)state;
	clock_test_freeze(true);
	takeover_begin(&t);
	fd = stranger("tenantgate takeover 1");
	assert_int_equal(next_event(&t), TAKEOVER_NOTHING); /* accepted */
	assert_int_equal(next_event(&t), TAKEOVER_ASKED);
	clock_test_advance(TAKEOVER_READY_US);
	assert_int_equal(takeover_polls(&t, polls), 1);
	assert_int_equal(polls[0].fd, t.successor);
	clock_test_advance(1);
	assert_int_equal(takeover_polls(&t, polls), 1);
	assert_int_equal(t.successor, -1);
	assert_int_equal(polls[0].fd, t.listening);
	clock_test_freeze(false);
	close(fd);
	takeover_close(&t);
}

static void
nobody_there_is_said(void **state)
{
	struct inherited all = { .count = 0 };
	struct err err = { 0 };

	(void)state;
	(void)unlink(path);
	assert_false(takeover_is_taken(path));
	assert_int_equal(takeover_ask(path, &all, &err), -1);
	assert_non_null(strstr(err.detail, "start without --take-over"));
}

/* A predecessor that has nothing to give, and one that ends at that moment. */
static void
nothing_given_is_said(void **state)
{
	const struct inherited none = { .count = 0 };

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct successor s;
		struct takeover t;

		takeover_begin(&t);
		assert_true(takeover_is_taken(path));
		assert_int_equal(next_event(&t), TAKEOVER_NOTHING); /* it had only looked */
		assert_int_equal(next_event(&t), TAKEOVER_NOTHING);
		successor_start(&s);
		assert_int_equal(event_of(&t), TAKEOVER_ASKED);
		if (i == 0)
			takeover_give(&t, &none);
		takeover_close(&t);
		successor_join(&s);
		assert_int_equal(s.predecessor, -1);
		assert_non_null(strstr(s.err.detail, "It serves on"));
	}
}

static void
say_environment(const char *pid, const char *count)
{
	assert_int_equal(setenv("LISTEN_PID", pid, 1), 0);
	assert_int_equal(setenv("LISTEN_FDS", count, 1), 0);
}

/* Descriptor 3 is what systemd gives first: put there, and back afterwards. */
static void
systemd_is_believed_for_this_process_alone(void **state)
{
	/* Another process's; then ours, without a number of sockets. */
	static const char *const wrong[][2] = { { "1", "1" }, { "", "1" }, { NULL, "0" },
		{ NULL, "-1" }, { NULL, "1x" }, { NULL, "99999999999" } };
	struct inherited all = { .count = 0 };
	struct err err = { 0 };
	int kept = dup(3), fds[INHERITED_MAX];
	uint16_t port;
	char pid[32];
	int one = listening_socket(&port);

	(void)state;
	(void)snprintf(pid, sizeof(pid), "%d", (int)getpid());
	for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		say_environment(wrong[i][0] == NULL ? pid : wrong[i][0], wrong[i][1]);
		assert_true(inherited_from_systemd(&all, &err));
		assert_int_equal(all.count, 0);
		assert_null(getenv("LISTEN_FDS"));
	}
	assert_int_equal(dup2(one, 3), 3);
	say_environment(pid, "1");
	assert_true(inherited_from_systemd(&all, &err));
	assert_int_equal(inherited_take(&all, port, fds), 1);
	assert_int_equal(fds[0], 3);
	assert_int_equal(dup2(0, 3), 3); /* listens nowhere */
	say_environment(pid, "1");
	assert_false(inherited_from_systemd(&all, &err));
	assert_non_null(strstr(err.detail, "Descriptor 3"));
	if (kept != -1)
		(void)dup2(kept, 3);
	else
		close(3);
	close(kept);
	if (one != 3)
		close(one);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_sockets_come_over),
		cmocka_unit_test(what_speaks_otherwise_is_dropped),
		cmocka_unit_test(a_successor_that_hangs_is_given_up),
		cmocka_unit_test(nobody_there_is_said),
		cmocka_unit_test(nothing_given_is_said),
		cmocka_unit_test(systemd_is_believed_for_this_process_alone),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
