/* SPDX-License-Identifier: MIT */
/*
 * conf_words: the words of the keys that say how a request to the model's server is written, and of
 * a plan's switches.
 */
#include "conf_internal.h"
#include "tenantgate/base/language.h"

const struct conf_word send_forms[] = {
	{ "auto", FORM_AUTO },
	{ "on", FORM_FULL },
	{ "off", FORM_PLAIN },
	{ NULL, 0 },
};

const struct conf_word system_roles[] = {
	{ "auto", FORM_AUTO },
	{ "system", FORM_FULL },
	{ "user", FORM_PLAIN },
	{ "developer", FORM_DEVELOPER },
	{ NULL, 0 },
};

const struct conf_word encodings[] = {
	{ "auto", FORM_AUTO },
	{ "base64", FORM_FULL },
	{ "float", FORM_PLAIN },
	{ NULL, 0 },
};

const struct conf_word rerank_forms[] = {
	{ "auto", FORM_AUTO },
	{ "documents", FORM_FULL },
	{ "texts", FORM_PLAIN },
	{ NULL, 0 },
};

#define LANGUAGE_WORD(name) { #name, LANGUAGE_##name },
const struct conf_word text_languages[] = { LANGUAGE_TABLE(LANGUAGE_WORD){ NULL, 0 } };

const struct conf_word plan_switches[] = {
	{ "off", 0 },
	{ "on", 1 },
	{ NULL, 0 },
};

const struct conf_word length_fields[] = {
	{ "auto", MODEL_LENGTH_AUTO },
	{ "max_tokens", MODEL_LENGTH_MAX_TOKENS },
	{ "max_completion_tokens", MODEL_LENGTH_MAX_COMPLETION_TOKENS },
	{ NULL, 0 },
};
