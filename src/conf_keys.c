/* SPDX-License-Identifier: MIT */
/*
 * conf_keys: the one table of configuration keys. The parser, the checks, the sample file and
 * --help are made from it, in its order. Names are PgBouncer's where the meaning is, else nginx's.
 *
 * A new key is a row here and the member it fills; then `tenantgate --sample` anew. The default
 * must be the one that the module has itself: test_conf_modules compares them. A key once released
 * keeps its name and its meaning.
 */
#include "conf_internal.h"

#include <syslog.h>

/* A table is laid out in columns. */
/* clang-format off */
#define MS	1000ull
#define SECONDS (1000 * MS)
#define HOURS	(3600 * SECONDS)
#define DAYS	(24 * HOURS)
#define KIB	1024ull
#define MIB	(1024 * KIB)
#define GIB	(1024 * MIB)

/* Offset and size of a member of struct conf. */
#define AT(member) offsetof(struct conf, member), sizeof(((struct conf *)0)->member)

/* The columns: the key, the member, the default as one would write it (of those that must be set:
 * an example that begins with '$'), then what the type wants, then the help sentence. */
#define GROUP(title) \
	{ \
		.type = CONF_GROUP, .name = (title) \
	}
#define STRING(name, member, default_text, empty, help) \
	{ \
		CONF_STRING, name, AT(member), default_text, empty, 0, 0, NULL, NULL, help \
	}
#define SECRET(name, member, example, empty, help) \
	{ \
		CONF_SECRET, name, AT(member), example, empty, 0, 0, NULL, NULL, help \
	}
#define URL(name, member, default_text, empty, schemes, help) \
	{ \
		CONF_URL, name, AT(member), default_text, empty, 0, 0, NULL, schemes, help \
	}
#define RANGE(type, name, member, default_text, min, max, help) \
	{ \
		type, name, AT(member), default_text, CONF_EMPTY_ALLOWED, min, max, NULL, NULL, \
		help \
	}
#define NUMBER(...)			     RANGE(CONF_NUMBER, __VA_ARGS__)
#define SIZE(...)			     RANGE(CONF_SIZE, __VA_ARGS__)
#define DURATION(...)			     RANGE(CONF_DURATION, __VA_ARGS__)
#define SWITCH(name, member, default_text, help) \
	RANGE(CONF_SWITCH, name, member, default_text, 0, 1, help)
#define WORD(name, member, default_text, words, help) \
	{ \
		CONF_WORD, name, AT(member), default_text, CONF_EMPTY_ALLOWED, 0, 0, words, NULL, \
		help \
	}

static const struct conf_word log_levels[] = {
	{ "error", LOG_ERR },
	{ "warning", LOG_WARNING },
	{ "notice", LOG_NOTICE },
	{ "info", LOG_INFO },
	{ "debug", LOG_DEBUG },
	{ NULL, 0 },
};

static const struct conf_word failure_modes[] = {
	{ "local", LIMIT_LOCAL },
	{ "open", LIMIT_OPEN },
	{ "closed", LIMIT_CLOSED },
	{ NULL, 0 },
};

static const struct conf_word ratelimit_headers[] = {
	{ "draft", RATELIMIT_DRAFT },
	{ "legacy", RATELIMIT_LEGACY },
	{ "both", RATELIMIT_BOTH },
	{ "off", RATELIMIT_OFF },
	{ NULL, 0 },
};

static const struct conf_word providers[] = {
	{ "neon", PROVIDER_NEON },
	{ "postgres", PROVIDER_POSTGRES },
	{ NULL, 0 },
};

static const struct conf_word provisioning[] = {
	{ "lazy", true },
	{ "explicit", false },
	{ NULL, 0 },
};

const struct conf_key conf_keys[] = {
	GROUP("Listening"),
	STRING("listen_addr", http.listen_addr, "127.0.0.1", CONF_EMPTY_REFUSED,
	    "Numeric address to listen on; * for all."),
	NUMBER("listen_port", http.listen_port, "8080", 0, 65535,
	    "TCP port; 0 takes a free one, which the log names."),
	NUMBER("max_client_conn", http.max_client_conn, "10000", 1, 1000000,
	    "Client connections in all."),
	NUMBER("max_client_conn_per_ip", http.max_client_conn_per_ip, "0", 0, 1000000,
	    "Client connections from one address; 0 for no such limit."),
	STRING("trusted_proxies", http.trusted_proxies, "", CONF_EMPTY_IS_NULL,
	    "Addresses and networks (10.0.0.0/8) of proxies whose X-Forwarded-For is believed."),
	SWITCH("proxy_protocol", http.proxy_protocol, "off",
	    "Each connection is of trusted_proxies, and begins with a PROXY header (v1 or v2)."),
	STRING("health_listen_addr", health_listen_addr, "127.0.0.1", CONF_EMPTY_REFUSED,
	    "Numeric address of a second listener, for /healthz and /readyz alone; * for all."),
	NUMBER("health_listen_port", health_listen_port, "0", 0, 65535,
	    "Its TCP port; 0 for none. It tells reasons and figures: keep strangers away."),
	SIZE("client_header_size", http.header_bytes_max, "32KiB", 1 * KIB, 1 * MIB,
	    "Request line and header fields of a request."),
	NUMBER("client_header_count", http.header_count_max, "100", 8, 10000,
	    "Header fields of a request."),
	SIZE("client_target_size", http.target_max, "8KiB", 256, 64 * KIB,
	    "The target (path and query) of a request."),
	DURATION("client_header_timeout", http.header_timeout_us, "60s", 10 * MS, 1 * HOURS,
	    "From the first byte of a request to its last header field."),
	DURATION("client_body_timeout", http.body_timeout_us, "60s", 10 * MS, 1 * HOURS,
	    "Between two pieces of a request's body."),
	NUMBER("client_body_min_rate", http.body_rate_min, "500", 0, 1000000000,
	    "Bytes a second that a request's body must bring, after client_body_timeout; 0: none."),
	DURATION("send_timeout", http.send_timeout_us, "60s", 10 * MS, 1 * HOURS,
	    "How long a client may take nothing of its response."),
	DURATION("keepalive_timeout", http.keepalive_timeout_us, "75s", 10 * MS, 24 * HOURS,
	    "How long a connection stays open between requests."),
	SIZE("send_buffer_size", http.write_high_water, "8KiB", 1 * KIB, 16 * MIB,
	    "Bytes queued for a slow client before the source of its response is paused."),
	STRING("server_header", http.server_name, "tenantgate", CONF_EMPTY_IS_NULL,
	    "The Server field of responses; empty for none."),

	GROUP("Process"),
	NUMBER("workers", workers, "0", 0, 1024, "Threads that serve; 0 for one a processor."),
	STRING("user", user, "", CONF_EMPTY_ALLOWED,
	    "User to become when started as root, which is refused otherwise."),
	STRING("pid_file", pid_file, "", CONF_EMPTY_ALLOWED,
	    "File to write the process id to; empty for none."),
	STRING("log_file", log_file, "", CONF_EMPTY_ALLOWED,
	    "File to append the log to; empty for standard error."),
	WORD("log_level", log_level, "notice", log_levels, "The least important lines to log."),
	SWITCH("access_log", api.access_log, "on", "One JSON line in the log for each request."),
	DURATION("drain_delay", drain_delay_us, "0s", 0, 1 * HOURS,
	    "After SIGTERM: how long to go on accepting, with /readyz at 503, before closing."),
	DURATION("shutdown_timeout", shutdown_timeout_us, "30s", 0, 24 * HOURS,
	    "After that: how long streams may take to finish."),
	STRING("dns_nameserver", dns_nameserver, "", CONF_EMPTY_ALLOWED,
	    "Address and port of the name server to ask; empty for those of /etc/resolv.conf."),
	DURATION("dns_timeout", dns_timeout_us, "2s", 10 * MS, 60 * SECONDS,
	    "How long one query to a name server may take."),

	GROUP("Catalog: the main database"),
	URL("catalog_url", catalog.url, "${TENANTGATE_CATALOG_URL}", CONF_EMPTY_REFUSED,
	    "postgresql postgres",
	    "Postgres database of tenants, keys and documents; its schema is made and migrated at "
	    "start."),
	NUMBER("catalog_pool_size", catalog.pool_size, "8", 1, 1000, "Connections to the catalog."),
	DURATION("catalog_query_timeout", catalog.query_timeout_us, "5s", 10 * MS, 1 * HOURS,
	    "How long one statement in the catalog may take."),
	DURATION("catalog_connect_timeout", catalog.connect_timeout_us, "5s", 10 * MS, 60 * SECONDS,
	    "How long connecting to the catalog may take."),
	STRING("catalog_ca_file", catalog.ca_file, "", CONF_EMPTY_IS_NULL,
	    "Certificates to trust for the catalog's server; empty for the URL's sslrootcert, or "
	    "the system's."),
	SECRET("seal_keys", seal_keys, "${TENANTGATE_SEAL_KEYS}", CONF_EMPTY_REFUSED,
	    "64 hex digits (openssl rand -hex 32) that seal stored secrets; others after a comma "
	    "are for reading. To replace a key, restart all replicas with `old,new`, then "
	    "`new,old`, then `new`."),

	GROUP("Redis: shared counters and a shared cache; without it, one replica only"),
	URL("redis_url", redis.url, "", CONF_EMPTY_ALLOWED, "redis rediss",
	    "redis://[user:password@]host[:port][/db], rediss:// for TLS; empty: kept in process."),
	STRING("redis_ca_file", redis.ca_file, "", CONF_EMPTY_IS_NULL,
	    "Certificate authorities (PEM) that Redis is trusted by; empty: the system's."),
	DURATION("redis_timeout", redis.timeout_us, "100ms", 1 * MS, 60 * SECONDS,
	    "How long connecting, and each command, may take."),
	NUMBER("redis_max_pending", redis.pending_max, "10000", 1, 1000000,
	    "Commands under way, per worker, before new ones fail."),
	WORD("redis_failure_mode", redis_failure_mode, "local", failure_modes,
	    "Limits while Redis is away or answers with errors: count in process, let through, or "
	    "refuse."),

	GROUP("Tenants"),
	WORD("provider", tenants.provider, "neon", providers,
	    "Who makes tenants' databases: Neon's API, or a Postgres cluster of your own."),
	WORD("provisioning", tenants.lazy, "lazy", provisioning,
	    "Whether a tenant's first request makes its database."),
	STRING("environment", tenants.environment, "prod", CONF_EMPTY_REFUSED,
	    "Part of the name of every project made, tg-ENVIRONMENT-TENANT-DIGEST; a catalog is "
	    "one environment's."),
	DURATION("provision_wait", tenants.provision_wait_us, "30s", 0, 10 * 60 * SECONDS,
	    "How long a request waits for its database being made, before 503 with Retry-After."),
	DURATION("provision_timeout", tenants.provision_deadline_us, "150s", 1 * SECONDS, 1 * HOURS,
	    "How long one attempt to make a database may take in all."),
	DURATION("provision_lease", tenants.lease_us, "15s", 1 * SECONDS, 1 * HOURS,
	    "An attempt whose lease was not renewed for so long is taken over by another replica."),
	DURATION("tenant_cache_ttl", tenants.cache_ttl_us, "60s", 0, 1 * DAYS,
	    "How long a tenant's record is kept in memory."),
	NUMBER("tenant_cache_size", tenants.cache_max, "10000", 1, 10000000,
	    "Tenants' records kept in memory."),
	DURATION("tenant_redis_ttl", tenants.redis_ttl_us, "10m", 1 * SECONDS, 30 * DAYS,
	    "How long Redis keeps a tenant's (sealed) record."),
	URL("neon_api_url", tenants.neon_api_url, "https://console.neon.tech/api/v2",
	    CONF_EMPTY_REFUSED,
	    "http https", "Neon's management API."),
	SECRET("neon_api_key", tenants.neon_api_key, "", CONF_EMPTY_ALLOWED,
	    "Key of Neon's API; needed with provider = neon."),
	STRING("neon_org_id", tenants.neon_org_id, "", CONF_EMPTY_IS_NULL,
	    "Organization to make projects in; needed with a personal key."),
	STRING("neon_region", tenants.neon_region, "aws-us-east-2", CONF_EMPTY_REFUSED,
	    "Region of new projects."),
	NUMBER("neon_pg_version", tenants.neon_pg_version, "17", 14, 99,
	    "Postgres version of new projects."),
	STRING("neon_sslmode", tenants.neon_sslmode, "verify-full", CONF_EMPTY_REFUSED,
	    "TLS to tenants' databases, at each login: disable, prefer, require, verify-ca or "
	    "verify-full; a server that offers TLS has it with all but disable."),
	STRING("tenant_ca_file", tenants.tenant_ca_file, "", CONF_EMPTY_IS_NULL,
	    "Certificates to trust for tenants' databases, and for postgres_admin_url; empty for "
	    "the system's."),
	DURATION("neon_timeout", tenants.neon_timeout_us, "30s", 100 * MS, 1 * HOURS,
	    "How long one call of its API may take."),
	NUMBER("neon_requests_per_second", tenants.neon_requests_per_second, "10", 1, 10000,
	    "Calls of its API an account may make, all replicas together."),
	NUMBER("neon_burst", tenants.neon_burst, "30", 1, 10000,
	    "As many calls may come at once after a pause."),
	DURATION("neon_address_retry", tenants.neon_address_retry_us, "30s", 100 * MS, 1 * HOURS,
	    "When a tenant's database refuses its password, Neon is asked for the address again "
	    "at most so often, and meanwhile its requests get the reason."),
	URL("postgres_admin_url", tenants.postgres_admin_url, "", CONF_EMPTY_ALLOWED,
	    "postgresql postgres",
	    "A role that may create databases and roles; needed with provider = postgres."),

	GROUP("Pools: one for each tenant's database"),
	NUMBER("default_pool_size", pool.default_pool_size, "20", 1, 10000,
	    "Server connections of one database."),
	NUMBER("max_host_statements", pool.max_host_statements, "0", 0, 1000000,
	    "Short statements that a Postgres server of several tenants is given at once; 0: the "
	    "processors, where it is on this machine, else no limit."),
	NUMBER("max_server_connections", pool.max_server_connections, "200", 1, 1000000,
	    "Server connections in all, the catalog's apart."),
	NUMBER("max_waiting", pool.max_waiting, "1000", 0, 1000000,
	    "Requests of one tenant waiting for a connection or the model; more fail at once."),
	DURATION("query_wait_timeout", pool.query_wait_timeout_us, "10s", 1 * MS, 1 * HOURS,
	    "How long a request waits for a connection, before 503."),
	DURATION("server_connect_timeout", pool.server_connect_timeout_us, "15s", 10 * MS,
	    1 * HOURS,
	    "How long connecting and logging in may take; a suspended database wakes meanwhile."),
	DURATION("server_login_retry", pool.server_login_retry_us, "5s", 0, 1 * HOURS,
	    "After a failed login: how long requests fail with its reason; when logins go on "
	    "failing, up to four times as long."),
	DURATION("server_idle_timeout", pool.server_idle_timeout_us, "120s", 1 * SECONDS, 1 * DAYS,
	    "Idle connections are closed after this, so that Neon can suspend the database."),
	DURATION("server_lifetime", pool.server_lifetime_us, "1h", 1 * SECONDS, 30 * DAYS,
	    "Connections older than this are closed when they come back."),
	DURATION("server_lifetime_jitter", pool.server_lifetime_jitter_us, "5m", 0, 1 * DAYS,
	    "At random up to this much earlier, so that they do not close all at once."),
	NUMBER("max_scram_iterations", pool.max_scram_iterations, "100000", 4096, 100000000,
	    "Iterations of a password's proof that a server may ask for (the catalog's too): "
	    "100000 take an eighth of a second of a processor."),
	DURATION("pool_idle_timeout", pool.pool_idle_timeout_us, "5m", 1 * SECONDS, 30 * DAYS,
	    "A pool without connections is forgotten after this."),

	GROUP("Callers and limits"),
	DURATION("key_cache_ttl", auth.cache_ttl_us, "30s", 0, 1 * DAYS,
	    "How long an API key's record is kept in memory: a revoked key works so long at most."),
	DURATION("key_cache_negative_ttl", auth.cache_negative_ttl_us, "5s", 0, 1 * DAYS,
	    "How long it is remembered that there is no such key."),
	DURATION("cache_stale_ttl", auth.cache_stale_us, "1h", 0, 30 * DAYS,
	    "How much longer records of keys and tenants are used while the catalog cannot be "
	    "reached; 0: not at all."),
	NUMBER("key_cache_size", auth.cache_max, "10000", 1, 10000000,
	    "API keys' records kept in memory."),
	NUMBER("auth_failures_per_minute", api.auth_failures_per_minute, "60", 0, 1000000,
	    "Requests a minute without a valid key from one address before such are slowed; 0 for "
	    "no limit."),
	NUMBER("rate_limit_requests_per_minute", api.tenant_requests_per_minute, "600", 0,
	    1000000000,
	    "Requests a minute of a tenant, unless its record says otherwise; 0 for no limit."),
	NUMBER("rate_limit_key_requests_per_minute", api.key_requests_per_minute, "0", 0,
	    1000000000, "Requests a minute of an API key, over all its tenants; 0 for no limit."),
	NUMBER("rate_limit_burst", api.burst, "0", 0, 1000000000,
	    "Requests at once; 0 for as many as a minute's."),
	WORD("ratelimit_headers", api.ratelimit_headers, "draft", ratelimit_headers,
	    "What is left of a limit: RateLimit and RateLimit-Policy, the three fields before "
	    "those, or both."),

	GROUP("Documents"),
	SIZE("max_document_size", api.document_max, "10MiB", 1 * KIB, 1 * GIB,
	    "Body of POST /ingest."),
	NUMBER("chunk_size", api.chunk_size, "1000", 50, 100000, "Characters of a chunk."),
	NUMBER("chunk_overlap", api.chunk_overlap, "200", 0, 50000,
	    "Characters a chunk shares with the one before."),
	NUMBER("max_ingests", api.ingests_max, "1000", 1, 100000,
	    "Requests of one tenant at a time that ingest documents; more get 503."),
	SIZE("max_ingest_memory", api.ingest_memory_max, "512MiB", 8 * MIB, 1024 * GIB,
	    "Documents and vectors held while they are ingested, in all, half for each; the "
	    "tenants' shares of it are fair."),
	DURATION("ingest_wait_timeout", api.ingest_wait_timeout_us, "30s", 1 * MS, 1 * HOURS,
	    "How long a document waits for its share of that, before 503."),
	NUMBER("max_chunks_per_document", api.chunks_max, "4096", 1, 1000000,
	    "Chunks of one document; a longer one is refused."),
	DURATION("ingest_timeout", api.ingest_timeout_us, "5m", 1 * SECONDS, 24 * HOURS,
	    "How long one POST /ingest may take in all."),
	STRING("extract_program", api.extract.program, "", CONF_EMPTY_ALLOWED,
	    "The sandboxed program that reads documents' formats; empty for the one installed."),
	SIZE("extract_max_text", api.extract.text_max, "32MiB", 1 * KIB, 1 * GIB,
	    "Text of one document."),
	NUMBER("extract_max_pages", api.extract.pages_max, "5000", 1, 1000000,
	    "Pages of one document."),
	DURATION("extract_timeout", api.extract.timeout_us, "60s", 100 * MS, 1 * HOURS,
	    "How long reading one document may take."),
	NUMBER("extract_max_parallel", api.extract.parallel_max, "0", 0, 1000,
	    "Documents read at the same time; 0 for a number that suits the processors."),
	SIZE("extract_max_memory", api.extract.memory_max, "512MiB", 32 * MIB, 64 * GIB,
	    "Memory for reading one document."),

	GROUP("Chat"),
	SIZE("max_chat_body", api.chat_body_max, "1MiB", 1 * KIB, 1 * GIB,
	    "Body of POST /chat and POST /search."),
	NUMBER("top_k", api.top_k, "4", 1, SEARCH_K_MAX,
	    "Chunks given to the model, unless the request says otherwise."),
	DURATION("chat_timeout", api.chat_timeout_us, "10m", 1 * SECONDS, 24 * HOURS,
	    "How long one POST /chat may take in all."),
	DURATION("stream_keepalive_interval", api.stream_keepalive_us, "15s", 10 * MS, 1 * HOURS,
	    "A client that waits for an answer, or for its next word, hears something at least so "
	    "often."),
	SWITCH("stream_reasoning", api.stream_reasoning, "on",
	    "What a model says to itself is streamed too, to AI SDK 5 and later alone."),

	GROUP("Model: any OpenAI-compatible server"),
	URL("model_url", model.base_url, "https://api.openai.com/v1", CONF_EMPTY_REFUSED,
	    "http https", "Base of its routes."),
	SECRET("model_api_key", model.api_key, "", CONF_EMPTY_IS_NULL,
	    "Its API key; empty for servers that ask for none."),
	STRING("chat_model", model.chat_model, "gpt-4o-mini", CONF_EMPTY_REFUSED,
	    "Model that answers."),
	STRING("embedding_model", model.embedding_model, "text-embedding-3-small",
	    CONF_EMPTY_REFUSED,
	    "Model that makes vectors; changing it makes stored documents unfindable."),
	NUMBER("embedding_dimensions", model.dimensions, "1536", 1, 2000,
	    "Numbers of a vector; part of the tenants' schema."),
	SWITCH("embedding_send_dimensions", model.send_dimensions, "off",
	    "Ask for that many (models that can shorten their vectors)."),
	SWITCH("embedding_strip_new_lines", model.strip_new_lines, "on",
	    "Spaces for line ends before embedding, as LangChain does."),
	NUMBER("embedding_batch_items", model.batch_items_max, "2048", 1, 2048,
	    "Texts in one request for vectors."),
	SIZE("embedding_batch_size", model.batch_bytes_max, "300000B", 1 * KIB, 64 * MIB,
	    "Bytes of text in one request for vectors."),
	NUMBER("model_retries", model.retries, "2", 0, 10,
	    "Times a call is tried again, before its first byte and only when the server says so."),
	DURATION("model_connect_timeout", model.connect_timeout_us, "5s", 10 * MS, 1 * HOURS,
	    "How long connecting may take."),
	DURATION("model_first_byte_timeout", model.first_byte_timeout_us, "5m", 10 * MS, 1 * HOURS,
	    "How long the model may be loaded, or think, before its first byte."),
	DURATION("model_idle_timeout", model.idle_timeout_us, "60s", 10 * MS, 1 * HOURS,
	    "How long it may stay silent between two pieces."),
	SIZE("model_event_size", model.delta_max, "256KiB", 1 * KIB, 64 * MIB,
	    "One event of its stream."),
	NUMBER("max_model_streams", model.streams_max, "256", 1, 100000,
	    "Answers being streamed at a time, in all; the tenants' shares of it are fair."),
	NUMBER("max_embedding_calls", model.embeddings_max, "64", 1, 100000,
	    "Calls for vectors at a time, in all; the tenants' shares of it are fair."),
	DURATION("model_wait_timeout", model.wait_timeout_us, "10s", 1 * MS, 1 * HOURS,
	    "How long a request waits for a place among either, before 503."),
	STRING("ca_file", web.ca_file, "", CONF_EMPTY_IS_NULL,
	    "Certificates to trust (model, Neon's API); empty for the system's."),
	NUMBER("max_upstream_conn", web.connections_max, "0", 0, 1000000,
	    "Connections to the model and Neon's API, per worker; 0 for what the budgets above may "
	    "need."),
};
/* clang-format on */

const unsigned conf_key_count = sizeof(conf_keys) / sizeof(conf_keys[0]);
_Static_assert(sizeof(conf_keys) / sizeof(conf_keys[0]) <= CONF_KEYS_MAX, "raise CONF_KEYS_MAX");
