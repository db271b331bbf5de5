/* SPDX-License-Identifier: MIT */
/*
 * order_fixture: two models in order, of two servers, for the tests of who is asked. One scripted
 * server plays both; its request lines tell them apart. A server has one try more.
 */
#ifndef TENANTGATE_TESTS_ORDER_FIXTURE_H
#define TENANTGATE_TESTS_ORDER_FIXTURE_H

#include "model/model_internal.h"
#include "model_fixture.h"

#define ORDER_WORDS \
	"data: {\"choices\":[{\"delta\":{\"content\":\"Hi\"},\"finish_reason\":\"stop\"}]}\n\n" \
	"data: [DONE]\n\n"
#define ORDER_ANSWER	{ "200 OK", NULL, ORDER_WORDS, STREAM }
#define ORDER_BROKEN	{ "500 Oh", NULL, "{}", WHOLE }

struct order_asker {
	struct probe probe;
	const char *tenant;
	struct slice text;
	struct model_stream *stream;
	struct model_message message;
	char name[16]; /* of the model that answered */
};

extern struct model_choice	 order_choices[2];

/* The servers of two configurations, of which the model gets the first ones. */
int	order_set_up(void **state);
int	order_tear_down(void **state);
void	order_begin(struct order_asker *, const char *tenant);
/* The code of its failure, and the name of the model that answered. */
void	order_chat_is(const char *tenant, enum err_code, const char *name);
/* How many requests each server has received since the script began. */
void	order_servers_got(unsigned first_count, unsigned second_count);

#endif
