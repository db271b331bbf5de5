/* SPDX-License-Identifier: MIT */
/*
 * schema_operators: the catalog's scripts from 11 on, by which operators see, change and repair: a
 * constant each, in order. As in catalog_schema.c a script that was released stays as it is.
 */
#include "catalog/schema_operators.h"

/*
 * api_keys.scopes: what the key may do; NULL or empty: everything (auth.h). Builds before this know
 * neither scopes nor a time at which a key is over: they would let its holder do everything, for
 * ever. So the digest of a limited key is where they do not look, and where they look nobody's is;
 * the CHECK holds whoever writes by hand to it.
 */
const char api_keys_limited[] =
    "ALTER TABLE public.api_keys"
    "	ADD COLUMN scopes text[],"
    "	ADD COLUMN expires_at timestamptz,"
    "	ADD COLUMN last_used_at timestamptz,"
    "	ADD COLUMN limited_sha256 text CHECK (limited_sha256 ~ '^[0-9a-f]{64}$'),"
    "	ADD CONSTRAINT api_keys_admin_unscoped"
    "	    CHECK (kind <> 'admin' OR coalesce(cardinality(scopes), 0) = 0),"
    "	ADD CONSTRAINT api_keys_limited CHECK ((limited_sha256 IS NOT NULL) ="
    "	    (coalesce(cardinality(scopes), 0) > 0 OR expires_at IS NOT NULL)),"
    "	ADD CONSTRAINT api_keys_hidden_from_older_builds"
    "	    CHECK (limited_sha256 <> secret_sha256);"
    "CREATE INDEX api_keys_newest ON public.api_keys (created_at DESC, key_id);"
    "CREATE INDEX api_keys_kind_newest"
    "	ON public.api_keys (kind, created_at DESC, key_id);"
    "CREATE INDEX api_keys_tenant_newest"
    "	ON public.api_keys (tenant_id, created_at DESC, key_id);"
    "DROP INDEX public.api_keys_tenant;";

/*
 * tenants: what Neon is to give a tenant's database (tenant/row_wish.c): neon_wished, and what it
 * is known to have, neon_applied; where the two differ, or something is held until they do not
 * any more, the change is under way. neon_before: what the wish goes back to when Neon refuses it.
 * neon_attempt and neon_until are the lease of who asks Neon for it; without an attempt the time
 * before which nobody does. neon_asked_until: until when Neon asked to be left alone, of a failed
 * attempt to make the database.
 */
const char tenants_wishes[] =
    "ALTER TABLE public.tenants"
    "	ADD COLUMN neon_wished jsonb NOT NULL DEFAULT '{}',"
    "	ADD COLUMN neon_applied jsonb NOT NULL DEFAULT '{}',"
    "	ADD COLUMN neon_before jsonb,"
    "	ADD COLUMN neon_held jsonb," /* plan and settings, to be the row's with it */
    "	ADD COLUMN neon_attempt text,"
    "	ADD COLUMN neon_until timestamptz,"
    "	ADD COLUMN neon_tries int NOT NULL DEFAULT 0,"
    "	ADD COLUMN neon_error text,"
    "	ADD COLUMN neon_asked_until timestamptz;"
    "CREATE INDEX tenants_wishing ON public.tenants (neon_until)"
    "	WHERE neon_wished <> neon_applied OR neon_held IS NOT NULL;";

/*
 * tenants: how a tenant ends (tenant/row_end.c). To builds of before, a deleted one is suspended:
 * its row stays as a tombstone, which they neither serve nor claim. end_order is what is still to
 * be done of suspending, resuming or deleting it; end_attempt and end_until are the lease of who is
 * at it, or, without an attempt, the time before which nobody tries again.
 * tenant_receipts: of each deletion what went, and when each step of it was done.
 */
const char tenants_ends[] =
    "ALTER TABLE public.tenants"
    "	ADD COLUMN suspended_from text,"
    "	ADD COLUMN suspended_at timestamptz,"
    "	ADD COLUMN suspend_reason text,"
    "	ADD COLUMN deleted_at timestamptz,"
    "	ADD COLUMN end_order text CHECK (end_order IN ('suspend', 'resume', 'delete')),"
    "	ADD COLUMN end_serial int NOT NULL DEFAULT 0,"
    "	ADD COLUMN end_ordered_at timestamptz,"
    "	ADD COLUMN end_attempt text,"
    "	ADD COLUMN end_until timestamptz,"
    "	ADD COLUMN end_error text;"
    "CREATE INDEX tenants_ending ON public.tenants (end_until) WHERE end_order IS NOT NULL;"
    "CREATE TABLE public.tenant_receipts ("
    "	tenant_id text NOT NULL,"
    "	deleted_at timestamptz NOT NULL," /* when it was ordered */
    "	reason text,"
    "	provider text NOT NULL,"
    "	region text,"
    "	project_name text,"
    "	project_id text,"
    "	stored_bytes bigint," /* of the project, as the provider counted last */
    "	projects_left text,"  /* of its name, which do not say that they are its own */
    "	documents bigint NOT NULL DEFAULT 0,"
    "	bytes bigint NOT NULL DEFAULT 0,"
    "	chunks bigint NOT NULL DEFAULT 0,"
    "	keys int NOT NULL DEFAULT 0,"
    "	requests_ended_at timestamptz,"
    "	database_deleted_at timestamptz,"
    "	recoverable_until timestamptz,"
    "	redis_cleared_at timestamptz,"
    "	catalog_cleared_at timestamptz,"
    "	PRIMARY KEY (tenant_id, deleted_at));";

/* What tenants have used (usage.h): model '' is none. No tenant's row is referred to, for what was
 * used is to be known when the tenant is gone. Ids in the order of their bytes, so that those of a
 * prefix are one after another. usage_writers: the number of each worker's last batch. */
const char tenant_usage[] = "CREATE TABLE public.tenant_usage ("
			    "	tenant_id text COLLATE \"C\" NOT NULL,"
			    "	day date NOT NULL,"
			    "	model text COLLATE \"C\" NOT NULL,"
			    "	requests bigint NOT NULL,"
			    "	input_tokens bigint NOT NULL,"
			    "	output_tokens bigint NOT NULL,"
			    "	embedding_calls bigint NOT NULL,"
			    "	embedding_tokens bigint NOT NULL,"
			    "	documents bigint NOT NULL,"
			    "	bytes bigint NOT NULL,"
			    "	PRIMARY KEY (tenant_id, day, model)) WITH (fillfactor = 80);"
			    "CREATE INDEX tenant_usage_day ON public.tenant_usage (day);"
			    "CREATE TABLE public.usage_writers ("
			    "	writer_id text PRIMARY KEY,"
			    "	batch bigint NOT NULL,"
			    "	written_at timestamptz NOT NULL DEFAULT now());";

/* tenants.adopted_at: its database was there before it was a tenant's, whose provider is then 'url'
 * where an operator gave its address. documents.is_adopted: what an app's own catalog says of a
 * document, which the tenant's database may not know yet (retrieval/sweep_mend.c).
 *
 * adoptions: how far such a catalog has been copied, by its host and database; adoption_skips: what
 * of it was not, and why (tenant/app_copy.c, retrieval/documents_adopt.c). */
const char adoptions[] =
    "ALTER TABLE public.tenants"
    "	ADD COLUMN adopted_at timestamptz,"
    "	ADD COLUMN db_channel_binding text;"
    "ALTER TABLE public.documents ADD COLUMN is_adopted bool NOT NULL DEFAULT false;"
    "CREATE TABLE public.adoptions ("
    "	source text PRIMARY KEY,"
    "	users_to bigint NOT NULL DEFAULT 0,"
    "	projects_to bigint NOT NULL DEFAULT 0,"
    "	documents_to bigint NOT NULL DEFAULT 0,"
    "	users bigint NOT NULL DEFAULT 0,"
    "	projects bigint NOT NULL DEFAULT 0,"
    "	documents bigint NOT NULL DEFAULT 0,"
    "	began_at timestamptz NOT NULL DEFAULT now());"
    "CREATE TABLE public.adoption_skips ("
    "	source text NOT NULL REFERENCES public.adoptions ON DELETE CASCADE,"
    "	kind text NOT NULL CHECK (kind IN ('user', 'project', 'document')),"
    "	id text NOT NULL,"
    "	reason text NOT NULL,"
    "	PRIMARY KEY (source, kind, id));";

/* Pages of tenants for operators, and those whose ids begin alike: in the order of the ids' bytes,
 * whatever the database's own order is; and of a state or a plan alone (tenant/row_view.c). */
const char tenants_listed[] =
    "CREATE INDEX tenants_bytewise ON public.tenants (tenant_id COLLATE \"C\");"
    "CREATE INDEX tenants_state_bytewise ON public.tenants (state, tenant_id COLLATE \"C\")"
    "	WHERE deleted_at IS NULL;"
    "CREATE INDEX tenants_plan_bytewise ON public.tenants (plan, tenant_id COLLATE \"C\");"
    "CREATE INDEX tenants_deleted_bytewise ON public.tenants (tenant_id COLLATE \"C\")"
    "	WHERE deleted_at IS NOT NULL;";

/* By which an adoption finds the tenants of its project, and of its database, however the name of
 * its host is written (tenant/adopt_row.c). */
const char tenants_addressed[] =
    "CREATE INDEX tenants_project ON public.tenants (project_id);"
    "CREATE INDEX tenants_address ON public.tenants"
    "	((regexp_replace(regexp_replace(lower(rtrim(db_host, '.')),"
    "	    '^([^.]+)-pooler[.]', '\\1.'), '^(ep-[^.]+)[.].*[.]neon[.]tech$', '\\1.neon.tech')),"
    "	db_port, db_name);";
