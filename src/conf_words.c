/* SPDX-License-Identifier: MIT */
/*
 * conf_words: the words of the keys that say how a request to the model's server is written.
 */
#include "conf_internal.h"

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

const struct conf_word max_tokens_names[] = {
	{ "auto", MAX_TOKENS_AUTO },
	{ "max_tokens", MAX_TOKENS_OLD },
	{ "max_completion_tokens", MAX_TOKENS_NEW },
	{ NULL, 0 },
};
