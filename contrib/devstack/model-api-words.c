/* SPDX-License-Identifier: MIT */
/*
 * model-api-words: splits a text into words with weights. A weight stands for how rare a word is,
 * in place of statistics: two lists of common English words weigh little, and of the others long
 * ones a little more than short ones.
 */
#include "model-api.h"

#define WORD_MAX     48	  /* bytes kept of one */
#define COMMON_SLOTS 1024 /* of an open-addressed table: a power of two, never full */

static const char everywhere[] =
    "the of and to a in is it you that he was for on are with as his they be at one have this "
    "from or had by not but what all were we when your can said there use an each which she do "
    "how their if will up other about out many then them these so some her would make like him "
    "into has does did doing where who whom whose why been being am its it's i me my our us also "
    "than too very just any both such no nor only own same should could may might must shall over "
    "under again further once here more most few because until while during before after above "
    "below between through against down off let please tell give show say says";
static const char frequent[] =
    "time two go see number way people first call now find long day get come made part new take "
    "year work back think know want used using good well even much every still around another "
    "need different change help ask page document text answer question means mean called name "
    "kind type example case set put place end start based per able often always never usually "
    "thing things something following describe explain list great little old right big high small "
    "large next early young important few public bad same able own let begin keep turn move live "
    "believe hold bring happen write provide sit stand lose pay meet include continue learn lead "
    "understand watch follow stop create speak read allow add spend grow open walk win offer "
    "remember consider appear buy wait serve die send expect build stay fall cut reach kill remain "
    "world school state family student group country problem hand part company system program "
    "government night point home water room mother area money story fact month lot study book eye "
    "job word business issue side head house service friend father power hour game line member law "
    "car city community president team minute idea body information parent face others level "
    "office "
    "door health person art war history party result reason morning research moment value code "
    "function file error check run option default return rule note make avoid prefer support "
    "ensure "
    "instead because otherwise whether via within without when sure true false";

/* A slot; hash 0: empty. */
struct common {
	uint64_t hash;
	float weight;
};
static struct common common[COMMON_SLOTS];

static struct common *
common_slot(uint64_t hash)
{
	size_t i = hash & (COMMON_SLOTS - 1);

	while (common[i].hash != 0 && common[i].hash != hash)
		i = (i + 1) & (COMMON_SLOTS - 1);
	return &common[i];
}

static bool
is_letter(unsigned char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	    c >= 0x80;
}

static bool
ends_with(const char *w, size_t n, const char *end)
{
	size_t e = strlen(end);

	return n >= e + 3 && memcmp(w + n - e, end, e) == 0;
}

/* Plurals, -ing, -ed, -ly, and a doubled last letter: enough to let "running lights" meet "run" and
 * "light". The new length. */
static size_t
word_stem(char *w, size_t n)
{
	if (ends_with(w, n, "ies")) {
		w[n - 3] = 'y';
		n -= 2;
	} else if (ends_with(w, n, "sses") || ends_with(w, n, "xes") || ends_with(w, n, "ches")) {
		n -= 2;
	} else if (ends_with(w, n, "s") && w[n - 2] != 's' && w[n - 2] != 'u' && w[n - 2] != 'i') {
		n--;
	}
	if (ends_with(w, n, "ing") && n >= 6)
		n -= 3;
	else if (ends_with(w, n, "ed") && n >= 5)
		n -= 2;
	else if (ends_with(w, n, "ly") && n >= 6)
		n -= 2;
	if (n > 3 && w[n - 1] == w[n - 2] && strchr("bdgmnprt", w[n - 1]) != NULL)
		n--;
	if (n > 3 && w[n - 1] == 'e')
		n--;
	return n;
}

/* FNV-1a, and a mixing of the high bits down. */
static uint64_t
word_hash(const char *w, size_t n)
{
	uint64_t h = 1469598103934665603ull;
	size_t i;

	for (i = 0; i < n; i++)
		h = (h ^ (unsigned char)w[i]) * 1099511628211ull;
	h ^= h >> 29;
	h *= 0xbf58476d1ce4e5b9ull;
	h ^= h >> 32;
	return h == 0 ? 1 : h;
}

bool
word_next(struct slice *text, struct word *word)
{
	char kept[WORD_MAX];
	const struct common *c;
	size_t n = 0, i = 0;

	while (i < text->len && !is_letter((unsigned char)text->p[i]))
		i++;
	if (i == text->len)
		return false;
	word->text.p = text->p + i;
	for (; i < text->len && is_letter((unsigned char)text->p[i]); i++) {
		char letter = text->p[i];

		if (n < WORD_MAX)
			kept[n++] = letter >= 'A' && letter <= 'Z' ? letter | 0x20 : letter;
	}
	word->text.len = (size_t)(text->p + i - word->text.p);
	text->p += i;
	text->len -= i;
	n = word_stem(kept, n);
	word->hash = word_hash(kept, n);
	c = common_slot(word->hash);
	word->weight = c->hash != 0 ? c->weight
	    : n <= 2		    ? 0.5f
				    : 0.9f + 0.05f * (float)(n < 12 ? n : 12);
	return true;
}

static void
common_add(const char *words, float weight)
{
	struct slice rest = slice_str(words);
	struct word word;

	while (word_next(&rest, &word)) {
		struct common *c = common_slot(word.hash);

		if (c->hash == 0)
			*c = (struct common){ word.hash, weight };
	}
}

void
words_init(void)
{
	common_add(everywhere, 0.05f);
	common_add(frequent, 0.4f);
}
