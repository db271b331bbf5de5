/* SPDX-License-Identifier: MIT */
/*
 * limit_internal: what the files of the limiter share. limit_gcra.c is the arithmetic,
 * limit_store.c keeps it in this process, limit_script.c in Redis, limit.c chooses.
 */
#ifndef TENANTGATE_LIMIT_INTERNAL_H
#define TENANTGATE_LIMIT_INTERNAL_H

#include <sys/queue.h>

#include "tenantgate/limit.h"
#include "tenantgate/loop/timer.h"

struct quota_renewals;

/* limit.c owns it. */
struct limiter {
	struct worker		*worker;	/* borrowed */
	struct redis		*redis;		/* borrowed; NULL: the store decides */
	struct limit_store	*store;		/* borrowed */
	enum limit_failure_mode	 mode;
	uint64_t		 refused_us;	/* monotonic: when Redis did not run the script; 0:
						 * it did, last */
	char			 refusal[100];	/* what it said then */
	struct quota_renewals	*renewals;	/* owned: quota_renew.c */
	uint64_t		 lease_us;
};

/* The rules that limit anything. `index` is each one's place in the caller's array, which the
 * verdict names. Keys are borrowed from the caller. */
struct limit_rules {
	struct limit_rule	list[LIMIT_RULES_MAX];
	unsigned		index[LIMIT_RULES_MAX];
	unsigned		count;
};

/* limit.c, for quota.c too. More rules, or longer keys, than the header allows are a bug of the
 * caller's and abort. */
void	limit_rules_select(struct limit_rules *, const struct limit_rule *, unsigned n);
/* What Redis answered is no result: for the limiter to tell. */
void	limit_refusal_note(struct limiter *, const struct redis_reply *);
/* LIMIT_CLOSED. */
enum flow_rc	limit_refuse_closed(struct flow *) __attribute__((warn_unused_result));

/* limit_look.c, for quota_look.c too: what is used, of so much time until all is free. */
void	limit_use_fill(const struct limit_rule *, uint64_t busy_us, const char *source,
	    struct limit_use *);

/* quota_renew.c, of a limiter that is opened and closed. */
void	quota_open(struct limiter *);
void	quota_close(struct limiter *);

/* A rule in the algorithm's terms: count and period become an interval, the burst a tolerance. */
struct gcra {
	uint64_t	interval_us;	/* between two requests at the steady rate; 1 or more */
	uint64_t	tolerance_us;	/* how far a key's time may run ahead of now */
};

/* limit_gcra.c: pure. */
struct gcra	gcra_of(const struct limit_rule *);
/* What is stored under a key (0: nothing), as of now: never in the past, nor further ahead than the
 * tolerance. Both times by the same clock. */
uint64_t	gcra_tat(struct gcra, uint64_t stored_us, uint64_t now_us);
/* tat_us: from gcra_tat(). */
bool		gcra_allows(struct gcra, uint64_t tat_us, uint64_t now_us);
/* The tightest verdict of n rules, by what was stored under their keys. `mode` is left as it is. */
void		gcra_decide(const struct limit_rule *, unsigned n, const uint64_t *stored_us,
		    uint64_t now_us, struct limit_verdict *);

/* limit_script.c: the same in Redis. */
/* Command, script, number of keys; a key and two numbers a rule. */
#define LIMIT_WORDS_MAX (3 + 3 * LIMIT_RULES_MAX)

enum limit_call_kind { LIMIT_EVALSHA, LIMIT_EVAL };

/* One call of the script: the command's words and the text of its numbers. Not to be moved once
 * made: its words point into it. */
struct limit_call {
	struct slice	words[LIMIT_WORDS_MAX];		/* borrowed: of this struct and the keys */
	unsigned	count;				/* words */
	char		key_count[4];
	char		numbers[2 * LIMIT_RULES_MAX][24];	/* microseconds, in decimal */
};

/* The rules' keys must outlive the call. Any thread. */
void	limit_call_make(struct limit_call *, enum limit_call_kind, const struct limit_rule *,
	    unsigned n);
/* False when the reply is not the script's, or does not agree with the rules (then *v is not to be
 * used). *now_us: Redis's clock. */
bool	limit_call_read(const struct redis_reply *, const struct limit_rule *, unsigned n,
	    struct limit_verdict *, uint64_t *now_us);

#endif
