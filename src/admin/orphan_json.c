/* SPDX-License-Identifier: MIT */
/*
 * orphan_json: see the header.
 */
#include "admin/orphan_json.h"

#include <string.h>

json_t *
orphans_json(const struct tenant_orphans *o)
{
	json_t *projects = json_array(), *tenants = json_array();

	for (unsigned i = 0; i < tenant_orphans_projects(o); i++) {
		struct orphan p = tenant_orphan_project(o, i);

		json_array_append_new(projects,
		    json_pack("{s:s+, s:s, s:s, s:s}", "orphan", ORPHAN_PROJECT, p.project_id,
			"project", p.project_id, "name", p.name, "tenant", p.tenant));
	}
	for (unsigned i = 0; i < tenant_orphans_tenants(o); i++) {
		struct orphan t = tenant_orphan_tenant(o, i);

		json_array_append_new(tenants,
		    json_pack("{s:s+, s:s, s:s}", "orphan", ORPHAN_TENANT, t.tenant, "tenant",
			t.tenant, "project", t.project_id));
	}
	return json_pack("{s:I, s:o, s:o}", "projectsSeen", (json_int_t)tenant_orphans_seen(o),
	    "projectsWithoutTenant", projects, "tenantsWithoutProject", tenants);
}

bool
orphan_project_find(const struct tenant_orphans *o, const char *name, unsigned *out)
{
	size_t prefix = strlen(ORPHAN_PROJECT);

	if (strncmp(name, ORPHAN_PROJECT, prefix) != 0)
		return false;
	for (*out = 0; *out < tenant_orphans_projects(o); (*out)++)
		if (strcmp(tenant_orphan_project(o, *out).project_id, name + prefix) == 0)
			return true;
	return false;
}
