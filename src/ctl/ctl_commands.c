/* SPDX-License-Identifier: MIT */
/*
 * ctl_commands: the table of commands, and what --help prints of it.
 */
#include <stdio.h>
#include <string.h>

#include "ctl/ctl.h"

#define TENANT "/admin/tenants/{}"

/* clang-format off */
static const struct ctl_option list_options[] = {
	{ "prefix", "TEXT", CTL_TEXT, CTL_QUERY, "prefix", "whose id begins so" },
	{ "status", "STATE", CTL_TEXT, CTL_QUERY, "status", "ready, failed, suspended, ..." },
	{ "failed", "failed", CTL_SWITCH, CTL_QUERY, "status", "whose database could not be made" },
	{ "plan", "PLAN", CTL_TEXT, CTL_QUERY, "plan", "of that plan" },
	{ NULL },
};

static const struct ctl_option suspend_options[] = {
	{ "reason", "TEXT", CTL_TEXT, CTL_BODY, "reason", "kept with the tenant" },
	{ NULL },
};

static const struct ctl_option adopt_options[] = {
	{ "project", "ID", CTL_TEXT, CTL_BODY, "projectId", "a project at Neon" },
	{ "url", "@FILE", CTL_LOGIN, CTL_BODY, "url", "any Postgres: the file has its URL" },
	{ "take-ownership", "true", CTL_SWITCH, CTL_QUERY, "takeOwnership",
	    "though the database says it is another's, whose copy it is" },
	{ NULL },
};

static const struct ctl_option catalog_options[] = {
	{ "catalog", "@FILE", CTL_LOGIN, CTL_BODY, "catalogUrl",
	    "the file has the URL of the application's own catalog" },
	{ NULL },
};

static const struct ctl_option key_options[] = {
	{ "kind", "KIND", CTL_TEXT, CTL_BODY, "kind", "tenant, service or admin" },
	{ "tenant", "TENANT", CTL_TEXT, CTL_BODY, "tenant", "whose, of kind tenant" },
	{ "scopes", "A,B", CTL_LIST, CTL_BODY, "scopes",
	    "of ingest chat search documents sql v1 mcp" },
	{ "expires", "TIME", CTL_TEXT, CTL_BODY, "expiresAt", "as 2027-01-31T12:00:00Z" },
	{ "expires-in", "SECONDS", CTL_NUMBER, CTL_BODY, "expiresIn", "from now" },
	{ "note", "TEXT", CTL_TEXT, CTL_BODY, "note", "what it is for" },
	{ NULL },
};

static const struct ctl_option key_list_options[] = {
	{ "tenant", "TENANT", CTL_TEXT, CTL_QUERY, "tenant", "whose" },
	{ "kind", "KIND", CTL_TEXT, CTL_QUERY, "kind", "tenant, service or admin" },
	{ "note", "TEXT", CTL_TEXT, CTL_QUERY, "note", "whose note begins so" },
	{ NULL },
};

static const struct ctl_option token_options[] = {
	{ "user", "USER", CTL_TEXT, CTL_BODY, "user", "whose it is, of the tenant's users" },
	{ "scopes", "A,B", CTL_LIST, CTL_BODY, "scopes",
	    "as a key's; and own: of documents, the user's" },
	{ "ttl", "SECONDS", CTL_NUMBER, CTL_BODY, "ttl", "from now; token_ttl at most" },
	{ NULL },
};

static const struct ctl_option usage_options[] = {
	{ "tenant", "TENANT", CTL_TEXT, CTL_QUERY, "tenant", "of one alone" },
	{ "prefix", "TEXT", CTL_TEXT, CTL_QUERY, "prefix", "whose id begins so" },
	{ "from", "DAY", CTL_TEXT, CTL_QUERY, "from", "as 2026-11-01" },
	{ "to", "DAY", CTL_TEXT, CTL_QUERY, "to", "the last day" },
	{ NULL },
};

static const struct ctl_option reconcile_options[] = {
	{ "remove", "A,B", CTL_LIST, CTL_BODY, "remove",
	    "orphans that are to go, as the list names them" },
	{ NULL },
};

const struct ctl_command ctl_commands[] = {
	{ "status", "", "GET", "/admin", NULL, NULL, NULL, 0,
	    "which build answers, and which key asks" },
	{ "tenant list", "", "GET", "/admin/tenants", list_options, "tenants",
	    "id state plan region documents bytes updatedAt error", CTL_PAGES,
	    "tenants, by id" },
	{ "tenant show", "TENANT", "GET", TENANT, NULL, NULL, NULL, 0,
	    "all of one tenant on a screen" },
	{ "tenant create", "TENANT [NAME=VALUE...]", "PUT", TENANT, NULL, NULL, NULL, CTL_PAIRS,
	    "make a tenant and its database: plan=pro region=aws-us-east-2" },
	{ "tenant set", "TENANT NAME=VALUE...", "PATCH", TENANT, NULL, NULL, NULL, CTL_PAIRS,
	    "change plan, limits, compute, quotas; null takes a value away" },
	{ "tenant retry", "TENANT", "POST", TENANT "/retry", NULL, NULL, NULL, 0,
	    "make a database that failed once more, now" },
	{ "tenant suspend", "TENANT", "POST", TENANT "/suspend", suspend_options, NULL, NULL, 0,
	    "refuse it everywhere, and let its database sleep" },
	{ "tenant resume", "TENANT", "POST", TENANT "/resume", NULL, NULL, NULL, 0,
	    "serve it again" },
	{ "tenant delete", "TENANT", "DELETE", TENANT, suspend_options, NULL, NULL, CTL_CONFIRM,
	    "all of it, with its database; prints the receipt" },
	{ "tenant receipt", "TENANT", "GET", TENANT "/receipt", NULL, NULL, NULL, 0,
	    "what a deletion has taken, and when" },
	{ "tenant recreate", "TENANT", "POST", TENANT "/recreate", NULL, NULL, NULL, 0,
	    "an empty one in place of a deleted one" },
	{ "tenant adopt", "TENANT", "POST", TENANT "/adopt", adopt_options, NULL, NULL, CTL_LONG,
	    "give it a database that is there" },
	{ "tenant warm", "TENANT", "POST", TENANT "/warm", NULL, NULL, NULL, CTL_LONG,
	    "make or wake its database now" },
	{ "key create", "", "POST", "/admin/keys", key_options, NULL, NULL, 0,
	    "a key; its text is printed this once" },
	{ "key list", "", "GET", "/admin/keys", key_list_options, "keys",
	    "id kind tenant scopes expiresAt lastUsedAt revokedAt note", CTL_PAGES,
	    "keys, without their secrets" },
	{ "key revoke", "KEY", "DELETE", "/admin/keys/{}", NULL, NULL, NULL, CTL_CONFIRM,
	    "refuse a key everywhere" },
	{ "token create", "TENANT", "POST", TENANT "/tokens", token_options, NULL, NULL, 0,
	    "a short-lived token for a browser; its text is printed this once" },
	{ "token revoke", "TENANT", "DELETE", TENANT "/tokens", NULL, NULL, NULL, CTL_CONFIRM,
	    "refuse all tokens of a tenant that were made until now" },
	{ "top", "", "GET", "/admin/top", NULL, NULL, NULL, CTL_TOP,
	    "what happens now, written anew until Ctrl-C" },
	{ "pools", "", "GET", "/admin/pools", NULL, "pools", NULL, CTL_COUNTED,
	    "connections by database" },
	{ "flows", "", "GET", "/admin/flows", NULL, "flows", NULL, CTL_COUNTED,
	    "what is under way, and at which step" },
	{ "shares", "", "GET", "/admin/shares", NULL, "shares", NULL, 0,
	    "what is scarce, and who holds it" },
	{ "limits", "TENANT", "GET", TENANT "/limits", NULL, "limits", NULL, 0,
	    "a tenant's limits, whose word each is, and what is used" },
	{ "config", "", "GET", "/admin/config", NULL, "config",
	    "section key value unit origin", 0,
	    "each setting with its value and origin" },
	{ "reload", "", "POST", "/admin/reload", NULL, NULL, NULL, 0,
	    "read the configuration anew; nothing is interrupted" },
	{ "usage", "", "GET", "/admin/usage", usage_options, "usage", NULL, CTL_PAGES,
	    "what tenants used, by day and model" },
	{ "reconcile", "", "GET", "/admin/reconcile", NULL, NULL, NULL, CTL_LONG,
	    "projects without tenants, and tenants without projects" },
	{ "reconcile remove", "", "POST", "/admin/reconcile", reconcile_options, NULL, NULL,
	    CTL_CONFIRM | CTL_LONG, "take named orphans away" },
	{ "reseal", "", "POST", "/admin/reseal", NULL, NULL, NULL, CTL_LONG | CTL_LINES,
	    "seal all passwords under the newest key" },
	{ "adopt", "", "POST", "/admin/adopt", catalog_options, NULL, NULL, CTL_LONG | CTL_LINES,
	    "take over an application's own catalog, read-only there" },
	{ NULL },
};
/* clang-format on */

/* How many of the words the command's own are; 0: they begin otherwise. */
static int
words_match(const char *own, char *const *words, int count)
{
	int used = 0;

	while (*own != '\0') {
		size_t n = strcspn(own, " ");

		if (used == count || strlen(words[used]) != n || strncmp(words[used], own, n) != 0)
			return 0;
		used++;
		own += n + strspn(own + n, " ");
	}
	return used;
}

const struct ctl_command *
ctl_command_find(char *const *words, int count, int *used)
{
	const struct ctl_command *found = NULL;

	*used = 0;
	for (const struct ctl_command *c = ctl_commands; c->words != NULL; c++) {
		int n = words_match(c->words, words, count);

		if (n > *used) {
			*used = n;
			found = c;
		}
	}
	return found;
}

void
ctl_commands_print(void)
{
	for (const struct ctl_command *c = ctl_commands; c->words != NULL; c++) {
		char shown[64];

		(void)snprintf(shown, sizeof(shown), "%s%s%s%s", c->words,
		    *c->arguments != '\0' ? " " : "", c->arguments,
		    c->options != NULL ? " [options]" : "");
		printf("  %-40s %s\n", shown, c->help);
	}
}

void
ctl_command_print(const struct ctl_command *c)
{
	printf("usage: tenantgatectl %s %s\n\n%s\n", c->words, c->arguments, c->help);
	for (const struct ctl_option *o = c->options; o != NULL && o->name != NULL; o++) {
		char shown[64];

		(void)snprintf(shown, sizeof(shown), "--%s%s%s", o->name,
		    o->type == CTL_SWITCH ? "" : " ", o->type == CTL_SWITCH ? "" : o->value);
		printf("  %-24s %s\n", shown, o->help);
	}
}
