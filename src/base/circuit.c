/* SPDX-License-Identifier: MIT */
/* circuit.c: see the header. */
#include "tenantgate/base/circuit.h"

#define SECOND_US 1000000ull

bool
circuit_admits(struct circuit *c, uint64_t now, bool *is_probe)
{
	*is_probe = c->is_open && !c->is_probing && now >= c->retry_us;
	if (*is_probe)
		c->is_probing = true;
	return *is_probe || !c->is_open;
}

void
circuit_probe_ended(struct circuit *c)
{
	c->is_probing = false;
}

void
circuit_heard(struct circuit *c)
{
	*c = (struct circuit){ .is_probing = c->is_probing };
}

void
circuit_failed(struct circuit *c, const struct circuit_conf *conf, bool by_probe, uint64_t now)
{
	bool is_enough = conf->failures > 0 && ++c->failures >= conf->failures;

	if (!by_probe && (c->is_open || !is_enough))
		return;
	c->is_open = true;
	c->retry_us = now + backoff_us(&conf->open_for, ++c->opened, 0);
}

void
circuit_open_until(struct circuit *c, uint64_t until_us)
{
	c->is_open = true;
	if (c->retry_us < until_us)
		c->retry_us = until_us;
}

int
circuit_rest_s(const struct circuit *c, uint64_t now)
{
	return c->is_open && c->retry_us > now ? 1 + (int)((c->retry_us - now) / SECOND_US) : 1;
}
