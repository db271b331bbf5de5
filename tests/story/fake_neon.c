/* SPDX-License-Identifier: MIT */
/* fake_neon.c: see the header. */
#include "fake_neon.h"

#include <stdio.h>
#include <string.h>

#include "tenant/names.h"
#include "tenantgate/pool.h"
#include "tenantgate/wire/pg.h"
#include "tenantgate/wire/redis.h"

struct fake_neon fake_neon;

void
fake_neon_note(const char *what)
{
	size_t used = strlen(fake_neon.asked);

	snprintf(fake_neon.asked + used, sizeof(fake_neon.asked) - used, "%s ", what);
}

static void
neon_answers(struct web_response *out, int status, const char *body)
{
	out->status = status;
	out->failure = status != 0 ? WEB_FINE : WEB_TIMEOUT;
	out->sent = true;
	buf_init(&out->body, 4096);
	buf_puts(&out->body, body);
}

enum flow_rc
fake_neon_fetch(struct flow *f, const struct web_request *r, struct web_response *out)
{
	char body[512] = "{}";

	(void)f;
	fake_neon_note(r->method);
	if (strcmp(r->method, "PATCH") == 0) {
		fake_neon_note(strstr(r->body.p, "true") != NULL ? "off" : "on");
		neon_answers(out, fake_neon.patch, "{}");
	} else if (strcmp(r->method, "DELETE") == 0) {
		fake_neon.listed = NULL;
		neon_answers(out, fake_neon.deletes,
		    "{\"project\":{\"synthetic_storage_size\":7}}");
	} else if (strstr(r->url, "/branches") != NULL) {
		snprintf(body, sizeof(body),
		    "{\"branches\":[],\"annotations\":{\"br\":{\"value\":{%s%s%s}}}}",
		    fake_neon.owner != NULL
			? "\"tenantgate_environment\":\"test\",\"tenantgate_tenant\":\""
			: "",
		    fake_neon.owner != NULL ? fake_neon.owner : "",
		    fake_neon.owner != NULL ? "\"" : "");
		neon_answers(out, fake_neon.branches, body);
	} else {
		char name[PROJECT_NAME_SIZE];

		name_project(name, "test", "acme");
		if (fake_neon.listed != NULL)
			snprintf(body, sizeof(body),
			    "{\"projects\":[{\"id\":\"%s\",\"name\":\"%s\"}]}", fake_neon.listed,
			    name);
		else
			snprintf(body, sizeof(body), "{\"projects\":[]}");
		neon_answers(out, fake_neon.list, body);
	}
	return FLOW_NEXT;
}

/* So the rate of calls is this process's own. */
bool
redis_is_up(const struct redis *r)
{
	(void)r;
	return false;
}

bool
redis_int_at(const struct redis_reply *r, unsigned i, int64_t *out)
{
	(void)r;
	(void)i;
	(void)out;
	return false;
}

bool
redis_text_at(const struct redis_reply *r, unsigned i, struct slice *out)
{
	(void)r;
	(void)i;
	(void)out;
	return false;
}

void
redis_script_sha(const char *script, char out[REDIS_SHA_SIZE])
{
	(void)script;
	out[0] = '\0';
}

/* Of a cluster of one's own nothing is asked here. */
enum flow_rc
pool_borrow(struct flow *f, struct pools *ps, const struct pool_target *t, struct pool_lease *l)
{
	(void)ps;
	(void)t;
	(void)l;
	return flow_fail(f, ERR_INTERNAL, "No connection is borrowed here.");
}

void
pool_return(struct pool_lease *l, enum pool_hygiene hygiene)
{
	(void)l;
	(void)hygiene;
}

enum flow_rc
pg_check(struct flow *f, const struct pg_result *r, enum err_code code, const char *what)
{
	(void)r;
	return flow_fail(f, code, "%s.", what);
}

const struct pg_reason *
pg_reason(const struct pg_result *r)
{
	(void)r;
	return NULL;
}
