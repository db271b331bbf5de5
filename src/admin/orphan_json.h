/* SPDX-License-Identifier: MIT */
/*
 * orphan_json: how orphans are named and shown: "project/<id>" and "tenant/<id>".
 */
#ifndef ADMIN_ORPHAN_JSON_H
#define ADMIN_ORPHAN_JSON_H

#include <jansson.h>

#include "tenantgate/tenant/orphans.h"

#define ORPHAN_PROJECT "project/"
#define ORPHAN_TENANT  "tenant/"

/* Both lists. The caller owns it; NULL: no memory. */
json_t *orphans_json(const struct tenant_orphans *);
/* The number of the project of that name ("project/..."); false when it is none of them. */
bool orphan_project_find(const struct tenant_orphans *, const char *name, unsigned *out);

#endif
