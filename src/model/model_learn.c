/* SPDX-License-Identifier: MIT */
/*
 * model_learn: between a call and what is known of its model: which fields its request goes
 * without, by the configuration and the habits, and what a refusal or a success adds to these.
 */
#include <string.h>

#include "model/embed_batch.h"
#include "model/model_internal.h"
#include "model/model_refusal.h"
#include "tenantgate/base/log.h"

/* Temperatures up to this are in every server's range. */
#define TEMPERATURE_SURE 1.0

/* For the log: what is refused, and what to write so that nobody has to find out: in a section
 * [model NAME], and behind "model_" among the general keys. */
static const struct {
	const char *name;
	const char *remedy;
} field_sayings[MODEL_FIELDS] = {
	[FIELD_OBFUSCATION] = { "stream_options.include_obfuscation", "stream_options = off" },
	[FIELD_STREAM_OPTIONS] = { "stream_options", "stream_options = off" },
	[FIELD_USER] = { "user", "send_user = off" },
	[FIELD_BASE64] = { "encoding_format 'base64'", "embedding_encoding = float" },
	[FIELD_TEMPERATURE] = { "temperature", "temperature = off" },
	[FIELD_SYSTEM_ROLE] = { "the role 'system'", "system_role = user" },
	[FIELD_MAX_TOKENS] = { "this name of its limit of tokens", "max_tokens_field" },
	[FIELD_DOCUMENTS] = { "documents (its form is texts)", "rerank_form = texts" },
};

static struct model_habits *
habits_of_call(const struct model_call *call)
{
	return &call->choice->server->habits;
}

/* What the configuration leaves open may be learned; what it wants plain is so from the start. */
static void
field_offer(enum model_field field, enum field_form form, unsigned *open, unsigned *plain)
{
	if (form == FORM_AUTO)
		*open |= FIELD_BIT(field);
	else if (form == FORM_PLAIN)
		*plain |= FIELD_BIT(field);
}

static void
learn_begin(struct model_call *call, unsigned open, unsigned plain, unsigned unsure)
{
	struct model_habit habit;

	model_habits_of(habits_of_call(call), call->choice->model, &habit);
	trial_begin(&call->trial, &habit, open, unsure);
	call->trial.plain = plain;
}

static unsigned
field_of_user(const struct model_call *call)
{
	bool is_sent = call->choice->server->conf.send_user && call->user[0] != '\0';

	return is_sent ? FIELD_BIT(FIELD_USER) : 0;
}

void
model_learn_embeddings(struct model_call *call)
{
	unsigned open = 0, plain = 0;

	field_offer(FIELD_BASE64, call->choice->server->conf.base64, &open, &plain);
	open |= field_of_user(call);
	learn_begin(call, open, plain, 0);
}

/* Refused, perhaps, for what the client chose, and that must not take the field from the others: a
 * temperature past what every server takes; or turns that do not begin with the user's, which may
 * alternate as the server wants once there is no system message before them. */
static unsigned
fields_of_client(const struct model_chat *chat)
{
	unsigned unsure = 0;

	if (chat->temperature > TEMPERATURE_SURE)
		unsure |= FIELD_BIT(FIELD_TEMPERATURE);
	if (chat->message_count > 1 && strcmp(chat->messages[1].role, "user") != 0)
		unsure |= FIELD_BIT(FIELD_SYSTEM_ROLE);
	return unsure;
}

void
model_learn_chat(struct model_call *call, const struct model_chat *chat)
{
	const struct model_server_conf *conf = &call->choice->server->conf;
	unsigned open = 0, plain = 0;

	field_offer(FIELD_STREAM_OPTIONS, conf->stream_options, &open, &plain);
	if (call->choice->server->is_openai)
		field_offer(FIELD_OBFUSCATION, conf->stream_options, &open, &plain);
	if (chat->temperature >= 0)
		field_offer(FIELD_TEMPERATURE, conf->temperature, &open, &plain);
	if (chat->message_count > 0 && strcmp(chat->messages[0].role, "system") == 0)
		field_offer(FIELD_SYSTEM_ROLE, conf->system_role, &open, &plain);
	if (model_answer_tokens(call, chat) > 0 && conf->length_field == MODEL_LENGTH_AUTO)
		open |= FIELD_BIT(FIELD_MAX_TOKENS);
	open |= field_of_user(call);
	learn_begin(call, open, plain, fields_of_client(chat));
}

void
model_learn_rerank(struct model_call *call)
{
	unsigned open = 0, plain = 0;

	field_offer(FIELD_DOCUMENTS, call->choice->server->conf.rerank_form, &open, &plain);
	learn_begin(call, open, plain, 0);
}

bool
model_call_leaves(const struct model_call *call, enum model_field field)
{
	return ((call->trial.without | call->trial.plain) & FIELD_BIT(field)) != 0;
}

/* A line for each, of a level that is not logged by default: what is learned has its own. The try
 * is not counted among those of conf.retries. */
bool
model_learn_refusal(struct model_call *call, int status, const struct model_refusal *refusal,
    const char *request_id)
{
	unsigned before = call->trial.without;

	if (!trial_next(&call->trial, refusal))
		return false;
	call->tries--;
	for (unsigned i = 0; i < MODEL_FIELDS; i++)
		if ((call->trial.without & ~before & FIELD_BIT(i)) != 0)
			log_event(LOG_INFO, "model.plainer", request_id,
			    "The %s refused (HTTP %d); it is asked again without %s.", call->stage,
			    status, field_sayings[i].name);
	return true;
}

/* A batch is blamed last when the server does not say so, and not when it says something else.
 * Where it refuses both a field and a batch without a word, a single text shows which field it
 * is. */
bool
model_learn_mends(struct model_call *call, const struct web_response *response, struct slice body,
    struct embed_batch *batch, const char *request_id)
{
	struct model_refusal refusal;

	if (response->failure != WEB_FINE)
		return false;
	model_refusal_read(response->status, body, buf_view(&call->body), batch->size, &refusal);
	if (!refusal.is_batch && model_learn_refusal(call, response->status, &refusal, request_id))
		return true;
	if ((refusal.is_other && !refusal.is_batch) || !embed_batch_shrink(batch, &refusal))
		return false;
	trial_unguess(&call->trial);
	if (batch->items_max == 1)
		trial_guess_anew(&call->trial);
	return true;
}

/* Keys of embeddings and rankings have the same name in both. */
static const char *
key_prefix(const struct model_call *call, enum model_field field)
{
	bool is_general = strcmp(call->choice->server->conf.name, "default") == 0;

	return is_general && field != FIELD_BASE64 && field != FIELD_DOCUMENTS ? "model_" : "";
}

/* A former model's name is a tenant's data, of which the process keeps none. */
static bool
is_remembered(const struct model_call *call)
{
	return call->kind != MODEL_FORMER;
}

void
model_learn_success(const struct model_call *call, const char *request_id)
{
	const struct model_trial *t = &call->trial;
	unsigned new;

	if (!is_remembered(call))
		return;
	new = model_habits_learn(habits_of_call(call), call->choice->model, t->fields & ~t->without,
	    trial_proved(t));
	for (unsigned i = 0; i < MODEL_FIELDS; i++)
		if ((new &FIELD_BIT(i)) != 0)
			log_event(LOG_NOTICE, "model.habit", request_id,
			    "The %s '%s' of server '%s' refuses %s and is asked without from now "
			    "on, until tenantgate is restarted. To save the first try, set %s%s.",
			    call->stage, call->choice->model, call->choice->server->conf.name,
			    field_sayings[i].name, key_prefix(call, i), field_sayings[i].remedy);
}

void
model_learn_batch(const struct model_call *call, size_t items, size_t bytes)
{
	if (is_remembered(call))
		model_habits_batch_taken(habits_of_call(call), call->choice->model, items, bytes);
}

void
model_learn_limit(const struct model_call *call, size_t items, size_t bytes, const char *request_id)
{
	struct model_habit habit;

	if ((items == 0 && bytes == 0) || !is_remembered(call) ||
	    !model_habits_learn_batch(habits_of_call(call), call->choice->model, items, bytes))
		return;
	model_habits_of(habits_of_call(call), call->choice->model, &habit);
	if (habit.items != 0)
		log_event(LOG_NOTICE, "model.habit", request_id,
		    "The %s '%s' refuses larger batches: it is given at most %zu texts at once "
		    "from now on, until tenantgate is restarted. To save the first try, set "
		    "embedding_batch_items.",
		    call->stage, call->choice->model, habit.items);
	if (habit.bytes != 0)
		log_event(LOG_NOTICE, "model.habit", request_id,
		    "The %s '%s' refuses larger batches: it is given at most %zu bytes at once "
		    "from now on, until tenantgate is restarted. To save the first try, set "
		    "embedding_batch_size.",
		    call->stage, call->choice->model, habit.bytes);
}
