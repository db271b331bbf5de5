/* SPDX-License-Identifier: MIT */
/*
 * test_pg_login: logins to a scripted server: what it is told, and in which form, when it offers
 * TLS, when it does not, when TLS fails; what it may ask of us.
 */
#include "pg_server_fixture.h"
#include "tenantgate/loop/offload.h"
#include "tenantgate/wire/pg.h"

/* 600,000 rounds may take this long where the processors belong to others. */
#define LOGIN_US (600 * 1000000ull)

static struct offload *offload;
static struct dns *dns; /* asked for localhost alone, which it knows */
static const char *host = "127.0.0.1";

struct login_probe {
	struct probe probe;
	struct pg_target target;
	struct pg_conn *conn;
	struct pg_result why;
};

static enum flow_rc
login_probe_connect(struct flow *f)
{
	struct login_probe *l = (struct login_probe *)f;

	return pg_connect(f, dns, &l->target, LOGIN_US, &l->conn, &l->why);
}

/* ---- logins ---- */

static int
set_up(void **state)
{
	(void)state;
	memset(&script, 0, sizeof(script));
	script.answer = 'N';
	peer_open(&server, worker, 0, server_serve);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	peer_close(&server);
	return 0;
}

/* Always refused in the end: the reason tells how far it came. */
static struct pg_failure
login_fails(const char *sslmode, const char *ca, unsigned rounds_max)
{
	struct login_probe l = { .target = { .host = host,
				     .port = server.port,
				     .dbname = "d",
				     .user = "u",
				     .password = "secret",
				     .sslmode = sslmode,
				     .sslrootcert = ca,
				     .scram_iterations_max = rounds_max } };
	struct pg_failure why;

	probe_start(&l.probe, worker, login_probe_connect, NULL);
	while (!l.probe.ended)
		worker_turn(worker, 20);
	assert_null(l.conn);
	why = l.why.failure;
	pg_clear(&l.why);
	turn_for(worker, 20); /* what libpq may have sent on another socket arrives */
	return why;
}

static void
a_server_without_tls_is_spoken_to_where_that_is_allowed(void **state)
{
	struct pg_failure why = login_fails("prefer", NULL, 0);

	(void)state;
	assert_string_equal(why.sqlstate, "28P01");
	assert_false(why.is_tls);
	assert_int_equal(script.in_clear, 1);
	why = login_fails(NULL, NULL, 0);
	assert_string_equal(why.message, REFUSAL);
	assert_int_equal(script.in_clear, 2);
	why = login_fails("require", NULL, 0);
	assert_true(why.is_tls);
	assert_non_null(strstr(why.message, "SSL"));
	assert_int_equal(script.in_clear, 2);
}

/* "allow" begins in the clear in libpq. */
static void
a_server_that_offers_tls_has_it(void **state)
{
	static const char *const modes[] = { NULL, "allow", "prefer", "require", "verify-ca",
		"verify-full" };
	unsigned i;

	(void)state;
	script.answer = 'S';
	for (i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		struct pg_failure why = login_fails(modes[i], i < 4 ? NULL : tls.cert, 0);

		assert_string_equal(why.message, REFUSAL);
		assert_false(why.is_tls);
		assert_int_equal(script.in_tls, i + 1);
	}
	assert_int_equal(script.in_clear, 0);
	login_fails("disable", NULL, 0);
	assert_int_equal(script.in_clear, 1);
}

/* The refusal under TLS, too, makes libpq try without. */
static void
a_server_that_offers_tls_is_never_spoken_to_in_the_clear(void **state)
{
	static const char *const modes[] = { NULL, "allow", "prefer", "require" };
	unsigned i;

	(void)state;
	script.answer = 'X';
	for (i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
		assert_true(login_fails(modes[i], NULL, 0).is_tls);
	assert_int_equal(script.in_clear, 0);
	script.answer = 'S';
	for (i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
		assert_true(login_fails(modes[i], "/etc/ssl/certs/ca-certificates.crt", 0).is_tls);
	assert_int_equal(script.in_clear + script.in_tls, 0);
}

/* As a server that restarts does, or a balancer without one: the next try may find it. */
static void
a_server_that_ends_the_connection_is_away(void **state)
{
	static const char *const modes[] = { NULL, "prefer", "require", "verify-full" };
	struct pg_failure why;
	unsigned i;

	(void)state;
	for (i = 0; i < 8; i++) {
		struct pg_result result = { .status = PG_LOST };

		script.answer = i < 4 ? 'H' : 'E';
		why = login_fails(modes[i % 4], NULL, 0);
		assert_false(why.is_tls);
		result.failure = why;
		assert_int_equal(pg_reason(&result)->code, ERR_DATABASE_AWAY);
		assert_true(pg_reason(&result)->passes);
	}
	assert_int_equal(script.in_clear, 0);
}

static void
a_certificate_that_is_not_trusted_is_the_reason(void **state)
{
	struct pg_failure why;

	(void)state;
	script.answer = 'S';
	why = login_fails("verify-full", NULL, 0);
	assert_true(why.is_tls);
	assert_string_equal(why.message,
	    "the certificate of 127.0.0.1 is self-signed and not a trusted one (CA file "
	    "/etc/ssl/certs/ca-certificates.crt)");
	assert_int_equal(script.in_tls, 0);
}

static const struct {
	enum fake_fault fault;
	const char *host, *sslmode, *words; /* NULL: nothing is wrong */
} bad_certificates[] = {
	{ FAULT_EXPIRED, "127.0.0.1", "verify-full", "the certificate of 127.0.0.1 has expired" },
	{ FAULT_EXPIRED, "127.0.0.1", "verify-ca", "the certificate of 127.0.0.1 has expired" },
	{ FAULT_EXPIRED, "127.0.0.1", "require", "the certificate of 127.0.0.1 has expired" },
	{ FAULT_EARLY, "127.0.0.1", "verify-full",
	    "the certificate of 127.0.0.1 is not valid yet" },
	{ FAULT_OTHER_NAMES, "127.0.0.1", "verify-full",
	    "does not have this address as a subjectAltName" },
	{ FAULT_OTHER_NAMES, "127.0.0.1", "verify-ca", NULL },
	{ FAULT_NO_NAMES, "127.0.0.1", "verify-full",
	    "does not have this address as a subjectAltName" },
	{ FAULT_NO_NAMES, "127.0.0.1", "verify-ca", NULL },
	{ FAULT_OTHER_NAMES, "localhost", "verify-full", "localhost does not have this name as a" },
	{ FAULT_NO_NAMES, "localhost", "verify-full", "localhost does not have this name as a" },
	{ FAULT_NO_NAMES, "localhost", "verify-ca", NULL },
	{ FAULT_NONE, "localhost", "verify-full", NULL },
	{ FAULT_NONE, "localhost.", "verify-full", NULL },
	{ FAULT_OTHER_NAMES, "localhost.", "verify-full",
	    "localhost does not have this name as a" },
};

/* Trusted, so that nothing but the fault is wrong with it. */
static void
what_is_wrong_with_a_servers_certificate_is_told(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(bad_certificates) / sizeof(bad_certificates[0]); i++) {
		const char *words = bad_certificates[i].words;
		struct fake_tls good = tls;
		struct pg_failure why;

		script.answer = 'S';
		script.in_tls = 0;
		host = bad_certificates[i].host;
		fake_tls_make_with(&tls, bad_certificates[i].fault);
		why = login_fails(bad_certificates[i].sslmode, tls.cert, 0);
		assert_non_null(strstr(why.message, words != NULL ? words : REFUSAL));
		assert_true(words == NULL || strstr(why.message, tls.cert) != NULL);
		assert_int_equal(why.is_tls, words != NULL);
		assert_int_equal(script.in_tls, words == NULL);
		assert_string_equal(tls.named, *host == 'l' ? "localhost" : "");
		fake_tls_clear(&tls);
		tls = good;
	}
	host = "127.0.0.1";
	assert_int_equal(script.in_clear, 0);
}

static void
a_pooler_that_takes_no_settings_is_asked_without(void **state)
{
	struct pg_failure why;

	(void)state;
	script.refused_first = "08P01";
	why = login_fails("disable", NULL, 0);
	assert_string_equal(why.sqlstate, "28P01");
	assert_int_equal(script.in_clear, 2);
	assert_null(strstr(script.startup, "options"));
	assert_non_null(strstr(script.startup, "client_encoding\nUTF8\n"));
	memset(&script, 0, sizeof(script));
	login_fails("disable", NULL, 0);
	assert_int_equal(script.in_clear, 1);
	assert_non_null(strstr(script.startup, "options\n-c search_path=public "));
	assert_non_null(strstr(script.startup, "-c statement_timeout=0 "));
}

/* In the clear, under TLS, and in pieces. */
static void
rounds_past_the_bound_are_not_computed(void **state)
{
	struct pg_failure why;
	unsigned i;

	(void)state;
	for (i = 0; i < 3; i++) {
		memset(&script, 0, sizeof(script));
		script.answer = i == 1 ? 'S' : 'N';
		script.split = i == 2;
		script.rounds = 100001;
		why = login_fails("prefer", NULL, 0);
		assert_string_equal(why.message,
		    "the server asks for 100001 iterations of SCRAM, and max_scram_iterations is "
		    "100000");
		assert_int_equal(script.proofs, 0);
		script.rounds = 4096;
		why = login_fails("prefer", NULL, 4096);
		assert_string_equal(why.message, REFUSAL);
		assert_int_equal(script.proofs, 1);
	}
}

/* Two records of TLS cannot both be seen before libpq has read the first (pg_attempt.c). */
static void
a_message_that_cannot_be_seen_whole_is_not_read(void **state)
{
	(void)state;
	script.answer = 'S';
	script.split = true;
	script.rounds = 4096;
	assert_string_equal(login_fails("prefer", NULL, 0).message,
	    "the server sent a part of a message only");
	assert_int_equal(script.proofs, 0);
}

static void
kerberos_is_refused(void **state)
{
	(void)state;
	script.kerberos = true;
	assert_string_equal(login_fails("prefer", NULL, 0).message,
	    "the server asks for Kerberos, which is not supported");
}

/* 600,000 rounds are most of a second, and reading all of the system's certificates 20 ms. */
static void
what_a_login_computes_is_not_the_loops(void **state)
{
	uint64_t before = worker_long_turns(worker);
	struct offload_stats stats;

	(void)state;
	script.rounds = 600000;
	assert_string_equal(login_fails("prefer", NULL, 1000000).message, REFUSAL);
	assert_int_equal(script.proofs, 1);
	script.answer = 'S';
	assert_true(login_fails("verify-full", NULL, 0).is_tls);
	assert_int_equal(worker_long_turns(worker), before);
	offload_stats(offload, &stats);
	assert_true(stats.done_total >= 4);
}

static void
the_environment_has_no_say(void **state)
{
	static const char *const variables[][2] = {
		{ "PGOPTIONS", "-c log_lock_waits=on" },
		{ "PGSERVICE", "nowhere" },
		{ "PGTARGETSESSIONATTRS", "read-only" },
		{ "PGSSLCERT", "/root/none" },
		{ "PGSSLCRLDIR", "/root/none" },
		{ "PGSSLMINPROTOCOLVERSION", "TLSv9" },
		{ "PGREQUIREPEER", "nobody" },
		{ "PGHOSTADDR", "192.0.2.1" },
		{ "PGDATESTYLE", "German" },
		{ "HOME", "/root" },
	};
	unsigned i;

	(void)state;
	for (i = 0; i < sizeof(variables) / sizeof(variables[0]); i++)
		assert_int_equal(setenv(variables[i][0], variables[i][1], 1), 0);
	pg_environment_clear();
	for (i = 0; i < sizeof(variables) / sizeof(variables[0]); i++)
		assert_null(getenv(variables[i][0]));
	script.answer = 'S';
	assert_string_equal(login_fails("verify-full", tls.cert, 0).message, REFUSAL);
	assert_null(strstr(script.startup, "log_lock_waits"));
	assert_null(strstr(script.startup, "German"));
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(a_server_without_tls_is_spoken_to_where_that_is_allowed),
		CASE(a_server_that_offers_tls_has_it),
		CASE(a_server_that_offers_tls_is_never_spoken_to_in_the_clear),
		CASE(a_server_that_ends_the_connection_is_away),
		CASE(a_certificate_that_is_not_trusted_is_the_reason),
		CASE(what_is_wrong_with_a_servers_certificate_is_told),
		CASE(a_pooler_that_takes_no_settings_is_asked_without),
		CASE(rounds_past_the_bound_are_not_computed),
		CASE(a_message_that_cannot_be_seen_whole_is_not_read),
		CASE(kerberos_is_refused),
		CASE(what_a_login_computes_is_not_the_loops),
		CASE(the_environment_has_no_say),
	};
	struct offload_conf conf;
	int failed;

	worker = worker_new(0);
	offload_conf_init(&conf);
	offload = offload_open(&conf);
	offload_attach(offload, worker);
	dns = dns_open(worker, "127.0.0.1:9", 1000000);
	fake_tls_make(&tls);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	fake_tls_clear(&tls);
	dns_close(dns);
	worker_free(worker);
	offload_close(offload);
	return failed;
}
