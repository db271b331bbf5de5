/* SPDX-License-Identifier: MIT */
/*
 * tls_server: a context of OpenSSL's for each certificate, all with the same settings. The first
 * one's is where each session begins; tls_hello.c moves it to another's by the name that the client
 * says.
 */
#include "tenantgate/wire/tls_server.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/err.h>

#include "tenantgate/base/alloc.h"
#include "wire/tls_internal.h"

#define SECOND_US 1000000

/* ---- one context ---- */

static const uint64_t context_options = SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION |
    SSL_OP_SINGLE_ECDH_USE | SSL_OP_PRIORITIZE_CHACHA | SSL_OP_CIPHER_SERVER_PREFERENCE;

/* A session is only resumed by a ticket: a cache would be a worker's, or a lock for all. */
static void
set_resumption(SSL_CTX *ctx, const struct tls_server_conf *conf, const struct tls_server *s)
{
	(void)SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	(void)SSL_CTX_set_session_id_context(ctx, (const unsigned char *)conf->name,
	    (unsigned)strlen(conf->name));
	if (s->tickets == NULL) {
		(void)SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET);
		(void)SSL_CTX_set_num_tickets(ctx, 0);
	} else {
		(void)SSL_CTX_set_timeout(ctx, (long)(s->ticket_period_us / SECOND_US));
		tls_resume_set(ctx);
	}
}

/* NULL with err set. */
static SSL_CTX *
context_new(const struct tls_server_conf *conf, struct tls_server *s, enum tls_setting *setting,
    struct err *err)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

	if (ctx == NULL)
		alloc_die(0);
	(void)SSL_CTX_set_options(ctx, context_options);
	(void)SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
	(void)SSL_CTX_set_min_proto_version(ctx,
	    conf->version_min == TLS_VERSION_1_3 ? TLS1_3_VERSION : TLS1_2_VERSION);
	(void)SSL_CTX_set1_groups_list(ctx, "X25519:P-256:P-384");
	set_resumption(ctx, conf, s);
	tls_hello_set(ctx, s);
	if (SSL_CTX_set_cipher_list(ctx, conf->ciphers) != 1) {
		*setting = TLS_SETTING_CIPHERS;
		err_set(err, ERR_CONF,
		    "None of these ciphers is one of OpenSSL's; see `openssl ciphers`.");
	}
	*setting = err_is(err) ? *setting : TLS_SETTING_CLIENT_CA;
	if (!err_is(err) && (s->client_names == NULL || tls_peer_require(ctx, conf, err)))
		return ctx;
	SSL_CTX_free(ctx);
	return NULL;
}

/* ---- the pairs ---- */

/* An earlier pair and those that have joined it, of which one has a key of that type. */
static bool
has_key_type(const struct tls_server *s, const SSL_CTX *ctx, int key_type)
{
	for (unsigned i = 0; i < s->count; i++)
		if (s->pairs[i].ctx == ctx && s->pairs[i].key_type == key_type)
			return true;
	return false;
}

/* A host that has two certificates, RSA and EC: OpenSSL gives each client the one it can use. */
static bool
join_earlier(struct tls_server *s, struct tls_pair *p, const char *key, enum tls_setting *setting,
    struct err *err)
{
	for (unsigned i = 0; i < s->count; i++) {
		struct tls_pair joined = { .ctx = s->pairs[i].ctx };

		if (has_key_type(s, s->pairs[i].ctx, p->key_type) ||
		    !tls_names_same(&s->names, i, s->count))
			continue;
		SSL_CTX_free(p->ctx);
		p->ctx = s->pairs[i].ctx;
		(void)SSL_CTX_up_ref(p->ctx);
		(void)tls_pair_read(&joined, p->view.file, key, setting, err);
		free((char *)(uintptr_t)joined.view.file);
		break;
	}
	return !err_is(err);
}

/* The first of its names: a host's, or what it has instead. */
static void
pair_name(struct tls_server *s, struct tls_pair *p)
{
	unsigned before = s->names.count;

	tls_pair_names(p, &s->names, s->count);
	p->view.name = xstrdup(s->names.count > before ? s->names.items[before].text : "");
}

static bool
add_pair(struct tls_server *s, const struct tls_server_conf *conf, const char *certificate,
    const char *key, enum tls_setting *setting, struct err *err)
{
	struct tls_pair *p = &s->pairs[s->count];
	bool is_good;

	if (s->count == TLS_PAIRS_MAX) {
		*setting = TLS_SETTING_CERTIFICATE;
		err_set(err, ERR_CONF, "More than %d certificates are listed; take fewer.",
		    TLS_PAIRS_MAX);
		return false;
	}
	p->ctx = context_new(conf, s, setting, err);
	is_good = p->ctx != NULL && tls_pair_read(p, certificate, key, setting, err);
	if (is_good) {
		pair_name(s, p);
		is_good = join_earlier(s, p, key, setting, err);
	}
	s->count += p->ctx != NULL;
	s->signs_slowly |= p->signs_slowly;
	return is_good;
}

/* FILE.key, where there is one: FILE.pem has the key itself, or NAME.key has it. */
static const char *
key_beside(const char *certificate, char out[TLS_PATH_MAX])
{
	const char *dot = strrchr(certificate, '.'), *slash = strrchr(certificate, '/');
	size_t stem = dot == NULL || (slash != NULL && dot < slash) ? strlen(certificate)
								    : (size_t)(dot - certificate);

	(void)snprintf(out, TLS_PATH_MAX, "%s.key", certificate);
	if (access(out, F_OK) == 0)
		return out;
	(void)snprintf(out, TLS_PATH_MAX, "%.*s.key", (int)stem, certificate);
	return access(out, F_OK) == 0 ? out : certificate;
}

static int
is_certificate_name(const struct dirent *entry)
{
	const char *dot = strrchr(entry->d_name, '.');

	return entry->d_name[0] != '.' && dot != NULL &&
	    (strcmp(dot, ".pem") == 0 || strcmp(dot, ".crt") == 0);
}

static bool
add_folder(struct tls_server *s, const struct tls_server_conf *conf, const char *folder,
    enum tls_setting *setting, struct err *err)
{
	struct dirent **entries = NULL;
	int n = scandir(folder, &entries, is_certificate_name, alphasort);
	char path[TLS_PATH_MAX + 1 + NAME_MAX], key[TLS_PATH_MAX];

	*setting = TLS_SETTING_CERTIFICATE;
	if (n <= 0)
		err_set(err, ERR_CONF,
		    "The folder %.160s has no *.pem or *.crt in it that can be "
		    "listed; put certificates there.",
		    folder);
	for (int i = 0; i < n; i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", folder, entries[i]->d_name);
		if (!err_is(err))
			(void)add_pair(s, conf, path, key_beside(path, key), setting, err);
		free(entries[i]);
	}
	free(entries);
	return !err_is(err);
}

/* Cuts the next of a list between commas into `out`. False: there is none. */
static bool
path_next(const char **list, char out[TLS_PATH_MAX])
{
	size_t n = strcspn(*list, ",");
	struct slice item = slice_trim(slice_of(*list, n));

	if (**list == '\0')
		return false;
	(void)snprintf(out, TLS_PATH_MAX, "%.*s", (int)item.len, item.p);
	*list += n + ((*list)[n] == ',');
	return true;
}

static bool
is_folder(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static bool
add_all(struct tls_server *s, const struct tls_server_conf *conf, enum tls_setting *setting,
    struct err *err)
{
	const char *certificates = conf->certificates, *keys = conf->keys;
	char path[TLS_PATH_MAX], key[TLS_PATH_MAX];
	bool has_keys = keys != NULL && *keys != '\0';

	while (path_next(&certificates, path) && !err_is(err)) {
		*setting = TLS_SETTING_KEY;
		if (has_keys && (is_folder(path) || !path_next(&keys, key)))
			err_set(err, ERR_CONF,
			    "As many keys are needed as certificates, and no folder then; or none, "
			    "where each is in or beside its certificate's file.");
		else if (is_folder(path))
			(void)add_folder(s, conf, path, setting, err);
		else
			(void)add_pair(s, conf, path, has_keys ? key : key_beside(path, key),
			    setting, err);
	}
	if (!err_is(err) && has_keys && *keys != '\0')
		err_set(err, ERR_CONF, "More keys are named than certificates; name one for each.");
	return !err_is(err);
}

/* ---- the server ---- */

/* refs_end_fn */
static void
tls_server_end(struct refs *refs)
{
	struct tls_server *s = (struct tls_server *)(void *)refs;

	for (unsigned i = 0; i < s->count; i++)
		tls_pair_free(&s->pairs[i]);
	tls_names_free(&s->names);
	free(s->pairs);
	free(s->client_names);
	free(s);
}

static bool
names_are_given(const struct tls_server_conf *conf, enum tls_setting *setting, struct err *err)
{
	bool has_ca = text_or_null(conf->client_ca) != NULL;
	bool has_names = text_or_null(conf->client_names) != NULL;

	*setting = has_ca ? TLS_SETTING_CLIENT_NAMES : TLS_SETTING_CLIENT_CA;
	if (has_ca && !has_names)
		err_set(err, ERR_CONF,
		    "Say which names in a client's certificate are let in; or * "
		    "for all that this CA has signed.");
	else if (has_names && !has_ca)
		err_set(err, ERR_CONF,
		    "Names of clients need a CA that has signed their "
		    "certificates; set it, too.");
	return !err_is(err);
}

struct tls_server *
tls_server_new(const struct tls_server_conf *conf, enum tls_setting *setting, struct err *err)
{
	struct tls_server *s;

	if (!names_are_given(conf, setting, err))
		return NULL;
	s = xcalloc(1, sizeof(*s));
	refs_init(&s->refs, tls_server_end);
	s->pairs = xcalloc(TLS_PAIRS_MAX, sizeof(*s->pairs));
	if (text_or_null(conf->client_ca) != NULL)
		s->client_names = xstrdup(conf->client_names);
	else if (conf->ticket_period_us > 0)
		s->tickets = conf->tickets;
	s->ticket_period_us = conf->ticket_period_us;
	tls_resume_settings(conf, s->settings);
	if (!add_all(s, conf, setting, err)) {
		tls_server_give(s);
		return NULL;
	}
	tls_names_sort(&s->names);
	return s;
}

struct tls_server *
tls_server_take(struct tls_server *s)
{
	if (s != NULL)
		refs_take(&s->refs);
	return s;
}

void
tls_server_give(struct tls_server *s)
{
	if (s != NULL)
		refs_give(&s->refs);
}

unsigned
tls_server_certificates(const struct tls_server *s)
{
	return s->count;
}

const struct tls_certificate *
tls_server_certificate(const struct tls_server *s, unsigned i)
{
	return &s->pairs[i].view;
}

bool
tls_server_asks_clients(const struct tls_server *s)
{
	return s->client_names != NULL;
}
