/* SPDX-License-Identifier: MIT */
/*
 * name_server_fixture: a name server on the test's own loop, which answers as the test's function
 * does.
 */
#ifndef TENANTGATE_TESTS_NAME_SERVER_FIXTURE_H
#define TENANTGATE_TESTS_NAME_SERVER_FIXTURE_H

#include <sys/socket.h>

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <event2/dns.h>
#include <event2/dns_struct.h>

#include <cmocka.h>

#include "tenantgate/loop/worker.h"

#define NAME_SERVER_SIZE 32

/* `at` is then what dns_open() takes. evdns_close_server_port() closes it. */
static inline struct evdns_server_port *
name_server_open(struct worker *worker, evdns_request_callback_fn_type asked,
    char at[NAME_SERVER_SIZE])
{
	struct sockaddr_in sin = { .sin_family = AF_INET };
	socklen_t len = sizeof(sin);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct evdns_server_port *server;

	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(fd, (struct sockaddr *)&sin, sizeof(sin)), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&sin, &len), 0);
	server = evdns_add_server_port_with_base(worker_base(worker), fd, 0, asked, NULL);
	assert_non_null(server);
	(void)snprintf(at, NAME_SERVER_SIZE, "127.0.0.1:%u", ntohs(sin.sin_port));
	return server;
}

#endif
