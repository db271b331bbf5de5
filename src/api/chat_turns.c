/* SPDX-License-Identifier: MIT */
/*
 * chat_turns: see the header.
 *
 * A file is text that anybody may have written (prompt injection), as a passage is: it stands
 * between two lines with a word drawn anew for each request, which no file can know.
 */
#include "api/chat_turns.h"

#include <string.h>

#include "api/chat_parts.h"
#include "tenantgate/base/random.h"

#define FENCE_LETTERS 16   /* of the random word */
#define TOKEN_BYTES   3	   /* English text has four or more in a token, Chinese about three */
#define IMAGE_TOKENS  1000 /* of one image, about what servers count */
#define TURN_TOKENS   8	   /* of a message's role and ends */

struct turns_writer {
	struct chat_input *input;
	struct chat_file *files;    /* the oldest first: what is still to be written */
	struct model_message *made; /* arena */
	size_t made_count;
	struct slice *images; /* arena; where the next one goes */
	struct buf text;      /* owned: of the turn under way */
	char fence[FENCE_LETTERS + 1];
};

struct chat_file *
chat_turns_pdf(struct chat_input *input, size_t text_max)
{
	size_t bytes = 0, count = 0;

	for (struct chat_file *f = input->files; f != NULL; f = f->next) {
		if (f->kind == CHAT_FILE_TEXT)
			bytes += f->bytes.len;
		count++;
		if (f->kind != CHAT_FILE_PDF)
			continue;
		if (f->is_last || (bytes < text_max && count <= CHAT_FILES_MAX))
			return f;
		f->kind = CHAT_FILE_NAMED;
	}
	return NULL;
}

bool
chat_turns_pdf_text(struct chat_file *file, struct arena *arena)
{
	const struct extract_out *out = &file->extracted;
	struct buf text;

	buf_init(&text, out->text.len + 32 * (size_t)(out->page_count + 1));
	for (unsigned i = 0; i < out->page_count; i++) {
		buf_printf(&text, "%s[page %u]\n", i > 0 ? "\n\n" : "", out->pages[i].number);
		buf_slice(&text, out->pages[i].text);
	}
	file->kind = CHAT_FILE_TEXT;
	file->bytes = slice_of(text.failed ? NULL : arena_slice(arena, buf_view(&text)), text.len);
	buf_free(&text);
	return file->bytes.p != NULL;
}

/* From the newest: what no longer fits is named. */
static bool
files_fit(struct chat_input *input, size_t text_max, struct err *err)
{
	size_t left = text_max, count = 0;

	for (struct chat_file *f = input->files; f != NULL; f = f->next) {
		if (++count > CHAT_FILES_MAX && !f->is_last)
			f->kind = CHAT_FILE_NAMED;
		if (f->kind != CHAT_FILE_TEXT)
			continue;
		if (f->bytes.len <= left) {
			left -= f->bytes.len;
		} else if (!f->is_last) {
			f->kind = CHAT_FILE_NAMED;
		} else {
			err_set(err, ERR_INVALID_FIELD,
			    "The files of field \"messages\" have more text than %zu bytes "
			    "(max_chat_file_text); send less, or ingest them.",
			    text_max);
			return false;
		}
	}
	return true;
}

static struct chat_file *
files_reversed(struct chat_file *file)
{
	struct chat_file *reversed = NULL, *next;

	for (; file != NULL; file = next) {
		next = file->next;
		file->next = reversed;
		reversed = file;
	}
	return reversed;
}

static void
put_blank_line(struct buf *text)
{
	if (text->len > 0)
		buf_puts(text, "\n\n");
}

static void
turns_put_file(struct turns_writer *w, const struct chat_file *file, struct model_message *m)
{
	if (file->kind == CHAT_FILE_IMAGE) {
		if (m->images == NULL)
			m->images = w->images;
		*w->images++ = file->bytes;
		m->image_count++;
		return;
	}
	put_blank_line(&w->text);
	if (file->kind != CHAT_FILE_TEXT) {
		buf_printf(&w->text, "[file \"%s\", sent earlier]", file->name);
		return;
	}
	buf_printf(&w->text, "----- %s\nThe file \"%s\" came with this message:\n\n", w->fence,
	    file->name);
	buf_slice(&w->text, file->bytes);
	buf_printf(&w->text, "\n\n----- end %s", w->fence);
}

/* A turn alone, without files, stays where it is. */
static bool
turn_is_plain(const struct turns_writer *w, size_t i)
{
	const struct model_message *raw = w->input->messages;

	return (w->files == NULL || w->files->turn > i) &&
	    (i + 1 == w->input->message_count || raw[i + 1].role != raw[i].role);
}

/* The turn that begins with message i, and all of its role that follow; their end. */
static size_t
turns_put(struct turns_writer *w, size_t i, struct arena *arena)
{
	const struct model_message *raw = w->input->messages;
	struct model_message *m = &w->made[w->made_count++];
	const char *role = raw[i].role;

	m->role = role;
	m->content = raw[i].content;
	if (turn_is_plain(w, i))
		return i + 1;
	buf_reset(&w->text);
	for (; i < w->input->message_count && raw[i].role == role; i++) {
		if (raw[i].content.len > 0)
			put_blank_line(&w->text);
		buf_slice(&w->text, raw[i].content);
		for (; w->files != NULL && w->files->turn == i; w->files = w->files->next)
			turns_put_file(w, w->files, m);
	}
	m->content = SLICE_LIT("");
	if (w->text.len > 0) /* else it has images alone */
		m->content = slice_of(arena_slice(arena, buf_view(&w->text)), w->text.len);
	return m->content.p == NULL ? 0 : i;
}

/* Bytes of all turns with their files, at most; and how many images there are. */
static size_t
turns_measure(const struct chat_input *input, size_t *images)
{
	size_t bytes = 0;

	*images = 0;
	for (size_t i = 1; i < input->message_count; i++)
		bytes += input->messages[i].content.len + 2;
	for (const struct chat_file *f = input->files; f != NULL; f = f->next) {
		*images += f->kind == CHAT_FILE_IMAGE;
		bytes += CHAT_FILE_NAME_MAX + 128;
		bytes += f->kind == CHAT_FILE_TEXT ? f->bytes.len : 0;
	}
	return bytes;
}

static bool
turns_write(struct turns_writer *w, struct arena *arena)
{
	const struct chat_input *input = w->input;
	size_t i = 1;

	while (i < input->message_count && strcmp(input->messages[i].role, "user") != 0)
		i++;
	while (i != 0 && i < input->message_count)
		i = turns_put(w, i, arena);
	return i != 0 && !w->text.failed;
}

bool
chat_turns_make(struct chat_input *input, size_t text_max, struct arena *arena, struct err *err)
{
	struct turns_writer w = { .input = input, .made_count = 1 };
	size_t images;
	bool ok;

	if (!files_fit(input, text_max, err))
		return false;
	buf_init(&w.text, turns_measure(input, &images));
	input->files = w.files = files_reversed(input->files);
	id_random(w.fence, FENCE_LETTERS);
	w.made = arena_array(arena, input->message_count, sizeof(*w.made));
	w.images = arena_array(arena, images + 1, sizeof(*w.images));
	ok = w.made != NULL && w.images != NULL && turns_write(&w, arena);
	if (!ok && w.text.no_memory)
		err_set(err, ERR_OVERLOADED, ERR_NO_MEMORY, "the body's messages");
	buf_free(&w.text);
	if (!ok)
		return chat_body_too_large(arena, err);
	input->messages = w.made;
	input->message_count = w.made_count;
	return true;
}

static size_t
message_tokens(const struct model_message *m)
{
	return m->content.len / TOKEN_BYTES + m->image_count * IMAGE_TOKENS + TURN_TOKENS;
}

bool
chat_turns_trim(const struct chat_input *input, size_t system_bytes, unsigned tokens,
    size_t *left_out, struct err *err)
{
	size_t all = system_bytes / TOKEN_BYTES + TURN_TOKENS, last = 1, at;

	*left_out = 0;
	if (tokens == 0)
		return true;
	for (size_t i = 1; i < input->message_count; i++) {
		all += message_tokens(&input->messages[i]);
		if (i % 2 == 1) /* they take turns from the user's first */
			last = i;
	}
	for (at = 1; all > tokens && at < last; at += 2)
		all -=
		    message_tokens(&input->messages[at]) + message_tokens(&input->messages[at + 1]);
	*left_out = at - 1;
	if (all <= tokens)
		return true;
	err_set(err, ERR_INVALID_FIELD,
	    "The last question, with its files and the passages found, is longer than about %u "
	    "tokens (chat_context_tokens); send a shorter one, or a smaller topK.",
	    tokens);
	return false;
}

struct model_chat
chat_turns_request(struct chat_input *input, struct slice prompt, size_t left_out)
{
	struct model_message *first = input->messages + left_out;

	*first = (struct model_message){ .role = "system", .content = prompt };
	return (struct model_chat){
		.name = input->model,
		.messages = first,
		.message_count = input->message_count - left_out,
		.temperature = input->temperature,
		.max_tokens = input->max_tokens,
	};
}

/* No memory passes, so the client may try again; the ceiling does not. */
bool
chat_turns_prompt(const struct chat_input *input, const char *words, const struct hits *hits,
    struct buf *prompt, struct err *err)
{
	if (prompt_begin(words, prompt) && prompt_build(hits, prompt) &&
	    (input->files == NULL || prompt_add_files(prompt)) &&
	    (input->application.len == 0 || prompt_add_application(input->application, prompt)))
		return true;
	if (prompt->no_memory)
		err_set(err, ERR_OVERLOADED, ERR_NO_MEMORY, "the passages found");
	else
		err_set(err, ERR_INTERNAL,
		    "The passages found are too large for a prompt; ask for fewer with topK.");
	return false;
}
