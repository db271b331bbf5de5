/* SPDX-License-Identifier: MIT */
/*
 * log_repeat.c: a small table of (level, event), each with a window of one second.
 *
 *	admitted LOG_BURST times in a window -> hidden and counted -> next window: admitted,
 *	with the count
 *
 * Event names are constants of this program, so the table has slots for them all and none is ever
 * freed. If it should be full, a new event is always printed: a log that is too long is better than
 * one with gaps. One mutex, held for a search of the table.
 */
#include "base/log_repeat.h"

#include <pthread.h>
#include <string.h>

#include "tenantgate/base/log.h"

#define REPEAT_SLOTS	 256
#define REPEAT_NAME	 48 /* of an event, the NUL included; longer ones are not counted */
#define REPEAT_WINDOW_US UINT64_C(1000000)

struct repeat {
	char event[REPEAT_NAME]; /* empty: a free slot */
	int level;
	unsigned admitted; /* in this window */
	uint64_t since_us; /* the window's beginning; monotonic */
	uint64_t hidden;   /* since the last that was printed */
};

static pthread_mutex_t repeat_lock = PTHREAD_MUTEX_INITIALIZER;
static struct repeat repeats[REPEAT_SLOTS];

/* FNV-1a. The names are our own, so no key is needed against chosen collisions. */
static unsigned
repeat_hash(int level, const char *event)
{
	unsigned h = 2166136261u ^ (unsigned)level;

	for (; *event != '\0'; event++)
		h = (h ^ (unsigned char)*event) * 16777619u;
	return h;
}

/* The slot of the pair, by linear probing; a free one is taken. NULL when the table is full. */
static struct repeat *
repeat_slot(int level, const char *event)
{
	unsigned start = repeat_hash(level, event), i;

	for (i = 0; i < REPEAT_SLOTS; i++) {
		struct repeat *r = &repeats[(start + i) % REPEAT_SLOTS];

		if (r->event[0] == '\0') {
			memcpy(r->event, event, strlen(event) + 1);
			r->level = level;
			return r;
		}
		if (r->level == level && strcmp(r->event, event) == 0)
			return r;
	}
	return NULL;
}

/* A window begins with the first line that is admitted in it, not at a full second. */
static bool
repeat_count(struct repeat *r, uint64_t now_us, uint64_t *hidden)
{
	if (r->admitted == 0 || now_us - r->since_us >= REPEAT_WINDOW_US) {
		r->since_us = now_us;
		r->admitted = 0;
	}
	if (r->admitted == LOG_BURST) {
		r->hidden++;
		return false;
	}
	r->admitted++;
	*hidden = r->hidden;
	r->hidden = 0;
	return true;
}

bool
log_repeat_admit(int level, const char *event, uint64_t now_us, uint64_t *hidden)
{
	struct repeat *r;
	bool admitted = true;

	*hidden = 0;
	if (event[0] == '\0' || strlen(event) >= REPEAT_NAME)
		return true;
	pthread_mutex_lock(&repeat_lock);
	r = repeat_slot(level, event);
	if (r != NULL)
		admitted = repeat_count(r, now_us, hidden);
	pthread_mutex_unlock(&repeat_lock);
	return admitted;
}
