/* SPDX-License-Identifier: MIT */
/*
 * provision_meters: how attempts to provision a tenant's database ended (created, adopted: it was
 * there already, failed), and how long they took.
 */
#ifndef TENANTGATE_TENANT_PROVISION_METERS_H
#define TENANTGATE_TENANT_PROVISION_METERS_H

#include "tenantgate/loop/meter.h"

extern const struct meter_family provisionings;		/* result */
extern const struct meter_family provisioning_duration;	/* result */

#endif
