/* SPDX-License-Identifier: MIT */
/*
 * sketch_schema: the statements of version 5, for sketches of the tail (sketch.h). Private to
 * retrieval_schema.c.
 *
 * A chunk's sketch goes with it by triggers, so that builds that know of none keep them right, too.
 * Of each row for what is changed: that is merged, in batches; or it stays in the tail or comes
 * back, with another vector perhaps, and then no sketch counts any more. Once a statement for what
 * is deleted: there are few sketches beside the chunks that a document may have, and next to none
 * while nothing is merged.
 */
#ifndef TENANTGATE_RETRIEVAL_SKETCH_SCHEMA_H
#define TENANTGATE_RETRIEVAL_SKETCH_SCHEMA_H

#define MAKE_SKETCH \
	"CREATE TABLE IF NOT EXISTS public.chunk_sketch (" \
	" id bigint PRIMARY KEY," \
	" sketch bit varying NOT NULL)"
#define ADD_SKETCHED \
	"ALTER TABLE public.retrieval" \
	" ADD COLUMN IF NOT EXISTS sketched_of bigint NOT NULL DEFAULT 0," \
	" ADD COLUMN IF NOT EXISTS sketched_to bigint NOT NULL DEFAULT 0"

#define MAKE_SKETCH_CHANGED \
	"CREATE OR REPLACE FUNCTION public.chunk_changed() RETURNS pg_catalog.trigger" \
	" LANGUAGE plpgsql AS $$ BEGIN" \
	" IF NEW.tail THEN UPDATE public.retrieval SET sketched_of = 0" \
	"  WHERE one AND sketched_of" PG_DIFFERS "0;" \
	" ELSE DELETE FROM public.chunk_sketch WHERE id" PG_EQUALS "OLD.id; END IF;" \
	" RETURN NULL; END $$"
#define ADD_SKETCH_CHANGED \
	"CREATE OR REPLACE TRIGGER chunk_changed AFTER UPDATE OF tail ON public.chunk" \
	" FOR EACH ROW WHEN (OLD.tail OR NEW.tail)" \
	" EXECUTE FUNCTION public.chunk_changed()"

/* Looked up one after another, whatever the table's statistics. */
#define MAKE_SKETCH_GONE \
	"CREATE OR REPLACE FUNCTION public.chunk_gone() RETURNS pg_catalog.trigger" \
	" LANGUAGE plpgsql AS $$ BEGIN" \
	" DELETE FROM public.chunk_sketch s WHERE coalesce((SELECT false FROM public.chunk c" \
	"  WHERE c.id" PG_EQUALS "s.id), true);" \
	" RETURN NULL; END $$"
#define ADD_SKETCH_GONE \
	"CREATE OR REPLACE TRIGGER chunk_gone AFTER DELETE ON public.chunk" \
	" FOR EACH STATEMENT EXECUTE FUNCTION public.chunk_gone()"

/* For databases in use, and for new ones. */
#define SKETCH_STEPS \
	{ 5, NULL, MAKE_SKETCH }, { 5, NULL, ADD_SKETCHED }, { 5, NULL, MAKE_SKETCH_CHANGED }, \
	    { 5, NULL, ADD_SKETCH_CHANGED }, { 5, NULL, MAKE_SKETCH_GONE }, \
	{ \
		5, NULL, ADD_SKETCH_GONE \
	}
#define SKETCH_SCHEMA \
	MAKE_SKETCH, ADD_SKETCHED, MAKE_SKETCH_CHANGED, ADD_SKETCH_CHANGED, MAKE_SKETCH_GONE, \
	    ADD_SKETCH_GONE

#endif
