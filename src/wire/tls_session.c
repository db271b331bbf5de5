/* SPDX-License-Identifier: MIT */
/*
 * tls_session: OpenSSL's state machine over two buffers of ours, by a BIO of our own kind: what it
 * wants to read and is not there is "try again", what it writes goes into `out`.
 */
#include "tenantgate/wire/tls_session.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/buffer.h>
#include <openssl/err.h>
#include <openssl/x509_vfy.h>

#include "wire/tls_internal.h"

#define OWN_MESSAGES_MAX  32
#define OWN_MESSAGE_BYTES 1024
#define OUT_MAX		  (1u << 20) /* bytes of TLS' own between two sends */
#define READ_SIZE	  16384	     /* the most that a record holds (RFC 8446 5.1) */

struct tls_session {
	struct tls_server *server; /* held */
	SSL *ssl;		   /* owned, with its BIO */
	struct evbuffer *in;	   /* owned: of the client's, not yet taken by OpenSSL */
	struct evbuffer *plain;	   /* owned */
	struct buf out;		   /* owned */
	enum tls_state state;
	uint64_t plain_bytes;  /* of the client's */
	uint64_t own_messages; /* of the client's, that are TLS' own, since it is open */
	uint8_t binding[SHA256_SIZE];
	bool is_begun;	       /* something was brought */
	bool has_signed;       /* the first of our own was made */
	char reason[160];
};

/* ---- the BIO ---- */
static BIO_METHOD *bio_method;

static int
session_bio_read(BIO *bio, char *p, int n)
{
	struct tls_session *s = BIO_get_data(bio);
	int got = evbuffer_remove(s->in, p, (size_t)n);

	BIO_clear_retry_flags(bio);
	if (got > 0)
		return got;
	BIO_set_retry_read(bio);
	return -1;
}

static int
session_bio_write(BIO *bio, const char *p, int n)
{
	struct tls_session *s = BIO_get_data(bio);

	BIO_clear_retry_flags(bio);
	return buf_add(&s->out, p, (size_t)n) ? n : -1;
}

static long
session_bio_control(BIO *bio, int command, long number, void *p)
{
	(void)bio;
	(void)number;
	(void)p;
	return command == BIO_CTRL_FLUSH;
}

static void
bio_method_make(void)
{
	bio_method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "tls_session");
	if (bio_method == NULL || BIO_meth_set_read(bio_method, session_bio_read) != 1 ||
	    BIO_meth_set_write(bio_method, session_bio_write) != 1 ||
	    BIO_meth_set_ctrl(bio_method, session_bio_control) != 1)
		abort();
}

static BIO *
session_bio_new(struct tls_session *s)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	BIO *bio;

	(void)pthread_once(&once, bio_method_make);
	bio = BIO_new(bio_method);
	if (bio != NULL) {
		BIO_set_data(bio, s);
		BIO_set_init(bio, 1);
	}
	return bio;
}

/* ---- a session ---- */

/* Messages that carry a signature, or are the first of ours where a resumed session has none. Not
 * whatever we send: a client that is asked for another key share (HelloRetryRequest) is signed for
 * only then. */
static bool
is_behind_signature(unsigned char message)
{
	return message == SSL3_MT_CERTIFICATE_VERIFY || message == SSL3_MT_SERVER_KEY_EXCHANGE ||
	    message == SSL3_MT_FINISHED;
}

/* The callback of SSL_set_msg_callback(): for each message, before it is acted on. */
static void
message_seen(int is_ours, int version, int type, const void *bytes, size_t n, SSL *ssl, void *arg)
{
	struct tls_session *s = arg;

	(void)version;
	(void)ssl;
	if (is_ours && type == SSL3_RT_HANDSHAKE && n > 0)
		s->has_signed |= is_behind_signature(*(const unsigned char *)bytes);
	if (!is_ours && (type == SSL3_RT_HANDSHAKE || type == SSL3_RT_ALERT))
		s->own_messages++;
}

struct tls_session *
tls_session_new(struct tls_server *server)
{
	struct tls_session *s = calloc(1, sizeof(*s));
	BIO *bio;

	if (s == NULL)
		return NULL;
	buf_init(&s->out, OUT_MAX);
	s->server = tls_server_take(server);
	s->in = evbuffer_new();
	s->plain = evbuffer_new();
	s->ssl = SSL_new(server->pairs[0].ctx);
	bio = session_bio_new(s);
	if (s->in == NULL || s->plain == NULL || s->ssl == NULL || bio == NULL) {
		BIO_free(bio);
		tls_session_free(s);
		return NULL;
	}
	SSL_set_bio(s->ssl, bio, bio);
	(void)SSL_set_app_data(s->ssl, s);
	SSL_set_accept_state(s->ssl);
	(void)SSL_clear_mode(s->ssl, SSL_MODE_AUTO_RETRY);
	SSL_set_msg_callback(s->ssl, message_seen);
	SSL_set_msg_callback_arg(s->ssl, s);
	return s;
}

void
tls_session_free(struct tls_session *s)
{
	if (s == NULL)
		return;
	SSL_free(s->ssl);
	if (s->in != NULL)
		evbuffer_free(s->in);
	if (s->plain != NULL)
		evbuffer_free(s->plain);
	buf_free(&s->out);
	tls_server_give(s->server);
	free(s);
}

struct tls_server *
tls_server_of(const SSL *ssl)
{
	const struct tls_session *s = SSL_get_app_data(ssl);

	return s->server;
}

uint8_t *
tls_binding_of(const SSL *ssl)
{
	struct tls_session *s = SSL_get_app_data(ssl);

	return s->binding;
}

bool
tls_session_bring(struct tls_session *s, struct evbuffer *from)
{
	s->is_begun = true;
	return evbuffer_add_buffer(s->in, from) == 0;
}

struct buf *
tls_session_out(struct tls_session *s)
{
	return &s->out;
}

struct evbuffer *
tls_session_plain(struct tls_session *s)
{
	return s->plain;
}

/* OpenSSL's words; of a client's certificate those of the check, which say more. */
static void
note_reason(struct tls_session *s)
{
	unsigned long error = ERR_peek_error();
	long verified = SSL_get_verify_result(s->ssl);
	const char *words = ERR_reason_error_string(error);

	if (verified == X509_V_ERR_APPLICATION_VERIFICATION)
		words = "the name in the client's certificate is not listed";
	else if (verified != X509_V_OK)
		words = X509_verify_cert_error_string(verified);
	(void)snprintf(s->reason, sizeof(s->reason), "%s",
	    words == NULL ? "the client's bytes make no sense" : words);
	ERR_clear_error();
}

const char *
tls_session_reason(const struct tls_session *s)
{
	return s->reason;
}

void
tls_session_advance(struct tls_session *s)
{
	int rc;

	ERR_clear_error();
	rc = SSL_do_handshake(s->ssl);
	if (rc == 1) {
		s->state = TLS_OPEN;
		s->own_messages = 0;
	} else if (SSL_get_error(s->ssl, rc) == SSL_ERROR_WANT_READ) {
		s->state = TLS_MORE;
	} else {
		s->state = TLS_FAILED;
		note_reason(s);
	}
}

enum tls_state
tls_session_state(const struct tls_session *s)
{
	return s->state;
}

bool
tls_session_signs_slowly(const struct tls_session *s)
{
	return !s->has_signed && s->server->signs_slowly;
}

bool
tls_session_is_new(const struct tls_session *s)
{
	return !s->is_begun;
}

/* Messages that are TLS' own (new keys, renegotiations that are refused) cost us more than their
 * sender: 32 are free, then one each KiB. */
static bool
says_too_much(struct tls_session *s)
{
	if (s->own_messages <= OWN_MESSAGES_MAX + s->plain_bytes / OWN_MESSAGE_BYTES)
		return false;
	(void)snprintf(s->reason, sizeof(s->reason), "too many messages of TLS' own");
	return true;
}

static enum tls_state
read_interrupted(struct tls_session *s, int n)
{
	switch (SSL_get_error(s->ssl, n)) {
	case SSL_ERROR_WANT_READ:
		return says_too_much(s) ? TLS_FAILED : TLS_OPEN;
	case SSL_ERROR_ZERO_RETURN:
		return TLS_ENDED;
	default:
		note_reason(s);
		return TLS_FAILED;
	}
}

/* By way of the stack: space reserved in `plain` would stay with each idle connection. OpenSSL
 * returns behind each message of TLS' own (SSL_MODE_AUTO_RETRY is off), and answers it when it is
 * called again. */
enum tls_state
tls_session_read(struct tls_session *s)
{
	enum tls_state state = TLS_OPEN;
	uint64_t before;
	char piece[READ_SIZE];

	do {
		int n;

		before = s->own_messages;
		ERR_clear_error();
		n = SSL_read(s->ssl, piece, sizeof(piece));
		if (n <= 0)
			state = read_interrupted(s, n);
		else if (evbuffer_add(s->plain, piece, (size_t)n) != 0)
			return TLS_FAILED;
		s->plain_bytes += n > 0 ? (uint64_t)n : 0;
	} while (state == TLS_OPEN &&
	    (evbuffer_get_length(s->in) > 0 || SSL_pending(s->ssl) > 0 ||
		s->own_messages > before));
	return state;
}

bool
tls_session_write(struct tls_session *s, const void *p, size_t n)
{
	ERR_clear_error();
	return SSL_write(s->ssl, p, (int)n) == (int)n && !s->out.failed;
}

/* The client's own is not waited for: HTTP says where a message ends. */
void
tls_session_end(struct tls_session *s)
{
	ERR_clear_error();
	(void)SSL_shutdown(s->ssl);
	ERR_clear_error();
}

const char *
tls_session_version(const struct tls_session *s)
{
	return SSL_get_version(s->ssl);
}

bool
tls_session_resumed(const struct tls_session *s)
{
	return SSL_session_reused(s->ssl) == 1;
}

/* A record of a handshake begins with 22 (RFC 8446 5.1), a method of HTTP with a capital. */
bool
tls_looks_like_http(struct evbuffer *in)
{
	unsigned char first;

	return evbuffer_copyout(in, &first, 1) == 1 && first >= 'A' && first <= 'Z';
}
