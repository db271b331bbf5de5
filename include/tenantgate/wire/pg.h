/* SPDX-License-Identifier: MIT */
/*
 * pg: libpq on the loop. A pg_conn is bound to no thread: it is used by one flow at a time, and
 * watched on that flow's worker only while an operation is under way. Operations wake plainly and
 * put failures in their result, for some flows go on after an SQL error; pg_check() turns one into
 * the flow's failure.
 *
 * After a cancel (flow_abort during an operation) or a time-out the server is asked to stop (by
 * PQcancel on a helper thread, for libpq 15's blocks) and the connection is PG_BROKEN: close it.
 */
#ifndef TENANTGATE_WIRE_PG_H
#define TENANTGATE_WIRE_PG_H

#include <stdbool.h>
#include <stdint.h>

#include "tenantgate/base/address.h"
#include "tenantgate/base/buf.h"
#include "tenantgate/base/err.h"
#include "tenantgate/base/slice.h"
#include "tenantgate/loop/flow.h"
#include "tenantgate/loop/meter.h"
#include "tenantgate/wire/dns.h"

struct pg_conn;

#define PG_NAME_MAX	63	/* bytes of a role's or database's name: NAMEDATALEN - 1 */
#define PG_SSLMODE_MAX	15	/* bytes of an sslmode: "verify-full" is the longest */

/* Where to connect to, and as whom. Strings are borrowed for the call of pg_connect(), which copies
 * them; pg_target_copy() makes a target that owns its own. */
struct pg_target {
	const char	*host;		/* name (for SNI, verify-full), address or socket folder */
	uint16_t	 port;
	const char	*dbname;
	const char	*user;
	const char	*password;	/* may be NULL */
	/* "disable", "require", "verify-full" ...; NULL is "prefer": TLS with whoever offers it. A
	 * server that offers TLS is spoken to in the clear with "disable" alone. */
	const char	*sslmode;
	const char	*sslrootcert;	/* NULL: the system's bundle, when sslmode verifies */
	const char	*channel_binding; /* "require" ...; NULL: where the server offers it */
	/* Not NULL: the address came from outside (by the API, from a tenant's row). At each login
	 * all addresses of the host are looked at, and each must be public or in one of these
	 * networks; where all are in them, sslmode_inside holds instead of sslmode. Borrowed, and
	 * outlives all connections. NULL: the operator's own, which is trusted. */
	const struct network_list *guard;
	const char	*sslmode_inside;
	/* "-c name=value" of the session, more than all have; NULL: none. Where a pooler is in
	 * between they are left out (pg_conn_has_session()). No part of what a target is, as the
	 * next. */
	const char	*settings;
	/* A server that asks for more rounds of SCRAM is refused; 0: the default.
	 * pg_target_same() passes it over. */
	unsigned	 scram_iterations_max;
};
#define PG_SCRAM_ITERATIONS_DEFAULT 100000 /* an eighth of a second of a helper thread */

/* Deep copies, for whoever keeps a target longer than a call. The free overwrites the password and
 * is idempotent; only for copies. Any thread. */
void	pg_target_copy(struct pg_target *to, const struct pg_target *from);
bool	pg_target_same(const struct pg_target *, const struct pg_target *);
void	pg_target_free(struct pg_target *);

enum pg_status {
	PG_OK,
	PG_SQL_ERROR,	/* the statement failed; the connection is good */
	PG_LOST,	/* the connection is not */
	PG_TIMEOUT,	/* the operation's deadline; the connection is broken */
	PG_REFUSED,	/* by us: never sent, for what it needs is scarce (a login: a helper thread;
			 * a statement: catalog.h). Says nothing about the server */
	PG_UNSENT,	/* never sent, for the server is known not to answer; not from wire/pg
			 * (catalog.h) */
};

/* For use inside a sentence: as PostgreSQL writes its primary messages, without a stop. */
struct pg_failure {
	char	sqlstate[6];		/* "" when the server gave none */
	char	message[216];		/* one line: the server's primary message, or our reason */
	int	retry_after;		/* PG_REFUSED, PG_UNSENT: seconds until a try is worth it */
	bool	is_tls;			/* a login: TLS or the certificate is not as sslmode wants
					 * it, and will not be at the next try */
	bool	is_forbidden;		/* a login: to an address that the target's guard keeps out;
					 * nothing was sent there */
};

/* A result, or the failure. Zeroed before first use; pg_clear() is idempotent. */
struct pg_result {
	enum pg_status		 status;
	struct pg_failure	 failure;
	uint64_t		 changed;	/* rows, for pg_changed() */
	bool			 is_repeated;	/* it may have been run twice; not from wire/pg
						 * (catalog.h) */
	void			*owned;		/* owned: PGresult of the last statement */
};

struct pg_param {
	const char	*data;		/* borrowed; NULL: SQL null; text must be NUL-terminated */
	int		 len;		/* binary only */
	bool		 binary;
};

#define PG_TEXT(s)	((struct pg_param){ (s), 0, false })
#define PG_PARAMS_MAX	16
/* Bytes of values; a larger result is PG_SQL_ERROR with 54000, the connection PG_BROKEN. */
#define PG_RESULT_MAX	(64u << 20)

struct pg_query {
	const char		*sql;		/* borrowed; one statement, several when `simple` */
	struct pg_param		 params[PG_PARAMS_MAX];
	unsigned		 param_count;
	bool			 binary_rows;
	bool			 simple;	/* no parameters, several statements */
	const char		*prepared;	/* pg_prepare()'s name, instead of sql; NULL: sql */
	uint64_t		 timeout_us;	/* 0: PG_TIMEOUT_DEFAULT_US */
};
#define PG_TIMEOUT_DEFAULT_US	(30 * 1000000ull)

/* *out is NULL after a failure, which is in *why (status PG_LOST, PG_TIMEOUT or PG_REFUSED, with
 * SQLSTATE where the server gave one: "28P01", "3D000"). timeout_us covers lookup, connect and
 * login. dns may be NULL when the host is numeric or a socket folder. *out is the flow's to close,
 * also when the flow is aborted between the login's end and its own next step: look at it in
 * end(). */
enum flow_rc	pg_connect(struct flow *, struct dns *, const struct pg_target *,
		    uint64_t timeout_us, struct pg_conn **out, struct pg_result *why)
		    __attribute__((warn_unused_result));
/* What pg_run() and pg_copy_in() have sent. */
extern const struct meter_family pg_statements;

/* The query and its parameters are borrowed for the call, *out until the wait is over. On a broken
 * connection: PG_LOST at once. */
enum flow_rc	pg_run(struct flow *, struct pg_conn *, const struct pg_query *,
		    struct pg_result *out) __attribute__((warn_unused_result));

/* A statement that is parsed once for as long as the connection lasts, or until it is reset
 * (pg_forget()): pg_run() takes its name then. Names are at most PG_PREPARED_NAME_MAX bytes and
 * mean one text for good; a connection has PG_PREPARED_MAX of them. Wakes as pg_run(). */
#define PG_PREPARED_MAX		16
#define PG_PREPARED_NAME_MAX	63
enum flow_rc	pg_prepare(struct flow *, struct pg_conn *, const char *name, const char *sql,
		    struct pg_result *out) __attribute__((warn_unused_result));
bool		pg_is_prepared(const struct pg_conn *, const char *name);
/* Whether there is room for another, and a session of the server's own to keep it in. */
bool		pg_may_prepare(const struct pg_conn *);
/* The server has forgotten all of them, or is about to. */
void		pg_forget(struct pg_conn *);

/* COPY ... FROM STDIN: `fill` appends up to some tens of KB to the (empty) buf; false when that
 * was the last. It is called from the loop, while the socket takes data, and must neither wait nor
 * use the connection. If it cannot encode, buf->failed is set: the COPY then fails as a whole.
 * The server may be slow to read: PG_TIMEOUT comes when timeout_us is over, or when it has taken
 * nothing of what is to be sent for stall_us (0: PG_STALL_DEFAULT_US). */
#define PG_STALL_DEFAULT_US	(60 * 1000000ull)
typedef bool	pg_fill_fn(struct buf *, void *arg);
enum flow_rc	pg_copy_in(struct flow *, struct pg_conn *, const char *sql, pg_fill_fn *,
		    void *arg, uint64_t stall_us, uint64_t timeout_us, struct pg_result *out)
		    __attribute__((warn_unused_result));

/* What a failure means for whoever asked, of a table (pg_reason.c): SQLSTATE first, then the words
 * of Neon and of libpq where there is none. The sentence has no word of the server's. */
struct pg_reason {
	enum err_code	code;
	int		retry_after;	/* seconds at least; 0: nothing is known */
	bool		passes;		/* soon, and by itself: a wake, a restart */
	bool		is_full;	/* the server has no connection free */
	bool		is_contact;	/* the server was not reached at all */
	const char	*detail;	/* static: a sentence for the tenant's client */
};
const struct pg_reason	*pg_reason(const struct pg_result *);
/* PG_OK: FLOW_NEXT. Else flow_fail with the reason's code, after PG_TIMEOUT with ERR_TIMEOUT, or
 * with `code` instead when it is not ERR_NONE. The cause, for operators, is `what` (a few words
 * like "store the document"), the server's message and its SQLSTATE. */
enum flow_rc	pg_check(struct flow *, const struct pg_result *, enum err_code code,
		    const char *what) __attribute__((warn_unused_result));

unsigned	pg_rows(const struct pg_result *);
/* Borrowed until pg_clear(); p NULL for SQL null. Text values are NUL-terminated. A row or column
 * that is not there aborts the process. */
struct slice	pg_value(const struct pg_result *, unsigned row, unsigned col);
const char	*pg_text(const struct pg_result *, unsigned row, unsigned col);	/* "" for null */
/* Rows changed by INSERT, UPDATE, DELETE, COPY. */
uint64_t	pg_changed(const struct pg_result *);
void		pg_clear(struct pg_result *);

/* ---- for the pool ---- */
enum pg_conn_state {
	PG_IDLE,		/* no statement, no transaction */
	PG_IN_TRANSACTION,	/* also a failed one */
	PG_BUSY,		/* a statement is under way */
	PG_BROKEN,		/* of no use: close it */
};
enum pg_conn_state pg_conn_state(const struct pg_conn *);
/* One peek, no other system call: false when the server hung up or sent something while idle. */
bool		pg_conn_alive(struct pg_conn *);
/* The server's own session, with the settings of the target. False behind a pooler, which takes no
 * settings at a login and may change the session between transactions. */
bool		pg_conn_has_session(const struct pg_conn *);
/* So many bytes, aligned for anything, in which its borrowers leave for one another what they have
 * learned of the database; zeroed at first, and gone with the connection. */
#define PG_NOTE_SIZE 512
void		*pg_conn_note(struct pg_conn *);
/* The server's process for this connection, as in pg_stat_activity; a pooler's invention behind
 * one. */
int		pg_conn_pid(const struct pg_conn *);
/* Not during an operation. Never blocks: Terminate is sent if the socket takes it. NULL is fine.
 * Any thread. */
void		pg_conn_close(struct pg_conn *);
/* The same, and waits until the server has closed its side or the time is over: then its process
 * has ended, and its place among max_connections is free. Wakes plainly. The worker's thread. */
enum flow_rc	pg_conn_end(struct flow *, struct pg_conn *, uint64_t timeout_us)
		    __attribute__((warn_unused_result));

/* Clears HOME and every PG* variable: libpq is told by its parameters alone. Once, at the start of
 * every program that connects, before the first thread. */
void		pg_environment_clear(void);
/* libpq's version as a number (150020), for --version. */
int		pg_library_version(void);

#endif
