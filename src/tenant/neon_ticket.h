/* SPDX-License-Identifier: MIT */
/*
 * neon_ticket: the queue of creations, over all replicas: tickets in order of arrival, TICKET_SLOTS
 * at once. What is queued is a tenant, not a flow: its client may come back to another worker or
 * replica, and finds its ticket.
 *
 *	(none) --look--> [waits] --look--> [held] --leave--> (none)
 *	            \______ |
 *	                   v
 *	               [elsewhere]: another flow has the tenant's slot
 */
#ifndef TENANT_NEON_TICKET_H
#define TENANT_NEON_TICKET_H

#include "tenant/names.h"
#include "tenant/neon_script.h"
#include "tenant/tenant_internal.h"
#include "tenant/tenants_shared.h"

#define TICKET_SLOTS 16

enum ticket_state { TICKET_NONE, TICKET_WAITS, TICKET_HELD, TICKET_ELSEWHERE };

/* Zeroed, then neon_ticket_init(). */
struct neon_ticket {
	enum ticket_state state;
	const char *name; /* borrowed: the project's, for two environments may share an account */
	struct shared_place place; /* in this process's queue, while Redis's is not to be had */
	struct neon_script script;
	uint64_t number; /* Redis's; 0: none. Kept, for it is the tenant's place after an outage. */
	bool is_local;	 /* the state is of this process's queue */
	bool is_asked;	 /* Redis was asked and its reply has not been read: a slot may be ours */
	/* by the last look */
	unsigned before;   /* creations that come before it or are at work */
	unsigned all;	   /* that wait or are at work, itself included */
	uint64_t ahead_us; /* of the bucket */
};

void neon_ticket_init(struct neon_ticket *, const char *name);
/* One look, in two parts: the wait for Redis (or none), then the state. The looks also keep the
 * place: one that is not looked at for 20 s is given up. */
enum flow_rc neon_ticket_ask(struct flow *, struct tenants *, struct neon_ticket *)
    __attribute__((warn_unused_result));
void neon_ticket_read(struct tenants *, struct neon_ticket *);
/* Until the next look, at most five seconds: soon when the turn is near. */
uint64_t neon_ticket_pause_us(struct tenants *, const struct neon_ticket *);
/* Until the tenant's database should be ready. */
uint64_t neon_ticket_ready_us(struct tenants *, const struct neon_ticket *);
/* Gives place or slot back; idempotent, and all that is to be freed. */
void neon_ticket_leave(struct tenants *, struct neon_ticket *);

#endif
