/* SPDX-License-Identifier: MIT */
/*
 * orphans_owner: whether a project of Neon's is this environment's, and then whose. Pure.
 */
#include <stdio.h>

#include "tenant/orphans_internal.h"

#define DIGEST_PART 25 /* "-" and 24 hex digits */

/* "tg-<environment>-<tenant>-<24 hex digits>" in which the digits are of these two. */
static bool
name_says_tenant(const char *name, const char *environment, char out[TENANT_ID_MAX + 1])
{
	char made[PROJECT_NAME_SIZE];
	size_t before = strlen("tg-") + strlen(environment) + 1, len = strlen(name);

	if (!name_is_given(name) || len <= before + DIGEST_PART ||
	    len - before - DIGEST_PART > TENANT_ID_MAX)
		return false;
	snprintf(out, TENANT_ID_MAX + 1, "%.*s", (int)(len - before - DIGEST_PART), name + before);
	name_project(made, environment, out);
	return strcmp(made, name) == 0;
}

static const char *
note_text(const json_t *note, const char *name)
{
	return json_string_value(json_object_get(json_object_get(note, "value"), name));
}

/* The first releases noted no environment: there it is in the old name. */
static bool
note_is_ours(const json_t *note, const char *environment, const struct orphan_project *p)
{
	const char *in = note_text(note, NEON_NOTE_ENVIRONMENT);
	const char *of = note_text(note, NEON_NOTE_TENANT);
	char old[PROJECT_NAME_SIZE];

	if (of == NULL || strlen(of) > TENANT_ID_MAX)
		return false;
	if (in != NULL)
		return strcmp(in, environment) == 0;
	name_project_old(old, environment, of);
	return old[0] != '\0' && strcmp(old, p->name) == 0;
}

bool
orphan_is_ours(const json_t *branches, const char *environment, struct orphan_project *p)
{
	json_t *notes = json_object_get(branches, "annotations");
	bool is_ours = false;
	const char *branch;
	json_t *note;

	json_object_foreach(notes, branch, note) {
		if (note_text(note, NEON_NOTE_TENANT) == NULL)
			continue;
		if (!note_is_ours(note, environment, p))
			return false;
		snprintf(p->tenant, sizeof(p->tenant), "%s", note_text(note, NEON_NOTE_TENANT));
		is_ours = true;
	}
	return is_ours || name_says_tenant(p->name, environment, p->tenant);
}
