/* SPDX-License-Identifier: MIT */
/*
 * conf_model: the table of the keys of [model NAME], a further server of models, and what model/
 * says of the settings of all of them. A default "=KEY" is what KEY of [tenantgate] has.
 */
#define CONF_STRUCT struct model_server_conf
#include "conf_table.h"

/* A table is laid out in columns. */
/* clang-format off */
const struct conf_key conf_model_keys[] = {
	URL("url", url, "${MODEL_URL}", CONF_EMPTY_REFUSED, "http https",
	    "Base of its routes; a query is kept (https://HOST/v1?key=value)."),
	SECRET("api_key", api_key, "", CONF_EMPTY_IS_NULL,
	    "Its API key; empty for servers that ask for none."),
	STRING("api_key_header", api_key_header, "Authorization", CONF_EMPTY_REFUSED,
	    "Field that carries it, as it is; in Authorization behind Bearer. Azure's is api-key."),
	SECRET("headers", headers, "", CONF_EMPTY_IS_NULL,
	    "Further fields of each request, as a JSON object of strings."),
	STRING("api_version", api_version, "", CONF_EMPTY_IS_NULL,
	    "Azure's api-version, put into the query."),
	SWITCH("deployments", deployments, "off",
	    "Azure's older routes, url/openai/deployments/MODEL/chat/completions; its newer ones "
	    "(url ends in /openai/v1) need none."),
	STRING("extra_body", extra_body, "", CONF_EMPTY_IS_NULL,
	    "A JSON object, whose members go into each request for an answer."),
	STRING("embedding_extra_body", embedding_extra_body, "", CONF_EMPTY_IS_NULL,
	    "The same for requests for vectors."),
	STRING("rerank_extra_body", rerank_extra_body, "", CONF_EMPTY_IS_NULL,
	    "The same for requests to rank passages."),
	NUMBER("answer_tokens", answer_tokens, "=answer_tokens", 0, 10000000,
	    "Tokens that an answer may have, unless the request says; 0: the model's own limit."),
	WORD("max_tokens_field", length_field, "auto", length_fields,
	    "The field that says so; auto: max_completion_tokens for OpenAI and Azure."),
	SWITCH("send_user", send_user, "=model_send_user",
	    "Send a pseudonym of the tenant and its user as `user`."),
	NUMBER("embedding_batch_items", batch_items_max, "=embedding_batch_items", 1, 2048,
	    "Texts in one request for vectors, or to rank them."),
	SIZE("embedding_batch_size", batch_bytes_max, "=embedding_batch_size", 1 * KIB, 64 * MIB,
	    "Bytes of text in one request for vectors, or to rank them."),
	WORD("embedding_encoding", base64, "=embedding_encoding", encodings,
	    "How vectors are asked for; auto: base64, until the server refuses it."),
	WORD("rerank_form", rerank_form, "auto", rerank_forms,
	    "What passages to rank are called; auto: documents, until the server refuses it."),
	WORD("stream_options", stream_options, "=model_stream_options", send_forms,
	    "Ask for the tokens used; auto: until the server refuses it."),
	WORD("temperature", temperature, "=model_temperature", send_forms,
	    "Pass a client's temperature on; auto: until the server refuses it."),
	WORD("system_role", system_role, "=model_system_role", system_roles,
	    "Role of the system prompt; auto: system; the first user turn once that is refused."),
	NUMBER("retries", retries, "=model_retries", 0, 10,
	    "Times a call is tried again, before its first byte and only when the server says so."),
	DURATION("connect_timeout", connect_timeout_us, "=model_connect_timeout", 10 * MS,
	    1 * HOURS, "How long connecting may take."),
	DURATION("first_byte_timeout", first_byte_timeout_us, "=model_first_byte_timeout", 10 * MS,
	    1 * HOURS, "How long a model may think before its first byte."),
	DURATION("idle_timeout", idle_timeout_us, "=model_idle_timeout", 10 * MS, 1 * HOURS,
	    "How long it may stay silent between two pieces."),
};
/* clang-format on */

const unsigned conf_model_keys_count = sizeof(conf_model_keys) / sizeof(conf_model_keys[0]);

/* An error at the key that model/ has named, unless its value was refused already. */
static void
refuse_setting(struct conf_reading *r, const struct conf_scope *scope, const char *key,
    const struct err *err)
{
	struct conf_place at = conf_key_place(scope, key);

	if (!conf_key_refused(scope, key))
		conf_error(r, &at, "%s: %s", key, err->detail);
}

void
conf_check_models(struct conf_reading *r)
{
	struct model_conf *model = &r->conf->model;
	const char *key;
	struct err err;

	model->servers = r->conf->model_servers;
	model->server_count = r->conf->model_servers_count;
	for (const struct conf_scope *s = r->scopes->next; s != NULL; s = s->next) {
		const struct model_server_conf *server = s->base;

		err = (struct err){ 0 };
		if (s->section->tables->keys == conf_model_keys && server->url != NULL &&
		    !model_server_conf_valid(server, &key, &err))
			refuse_setting(r, s, key, &err);
	}
	err = (struct err){ 0 };
	if (!model_conf_valid(model, &key, &err))
		refuse_setting(r, r->scopes, key, &err);
}
