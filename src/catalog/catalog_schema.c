/* SPDX-License-Identifier: MIT */
/*
 * catalog_schema: the main database's history, one numbered script after another. users,
 * vector_databases and documents are the reference application's tables with what it lacked;
 * tenants and api_keys are ours. A released script is never edited, for there are databases that
 * have run it: a change is a new script. One that only adds what older builds need not know
 * (columns with a default, tables, indexes) names the oldest of them that serves beside it, so that
 * replicas are replaced one after another, and back again.
 */
#include "catalog/catalog_internal.h"
#include "catalog/schema_operators.h"

/*
 * documents is a copy: the authority is the tenant's own database. 'ingesting' and attempt are the
 * intent of a store that may have been killed (retrieval/reconcile.c).
 * tenants: a row's states and who moves them are in tenant/row.c. Passwords are sealed; lease_until
 * and posted_at are the database's clock.
 * api_keys: the secret's digest only; a revoked key keeps its row.
 */
static const char first_tables[] =
    "CREATE TABLE public.users ("
    "	user_id text PRIMARY KEY,"
    "	name text,"
    "	email text UNIQUE,"
    "	avatar_url text,"
    "	created_at timestamptz NOT NULL DEFAULT now());"

    "CREATE TABLE public.vector_databases ("
    "	vector_db_id text NOT NULL UNIQUE," /* the provider's project */
    "	user_id text NOT NULL UNIQUE REFERENCES public.users ON DELETE CASCADE);"

    "CREATE TABLE public.documents ("
    "	document_id text NOT NULL,"
    "	user_id text NOT NULL REFERENCES public.users ON DELETE CASCADE,"
    "	title text NOT NULL,"
    "	file_name text NOT NULL,"
    "	mime_type text NOT NULL DEFAULT 'application/octet-stream',"
    "	bytes bigint NOT NULL DEFAULT 0,"
    "	pages int NOT NULL DEFAULT 0,"
    "	chunks int NOT NULL DEFAULT 0,"
    "	sha256 text,"
    "	metadata jsonb NOT NULL DEFAULT '{}',"
    "	status text NOT NULL CHECK (status IN ('ingesting', 'ready')),"
    "	attempt text,"
    "	created_at timestamptz NOT NULL DEFAULT now(),"
    "	updated_at timestamptz NOT NULL DEFAULT now(),"
    "	PRIMARY KEY (user_id, document_id));"
    "CREATE INDEX documents_newest ON public.documents (user_id, created_at DESC, document_id);"

    "CREATE TABLE public.tenants ("
    "	tenant_id text PRIMARY KEY REFERENCES public.users ON DELETE CASCADE,"
    "	provider text NOT NULL,"
    "	region text,"
    "	state text NOT NULL"
    "	    CHECK (state IN ('provisioning', 'failed', 'ready', 'suspended')),"
    "	plan text NOT NULL DEFAULT '',"
    "	requests_per_minute int CHECK (requests_per_minute > 0),"
    "	project_name text NOT NULL,"
    "	project_id text,"
    "	endpoint_id text,"
    "	branch_id text,"
    "	db_host text,"
    "	db_port int,"
    "	db_name text,"
    "	db_user text,"
    "	db_password_sealed text,"
    "	db_sslmode text,"
    "	schema_version int NOT NULL DEFAULT 0,"
    "	attempt_id text,"
    "	lease_until timestamptz,"
    "	attempts int NOT NULL DEFAULT 0,"
    "	posted_at timestamptz," /* when a creation whose outcome is not known was sent */
    "	last_error text,"
    "	created_at timestamptz NOT NULL DEFAULT now(),"
    "	updated_at timestamptz NOT NULL DEFAULT now());"
    "CREATE INDEX tenants_unready ON public.tenants (state) WHERE state <> 'ready';"

    "CREATE TABLE public.api_keys ("
    "	key_id text PRIMARY KEY,"
    "	secret_sha256 text NOT NULL CHECK (secret_sha256 ~ '^[0-9a-f]{64}$'),"
    "	kind text NOT NULL CHECK (kind IN ('tenant', 'service', 'admin')),"
    "	tenant_id text CHECK ((kind = 'tenant') = (tenant_id IS NOT NULL)),"
    "	note text,"
    "	created_at timestamptz NOT NULL DEFAULT now(),"
    "	revoked_at timestamptz);"
    "CREATE INDEX api_keys_tenant ON public.api_keys (tenant_id);";

/* One row: what the tags of API keys are made with (auth.h). 244 random bits, drawn by the server
 * in the migration itself, so that replicas that start together have the same. */
static const char key_tag_secret[] =
    "CREATE TABLE public.key_tag_secret ("
    "	only_row bool PRIMARY KEY DEFAULT true CHECK (only_row),"
    "	secret text NOT NULL CHECK (secret ~ '^[0-9a-f]{64}$'));"
    "INSERT INTO public.key_tag_secret (secret) VALUES (encode(sha256("
    "(gen_random_uuid()::text || gen_random_uuid()::text)::bytea), 'hex'));";

/* What a provider refused: not to be asked for again before that time, by the database's clock, and
 * how often it was in a row. */
static const char tenants_not_before[] = "ALTER TABLE public.tenants"
					 "	ADD COLUMN not_before timestamptz,"
					 "	ADD COLUMN refusals int NOT NULL DEFAULT 0;";

/*
 * installation: one row, the environment that this catalog is of (tenant/installation.c). Where all
 * tenants' projects have the name that one environment gave them ("tg-<environment>-<tenant>"), it
 * is that one's already: whoever is started first after the migration must not get it by mistake.
 * tenants.rechecked_at, rechecks: when the provider was last asked again for the address of a
 * database that refused the login, and how often that was of no use (tenant/address_check.c).
 */
static const char installation[] =
    "CREATE TABLE public.installation ("
    "	only_row bool PRIMARY KEY DEFAULT true CHECK (only_row),"
    "	environment text NOT NULL,"
    "	claimed_at timestamptz NOT NULL DEFAULT now());"
    "INSERT INTO public.installation (environment) SELECT min(environment) FROM ("
    "	SELECT CASE WHEN left(project_name, 3) = 'tg-' AND"
    "	    right(project_name, length(tenant_id) + 1) = '-' || tenant_id"
    "	    THEN nullif(substr(project_name, 4,"
    "		greatest(0, length(project_name) - length(tenant_id) - 4)), '') END"
    "	AS environment FROM public.tenants) AS made"
    "	HAVING count(*) = count(environment) AND count(DISTINCT environment) = 1;"
    "ALTER TABLE public.tenants"
    "	ADD COLUMN rechecked_at timestamptz,"
    "	ADD COLUMN rechecks int NOT NULL DEFAULT 0;";

/* The prefixes (seal.h) of keys that are in seal_keys for reading, so that another may become the
 * first: tenant/reseal.c. */
static const char seal_readers[] = "CREATE TABLE public.seal_readers ("
				   "	prefix text PRIMARY KEY,"
				   "	announced_at timestamptz NOT NULL DEFAULT now());";

/* More statuses than earlier builds write, which go on writing theirs; reason: why a document has
 * failed, as a sentence for its user. */
static const char documents_statuses[] =
    "ALTER TABLE public.documents"
    "	DROP CONSTRAINT documents_status_check,"
    "	ADD CONSTRAINT documents_status_check"
    "	    CHECK (status IN ('ingesting', 'ready', 'failed', 'deleting')) NOT VALID,"
    "	ADD COLUMN reason text;";

/* tenants.settings: the tenant's own, over its plan's. users.email: one person may be of two
 * organizations, which are two tenants. documents: whose user's it is, when it goes by itself, and
 * what is asked of both, and of equal bytes. */
static const char plans_and_owners[] =
    "ALTER TABLE public.tenants ADD COLUMN settings jsonb NOT NULL DEFAULT '{}';"
    "ALTER TABLE public.users DROP CONSTRAINT users_email_key;"
    "ALTER TABLE public.documents"
    "	ADD COLUMN owner_id text,"
    "	ADD COLUMN expires_at timestamptz;"
    "CREATE INDEX documents_owner"
    "	ON public.documents (user_id, owner_id, created_at DESC, document_id);"
    "CREATE INDEX documents_sha256 ON public.documents (user_id, sha256);"
    "CREATE INDEX documents_expiry ON public.documents (expires_at)"
    "	WHERE expires_at IS NOT NULL;";

/* When a tenant's list of documents was last compared with its database (retrieval/sweep.c); which
 * of its documents go next by themselves (retrieval/expire.c): by an index without the tenant the
 * planner would walk through all tenants' to find one's. */
static const char documents_swept[] =
    "ALTER TABLE public.tenants ADD COLUMN documents_swept_at timestamptz;"
    "CREATE INDEX documents_tenant_expiry ON public.documents (user_id, expires_at)"
    "	WHERE expires_at IS NOT NULL;"
    "DROP INDEX public.documents_expiry;";

/* What is on its way counts with what is there: the bytes of the attempt under way, and their
 * digest.
 *
 * documents_admit() says whether a document may be stored, and keeps all others of the tenant that
 * ask from an answer until the transaction of the caller ends (retrieval/document_begin.c). Each
 * statement of a volatile function sees what was committed before it began, so after the lock. A
 * later version is another function, by another name: replicas of this build call this one. */
static const char documents_admit[] =
    "ALTER TABLE public.documents"
    "	ADD COLUMN attempt_bytes bigint,"
    "	ADD COLUMN attempt_sha256 text;"
    "CREATE INDEX documents_ingesting ON public.documents (user_id)"
    "	WHERE status = 'ingesting';"
    "CREATE FUNCTION public.documents_admit(tenant text, id text, owner text, new_bytes bigint,"
    "	digest text, max_documents bigint, max_bytes bigint, if_new boolean) RETURNS text"
    "	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$"
    "DECLARE"
    "	others bigint;"
    "	bytes_of_others numeric;"
    "BEGIN"
    "	PERFORM pg_advisory_xact_lock(hashtextextended('documents of ' || tenant, 0));"
    "	IF if_new AND EXISTS (SELECT FROM public.documents d WHERE d.user_id = tenant"
    "	    AND d.sha256 = digest AND d.status = 'ready' AND d.document_id <> id"
    "	    AND coalesce(d.owner_id, '') = coalesce(owner, '')) THEN"
    "		RETURN 'stored';"
    "	END IF;"
    "	IF if_new AND EXISTS (SELECT FROM public.documents d WHERE d.user_id = tenant"
    "	    AND d.status = 'ingesting' AND d.attempt IS NOT NULL"
    "	    AND d.attempt_sha256 = digest AND d.document_id <> id"
    "	    AND coalesce(d.owner_id, '') = coalesce(owner, '')) THEN"
    "		RETURN 'being_stored';"
    "	END IF;"
    "	IF max_documents = 0 AND max_bytes = 0 THEN"
    "		RETURN 'admitted';"
    "	END IF;"
    "	SELECT count(*), coalesce(sum(CASE WHEN d.status = 'ready' THEN d.bytes"
    "	    ELSE greatest(d.bytes, d.attempt_bytes) END), 0) INTO others, bytes_of_others"
    "	    FROM public.documents d WHERE d.user_id = tenant AND d.document_id <> id"
    "	    AND d.status IN ('ready', 'ingesting');"
    "	IF max_documents > 0 AND others + 1 > max_documents THEN"
    "		RETURN 'too_many_documents';"
    "	END IF;"
    "	IF max_bytes > 0 AND bytes_of_others + new_bytes > max_bytes THEN"
    "		RETURN 'storage_full';"
    "	END IF;"
    "	RETURN 'admitted';"
    "END $$;";

/* documents.stored_expires_at: retrieval/document_owner.h.
 *
 * documents_admit_timely() is documents_admit(), but for documents whose time is over, which are
 * nobody's any more and wait to be removed: they do not count, and their bytes are not stored. One
 * that is being stored again counts, whatever the time of the one before it. And equal bytes are
 * looked for by one statement: of two, one that becomes ready in between was seen by neither. A
 * tenant that has more than it may, for its plan is another now, may replace what it has. */
static const char documents_timely[] =
    "ALTER TABLE public.documents ADD COLUMN stored_expires_at timestamptz;"
    "CREATE FUNCTION public.documents_admit_timely(tenant text, id text, owner text,"
    "	new_bytes bigint, digest text, max_documents bigint, max_bytes bigint, if_new boolean)"
    "	RETURNS text LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$"
    "DECLARE"
    "	same text;"
    "	others bigint;"
    "	bytes_of_others numeric;"
    "BEGIN"
    "	PERFORM pg_advisory_xact_lock(hashtextextended('documents of ' || tenant, 0));"
    "	IF if_new THEN"
    "		SELECT d.status INTO same FROM public.documents d WHERE d.user_id = tenant"
    "		    AND d.document_id <> id"
    "		    AND coalesce(d.owner_id, '') = coalesce(owner, '')"
    "		    AND (d.status = 'ready' AND d.sha256 = digest"
    "			AND (d.expires_at IS NULL OR d.expires_at > now())"
    "		    OR d.status = 'ingesting' AND d.attempt IS NOT NULL"
    "			AND coalesce(d.attempt_sha256, d.sha256) = digest)"
    "		    ORDER BY d.status DESC LIMIT 1;"
    "		IF same = 'ready' THEN"
    "			RETURN 'stored';"
    "		ELSIF same = 'ingesting' THEN"
    "			RETURN 'being_stored';"
    "		END IF;"
    "	END IF;"
    "	IF max_documents = 0 AND max_bytes = 0 THEN"
    "		RETURN 'admitted';"
    "	END IF;"
    "	SELECT count(*), coalesce(sum(CASE WHEN d.status = 'ready' THEN d.bytes"
    "	    ELSE greatest(d.bytes, d.attempt_bytes) END), 0) INTO others, bytes_of_others"
    "	    FROM public.documents d WHERE d.user_id = tenant AND d.document_id <> id"
    "	    AND (d.status = 'ingesting' OR d.status = 'ready'"
    "		AND (d.expires_at IS NULL OR d.expires_at > now()));"
    "	IF max_documents > 0 AND others + 1 > max_documents AND NOT EXISTS"
    "	    (SELECT FROM public.documents d WHERE d.user_id = tenant AND d.document_id = id"
    "		AND (d.status = 'ready' AND (d.expires_at IS NULL OR d.expires_at > now())"
    "		    OR d.status = 'ingesting' AND d.sha256 IS NOT NULL)) THEN"
    "		RETURN 'too_many_documents';"
    "	END IF;"
    "	IF max_bytes > 0 AND bytes_of_others + new_bytes > max_bytes THEN"
    "		RETURN 'storage_full';"
    "	END IF;"
    "	RETURN 'admitted';"
    "END $$;";

/* What tenants' tokens must have (auth/token.h): by the clock, so that a tenant that is made later,
 * or whose tokens are revoked later, has a greater one. */
static const char token_generations[] =
    "ALTER TABLE public.tenants ADD COLUMN token_generation bigint NOT NULL"
    "	DEFAULT (extract(epoch FROM now()) * 1000000)::bigint;";

const struct schema_script schema_scripts[] = {
	{ 1, 0, "users, vector_databases, documents, tenants, api_keys", first_tables },
	{ 2, 0, "key_tag_secret", key_tag_secret },
	{ 3, 0, "tenants.not_before, tenants.refusals", tenants_not_before },
	{ 4, 0, "installation, tenants.rechecked_at, tenants.rechecks", installation },
	{ 5, 0, "seal_readers", seal_readers },
	{ 6, 0, "documents.status, documents.reason", documents_statuses },
	{ 7, 6, "tenants.settings, users.email, documents.owner_id, documents.expires_at",
	    plans_and_owners },
	{ 8, 6, "tenants.documents_swept_at", documents_swept },
	{ 9, 6, "documents.attempt_bytes, documents_admit()", documents_admit },
	{ 10, 6, "documents.stored_expires_at, documents_admit_timely()", documents_timely },
	{ 11, 6, "api_keys.scopes, api_keys.expires_at, api_keys.last_used_at", api_keys_limited },
	{ 12, 6, "tenants.neon_wished, tenants.neon_applied", tenants_wishes },
	{ 13, 6, "tenants.deleted_at, tenants.end_order, tenant_receipts", tenants_ends },
	{ 14, 6, "tenant_usage, usage_writers", tenant_usage },
	{ 15, 6, "adoptions, tenants.adopted_at, documents.is_adopted", adoptions },
	{ 16, 6, "indexes of tenants by the bytes of their ids", tenants_listed },
	{ 17, 6, "indexes of tenants by their projects and addresses", tenants_addressed },
	{ 18, 6, "tenants.token_generation", token_generations },
};
const size_t schema_script_count = sizeof(schema_scripts) / sizeof(schema_scripts[0]);
