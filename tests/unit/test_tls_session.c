/* SPDX-License-Identifier: MIT */
/* Which step of a handshake signs, so that it is computed where it holds up nobody. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <event2/buffer.h>

#include "fake_tls.h"
#include "tenantgate/wire/tls_session.h"

struct two_ends {
	struct fake_tls files;
	struct tls_tickets *tickets;
	struct tls_server *server;
	struct tls_session *session;
	SSL_CTX *ctx;
	SSL *client; /* over its BIOs */
};

static struct two_ends h;

static void
handshake_open(const char *groups)
{
	struct tls_server_conf conf = { .ciphers = TLS_CIPHERS_DEFAULT,
		.ticket_period_us = 3600000000ull,
		.name = "unit" };
	enum tls_setting setting;
	struct err err = { .code = ERR_NONE };

	fake_tls_make_with(&h.files, FAULT_SLOW);
	h.tickets = tls_tickets_new();
	conf.certificates = h.files.cert;
	conf.keys = h.files.key;
	conf.tickets = h.tickets;
	h.server = tls_server_new(&conf, &setting, &err);
	assert_non_null(h.server);
	h.session = tls_session_new(h.server);
	h.ctx = SSL_CTX_new(TLS_client_method());
	h.client = SSL_new(h.ctx);
	assert_int_equal(SSL_set1_groups_list(h.client, groups), 1);
	SSL_set_bio(h.client, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
	SSL_set_connect_state(h.client);
}

static void
handshake_close(void)
{
	SSL_free(h.client);
	SSL_CTX_free(h.ctx);
	tls_session_free(h.session);
	tls_server_give(h.server);
	tls_tickets_free(h.tickets);
	fake_tls_clear(&h.files);
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

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_flight_is_signed),
		cmocka_unit_test(a_client_that_is_asked_again_is_signed_for_later),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
