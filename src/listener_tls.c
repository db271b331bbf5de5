/* SPDX-License-Identifier: MIT */
/* listener_tls.c: see the header. */
#include "listener_tls.h"

#include <stdio.h>
#include <string.h>

#include "tenantgate/base/clock.h"
#include "tenantgate/base/log.h"

#define SECOND_US 1000000
#define DAY_S	  86400
#define SOON_DAYS 14 /* a certificate of 90 days is renewed at 30 */

/* Which settings make up a listener's. */
struct tls_settings {
	const char *prefix; /* of their keys: "tls_", "admin_tls_" */
	struct tls_server_conf server;
};

static void
public_settings(const struct conf *conf, struct tls_settings *out)
{
	*out = (struct tls_settings){
		.prefix = "tls_",
		.server = { .certificates = conf->tls.certificates,
		    .keys = conf->tls.keys,
		    .version_min = conf->tls.version_min,
		    .ciphers = conf->tls.ciphers,
		    .ticket_period_us = conf->tls.ticket_period_us,
		    .name = "public" },
	};
}

static void
admin_settings(const struct conf *conf, struct tls_settings *out)
{
	public_settings(conf, out);
	out->prefix = "admin_tls_";
	out->server.certificates = conf->tls.admin_certificates;
	out->server.keys = conf->tls.admin_keys;
	out->server.client_ca = conf->tls.admin_client_ca;
	out->server.client_names = conf->tls.admin_client_names;
	out->server.name = "admin";
}

/* ---- findings ---- */
static const char *const setting_names[] = {
	[TLS_SETTING_CERTIFICATE] = "certificate",
	[TLS_SETTING_KEY] = "certificate_key",
	[TLS_SETTING_CIPHERS] = "ciphers",
	[TLS_SETTING_CLIENT_CA] = "client_ca",
	[TLS_SETTING_CLIENT_NAMES] = "client_names",
};

/* The ciphers are one setting for all listeners; a key that is set nowhere has the place of the
 * certificates. */
static void
finding_put(struct buf *out, const struct conf *conf, const char *prefix, enum tls_setting setting,
    const char *sentence)
{
	const struct admin_setting *s;
	char key[64], certificate[64];

	(void)snprintf(key, sizeof(key), "%s%s", setting == TLS_SETTING_CIPHERS ? "tls_" : prefix,
	    setting_names[setting]);
	(void)snprintf(certificate, sizeof(certificate), "%scertificate", prefix);
	s = conf_setting(conf, "tenantgate", key);
	if (s == NULL || s->place == NULL)
		s = conf_setting(conf, "tenantgate", certificate);
	buf_printf(out, "%s: %s: %s\n",
	    s == NULL || s->place == NULL ? "tenantgate.conf" : s->place, key, sentence);
}

/* "" when there is nothing to say. */
static void
certificate_warning(const struct tls_certificate *c, char out[512])
{
	int64_t now = (int64_t)(clock_wall_us() / SECOND_US);
	char when[CLOCK_ISO_SIZE];

	*out = '\0';
	clock_iso((uint64_t)(c->not_after > 0 ? c->not_after : 0) * SECOND_US, when);
	if (c->not_after <= now)
		(void)snprintf(out, 512,
		    "The certificate of %.100s in %.200s is over since %s: clients refuse it; "
		    "renew it, and reload.",
		    c->name, c->file, when);
	else if (c->not_after < now + SOON_DAYS * DAY_S)
		(void)snprintf(out, 512,
		    "The certificate of %.100s in %.200s is over at %s; renew it, and reload.",
		    c->name, c->file, when);
	else if (c->not_before > now)
		(void)snprintf(out, 512,
		    "The certificate of %.100s in %.200s is not valid yet; look at the clock, or "
		    "take another.",
		    c->name, c->file);
}

static void
warnings_put(struct buf *out, const struct conf *conf, const char *prefix,
    const struct tls_server *server)
{
	char sentence[512], warning[544];

	for (unsigned i = 0; i < tls_server_certificates(server); i++) {
		certificate_warning(tls_server_certificate(server, i), sentence);
		(void)snprintf(warning, sizeof(warning), "Warning: %s", sentence);
		if (*sentence != '\0')
			finding_put(out, conf, prefix, TLS_SETTING_CERTIFICATE, warning);
	}
}

/* ---- opening ---- */
static struct tls_server *
listener_server_open(const struct conf *conf, const struct tls_settings *settings,
    struct tls_tickets *tickets, struct buf *errors, struct buf *warnings)
{
	struct tls_server_conf server = settings->server;
	enum tls_setting setting = TLS_SETTING_CERTIFICATE;
	struct err err = { .code = ERR_NONE };
	struct tls_server *opened;

	if (*server.certificates == '\0') {
		if (text_or_null(server.keys) != NULL || text_or_null(server.client_ca) != NULL ||
		    text_or_null(server.client_names) != NULL)
			finding_put(errors, conf, settings->prefix, TLS_SETTING_KEY,
			    "Without a certificate nothing is encrypted; set that, too.");
		return NULL;
	}
	server.tickets = tickets;
	opened = tls_server_new(&server, &setting, &err);
	if (opened == NULL)
		finding_put(errors, conf, settings->prefix, setting, err.detail);
	else
		warnings_put(warnings, conf, settings->prefix, opened);
	return opened;
}

void
listener_tls_open(struct listener_tls *tls, const struct conf *conf, struct tls_tickets *tickets,
    struct buf *errors, struct buf *warnings)
{
	struct tls_settings settings;
	size_t before = errors->len;

	public_settings(conf, &settings);
	tls->servers[LISTENER_PUBLIC] =
	    listener_server_open(conf, &settings, tickets, errors, warnings);
	if (conf->tls.health)
		tls->servers[LISTENER_HEALTH] = tls_server_take(tls->servers[LISTENER_PUBLIC]);
	if (conf->tls.health && *conf->tls.certificates == '\0')
		finding_put(errors, conf, "tls_", TLS_SETTING_CERTIFICATE,
		    "With health_tls = on there must be a certificate; name one, or switch it "
		    "off.");
	admin_settings(conf, &settings);
	tls->servers[LISTENER_ADMIN] =
	    listener_server_open(conf, &settings, tickets, errors, warnings);
	if (errors->len > before)
		listener_tls_close(tls);
}

void
listener_tls_close(struct listener_tls *tls)
{
	for (unsigned i = 0; i < LISTENERS; i++) {
		tls_server_give(tls->servers[i]);
		tls->servers[i] = NULL;
	}
}

void
listener_tls_log(const struct listener_tls *tls)
{
	char sentence[512];

	for (unsigned i = 0; i < LISTENERS; i++) {
		const struct tls_server *server = tls->servers[i];

		if (server == NULL || (i == LISTENER_HEALTH))
			continue;
		for (unsigned k = 0; k < tls_server_certificates(server); k++) {
			certificate_warning(tls_server_certificate(server, k), sentence);
			if (*sentence != '\0')
				log_event(LOG_WARNING, "tls.certificate", NULL, "%s", sentence);
		}
	}
}
