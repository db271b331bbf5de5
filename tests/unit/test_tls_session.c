/* SPDX-License-Identifier: MIT */
/*
 * Which step of a handshake signs, so that it is computed where it holds up nobody; and which
 * handshake resumes a session; and how many messages of TLS' own an open one takes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include <event2/buffer.h>

#include "fake_tls.h"
#include "tenantgate/wire/tls_session.h"
#include "tls_records.h"

struct two_ends {
	struct fake_tls files;
	struct tls_tickets *tickets;
	struct tls_server *server;
	struct tls_session *session;
	SSL_CTX *ctx;
	SSL *client; /* over its BIOs */
};

static struct two_ends h;

/* As a reload makes it anew: the tickets' keys stay. */
static void
server_open(const char *ciphers, enum tls_version oldest)
{
	struct tls_server_conf conf = { .certificates = h.files.cert,
		.keys = h.files.key,
		.version_min = oldest,
		.ciphers = ciphers,
		.ticket_period_us = 3600000000ull,
		.tickets = h.tickets,
		.name = "unit" };
	enum tls_setting setting;
	struct err err = { .code = ERR_NONE };

	tls_server_give(h.server);
	h.server = tls_server_new(&conf, &setting, &err);
	assert_non_null(h.server);
}

static void
end_open(const char *groups)
{
	h.session = tls_session_new(h.server);
	h.client = SSL_new(h.ctx);
	assert_int_equal(SSL_set1_groups_list(h.client, groups), 1);
	SSL_set_bio(h.client, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
	SSL_set_connect_state(h.client);
}

static void
end_close(void)
{
	SSL_free(h.client);
	tls_session_free(h.session);
}

static void
both_open(enum fake_fault fault)
{
	h = (struct two_ends){ .tickets = tls_tickets_new(),
		.ctx = SSL_CTX_new(TLS_client_method()) };
	/* Such a client takes no ticket of TLS 1.3 twice. */
	(void)SSL_CTX_set_session_cache_mode(h.ctx, SSL_SESS_CACHE_CLIENT);
	fake_tls_make_with(&h.files, fault);
	server_open(TLS_CIPHERS_DEFAULT, TLS_VERSION_1_2);
}

static void
both_close(void)
{
	SSL_CTX_free(h.ctx);
	tls_server_give(h.server);
	tls_tickets_free(h.tickets);
	fake_tls_clear(&h.files);
}

static void
handshake_open(const char *groups)
{
	both_open(FAULT_SLOW);
	end_open(groups);
}

static void
handshake_close(void)
{
	end_close();
	both_close();
}

/* The client's next flight, and ours. */
static void
handshake_step(void)
{
	struct evbuffer *flight = evbuffer_new();
	struct buf *out = tls_session_out(h.session);
	char bytes[16384];
	int n;

	(void)SSL_do_handshake(h.client);
	while ((n = BIO_read(SSL_get_wbio(h.client), bytes, sizeof(bytes))) > 0)
		assert_int_equal(evbuffer_add(flight, bytes, (size_t)n), 0);
	assert_true(tls_session_bring(h.session, flight));
	evbuffer_free(flight);
	tls_session_advance(h.session);
	if (out->len > 0)
		assert_int_equal(BIO_write(SSL_get_rbio(h.client), out->data, (int)out->len),
		    (int)out->len);
	buf_reset(out);
}

static void
the_first_flight_is_signed(void **state)
{
	(void)state;
	handshake_open("X25519");
	assert_true(tls_session_signs_slowly(h.session));
	handshake_step();
	assert_false(tls_session_signs_slowly(h.session));
	handshake_step();
	assert_int_equal(tls_session_state(h.session), TLS_OPEN);
	handshake_close();
}

static void
a_client_that_is_asked_again_is_signed_for_later(void **state)
{
	(void)state;
	handshake_open("P-521:X25519");
	handshake_step();
	assert_int_equal(tls_session_state(h.session), TLS_MORE);
	assert_true(tls_session_signs_slowly(h.session));
	handshake_step();
	assert_false(tls_session_signs_slowly(h.session));
	handshake_step();
	assert_int_equal(tls_session_state(h.session), TLS_OPEN);
	handshake_close();
}

/* ---- sessions ---- */

/* Makes a session under that name, or asks to resume it; NULL: names none. The session is the
 * caller's to free. */
static SSL_SESSION *
session_of(const char *name, int version, SSL_SESSION *before)
{
	SSL_SESSION *made;
	char unused[16];

	end_open("X25519:P-256");
	assert_int_equal(SSL_set_min_proto_version(h.client, version), 1);
	assert_int_equal(SSL_set_max_proto_version(h.client, version), 1);
	assert_int_equal(SSL_set_tlsext_host_name(h.client, name), 1);
	if (before != NULL)
		assert_int_equal(SSL_set_session(h.client, before), 1);
	for (int i = 0; i < 3 && tls_session_state(h.session) != TLS_OPEN; i++)
		handshake_step();
	assert_int_equal(tls_session_state(h.session), TLS_OPEN);
	(void)SSL_do_handshake(h.client);
	(void)SSL_read(h.client, unused, sizeof(unused)); /* the ticket of 1.3 */
	assert_int_equal(SSL_session_reused(h.client), tls_session_resumed(h.session));
	made = SSL_get1_session(h.client);
	SSL_set_shutdown(h.client, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	return made;
}

/* Whether it is resumed, with what it has become in its place. */
static bool
resumes(const char *name, int version, SSL_SESSION **session)
{
	SSL_SESSION *made = session_of(name, version, *session);
	bool is_resumed = tls_session_resumed(h.session);

	end_close();
	SSL_SESSION_free(*session);
	*session = made;
	return is_resumed;
}

static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };

/* RFC 6066 3. */
static void
a_session_is_resumed_under_its_own_name_alone(void **state)
{
	static const char *const names[] = { "one.test", "two.test", NULL };

	(void)state;
	both_open(FAULT_NONE);
	for (unsigned v = 0; v < 2; v++) {
		SSL_SESSION *session = session_of("two.test", versions[v], NULL);

		end_close();
		for (unsigned i = 0; i < 3; i++) {
			assert_false(resumes(names[i], versions[v], &session));
			assert_true(resumes(names[i], versions[v], &session));
			assert_true(resumes(names[i], versions[v], &session));
		}
		SSL_SESSION_free(session);
	}
	both_close();
}

/* A cipher that is allowed no more is not brought back by a ticket; and what was made under the new
 * settings is resumed. */
static void
other_settings_resume_no_session(void **state)
{
	static const struct {
		const char *ciphers;
		enum tls_version oldest;
		int version;
	} cases[] = {
		{ "ECDHE-ECDSA-AES256-GCM-SHA384", TLS_VERSION_1_2, TLS1_2_VERSION },
		{ "ECDHE-ECDSA-AES256-GCM-SHA384", TLS_VERSION_1_2, TLS1_3_VERSION },
		{ TLS_CIPHERS_DEFAULT, TLS_VERSION_1_3, TLS1_3_VERSION },
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		SSL_SESSION *session;

		both_open(FAULT_NONE);
		session = session_of("one.test", cases[i].version, NULL);
		end_close();
		server_open(TLS_CIPHERS_DEFAULT, TLS_VERSION_1_2); /* nothing has changed */
		assert_true(resumes("one.test", cases[i].version, &session));
		server_open(cases[i].ciphers, cases[i].oldest);
		assert_false(resumes("one.test", cases[i].version, &session));
		if (cases[i].version == TLS1_2_VERSION)
			assert_string_equal(SSL_CIPHER_get_name(SSL_SESSION_get0_cipher(session)),
			    cases[i].ciphers);
		assert_true(resumes("one.test", cases[i].version, &session));
		SSL_SESSION_free(session);
		both_close();
	}
}

/* ---- TLS' own messages ---- */
static struct record_writer writer;

/* SSL_CTX_keylog_cb_func */
static void
secret_said(const SSL *ssl, const char *line)
{
	const char *secret = strrchr(line, ' ') + 1;
	long n;
	unsigned char *bytes;

	(void)ssl;
	if (strncmp(line, "CLIENT_TRAFFIC_SECRET_0 ", 24) != 0)
		return;
	bytes = OPENSSL_hexstr2buf(secret, &n);
	assert_int_equal(n, SHA256_SIZE);
	memcpy(writer.secret, bytes, SHA256_SIZE);
	OPENSSL_free(bytes);
	record_keys(&writer);
}

static void
keys_open(int version)
{
	both_open(FAULT_NONE);
	SSL_CTX_set_keylog_callback(h.ctx, secret_said);
	assert_int_equal(SSL_CTX_set_ciphersuites(h.ctx, "TLS_AES_128_GCM_SHA256"), 1);
	assert_int_equal(SSL_CTX_set_cipher_list(h.ctx, "ECDHE-ECDSA-AES128-GCM-SHA256"), 1);
	writer.is_older = false;
	SSL_SESSION_free(session_of("one.test", version, NULL));
	if (version == TLS1_2_VERSION)
		record_keys_older(&writer, h.client);
}

static void
record_bring(struct evbuffer *flight, uint8_t type, const void *p, size_t n)
{
	uint8_t bytes[64];

	assert_int_equal(evbuffer_add(flight, bytes, record_write(&writer, type, p, n, bytes)), 0);
}

static enum tls_state
flight_read(struct evbuffer *flight)
{
	assert_true(tls_session_bring(h.session, flight));
	return tls_session_read(h.session);
}

/* One message, cut behind `cut` bytes (0: whole); the rest comes with it or after it was read, and
 * a byte of the request behind it or not. */
static enum tls_state
message_brought(const uint8_t *message, size_t n, size_t cut, unsigned how)
{
	bool comes_later = how & 1, has_more = how & 2;
	struct evbuffer *flight = evbuffer_new();
	enum tls_state state = TLS_OPEN;

	if (cut > 0)
		record_bring(flight, SSL3_RT_HANDSHAKE, message, cut);
	if (comes_later)
		state = flight_read(flight);
	record_bring(flight, SSL3_RT_HANDSHAKE, message + cut, n - cut);
	if (!writer.is_older)
		record_update(&writer);
	if (has_more)
		record_bring(flight, SSL3_RT_APPLICATION_DATA, "x", 1);
	if (state == TLS_OPEN)
		state = flight_read(flight);
	evbuffer_free(flight);
	return state;
}

/* How many are answered before the session fails, however they are cut. */
static void
messages_are_counted(int version, const uint8_t *message, size_t n)
{
	for (size_t cut = 0; cut < n; cut++)
		for (unsigned how = 0; how < 4; how++) {
			unsigned answered = 0;

			keys_open(version);
			while (answered < 200 && message_brought(message, n, cut, how) == TLS_OPEN)
				answered++;
			assert_in_range(answered, 32, 33);
			assert_non_null(strstr(tls_session_reason(h.session), "too many messages"));
			handshake_close();
		}
}

/* RFC 8446 4.6.3: one that asks for one of ours costs us more than it costs who asks. */
static void
new_keys_are_counted_however_they_are_cut(void **state)
{
	static const uint8_t update[] = { SSL3_MT_KEY_UPDATE, 0, 0, 1, 1 };

	(void)state;
	messages_are_counted(TLS1_3_VERSION, update, sizeof(update));
}

/* Each is refused by an alert. */
static void
renegotiations_are_counted_however_they_are_cut(void **state)
{
	static const uint8_t hello[] = { SSL3_MT_CLIENT_HELLO, 0, 0, 0 };

	(void)state;
	messages_are_counted(TLS1_2_VERSION, hello, sizeof(hello));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_flight_is_signed),
		cmocka_unit_test(a_client_that_is_asked_again_is_signed_for_later),
		cmocka_unit_test(a_session_is_resumed_under_its_own_name_alone),
		cmocka_unit_test(other_settings_resume_no_session),
		cmocka_unit_test(new_keys_are_counted_however_they_are_cut),
		cmocka_unit_test(renegotiations_are_counted_however_they_are_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
