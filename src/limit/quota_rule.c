/* SPDX-License-Identifier: MIT */
/*
 * quota_rule: see the header. Tokens are doubles in the bucket alone, which empties by fractions;
 * whatever is counted for a bill is whole.
 */
#include "limit/quota_rule.h"

#include <math.h>
#include <time.h>

#define MINUTE_US	  60000000.0
#define LEVEL_MAX_MINUTES 60 /* a debt is no longer than that, whatever a limit was before */

/* Months since March of the year 0, by the days of the proleptic Gregorian calendar: 400 years have
 * 146097 days, and a year that begins in March has its leap day last. */
unsigned
quota_month(uint64_t unix_s)
{
	uint64_t days = unix_s / 86400 + 719468, era = days / 146097, day = days % 146097;
	uint64_t year = (day - day / 1460 + day / 36524 - day / 146096) / 365;
	uint64_t rest = day - (365 * year + year / 4 - year / 100);

	return (unsigned)((era * 400 + year) * 12 + (5 * rest + 2) / 153);
}

unsigned
quota_month_left_s(uint64_t unix_s)
{
	time_t now = (time_t)unix_s;
	struct tm tm;

	if (gmtime_r(&now, &tm) == NULL)
		return 1;
	tm.tm_mon++;
	tm.tm_mday = 1;
	tm.tm_hour = tm.tm_min = tm.tm_sec = 0;
	return (unsigned)(timegm(&tm) - now);
}

void
quota_pass(struct quota_state *s, const struct quota *q, uint64_t now_us, uint64_t unix_s)
{
	unsigned month = quota_month(unix_s);
	double rate = (double)q->tokens_per_minute / MINUTE_US;
	double most = (double)q->tokens_per_minute * LEVEL_MAX_MINUTES;

	if (now_us > s->level_us) {
		s->level -= (double)(now_us - s->level_us) * rate;
		s->level_us = now_us;
	}
	s->level = fmin(fmax(s->level, 0), most);
	if (month == s->month)
		return;
	/* Of one that was never seen it is not known what was spent before. */
	s->has_seed = s->month != 0;
	s->seeded = s->used = 0;
	s->month = month;
}

uint64_t
quota_reserve(const struct quota *q, uint64_t tokens)
{
	if (q->tokens_per_minute > 0 && tokens > q->tokens_per_minute)
		tokens = q->tokens_per_minute;
	if (q->tokens_per_month > 0 && tokens > q->tokens_per_month)
		tokens = q->tokens_per_month;
	return tokens;
}

/* Where nothing is reserved there must be something left. */
static bool
month_refuses(const struct quota *q, const struct quota_state *s, uint64_t reserve)
{
	uint64_t spent = s->used + s->seeded + s->held;

	return spent >= q->tokens_per_month || reserve > q->tokens_per_month - spent;
}

enum quota_kind
quota_refuses(const struct quota *q, const struct quota_state *s, uint64_t reserve, bool is_stream)
{
	double minute = (double)q->tokens_per_minute;

	if (q->tokens_per_month > 0 && month_refuses(q, s, reserve))
		return QUOTA_MONTH;
	if (q->tokens_per_minute > 0 && (s->level >= minute || s->level + (double)reserve > minute))
		return QUOTA_MINUTE;
	if (q->streams > 0 && is_stream && s->streams >= q->streams)
		return QUOTA_STREAMS;
	return QUOTA_NONE;
}

void
quota_take(struct quota_state *s, uint64_t reserve, bool is_stream)
{
	s->level += (double)reserve;
	s->held += reserve;
	s->streams += is_stream;
}

void
quota_give_back(struct quota_state *s, uint64_t reserve, bool is_stream, uint64_t used)
{
	s->level = fmax(s->level + (double)used - (double)reserve, 0);
	s->held -= reserve < s->held ? reserve : s->held;
	s->used += used;
	s->streams -= is_stream && s->streams > 0;
}

/* Rounded up: who waits that long is not refused for a fraction of a second. */
static unsigned
drain_s(const struct quota *q, double tokens)
{
	if (q->tokens_per_minute == 0 || tokens <= 0)
		return 0;
	return (unsigned)ceil(tokens * 60 / (double)q->tokens_per_minute);
}

void
quota_tell(const struct quota *q, const struct quota_state *s, uint64_t reserve, uint64_t unix_s,
    enum quota_kind refused, struct quota_verdict *v)
{
	double minute = (double)q->tokens_per_minute, need = reserve > 0 ? (double)reserve : 1;
	uint64_t spent = s->used + s->seeded + s->held;

	*v = (struct quota_verdict){
		.refused = refused,
		.minute_left = s->level < minute ? (uint64_t)(minute - s->level) : 0,
		.month_left = spent < q->tokens_per_month ? q->tokens_per_month - spent : 0,
		.minute_reset_s = drain_s(q, s->level),
		.month_reset_s = quota_month_left_s(unix_s),
		.is_new = !s->has_seed,
	};
	if (refused == QUOTA_MINUTE)
		v->retry_after_s = drain_s(q, s->level + need - minute);
	else if (refused == QUOTA_MONTH)
		v->retry_after_s = v->month_reset_s;
	if (refused != QUOTA_NONE && v->retry_after_s == 0)
		v->retry_after_s = 1;
}
