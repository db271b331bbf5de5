/* SPDX-License-Identifier: MIT */
/*
 * share_rows: what tenants share in this process, by name. Any thread.
 */
#ifndef ADMIN_SHARE_ROWS_H
#define ADMIN_SHARE_ROWS_H

#include "tenantgate/admin.h"

struct share_row {
	const char		*name;		/* static */
	struct share_budget	*budget;	/* borrowed */
	struct share_stats	 stats;
};

#define SHARE_ROWS 9
void	share_rows_fill(struct share_row[SHARE_ROWS], const struct admin_context *);

#endif
