/* SPDX-License-Identifier: MIT */
/*
 * dns_hosts: the names of /etc/hosts, read again when the file has changed. The worker's thread
 * only.
 */
#ifndef TENANTGATE_WIRE_DNS_HOSTS_H
#define TENANTGATE_WIRE_DNS_HOSTS_H

#include <stdbool.h>

#include "tenantgate/wire/dns.h"

struct dns_hosts;

struct dns_hosts *dns_hosts_new(const char *path); /* path borrowed: static */
void dns_hosts_free(struct dns_hosts *);
/* name in lower case. False when the file does not have it; the answer is then untouched. */
bool dns_hosts_find(struct dns_hosts *, const char *name, struct dns_answer *);

/* One numeric address, canonical, onto the answer; false when it is none or there is no room. */
bool dns_add_numeric(struct dns_answer *, const char *text);

#endif
