/* SPDX-License-Identifier: MIT */
/*
 * model_choice: see the header. A list is read twice: when the configuration is checked, and when
 * the servers are there.
 */
#include "model/model_choice.h"

#include <stdio.h>
#include <stdlib.h>

#include "model/model_url.h"
#include "tenantgate/base/alloc.h"
#include "tenantgate/base/buf.h"
#include "tenantgate/model/gen_ai.h"

#define CHOICES_MAX	  64  /* in one list */
#define CHOICE_NAME_BYTES 128 /* of one, at most: as many as a request may name one by */

/* The next name of a list, without blanks around it; false at the list's end. */
static bool
list_next(const char **list, struct slice *name)
{
	size_t n;

	if (*list == NULL)
		return false;
	n = strcspn(*list, ",");
	*name = slice_trim(slice_of(*list, n));
	*list = (*list)[n] == ',' ? *list + n + 1 : NULL;
	return true;
}

static unsigned
list_length(const char *list)
{
	struct slice name;
	unsigned n = 0;

	while (list_next(&list, &name))
		n++;
	return n;
}

/* The index of the server that a name begins with, from 1; 0, that of model_url, when there is none
 * of that name. *model is the rest of it. */
static unsigned
name_split(const struct model_conf *c, struct slice name, struct slice *model)
{
	const char *slash = memchr(name.p, '/', name.len);
	struct slice front = slice_of(name.p, slash == NULL ? 0 : (size_t)(slash - name.p));

	*model = name;
	for (unsigned i = 0; slash != NULL && i < c->server_count; i++) {
		if (!slice_is(front, c->servers[i].name))
			continue;
		*model = slice_of(slash + 1, name.len - front.len - 1);
		return i + 1;
	}
	return 0;
}

/* ---- checking ---- */

/* A server whose name differs in case alone is a slip: the model would be asked of another. */
static bool
case_valid(const struct model_conf *c, struct slice name, struct err *err)
{
	const char *slash = memchr(name.p, '/', name.len);
	struct slice front = slice_of(name.p, slash == NULL ? 0 : (size_t)(slash - name.p));

	for (unsigned i = 0; slash != NULL && i < c->server_count; i++) {
		if (!slice_is_nocase(front, c->servers[i].name))
			continue;
		err_set(err, ERR_INVALID_FIELD, "Write \"%s\" as its section [model %s] does.",
		    c->servers[i].name, c->servers[i].name);
		return false;
	}
	return true;
}

static bool
list_valid(const struct model_conf *c, const char *list, unsigned max, struct err *err)
{
	struct slice name, model;
	unsigned server = 0;

	if (list_length(list) > max) {
		err_set(err, ERR_INVALID_FIELD, "It may name %u models at most; name fewer.", max);
		return false;
	}
	while (list_next(&list, &name)) {
		if (name.len > 0)
			server = name_split(c, name, &model);
		if (name.len == 0 || name.len > CHOICE_NAME_BYTES || model.len == 0) {
			err_set(err, ERR_INVALID_FIELD,
			    "A name of a model is missing or too long; write MODEL or "
			    "NAME/MODEL, with a comma between several.");
			return false;
		}
		if (server == 0 && !case_valid(c, name, err))
			return false;
	}
	return true;
}

bool
model_conf_valid(const struct model_conf *c, const char **key, struct err *err)
{
	*key = "model_url";
	if (strchr(c->base_url, '#') != NULL) {
		err_set(err, ERR_INVALID_FIELD,
		    "A URL of a server has no fragment; remove what begins with #.");
		return false;
	}
	*key = "chat_model";
	if (!list_valid(c, c->chat_model, CHOICES_MAX, err))
		return false;
	*key = "embedding_model";
	if (!list_valid(c, c->embedding_model, 1, err))
		return false;
	*key = "rerank_model";
	if (!list_valid(c, c->rerank_model, 1, err))
		return false;
	*key = "models_allowed";
	return list_valid(c, c->models_allowed, CHOICES_MAX, err);
}

/* ---- opening ---- */

static void
choice_open(struct model_servers *all, const struct model_conf *c, enum model_kind kind,
    struct slice name, struct model_choice *out)
{
	static const char *const routes[] = { "/embeddings", "/chat/completions", "/rerank",
		"/embeddings" };
	struct slice model;

	out->server = all->servers[name_split(c, name, &model)];
	out->name = xmalloc(name.len + 1);
	snprintf(out->name, name.len + 1, "%.*s", SLICE_ARG(name));
	out->model = out->name + (name.len - model.len);
	out->url = model_url_of(&out->server->conf, routes[kind], out->model);
	out->provider = gen_ai_provider(out->url);
}

static void
choices_add(struct model_servers *all, const struct model_conf *c, const char *list)
{
	struct slice name;

	while (list_next(&list, &name))
		choice_open(all, c, MODEL_CHAT, name, &all->choices[all->choice_count++]);
}

void
model_choices_open(struct model_servers *all, const struct model_conf *c)
{
	all->choices = xcalloc(list_length(c->chat_model) + list_length(c->models_allowed),
	    sizeof(*all->choices));
	choices_add(all, c, c->chat_model);
	all->chat_choice_count = all->choice_count;
	choices_add(all, c, c->models_allowed);
	choice_open(all, c, MODEL_EMBEDDINGS, slice_trim(slice_str(c->embedding_model)),
	    &all->embedding_choice);
	if (c->rerank_model != NULL)
		choice_open(all, c, MODEL_RERANK, slice_trim(slice_str(c->rerank_model)),
		    &all->rerank_choice);
}

/* As a segment of a URL's path it would lead elsewhere (RFC 3986, section 5.2.4). */
static bool
is_path(struct slice name)
{
	return slice_is(name, ".") || slice_is(name, "..");
}

/* The name is a tenant's data: it is in nobody's memory but the call's.
 *
 * "old/bge-m3" of a section that was removed is not asked of model_url, which has another of that
 * name at best. ("BAAI/bge-m3" of model_url looks the same, and is not asked either.) */
bool
model_choice_open_former(struct model_servers *all, const struct model_conf *c, const char *name,
    struct model_choice *out)
{
	struct slice text = slice_trim(slice_str(name)), model;
	unsigned server = name_split(c, text, &model);

	if (text.len == 0 || text.len > CHOICE_NAME_BYTES || model.len == 0 || is_path(model) ||
	    (server == 0 && memchr(text.p, '/', text.len) != NULL))
		return false;
	choice_open(all, c, MODEL_FORMER, text, out);
	return true;
}

void
model_choice_close(struct model_choice *c)
{
	free(c->name);
	free(c->url);
}

void
model_choices_close(struct model_servers *all)
{
	for (unsigned i = 0; i < all->choice_count; i++)
		model_choice_close(&all->choices[i]);
	model_choice_close(&all->embedding_choice);
	model_choice_close(&all->rerank_choice);
	free(all->choices);
}

/* ---- what a request names ---- */

/* As it is configured goes first: the same model may be there on two servers. */
const struct model_choice *
model_choice_find(const struct model_servers *all, const char *name)
{
	for (unsigned i = 0; i < all->choice_count; i++)
		if (strcmp(all->choices[i].name, name) == 0)
			return &all->choices[i];
	for (unsigned i = 0; i < all->choice_count; i++)
		if (strcmp(all->choices[i].model, name) == 0)
			return &all->choices[i];
	return NULL;
}

bool
model_choice_listed(const struct model_servers *all, const struct model_choice *c, const char *list)
{
	struct slice name;

	for (unsigned i = 0; i < all->chat_choice_count; i++)
		if (&all->choices[i] == c)
			return true;
	while (list_next(&list, &name))
		if (slice_is(name, c->name))
			return true;
	return false;
}

/* A list that is too long for the sentence ends in dots. */
void
model_choice_refuse(const struct model_servers *all, struct err *err)
{
	char names[160] = "";
	size_t n = 0;

	for (unsigned i = 0; i < all->choice_count; i++) {
		const char *name = all->choices[i].name, *between = i == 0 ? "" : ", ";

		if (n + strlen(between) + strlen(name) + sizeof(", ...") > sizeof(names)) {
			snprintf(names + n, sizeof(names) - n, ", ...");
			break;
		}
		n += (size_t)snprintf(names + n, sizeof(names) - n, "%s%s", between, name);
	}
	err_set(err, ERR_INVALID_FIELD,
	    "Field \"model\" must be one of the models allowed here: %s.", names);
}
