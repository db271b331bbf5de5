/* SPDX-License-Identifier: MIT */
/*
 * rerank_asker: see the header.
 */
#include "rerank_asker.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static enum flow_rc
rerank_asker_start(struct flow *f)
{
	struct rerank_asker *a = (struct rerank_asker *)f;

	return model_rerank(f, model_fixture.model,
	    &(struct model_asker){ .tenant = slice_str(a->tenant) }, SLICE_LIT("why"), a->texts,
	    a->n, 2, &a->ranking);
}

static enum flow_rc
rerank_asker_goes_on(struct flow *f)
{
	((struct rerank_asker *)f)->went_on = true;
	return FLOW_DONE;
}

void
rerank_asker_asks(struct rerank_asker *a, const char *tenant)
{
	memset(a, 0, sizeof(*a));
	a->tenant = tenant;
	a->texts[0] = SLICE_LIT("a");
	a->texts[1] = SLICE_LIT("b \"b\"");
	a->texts[2] = SLICE_LIT("c");
	a->n = 3;
	probe_start(&a->probe, model_fixture.worker, rerank_asker_start, rerank_asker_goes_on);
}

void
rerank_asker_run(struct rerank_asker *a, const struct scripted_response *script)
{
	model_fixture_script(script);
	rerank_asker_asks(a, "acme");
	turn_until(model_fixture.worker, &a->probe.ended);
	assert_true(a->went_on);
	assert_int_equal(a->probe.err.code, ERR_NONE);
}

void
rerank_conf(struct model_conf *conf)
{
	model_fixture_conf(conf);
	conf->rerank_model = "judge";
	conf->rerank_timeout_us = 30 * 1000000ull;
	conf->retries = 0;
}

int
rerank_set_up(void **state)
{
	struct model_conf conf;

	model_fixture_set_up(state);
	rerank_conf(&conf);
	model_fixture_reopen(&conf);
	return 0;
}
