/* SPDX-License-Identifier: MIT */
/*
 * tenants_networks: where tenants' databases may be, of the configuration.
 */
#include <string.h>
#include <strings.h>

#include "tenantgate/tenant.h"
#include "tenantgate/wire/url.h"

static bool
host_is_this_machine(const char *host)
{
	struct network_list loopback;
	struct in6_addr address;
	struct err err = { 0 };

	if (strcasecmp(host, "localhost") == 0)
		return true;
	return address_read(slice_str(host), AF_UNSPEC, &address) &&
	    network_list_read(&loopback, "127.0.0.0/8, ::1", &err) &&
	    network_list_has(&loopback, &address);
}

static bool
neon_is_here(const char *api_url)
{
	struct url_parts parts;
	struct err err = { 0 };
	bool here;

	if (api_url == NULL)
		return false;
	here = url_read(slice_str(api_url), &parts, &err) && host_is_this_machine(parts.host);
	url_free(&parts);
	return here;
}

bool
tenants_conf_networks(struct tenants_conf *conf, struct err *err)
{
	struct network_list loopback;

	if (!network_list_read(&conf->allowed, conf->allowed_networks, err) ||
	    !network_list_read(&loopback, "127.0.0.0/8, ::1", err))
		return false;
	conf->neon_allowed = conf->allowed;
	if (!neon_is_here(conf->neon_api_url))
		return true;
	for (unsigned i = 0; i < loopback.count && conf->neon_allowed.count < NETWORKS_MAX; i++)
		conf->neon_allowed.items[conf->neon_allowed.count++] = loopback.items[i];
	return true;
}
