/* SPDX-License-Identifier: MIT */
/*
 * pool_backoff: what a failed login means for those that would follow. A login costs the server a
 * process and us a handshake's worth of CPU, so a target that refuses is asked rarely:
 *
 *	failed		no other login for server_login_retry, twice as long after each further
 *			failure, four times at most; then one alone, until one works
 *	server full	(SQLSTATE class 53) no back-off while connections of ours are in use there:
 *			they come back. What is in use is the limit of that server, or of the role
 *			or database when the message says so
 *	new		none has worked yet: a few at once, not one for each waiter
 *	good		more, but no more than the helpers that compute logins take of one
 *			target: what they refuse would look like a failure of the database
 *
 * Under the lock, unless pool_internal.h says otherwise.
 */
#include <stdio.h>
#include <string.h>

#include "pool/pool_internal.h"
#include "tenantgate/base/backoff.h"
#include "tenantgate/base/clock.h"
#include "tenantgate/base/log.h"

#define RETRY_MIN_US   100000 /* whatever is configured: no storm of logins */
#define RETRY_LONGEST  4      /* times server_login_retry */
#define LOGINS_UNKNOWN 4      /* at once, to a target that has accepted none yet */
#define LOGIN_CAUSE    "Login to the database failed: %s."
#define LOGINS_AT_ONCE 32     /* to any: fewer than one may have waiting for a helper (offload.h) */

bool
pool_in_backoff(const struct pool *pool)
{
	return pool->retry_us != 0 && clock_mono_us() < pool->retry_us;
}

static unsigned
pool_in_use(const struct pool *pool)
{
	return pool->servers[SERVER_IDLE] + pool->servers[SERVER_ACTIVE] +
	    pool->servers[SERVER_RESETTING];
}

unsigned
pool_logins_max(const struct pool *pool)
{
	if (pool->failures > 0)
		return 1;
	return pool_in_use(pool) > 0 ? LOGINS_AT_ONCE : LOGINS_UNKNOWN;
}

/* With jitter: the pools of several replicas that lost the same server must not all come back to it
 * in the same moment. */
uint64_t
pool_login_wait(const struct pool_conf *conf, unsigned failures)
{
	uint64_t first = conf->server_login_retry_us;
	const struct backoff login_backoff = { first, first * RETRY_LONGEST, 200 };
	uint64_t us = backoff_us(&login_backoff, failures, 0);

	return us > RETRY_MIN_US ? us : RETRY_MIN_US;
}

/* PostgreSQL's primary messages end without a stop, our own reasons with one. The message is cut so
 * that the sentence around it fits struct err. */
void
pool_login_reason(const struct pg_failure *failure, char out[LOGIN_REASON_SIZE])
{
	bool coded = failure->sqlstate[0] != '\0';
	size_t len = strnlen(failure->message, coded ? 190 : LOGIN_REASON_SIZE - 1);

	if (len > 0 && failure->message[len - 1] == '.')
		len--;
	snprintf(out, LOGIN_REASON_SIZE, "%.*s%s%s%s", (int)len, failure->message,
	    coded ? " (SQLSTATE " : "", failure->sqlstate, coded ? ")" : "");
}

/* Kept for those who wait and for those who come before retry_us: they fail with this reason, and
 * the database is not asked. The server's words are the cause, for operators. */
static void
pool_failure_set(struct pool *pool, const struct pg_result *why, const struct pg_reason *reason)
{
	char words[LOGIN_REASON_SIZE];

	pool_login_reason(&why->failure, words);
	err_clear(&pool->failure);
	pool->is_untrusted = why->failure.is_tls || why->failure.is_forbidden;
	err_set(&pool->failure, reason->code, "%s", reason->detail);
	err_cause(&pool->failure, LOGIN_CAUSE, words);
	pool->failure.retry_after = reason->retry_after;
}

/* A new reason at once, the same again once a minute: a server that is away is asked every
 * second. */
bool
pool_failure_is_news(struct pool *pool, const char *reason)
{
	uint64_t now = clock_mono_us();
	struct err same = { .code = ERR_DATABASE };

	err_cause(&same, LOGIN_CAUSE, reason);
	if (pool->said_us != 0 && now - pool->said_us < LOG_MINUTE &&
	    strcmp(pool->failure.cause, same.cause) == 0)
		return false;
	pool->said_us = now;
	return true;
}

/* The server does not know the role, its password or the database, or keeps the one from the other:
 * to wait does not help. XX: how Neon says that it does not know an endpoint. */
static bool
login_is_denied(const char *sqlstate)
{
	static const char *const classes[] = { "28", "3D", "42", "XX" };
	size_t i;

	for (i = 0; i < sizeof(classes) / sizeof(classes[0]); i++) {
		if (strncmp(sqlstate, classes[i], 2) == 0)
			return true;
	}
	return false;
}

/* "too many connections for role "x"" or "for database "x"" is not the server's own limit, and must
 * not become that of others there. (From a server that speaks another language it does.) */
static unsigned
learn_limit(struct pool *pool, const struct pg_failure *why)
{
	if (strstr(why->message, "connections for ") != NULL) {
		pool_limit_learn(&pool->learned, pool_in_use(pool));
		return pool_in_use(pool);
	}
	pool_host_refused(pool->pools, pool->host);
	return pool_host_in_use(pool->host);
}

/* Logins that were under way together and fail together are one failure. What was refused by our
 * own helpers says nothing of the target: there is no back-off, and who waits gets another login,
 * which was paused for often enough (server_login.c). */
void
pool_login_failed(const struct server *s, const struct pg_result *why, uint64_t wait_us)
{
	struct pool *pool = s->pool;
	const struct pg_reason *reason = pg_reason(why);

	if (why->status == PG_REFUSED)
		return;
	pool_failure_set(pool, why, reason);
	pool->is_refused = login_is_denied(why->failure.sqlstate);
	if (reason->is_full && learn_limit(pool, &why->failure) > 0)
		return;
	if (pool->failures < s->failures + 1)
		pool->failures = s->failures + 1;
	pool->retry_us = clock_mono_us() + wait_us;
}

void
pool_login_worked(const struct server *s)
{
	struct pool *pool = s->pool;

	pool->retry_us = 0;
	pool->failures = 0;
	pool->said_us = 0;
	pool->has_worked = true;
	pool_limit_confirm(&pool->learned, pool_in_use(pool) + 1);
	pool_host_confirm(pool->host);
}
