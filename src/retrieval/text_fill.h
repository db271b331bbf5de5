/* SPDX-License-Identifier: MIT */
/*
 * text_fill: keeps the words of a tenant's documents that have none: those that were stored before
 * there were any, or by a build of before. Some documents at a time, each batch a transaction of
 * its own: it goes on where it, another replica or a killed process has left off.
 */
#ifndef RETRIEVAL_TEXT_FILL_H
#define RETRIEVAL_TEXT_FILL_H

#include "tenantgate/loop/share.h"
#include "tenantgate/pool.h"
#include "tenantgate/base/language.h"

/* Borrowed until the wait is over. */
struct text_fill_order {
	struct pools *pools;
	const struct pool_target *target;
	struct share_budget *budget; /* of one unit a tenant; taken when there is work */
	const char *tenant;
	int schema_version;	/* of the database, at least */
	enum language language; /* of documents that say none */
};

/* In the flow's arena. Logs its failure, which is not the flow's: vectors need no words. */
enum flow_rc	text_fill(struct flow *, const struct text_fill_order *)
		    __attribute__((warn_unused_result));

#endif
