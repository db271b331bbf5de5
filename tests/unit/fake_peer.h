/* SPDX-License-Identifier: MIT */
/*
 * fake_peer: a scripted TCP server on the test's own loop, and a flow of one operation to run
 * against it.
 */
#ifndef TENANTGATE_TESTS_FAKE_PEER_H
#define TENANTGATE_TESTS_FAKE_PEER_H

#include <stdbool.h>
#include <stdint.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/listener.h>

#include "tenantgate/loop/flow.h"
#include "tenantgate/loop/worker.h"

struct peer;
struct ssl_ctx_st;

#define PEER_CONNS_MAX 256

struct peer_conn {
	struct peer *peer;
	struct bufferevent *bev; /* NULL: the place is free */
	unsigned stage;		 /* of the script: the test's */
};

typedef void peer_fn(struct peer_conn *); /* something has come in */

struct peer {
	struct evconnlistener *listener;
	peer_fn *serve;
	struct ssl_ctx_st *tls; /* the test's; NULL: plain */
	uint16_t port;
	unsigned accepted;
	unsigned closed; /* by the other side */
	struct peer_conn conns[PEER_CONNS_MAX];
};

void peer_open(struct peer *, struct worker *, uint16_t port, peer_fn *); /* port 0: any */
void peer_open_at(struct peer *, struct worker *, uint32_t address, uint16_t port, peer_fn *);
void peer_open_tls(struct peer *, struct worker *, struct ssl_ctx_st *, peer_fn *);
void peer_close(struct peer *);
/* Until this descriptor is closed the system gives the port to nobody; it refuses connections. */
int peer_port_keep(uint16_t port);
void peer_send(struct peer_conn *, const char *text);
/* TLS from here on, as after STARTTLS; what was sent before must have left. */
void peer_start_tls(struct peer_conn *, struct ssl_ctx_st *);
void peer_hang_up(struct peer_conn *); /* after what was sent has left */

/* A flow of one or two steps: a struct begins with it; probe_start() takes the steps. */
struct probe {
	struct flow flow;
	struct flow_kind kind;
	struct flow_step steps[4];
	bool ended;
	struct err err;
};
void probe_start(struct probe *, struct worker *, flow_step_fn *first, flow_step_fn *second);
/* Turns the loop until *flag, or half a minute: then the test fails. */
void turn_until(struct worker *, const bool *flag);
/* The same, until *count is n or more. */
void turn_until_count(struct worker *, const unsigned *count, unsigned n);
/* The same, until is_so(arg). */
void turn_until_so(struct worker *, bool (*is_so)(void *arg), void *arg);
void turn_for(struct worker *, unsigned ms);

#endif
