/* SPDX-License-Identifier: MIT */
/*
 * delta: what the events of one streamed chat answer have said so far. Pure.
 *
 * Servers differ: choices may be empty or absent, content null or absent, the usage in an event of
 * its own or in each, an error instead of choices. Only the first choice is read.
 */
#ifndef TENANTGATE_MODEL_DELTA_H
#define TENANTGATE_MODEL_DELTA_H

#include <stdbool.h>
#include <stdint.h>

#include "tenantgate/base/buf.h"
#include "tenantgate/base/slice.h"
#include "tenantgate/model.h"

struct delta {
	struct buf		 text;		/* owned; the reader resets it */
	const char		*finish_reason;	/* static; NULL until told */
	bool			 done;		/* [DONE] has come */
	struct model_usage	 usage;
	uint64_t		 pieces;	/* events with text */
};

enum delta_rc {
	DELTA_FINE,
	DELTA_ERROR,	/* an error event: its data is the error body */
	DELTA_BROKEN,	/* not JSON, or not of this shape */
	DELTA_FULL,	/* text's ceiling */
};

void		delta_init(struct delta *, size_t text_max);
void		delta_free(struct delta *);	/* idempotent */
enum delta_rc	delta_add(struct delta *, struct slice data) __attribute__((warn_unused_result));
/* The server's count, else our own. */
struct model_usage	delta_usage(const struct delta *);

#endif
