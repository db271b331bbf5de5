/* SPDX-License-Identifier: MIT */
/*
 * neon_settings: what a tenant's database may be given of Neon's: the compute's size and rest, and
 * the project's quotas. Kept as one flat JSON object of numbers, {"minCu":0.25,"maxCu":2.0}: the
 * columns neon_wished and neon_applied. Pure.
 *
 * Source: Neon's API, POST /projects (default_endpoint_settings, settings.quota), PATCH of a
 * project and of an endpoint; autoscaling limits are multiples of a quarter of a compute unit, and
 * at most 8 units apart.
 */
#ifndef TENANT_NEON_SETTINGS_H
#define TENANT_NEON_SETTINGS_H

#include <jansson.h>
#include <stdbool.h>

#include "tenantgate/base/buf.h"
#include "tenantgate/base/err.h"

/* Bytes of the object with the NUL: each of its numbers has at most 19 digits. */
#define NEON_SETTINGS_SIZE 512

/* What of Neon's has it; each is changed by a request of its own. */
enum neon_part { NEON_PROJECT, NEON_ENDPOINT };

/*
 * Puts the members of the body's "compute" and "quotas" into wished. null takes a value away; of a
 * database that is made (is_made) that is what Neon has without, and minCu and maxCu have no such.
 * False with err set, ERR_INVALID_FIELD, naming the member.
 */
bool neon_settings_merge(json_t *wished, const json_t *body, bool is_made, struct err *);
bool neon_settings_differ(const json_t *wished, const json_t *applied, enum neon_part);
/* Makes applied, of that part, as wished is. */
void neon_settings_copy(json_t *applied, const json_t *wished, enum neon_part);
/* Adds to before what it takes for Neon to have it again: what was not set then and is applied now
 * becomes Neon's default, where there is one. */
void neon_settings_go_back(json_t *before, const json_t *applied);
/* {"compute":{…},"quotas":{…}}: as a body has them, null where nothing is set. NULL: no memory. */
json_t *neon_settings_json(const json_t *wished);

/* The body of the PATCH of that part: all that is wished of it. */
void neon_settings_put_patch(struct buf *, const json_t *wished, enum neon_part);
/* Members of "project" in a creation, each after a comma; nothing when nothing is wished. */
void neon_settings_put_creation(struct buf *, const json_t *wished);

#endif
