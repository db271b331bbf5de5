/* SPDX-License-Identifier: MIT */
/*
 * conf_key_words: the words of those keys of [tenantgate] that are a choice, for conf_keys.c alone.
 */
#ifndef TENANTGATE_CONF_KEY_WORDS_H
#define TENANTGATE_CONF_KEY_WORDS_H

#include "conf.h"
#include "conf_internal.h"

static const struct conf_word search_modes[] = {
	{ "vector", SEARCH_VECTOR },
	{ "text", SEARCH_TEXT },
	{ "hybrid", SEARCH_HYBRID },
	{ NULL, 0 },
};

static const struct conf_word failure_modes[] = {
	{ "local", LIMIT_LOCAL },
	{ "open", LIMIT_OPEN },
	{ "closed", LIMIT_CLOSED },
	{ NULL, 0 },
};

static const struct conf_word client_system_words[] = {
	{ "drop", CLIENT_SYSTEM_DROP },
	{ "refuse", CLIENT_SYSTEM_REFUSE },
	{ "after", CLIENT_SYSTEM_AFTER },
	{ NULL, 0 },
};

static const struct conf_word ratelimit_headers[] = {
	{ "draft", RATELIMIT_DRAFT },
	{ "legacy", RATELIMIT_LEGACY },
	{ "both", RATELIMIT_BOTH },
	{ "off", RATELIMIT_OFF },
	{ NULL, 0 },
};

static const struct conf_word providers[] = {
	{ "neon", PROVIDER_NEON },
	{ "postgres", PROVIDER_POSTGRES },
	{ NULL, 0 },
};

static const struct conf_word provisioning[] = {
	{ "lazy", true },
	{ "explicit", false },
	{ NULL, 0 },
};

#endif
