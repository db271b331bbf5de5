/* SPDX-License-Identifier: MIT */
/*
 * Each rule of conf_contradictions.c: what breaks it, alone, and what just keeps it.
 */
#include "conf_contradictions.h"
#include "conf_fixture.h"

#define GIBIBYTE (1ull << 30)

static const struct conf_machine large = { 1024 * GIBIBYTE, 1 << 20 };
static struct buf out;

static const char *
warnings_of(const char *text, const struct conf_machine *machine)
{
	fine(text);
	buf_reset(&out);
	conf_contradictions(&conf, path, machine, &out);
	buf_putc(&out, '\0');
	return out.data;
}

/* One warning, that begins so behind its place; line 0: the file. */
static void
warns_on(const struct conf_machine *machine, const char *text, unsigned line, const char *begin)
{
	const char *got = warnings_of(text, machine);
	char want[512];

	if (line == 0)
		snprintf(want, sizeof(want), "%s: Warning: %s", path, begin);
	else
		snprintf(want, sizeof(want), "%s:%u: Warning: %s", path, line, begin);
	if (strncmp(got, want, strlen(want)) != 0)
		fail_msg("%s\nis not\n%s", got, want);
	assert_ptr_equal(strchr(got, '\n'), got + strlen(got) - 1);
	assert_int_equal(got[strlen(got) - 2], '.');
}

static void
warns(const char *text, unsigned line, const char *begin)
{
	warns_on(&large, text, line, begin);
}

static void
quiet(const char *text)
{
	assert_string_equal(warnings_of(text, &large), "");
}

static void
defaults_contradict_nothing(void **state)
{
	(void)state;
	quiet(GOOD);
	quiet(GOOD "admin_listen_port = 9000\nhealth_listen_port = 9001\n");
	quiet(GOOD "[model east]\nurl = http://h/v1\n[plan free]\ntop_k = 2\n");
}

/* A key at its most, then past it. */
static void
order(const char *settings_at, const char *settings_past, const char *begin)
{
	char text[1024];

	snprintf(text, sizeof(text), GOOD "%s", settings_at);
	quiet(text);
	snprintf(text, sizeof(text), GOOD "%s", settings_past);
	warns(text, 5, begin);
}

static void
numbers_past_what_encloses_them(void **state)
{
	(void)state;
	order("default_pool_size = 200\n", "default_pool_size = 201\n",
	    "default_pool_size is more than max_server_connections, so ");
	order("max_server_connections = 20\n", "max_server_connections = 19\n",
	    "default_pool_size is more than max_server_connections, so ");
	order("max_client_conn_per_ip = 10000\n", "max_client_conn_per_ip = 10001\n",
	    "max_client_conn_per_ip is more than max_client_conn");
	order("answer_tokens = 9\n", "answer_tokens = 9\nmax_answer_tokens = 8\n",
	    "answer_tokens is more than max_answer_tokens");
	order("user_requests_per_minute = 600\n", "user_requests_per_minute = 601\n",
	    "user_requests_per_minute is more than rate_limit_requests_per_minute");
	order("tokens_per_month = 9\ntokens_per_minute = 9\n",
	    "tokens_per_minute = 9\ntokens_per_month = 8\n",
	    "tokens_per_minute is more than tokens_per_month");
	order("max_bytes = 64MiB\n", "max_bytes = 63MiB\n",
	    "max_document_size is more than max_bytes");
	order("client_target_size = 32KiB\n", "client_target_size = 33KiB\n",
	    "client_target_size is more than client_header_size");
}

static void
the_place_is_the_key_that_is_set(void **state)
{
	(void)state;
	warns(GOOD "max_answer_tokens = 8\nanswer_tokens = 9\n", 6, "answer_tokens ");
	warns(GOOD "max_answer_tokens = 8\nanswer_tokens = ${TG_TEST_NONE:-9}\n", 6,
	    "answer_tokens ");
}

static void
times_past_what_encloses_them(void **state)
{
	(void)state;
	order("provision_wait = 150s\n", "provision_wait = 151s\n", "provision_wait ");
	order("provision_lease = 150s\n", "provision_lease = 151s\n", "provision_lease ");
	order("neon_timeout = 150s\n", "neon_timeout = 151s\n", "neon_timeout ");
	order("dns_timeout = 5s\n", "server_connect_timeout = 1s\n", "dns_timeout ");
	order("catalog_connect_timeout = 2s\n", "catalog_connect_timeout = 1s\n", "dns_timeout ");
	order("model_connect_timeout = 2s\n", "model_connect_timeout = 1s\n", "dns_timeout ");
	order("query_wait_timeout = 5m\n", "query_wait_timeout = 301s\n", "query_wait_timeout ");
	order("server_connect_timeout = 10m\n", "server_connect_timeout = 11m\n",
	    "server_connect_timeout ");
	order("model_wait_timeout = 10m\n", "model_wait_timeout = 11m\n", "model_wait_timeout ");
	order("model_connect_timeout = 5m\n", "model_connect_timeout = 6m\n",
	    "model_connect_timeout ");
	order("model_first_byte_timeout = 10m\n", "model_first_byte_timeout = 11m\n",
	    "model_first_byte_timeout ");
	order("model_idle_timeout = 10m\n", "model_idle_timeout = 11m\n", "model_idle_timeout ");
	order("rerank_model = r\nrerank_timeout = 10m\n",
	    "rerank_timeout = 11m\nrerank_model = r\n", "rerank_timeout ");
	order("stream_keepalive_interval = 10m\n", "stream_keepalive_interval = 11m\n",
	    "stream_keepalive_interval ");
	order("ingest_wait_timeout = 5m\n", "ingest_wait_timeout = 6m\n", "ingest_wait_timeout ");
	order("extract_timeout = 5m\n", "extract_timeout = 6m\n", "extract_timeout ");
	order("server_lifetime_jitter = 1h\n", "server_lifetime_jitter = 2h\n",
	    "server_lifetime_jitter ");
	order("server_idle_timeout = 1h\n", "server_idle_timeout = 2h\n", "server_idle_timeout ");
	order("query_wait_timeout = 1m\nchat_timeout = 5m\n",
	    "query_wait_timeout = 61s\nchat_timeout = 1m\nmodel_first_byte_timeout = 1m\n",
	    "query_wait_timeout is more than chat_timeout");
}

static void
sections_are_asked_for_what_is_their_own(void **state)
{
	(void)state;
	warns(GOOD "[plan free]\npool_size = 201\n", 6, "pool_size ");
	warns(GOOD "default_pool_size = 201\n[plan free]\ntop_k = 2\n", 5, "default_pool_size ");
	warns(GOOD "[model east]\nurl = http://h/v1\nfirst_byte_timeout = 11m\n", 7,
	    "first_byte_timeout ");
	warns(GOOD "[model east]\nurl = http://h/v1\nidle_timeout = 11m\n", 7, "idle_timeout ");
	warns(GOOD "max_answer_tokens = 5\n[model east]\nurl = http://h/v1\nanswer_tokens = 6\n", 8,
	    "answer_tokens ");
}

static void
keys_without_effect(void **state)
{
	(void)state;
	warns(GOOD "redis_ca_file = /a.pem\n", 5, "redis_ca_file has no effect without redis_url");
	warns(GOOD "redis_failure_mode = closed\n", 5, "redis_failure_mode ");
	warns(GOOD "redis_timeout = 1s\n", 5, "redis_timeout ");
	warns(GOOD "redis_max_pending = 10\n", 5, "redis_max_pending ");
	warns(GOOD "tenant_redis_ttl = 1m\n", 5, "tenant_redis_ttl ");
	quiet(GOOD "redis_url = redis://h\nredis_timeout = 1s\nredis_failure_mode = closed\n");
	warns(GOOD "admin_listen_addr = ::1\n", 5, "admin_listen_addr ");
	warns(GOOD "admin_hosts = ops.example\n", 5, "admin_hosts ");
	quiet(GOOD "admin_hosts =\n");
	warns(GOOD "health_listen_addr = ::1\n", 5, "health_listen_addr ");
	warns(GOOD "rerank_timeout = 4s\n", 5, "rerank_timeout ");
	warns(GOOD "max_rerank_calls = 4\n", 5, "max_rerank_calls ");
	warns(GOOD "postgres_admin_url = postgresql://h/p\n", 5, "postgres_admin_url ");
	quiet(GOOD "provider = postgres\npostgres_admin_url = postgresql://h/p\n");
}

static void
more_than_the_machine_has(void **state)
{
	struct conf_machine few = { 1024 * GIBIBYTE, 10000 }, little = { GIBIBYTE, 1 << 20 };
	struct conf_machine unknown = { 0, 0 };

	(void)state;
	warns_on(&few, GOOD, 0, "max_client_conn and the other budgets ");
	warns_on(&few, GOOD "max_server_connections = 300\n", 5, "max_client_conn ");
	assert_string_equal(warnings_of(GOOD "max_client_conn = 9000\n", &few), "");
	assert_string_equal(warnings_of(GOOD, &unknown), "");
	warns_on(&little, GOOD "extract_max_parallel = 2\n", 5, "extract_max_memory ");
	assert_string_equal(warnings_of(GOOD "extract_max_parallel = 1\n", &little), "");
	warns_on(&little, GOOD "max_ingest_memory = 2GiB\nextract_max_parallel = 1\n", 5,
	    "max_ingest_memory ");
}

static void
parts_of_the_memory_of_documents(void **state)
{
	(void)state;
	quiet(GOOD "spool_dir =\nmax_document_size = 256MiB\n");
	warns(GOOD "spool_dir =\nmax_document_size = 257MiB\n", 6,
	    "max_document_size is more than half ");
	quiet(GOOD "max_spool_size = 1000MiB\nmax_document_size = 375MiB\n");
	warns(GOOD "max_spool_size = 1000MiB\nmax_document_size = 376MiB\n", 6,
	    "max_document_size is more than three eighths ");
	quiet(GOOD "document_embedding_memory = 64MiB\n");
	warns(GOOD "document_embedding_memory = 65MiB\n", 5, "document_embedding_memory ");
}

static void
doors_on_public_addresses(void **state)
{
	static const char *const near[] = { "127.0.0.1", "::1", "10.0.0.1", "192.168.1.1",
		"fd00::1" };
	static const char *const open[] = { "*", "0.0.0.0", "::", "8.8.8.8", "2606:4700::1" };
	char text[512];

	(void)state;
	for (size_t i = 0; i < sizeof(near) / sizeof(near[0]); i++) {
		snprintf(text, sizeof(text),
		    GOOD "admin_listen_port = 1\nadmin_listen_addr = %s\n"
			 "health_listen_port = 2\nhealth_listen_addr = %s\n",
		    near[i], near[i]);
		quiet(text);
	}
	for (size_t i = 0; i < sizeof(open) / sizeof(open[0]); i++) {
		snprintf(text, sizeof(text), GOOD "admin_listen_port = 1\nadmin_listen_addr = %s\n",
		    open[i]);
		warns(text, 6, "admin_listen_addr opens ");
		snprintf(text, sizeof(text),
		    GOOD "health_listen_port = 1\nhealth_listen_addr = %s\n", open[i]);
		warns(text, 6, "health_listen_addr opens ");
	}
}

static void
the_rest(void **state)
{
	(void)state;
	warns(GOOD "drain_delay = 5s\n", 5, "drain_delay ");
	quiet(GOOD "drain_delay = 5s\nredis_url = redis://h\n");
	warns(GOOD "neon_sslmode = disable\n", 5, "neon_sslmode ");
	warns(GOOD "neon_sslmode = prefer\n", 5, "neon_sslmode ");
	quiet(GOOD "neon_sslmode = require\n");
	warns(GOOD "rerank = on\n", 5, "rerank ");
	quiet(GOOD "rerank = on\nrerank_model = r\n");
	warns(GOOD "[plan free]\nrerank = on\n", 0, "rerank ");
	warns(GOOD "max_upstream_conn = 319\n", 5, "max_upstream_conn ");
	quiet(GOOD "max_upstream_conn = 320\n");
}

static int
set_up_out(void **state)
{
	buf_init(&out, 65536);
	return set_up(state);
}

static int
tear_down_out(void **state)
{
	buf_free(&out);
	return tear_down(state);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults_contradict_nothing),
		cmocka_unit_test(numbers_past_what_encloses_them),
		cmocka_unit_test(the_place_is_the_key_that_is_set),
		cmocka_unit_test(times_past_what_encloses_them),
		cmocka_unit_test(sections_are_asked_for_what_is_their_own),
		cmocka_unit_test(keys_without_effect),
		cmocka_unit_test(more_than_the_machine_has),
		cmocka_unit_test(parts_of_the_memory_of_documents),
		cmocka_unit_test(doors_on_public_addresses),
		cmocka_unit_test(the_rest),
	};

	return cmocka_run_group_tests(tests, set_up_out, tear_down_out);
}
