/* SPDX-License-Identifier: MIT */
/*
 * chat_reader: a flow that asks the fixture's model and gathers its answer; events to answer with.
 */
#ifndef TENANTGATE_TESTS_CHAT_READER_H
#define TENANTGATE_TESTS_CHAT_READER_H

#include "model_fixture.h"

#define WORD(w) "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"" w "\"}}]}\n\n"
#define FINISH	"data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"length\"}]}\n\n"
#define USAGE \
	"data: {\"choices\":[],\"usage\":{\"prompt_tokens\":7," \
	"\"completion_tokens\":5}}\n\n"
#define DONE  "data: [DONE]\n\n"
#define FAILS "data: {\"error\":{\"message\":\"oh\",\"code\":\"server_error\"}}\n\n"
#define BUSY  "data: {\"error\":{\"message\":\"oh\",\"code\":\"rate_limit_exceeded\"}}\n\n"

struct chat_reader {
	struct probe probe;
	struct model_stream *stream;
	struct model_delta delta;
	struct buf received;	  /* owned: text */
	struct buf thought;	  /* owned: reasoning */
	struct model_usage usage; /* asked for as the stream is stopped */
	unsigned pulls;
	bool held; /* the next pull waits for the test */
	struct model_message messages[2];
};

void	chat_reader_start(struct chat_reader *);
/* Until it has ended. */
void	chat_reader_run(struct chat_reader *, const struct scripted_response *);
void	chat_reader_free(struct chat_reader *);

#endif
