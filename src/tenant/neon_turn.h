/* SPDX-License-Identifier: MIT */
/*
 * neon_turn: the queue of creations, over all replicas: tickets in order of arrival, TURN_SLOTS at
 * once. What is queued is a tenant, not a flow: its client may come back to another worker or
 * replica, and finds its ticket.
 *
 *	(none) --look--> [waits] --look--> [held] --leave--> (none)
 *	            \______ |
 *	                   v
 *	               [elsewhere]: another flow has the tenant's slot
 */
#ifndef TENANT_NEON_TURN_H
#define TENANT_NEON_TURN_H

#include "tenant/names.h"
#include "tenant/neon_script.h"
#include "tenant/tenant_internal.h"
#include "tenant/tenants_shared.h"

#define TURN_SLOTS 16

enum turn_state { TURN_NONE, TURN_WAITS, TURN_HELD, TURN_ELSEWHERE };

/* Zeroed, then neon_turn_init(). */
struct neon_turn {
	enum turn_state state;
	const char *name; /* borrowed: the project's, for two environments may share an account */
	struct shared_place place; /* in this process's queue, while Redis's is not to be had */
	struct neon_script script;
	uint64_t ticket; /* Redis's; 0: none. Kept, for it is the tenant's place after an outage. */
	bool is_local;	 /* the state is of this process's queue */
	bool is_asked;	 /* Redis was asked, and what it replied not yet read */
	/* by the last look */
	unsigned before;   /* creations that come before it or are at work */
	unsigned all;	   /* that wait or are at work, itself included */
	uint64_t ahead_us; /* of the bucket */
};

void neon_turn_init(struct neon_turn *, const char *name);
/* One look, in two parts: the wait for Redis (or none), then the state. The looks also keep the
 * place: one that is not looked at for 20 s is given up. */
enum flow_rc neon_turn_ask(struct flow *, struct tenants *, struct neon_turn *)
    __attribute__((warn_unused_result));
void neon_turn_read(struct tenants *, struct neon_turn *);
/* Until the next look, at most five seconds: soon when the turn is near. */
uint64_t neon_turn_pause_us(struct tenants *, const struct neon_turn *);
/* Until the tenant's database should be ready. */
uint64_t neon_turn_ready_us(struct tenants *, const struct neon_turn *);
/* Gives place or slot back; idempotent, and all that is to be freed. */
void neon_turn_leave(struct tenants *, struct neon_turn *);

#endif
