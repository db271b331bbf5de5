/* SPDX-License-Identifier: MIT */
/*
 * provision_count: where attempts are counted (tenant/provision_meters.h). Private to tenant/.
 */
#ifndef TENANTGATE_TENANT_PROVISION_COUNT_H
#define TENANTGATE_TENANT_PROVISION_COUNT_H

#include <stdbool.h>
#include <stdint.h>

struct worker;

/* is_new: this attempt made the database. */
void provision_count(struct worker *, bool has_failed, bool is_new, uint64_t us);

#endif
