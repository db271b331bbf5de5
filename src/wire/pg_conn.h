/* SPDX-License-Identifier: MIT */
/*
 * pg_conn: a connection, as the files of wire/pg know it. Private to wire/. Calls between them go
 * one way, so that a reader may take them from the top:
 *
 *	pg_connect.c	the login; makes the connection
 *	pg_attempt.c	libpq's steps of it; pg_params.c what libpq is told; pg_auth.c what the
 *			server asks
 *	pg_run.c	pg_run(), pg_copy_in(): send the statement
 *	pg_prepared.c	pg_prepare(): a statement that stays with the connection
 *	    v
 *	pg_op.c		waits for the socket, reads results, wakes the flow: an operation's life
 *	    v
 *	pg_copy.c	sends COPY data; says "lost" and leaves the rest to pg_op.c
 *	pg_stall.c	whether the server takes any
 *	pg_cancel.c	PQcancel on helper threads
 *	    v
 *	pg.c		state and closing of a connection between its operations
 *	pg_result.c	results and failures
 *	pg_reason.c	what a failure means
 */
#ifndef TENANTGATE_WIRE_PG_CONN_H
#define TENANTGATE_WIRE_PG_CONN_H

#include <libpq-fe.h>

#include <stddef.h>

#include <event2/event.h>
#include <event2/event_struct.h>

#include "tenantgate/base/buf.h"
#include "tenantgate/loop/flow.h"
#include "tenantgate/wire/pg.h"

#define PG_CONN_MAGIC	0x5047434fu	/* "PGCO" */

/* What is under way; moved by pg_op.c, and by pg_copy.c from COPY_SEND to RESULTS. */
enum pg_phase {
	PG_PHASE_NONE,
	PG_PHASE_RESULTS,	/* sent (or being flushed); results come */
	PG_PHASE_COPY_STARTED,	/* COPY sent, the server has not asked for data yet */
	PG_PHASE_COPY_SEND,	/* data goes out */
	PG_PHASE_BROKEN,	/* for good: only closing is left */
};

struct pg_conn {
	unsigned		 magic;
	PGconn			*pq;		/* owned */
	enum pg_phase		 phase;
	/* the operation under way */
	struct flow		*flow;		/* borrowed; NULL when there is none */
	struct pg_result	*out;		/* borrowed: the flow's */
	struct event		 io;		/* added only while an operation is under way, */
	struct event		 deadline;	/* on the base of that flow's worker */
	short			 want;		/* EV_ flags that io is added for; 0: not added */
	PGresult		*rows;		/* owned: the statement's so far */
	size_t			 bytes;		/* of values, this operation; PG_RESULT_MAX */
	pg_fill_fn		*fill;		/* NULL: the last piece has come */
	void			*fill_arg;	/* borrowed */
	struct buf		 piece;		/* owned: COPY data not taken by libpq yet */
	struct pg_stall {
		struct event	 look;		/* added only during a COPY */
		uint64_t	 limit_us;
		uint64_t	 moved_us;	/* monotonic: when data was last seen to go */
		unsigned	 pieces;	/* put so far */
		unsigned	 seen_pieces;	/* when it was last looked */
		int		 unsent;	/* bytes in the socket then */
		unsigned	 user_timeout_ms; /* the socket's before the COPY */
	}			 stall;
	bool			 is_bare;	/* logged in without settings for the session */
	char			 prepared[PG_PREPARED_MAX][PG_PREPARED_NAME_MAX + 1];
	unsigned		 prepared_count;
	char			 preparing[PG_PREPARED_NAME_MAX + 1]; /* under way; "": none */
	_Alignas(max_align_t) unsigned char note[PG_NOTE_SIZE]; /* the borrowers' */
};

/* pg.c: takes over the PGconn, logged in, non-blocking. */
struct pg_conn	*pg_conn_new(PGconn *, bool is_bare);

/* pg_prepared.c: an operation went well; it may have been a pg_prepare(). */
void		 pg_prepare_end(struct pg_conn *);

/* pg_op.c: one operation, the statement having been sent, to the flow's waking. */
enum flow_rc	 pg_op_begin(struct flow *, struct pg_conn *, enum pg_phase, uint64_t stall_us,
		    uint64_t timeout_us, struct pg_result *out);
/* FLOW_NEXT with the failure in out: the operation never began. */
enum flow_rc	 pg_op_refuse(struct pg_conn *, struct pg_result *out);

/* pg_copy.c: sends what the socket takes; false when the connection is lost. */
bool		 pg_copy_send(struct pg_conn *);

/* pg_stall.c: the socket's own limit is lifted for a COPY, and set again after it. `look` is called
 * a few times in limit_us, on the base: it asks pg_stall_is_over(). */
void		 pg_stall_begin(struct pg_conn *, uint64_t limit_us, struct event_base *,
		    event_callback_fn look);
bool		 pg_stall_is_over(struct pg_conn *);
void		 pg_stall_end(struct pg_conn *);

/* pg_result.c: a text becomes one line without its stop, see struct pg_failure. */
void		 pg_failure_text(struct pg_failure *, const char *sqlstate, const char *text);
/* From the text of a failed login ("... FATAL:  28P01: ..."), or any other of libpq's. */
void		 pg_failure_login(struct pg_failure *, const char *text);
void		 pg_failure_result(struct pg_failure *, const PGresult *);

/* pg_cancel.c: asks the server to stop what the connection does; returns at once. The PGconn may be
 * closed right after. */
void		 pg_cancel_send(PGconn *);

#endif
