/* SPDX-License-Identifier: MIT */
/*
 * text_schema: the statements of versions 3 and 4 that searching by words needs. Private to
 * retrieval_schema.c.
 *
 * A document's words are kept by segments of it, TEXT_SEGMENT_CHUNKS chunks each: a row says of
 * one word which of a segment's chunks have it, how often, and how long they are (text_store.h). So
 * what a search reads of a word lies together in the index text_posting_lexeme, which has all
 * columns, and a document's words are written without touching another's: ingests do not wait for
 * each other, and there is no counter that all of them would write.
 *
 * A document's text_at is the created_at that its words were kept for: whoever replaces its chunks
 * without keeping words (a build of before) leaves it behind, and text_fill.c finds it.
 */
#ifndef TENANTGATE_RETRIEVAL_TEXT_SCHEMA_H
#define TENANTGATE_RETRIEVAL_TEXT_SCHEMA_H

#define ADD_TEXT_COLUMNS \
	"ALTER TABLE public.document" \
	" ADD COLUMN IF NOT EXISTS text_at pg_catalog.timestamptz," \
	" ADD COLUMN IF NOT EXISTS text_language pg_catalog.text"

/* The condition of text_store.h's TEXT_IS_MISSING. */
#define INDEX_TEXTLESS \
	"document_textless ON public.document (id)" \
	" WHERE text_at IS NULL OR text_at" PG_DIFFERS "created_at"

/* length: of all its chunks, in words. */
#define MAKE_TEXT_SEGMENT \
	"CREATE TABLE IF NOT EXISTS public.text_segment (" \
	" id bigserial PRIMARY KEY," \
	" document_id pg_catalog.text NOT NULL REFERENCES public.document ON DELETE CASCADE," \
	" chunks int NOT NULL," \
	" length bigint NOT NULL)"
#define INDEX_TEXT_SEGMENT \
	"CREATE INDEX IF NOT EXISTS text_segment_document ON public.text_segment (document_id)"

/* Until a vacuum has seen new rows, each is read in the table too: so it is to come early. */
#define MAKE_TEXT_POSTING \
	"CREATE TABLE IF NOT EXISTS public.text_posting (" \
	" lexeme pg_catalog.text COLLATE pg_catalog.\"C\" NOT NULL," \
	" segment bigint NOT NULL," \
	" chunks int NOT NULL," \
	" postings bigint[] NOT NULL)" \
	" WITH (autovacuum_vacuum_insert_scale_factor = 0.05)"
#define INDEX_TEXT_LEXEME \
	"CREATE UNIQUE INDEX IF NOT EXISTS text_posting_lexeme" \
	" ON public.text_posting (lexeme, segment) INCLUDE (chunks, postings)"
#define INDEX_TEXT_POSTING \
	"CREATE INDEX IF NOT EXISTS text_posting_segment ON public.text_posting (segment)"

/* The configurations that words were made by: a question's words are made by each. */
#define MAKE_TEXT_LANGUAGE \
	"CREATE TABLE IF NOT EXISTS public.text_language (name pg_catalog.text PRIMARY KEY)"

/* Whatever deletes a document deletes its segments, and so its words. No foreign key of
 * text_posting: its check would take a quarter of the time that keeping the words takes. */
#define MAKE_TEXT_TRIGGER \
	"CREATE OR REPLACE FUNCTION public.text_segment_gone() RETURNS pg_catalog.trigger" \
	" LANGUAGE plpgsql AS $$ BEGIN" \
	" DELETE FROM public.text_posting p USING gone WHERE p.segment" PG_EQUALS "gone.id;" \
	" RETURN NULL; END $$"
#define ADD_TEXT_TRIGGER \
	"CREATE OR REPLACE TRIGGER text_segment_gone AFTER DELETE ON public.text_segment" \
	" REFERENCING OLD TABLE AS gone" \
	" FOR EACH STATEMENT EXECUTE FUNCTION public.text_segment_gone()"

/*
 * Version 4: words that are there before their chunks are. A large document's are written while
 * its vectors are made, when its chunks have no ids yet: its postings have places instead
 * (text_store.h), which lead to chunks by a segment's first_index; null: they have ids. Until the
 * document is whole its segments are rows of text_staged, by attempt, and no search looks at their
 * postings. That table is as durable as the postings: were it lost alone, they would count.
 *
 * text_placed_at is to places what text_at is to ids. A build of before, which knows no places,
 * finds text_at left behind, and keeps the document's words once more, by ids.
 */
#define ADD_TEXT_PLACES \
	"ALTER TABLE public.document ADD COLUMN IF NOT EXISTS text_placed_at pg_catalog.timestamptz"
#define ADD_TEXT_FIRST_INDEX \
	"ALTER TABLE public.text_segment ADD COLUMN IF NOT EXISTS first_index int"
#define MAKE_TEXT_STAGED \
	"CREATE TABLE IF NOT EXISTS public.text_staged (" \
	" segment bigint PRIMARY KEY," \
	" attempt pg_catalog.text NOT NULL," \
	" first_index int NOT NULL," \
	" chunks int NOT NULL," \
	" length bigint NOT NULL," \
	" staged_at pg_catalog.timestamptz NOT NULL DEFAULT pg_catalog.now()," \
	" UNIQUE (attempt, first_index))"

/* The same as before, but that words which are hidden instead (text_take()) stay for now. */
#define MAKE_TEXT_TRIGGER_OF_PLACES \
	"CREATE OR REPLACE FUNCTION public.text_segment_gone() RETURNS pg_catalog.trigger" \
	" LANGUAGE plpgsql AS $$ BEGIN" \
	" IF EXISTS (SELECT FROM gone) THEN" \
	"  DELETE FROM public.text_posting p USING gone WHERE p.segment" PG_EQUALS "gone.id" \
	"   AND NOT EXISTS (SELECT FROM public.text_staged s" \
	"    WHERE s.segment" PG_EQUALS "gone.id);" \
	" END IF; RETURN NULL; END $$"

/* The condition of text_store.h's TEXT_IS_OWED. */
#define INDEX_WORDLESS \
	"document_wordless ON public.document (id)" \
	" WHERE (text_at IS NULL OR text_at" PG_DIFFERS "created_at)" \
	" AND (text_placed_at IS NULL OR text_placed_at" PG_DIFFERS "created_at)"

/* For databases in use, and for new ones. */
#define TEXT_SCHEMA_STEPS \
	{ 3, NULL, ADD_TEXT_COLUMNS }, \
	    { 3, "public.document_textless", \
		    "CREATE INDEX CONCURRENTLY IF NOT EXISTS " INDEX_TEXTLESS }, \
	    { 3, NULL, MAKE_TEXT_SEGMENT }, { 3, NULL, INDEX_TEXT_SEGMENT }, \
	    { 3, NULL, MAKE_TEXT_POSTING }, { 3, NULL, INDEX_TEXT_LEXEME }, \
	    { 3, NULL, INDEX_TEXT_POSTING }, { 3, NULL, MAKE_TEXT_LANGUAGE }, \
	    { 3, NULL, MAKE_TEXT_TRIGGER }, \
	{ \
		3, NULL, ADD_TEXT_TRIGGER \
	}
#define TEXT_SCHEMA \
	ADD_TEXT_COLUMNS, "CREATE INDEX IF NOT EXISTS " INDEX_TEXTLESS, MAKE_TEXT_SEGMENT, \
	    INDEX_TEXT_SEGMENT, MAKE_TEXT_POSTING, INDEX_TEXT_LEXEME, INDEX_TEXT_POSTING, \
	    MAKE_TEXT_LANGUAGE, MAKE_TEXT_TRIGGER, ADD_TEXT_TRIGGER
#define TEXT_PLACES_STEPS \
	{ 4, NULL, ADD_TEXT_PLACES }, \
	    { 4, "public.document_wordless", \
		    "CREATE INDEX CONCURRENTLY IF NOT EXISTS " INDEX_WORDLESS }, \
	    { 4, NULL, ADD_TEXT_FIRST_INDEX }, { 4, NULL, MAKE_TEXT_STAGED }, \
	{ \
		4, NULL, MAKE_TEXT_TRIGGER_OF_PLACES \
	}
#define TEXT_PLACES_SCHEMA \
	ADD_TEXT_PLACES, "CREATE INDEX IF NOT EXISTS " INDEX_WORDLESS, ADD_TEXT_FIRST_INDEX, \
	    MAKE_TEXT_STAGED, MAKE_TEXT_TRIGGER_OF_PLACES

#endif
