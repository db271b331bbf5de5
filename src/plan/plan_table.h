/* SPDX-License-Identifier: MIT */
/*
 * plan_table: the values of a plan, by name. Private to plan/.
 */
#ifndef PLAN_TABLE_H
#define PLAN_TABLE_H

#include "tenantgate/plan.h"

enum plan_type {
	PLAN_WHOLE,  /* an unsigned or a uint64_t, by the member's size */
	PLAN_SWITCH, /* an unsigned of 0 or 1 */
	PLAN_NUMBER, /* temperature */
	PLAN_TEXT,
	PLAN_LANGUAGE, /* an unsigned, enum language */
};

struct plan_row {
	const char *name;	 /* in a section and in a tenant's settings */
	const char *in_defaults; /* in [tenantgate]; NULL: the same */
	enum plan_type type;
	size_t offset, size; /* in struct plan */
	uint64_t min, max;   /* PLAN_WHOLE; bytes of a PLAN_TEXT */
};

extern const struct plan_row plan_rows[PLAN_VALUES];

/* The number that a PLAN_WHOLE, PLAN_SWITCH or PLAN_LANGUAGE has; and sets it. */
uint64_t plan_whole(const struct plan *, const struct plan_row *);
void plan_set_whole(struct plan *, const struct plan_row *, uint64_t);

#endif
